"""A local cloud with nothing deployed on it, for tests that are not Python's: `bare_cloud.py PORT FOLDER [PATH]` serves until it is ended.

PATH is a folder that the server's Python looks for modules in first.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from couch_explorers.local.process import server_command, server_environment
from couch_explorers.paths import PROJECT_ROOT, Home


def main(port: str, folder: str, path: str = "") -> None:
    """Become the server itself, so that anyone who ends this process ends the cloud."""
    home = Home(Path(folder).resolve())
    home.path.mkdir(parents=True, exist_ok=True)
    os.chdir(PROJECT_ROOT)
    command = [*server_command(), port]
    environment = server_environment(home, int(port))
    if path:
        environment["PYTHONPATH"] = os.pathsep.join((path, environment["PYTHONPATH"]))
    os.execve(command[0], command, environment)


@dataclass(frozen=True)
class Server:
    """A cloud in a process of its own, and where its output goes."""

    process: subprocess.Popen
    port: int
    log_file: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def wait_until_ready(self, within_s: float) -> None:
        """Wait until it answers; fail with its output where it has ended, or does not answer in time."""
        deadline = time.monotonic() + within_s
        while not self._answers(within_s):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def _answers(self, within_s: float) -> bool:
        try:
            urlopen(f"{self.endpoint}/_couch/health", timeout=within_s).close()
        except OSError:
            return False
        return True


@contextmanager
def serving(
    home: Path,
    *,
    port: int | None = None,
    path: tuple[Path, ...] = (),
    environment: Mapping[str, str] | None = None,
    within_s: float = 120,
) -> Iterator[Server]:
    """Run a cloud that answers, on a free port where none is named, with nothing of the user's AWS settings; end it afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_"))}
    command = [sys.executable, __file__, str(port), str(home), *map(str, path)]
    with (home / "log").open("ab") as output:
        process = subprocess.Popen(
            command, env=clean | dict(environment or {}), stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(process, port, home / "log")
    try:
        server.wait_until_ready(within_s)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Find a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
