"""The local cloud as a process: start it, find it, stop it, ask it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from couch_explorers.files import read_json, write_json
from couch_explorers.local import ports
from couch_explorers.local.engine import settings as engine_settings
from couch_explorers.local.ports import CloudError
from couch_explorers.local.settings import HOST, PROJECT_ROOT, REGION, Home

START_DEADLINE_S = 60.0
# The modules that may be the process behind a note of `couch up`.
SERVERS = {"ministack": "couch_explorers.local.server", "localemu": "couch_explorers.local.engine.server"}
STOP_DEADLINE_S = 30.0
POLL_S = 0.05
NOT_RUNNING = "The local cloud is not running. Start it: couch up"


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    pid: int
    port: int
    endpoint: str
    started: str
    region: str = REGION

    def ask(self, method: str, path: str, value: Any | None = None, *, timeout_s: float = 30.0) -> Any:
        """The JSON answer of one of the server's own addresses, such as `/_couch/stats`.

        Raises CloudError with the server's own sentence, or when nobody answers.
        """
        body = None if value is None else json.dumps(value).encode()
        request = Request(self.endpoint + path, data=body, method=method)  # noqa: S310 - always http on loopback
        try:
            with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            sentence = json.load(error).get("error", error.reason)
            raise CloudError(sentence) from error
        except (URLError, OSError) as error:
            raise CloudError(
                f"The local cloud at {self.endpoint} does not answer ({error}). Start it: couch up"
            ) from error


def engine() -> str:
    """The engine that the next start takes: `ministack`, unless COUCH_ENGINE says `localemu`."""
    name = os.environ.get("COUCH_ENGINE") or "ministack"
    if name not in SERVERS:
        raise CloudError(f"COUCH_ENGINE is {name!r}; it takes {' or '.join(SERVERS)}.")
    return name


def server_command() -> list[str]:
    """The program that serves, to which the port is added; raises CloudError where its environment is not installed."""
    if engine() == "ministack":
        return [sys.executable, "-m", SERVERS["ministack"]]
    if missing := engine_settings.missing_environments():
        raise CloudError(f"The local cloud's environment is not installed ({missing[0]} is missing). Run: make setup")
    return [str(engine_settings.ENGINE_PYTHON), "-m", SERVERS["localemu"]]


def server_environment(home: Home, port: int) -> dict[str, str]:
    """The whole environment of that program for a folder and a port."""
    if engine() == "ministack":
        return home.server_environment(port)
    return engine_settings.server_environment(home, port)


@contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Let only one `couch up` or `couch down` at a time work on a folder."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed by commands that only look

    home.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CloudError(
            "Another `couch up` or `couch down` is at work on this folder. Wait until it has ended."
        ) from error
    try:
        yield
    finally:
        lock.release()


def running(home: Home) -> Cloud | None:
    """The local cloud of a folder, None when it does not answer."""
    noted = read_json(home.cloud_file)
    if not isinstance(noted, dict):
        return None
    with suppress(CloudError, TypeError, ValueError):
        cloud = Cloud(**noted)
        health = cloud.ask("GET", "/_couch/health", timeout_s=5)
        if health.get("home") == str(home.path) and health.get("pid") == cloud.pid:
            return cloud
    return None


def required(home: Home) -> Cloud:
    """The local cloud of a folder; raises CloudError with the command that starts it when it does not answer."""
    here = running(home)
    if here is None:
        raise CloudError(NOT_RUNNING)
    return here


def start(home: Home, asked_port: int | None = None) -> tuple[Cloud, str]:
    """The running local cloud, started where it was not, and the words for what was done.

    Without a port it comes back on that of last time. A process that hangs is ended first; a port held by another program is an
    error that names it.
    """
    port = ports.choose(home, asked_port)
    if (cloud := running(home)) is not None:
        if asked_port is not None and cloud.port != asked_port:
            raise CloudError(f"The local cloud already runs on port {cloud.port}. {ports.to_move(asked_port)}")
        return cloud, "runs"
    # A stop takes the note away; one that is still there belongs to a cloud that hangs or was killed.
    unclean = home.cloud_file.exists()
    _end_stale_process(home)
    ports.require_free(home, port)
    home.logs.mkdir(parents=True, exist_ok=True)
    log = home.logs / "cloud.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*server_command(), str(port)],
            cwd=PROJECT_ROOT,
            env=server_environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal that said `couch up` must not take the cloud with it.
            start_new_session=True,
        )
    cloud = Cloud(process.pid, port, f"http://{HOST}:{port}", datetime.now(UTC).isoformat(timespec="seconds"))
    write_json(home.cloud_file, asdict(cloud))
    deadline = time.monotonic() + START_DEADLINE_S
    while running(home) is None:
        if process.poll() is not None:
            home.cloud_file.unlink(missing_ok=True)
            raise CloudError(
                f"The local cloud ended while it started. Its last words: {_last_line(log)} (all of it: {log})"
            )
        if time.monotonic() > deadline:
            process.kill()
            home.cloud_file.unlink(missing_ok=True)
            raise CloudError(f"The local cloud did not answer within {START_DEADLINE_S:.0f} s. What it said: {log}")
        time.sleep(POLL_S)
    if unclean:
        return cloud, "had not been stopped: what came since its last save is forgotten; started again"
    return cloud, "started"


def stop(home: Home, *, erase: bool = False) -> str:
    """Stop the local cloud so that it keeps its state; returns the sentence for the person who asked."""
    noted = read_json(home.cloud_file)
    sentence = "The local cloud was not running."
    if isinstance(noted, dict) and (process := _server_process(noted.get("pid"))) is not None:
        process.terminate()
        sentence = "The local cloud is stopped; `couch up` brings everything back."
        if not _gone(process, STOP_DEADLINE_S):
            process.kill()
            _gone(process, STOP_DEADLINE_S)
            sentence = (
                "The local cloud did not stop by itself and was ended: what came since its last save is forgotten. "
                "`couch up` repairs the deploy."
            )
    home.cloud_file.unlink(missing_ok=True)
    if erase:
        _erase(home)
        sentence = "The local cloud is stopped and its data is erased."
    return sentence


def _erase(home: Home) -> None:
    """Remove what is the local cloud's own: what was paid for on AWS stays, and so does what people said of pictures."""
    spared = {home.lock_file, home.ratings("local").parent, home.images("aws"), home.runs("aws")}
    holders = {path.parent for path in spared} - {home.path}
    for item in [*home.path.glob("*"), *(child for folder in holders for child in folder.glob("*"))]:
        if item not in spared | holders:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    for folder in holders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _server_process(pid: object) -> Any | None:
    """The process of that id, if it is a local cloud's server and not a later program with the same id."""
    import psutil  # noqa: PLC0415 - only start and stop look at processes

    try:
        process = psutil.Process(pid) if isinstance(pid, int) else None
        if process is not None and set(SERVERS.values()) & set(process.cmdline()):
            return process
    except psutil.Error:
        return None
    return None


def _gone(process: Any, deadline_s: float) -> bool:
    import psutil  # noqa: PLC0415

    try:
        process.wait(timeout=deadline_s)
    except psutil.TimeoutExpired:
        return False
    return True


def _end_stale_process(home: Home) -> None:
    noted = read_json(home.cloud_file)
    process = _server_process(noted.get("pid")) if isinstance(noted, dict) else None
    if process is not None:
        process.terminate()
        if not _gone(process, 5.0):
            process.kill()
            _gone(process, STOP_DEADLINE_S)
    home.cloud_file.unlink(missing_ok=True)


def _last_line(log: os.PathLike[str]) -> str:
    with open(log, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - takes any path-like
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else "none"
