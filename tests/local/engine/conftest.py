"""A local cloud on LocalEmu with nothing deployed, one for each module that asks for it."""

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from couch_explorers.local.engine.settings import missing_environments
from couch_explorers.workspace import local_session
from tests import bare_cloud
from tests.local.engine.functions import Functions
from tests.local.telemetry.conftest import clock, noted

# The clock and the recorder of the telemetry's tests, for those of the engine's measurements.
__all__ = ["clock", "noted"]


def pytest_collection_modifyitems(items):
    """Mark the tests of this folder: they run in a local cloud, or in its Python environment."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.end_to_end)


@dataclass(frozen=True)
class EngineCloud:
    """A running server and the means to talk to it."""

    process: subprocess.Popen
    port: int
    home: Path
    # Closed at the end: a client that is collected before leaves its connections open.
    clients: list = field(default_factory=list)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return (self.home / "log").read_text(encoding="utf-8")

    def client(self, service, *, session=None, **arguments):
        """A client of a service, as root or by another session."""
        self.clients.append((session or local_session(self.endpoint)).client(service, **arguments))
        return self.clients[-1]

    def ask(self, method, path, value=None, headers=None):
        """The status, JSON and headers of one of the server's own addresses, or of any other."""
        body = None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        request = Request(self.endpoint + path, data=body, method=method, headers=headers or {})
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer), answer.headers
        except HTTPError as error:
            with error:
                text = error.read()
                return error.code, json.loads(text or b"null"), error.headers


@contextmanager
def serve(home, *, environment=None, port=None, path=()):
    """Start a server of its own, on a free port where none is named; killed afterwards, whatever happened to it.

    Its Python looks into the folder in `path` for modules first.
    """
    with bare_cloud.serving(home, environment=environment, port=port, path=path) as server:
        cloud = EngineCloud(server.process, server.port, home)
        try:
            yield cloud
        finally:
            for client in cloud.clients:
                client.close()
            server.process.kill()


@pytest.fixture(scope="module")
def engine_cloud(tmp_path_factory):
    """A server that the tests of a module share."""
    assert not missing_environments(), "run `make setup` first"
    with serve(tmp_path_factory.mktemp("engine")) as cloud:
        yield cloud


@pytest.fixture
def functions(engine_cloud):
    """Makes Lambda functions, and deletes them after the test."""
    with Functions(engine_cloud).cleared() as made:
        yield made
