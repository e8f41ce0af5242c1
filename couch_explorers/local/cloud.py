"""The local cloud as a process: start it, find it, stop it, ask it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from couch_explorers.aws import REGION
from couch_explorers.files import read_json, write_json
from couch_explorers.local import ports
from couch_explorers.local.engine import settings as engine_settings
from couch_explorers.local.ports import CloudError
from couch_explorers.local.settings import HOST
from couch_explorers.paths import PROJECT_ROOT, Home

START_DEADLINE_S = 60.0
SERVER = "couch_explorers.local.engine.server"
STOP_DEADLINE_S = 30.0
POLL_S = 0.05
# What a process that ends without being stopped takes along.
_FORGOTTEN = "at most what was done in its last second is forgotten"
CHANGED_ENGINE = (
    "started on another engine than before: pictures, runs, ratings and metrics are kept, everything is deployed anew, "
    "and what the earlier engine saved stays in state/ and objects/"
)
HEALTH_PATH = "/_couch/health"
HEALTH_TIMEOUT_S = 5.0
# Seconds that `couch up` waits for a process that lives, is not about to start, and does not answer.
BUSY_DEADLINE_S = 20.0
# Far more than any answer below `/_couch/` has: another program on the port may send without end.
ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
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

        Raises CloudError with the server's own sentence, or with what is known where it does not answer.
        """
        try:
            status, answer = _ask(self.port, method, path, value, timeout_s)
        except (OSError, HTTPException, ValueError) as error:
            raise CloudError(_silence(self.pid, self.port, error)) from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise CloudError(answer.get("error") if isinstance(answer, dict) else str(answer))
        return answer


@dataclass(frozen=True)
class Health:
    """How a folder's local cloud is: the healthy cloud, or the sentence that says what is known instead.

    `process` is the server's process where it lives but does not answer.
    """

    cloud: Cloud | None
    problem: str = ""
    process: Any | None = None

    @property
    def may_answer(self) -> bool:
        """Whether a process lives that is starting, busy or stopping."""
        return self.process is not None and not _is_suspended(self.process)


def _ask(port: int, method: str, path: str, value: Any | None, timeout_s: float) -> tuple[int, Any]:
    """Status and JSON of an answer on the loopback address, asked without proxies and redirects.

    Raises OSError where nobody answers, HTTPException or ValueError where that is no HTTP or no JSON.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, None if value is None else json.dumps(value).encode())
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read(ANSWER_LIMIT_BYTES))
    finally:
        connection.close()


def health(home: Home) -> Health:
    """Ask the local cloud of a folder how it is: by the note of its start, else on the port of last time."""
    noted = _noted(home)
    port = noted.port if noted else ports.of_last_time(home)
    try:
        status, answer = _ask(port, "GET", HEALTH_PATH, None, HEALTH_TIMEOUT_S)
    except (OSError, HTTPException, ValueError) as error:
        if noted is None:
            return Health(None, NOT_RUNNING)
        other = isinstance(error, HTTPException | ValueError)
        return Health(None, _silence(noted.pid, port, error), None if other else _server_process(noted.pid, port))
    if status == HTTPStatus.OK and isinstance(answer, dict) and answer.get("home") == str(home.path):
        pid = answer.get("pid")
        if noted is not None and pid == noted.pid:
            return Health(noted)
        if isinstance(pid, int):
            # It was started here and answers; only its note was lost.
            return Health(_cloud(pid, port, datetime.now(UTC)))
    if noted is None:
        return Health(None, NOT_RUNNING)
    return Health(None, _other_program(port, str(answer.get("home", "")) if isinstance(answer, dict) else ""))


def _noted(home: Home) -> Cloud | None:
    """The cloud that the note of the last start names, None where there is no whole note."""
    note = read_json(home.cloud_file)
    try:
        cloud = Cloud(**note) if isinstance(note, dict) else None
    except TypeError:
        return None
    return cloud if cloud is not None and type(cloud.pid) is int and type(cloud.port) is int else None


def _cloud(pid: int, port: int, started: datetime) -> Cloud:
    return Cloud(pid, port, f"http://{HOST}:{port}", started.isoformat(timespec="seconds"))


def _silence(pid: int, port: int, error: Exception) -> str:
    """Say why the server that was started as `pid` gives no answer on `port`, as far as this can be seen."""
    if isinstance(error, HTTPException | ValueError):
        return _other_program(port)
    process = _server_process(pid, port)
    if process is None and isinstance(error, ConnectionRefusedError):
        return f"The local cloud is not running: its process {pid} has ended without being stopped. Start it: couch up"
    if process is None:
        return (
            f"The local cloud is not running: its process {pid} has ended, and {ports.holder(port)} holds port {port} "
            f"without an answer ({_reason(error)}). Stop that program, then: couch up"
        )
    if _is_suspended(process):
        return (
            f"The local cloud (process {pid}) does not answer: it is suspended. Let it go on: kill -CONT {pid}, "
            "or end it: couch down"
        )
    if isinstance(error, ConnectionRefusedError):
        return (
            f"The local cloud (process {pid}) does not listen on port {port}: it is starting or stopping. "
            "Wait, or end it: couch down"
        )
    return (
        f"The local cloud (process {pid}) does not answer on port {port} ({_reason(error)}): it is busy or hangs. "
        "Wait, or end it: couch down"
    )


def _other_program(port: int, home: str = "") -> str:
    whose = f", the local cloud of {home}," if home else ","
    return f"On port {port} answers {ports.holder(port)}{whose} and not this folder's local cloud. Stop that program, then: couch up"


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


def _is_suspended(process: Any) -> bool:
    import psutil  # noqa: PLC0415 - only where something is wrong

    with suppress(psutil.Error):
        return bool(process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    return False


def server_command() -> list[str]:
    """The program that serves, to which the port is added; raises CloudError where its environment is not installed."""
    if missing := engine_settings.missing_environments():
        raise CloudError(f"The local cloud's environment is not installed ({missing[0]} is missing). Run: make setup")
    return [str(engine_settings.ENGINE_PYTHON), "-m", SERVER]


def server_environment(home: Home, port: int) -> dict[str, str]:
    """The whole environment of that program for a folder and a port."""
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
    return health(home).cloud


def required(home: Home) -> Cloud:
    """The local cloud of a folder; raises CloudError with what is known and what to do when it does not answer."""
    now = health(home)
    if now.cloud is None:
        raise CloudError(now.problem)
    return now.cloud


def start(home: Home, asked_port: int | None = None) -> tuple[Cloud, str]:
    """The running local cloud, started where it was not, and the words for what was done.

    Without a port it comes back on that of last time. A process that lives is waited for and never replaced; it, and a port
    held by another program, is an error that names it and says what to do.
    """
    port = ports.choose(home, asked_port)
    if (cloud := _present(home)) is not None:
        if asked_port is not None and cloud.port != asked_port:
            raise CloudError(f"The local cloud already runs on port {cloud.port}. {ports.to_move(asked_port)}")
        if _noted(home) != cloud:
            write_json(home.cloud_file, asdict(cloud))
        return cloud, "runs"
    changes_engine = home.earlier_objects.exists() and not home.saved.exists()
    # A stop takes the note away; one that is still there belongs to a cloud that was killed.
    unclean = home.cloud_file.exists()
    home.cloud_file.unlink(missing_ok=True)
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
    cloud = _cloud(process.pid, port, datetime.now(UTC))
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
        return cloud, f"had not been stopped: {_FORGOTTEN}; started again"
    if changes_engine:
        return cloud, CHANGED_ENGINE
    return cloud, "started"


def _present(home: Home) -> Cloud | None:
    """The folder's cloud, waited for while its process lives; None where there is none.

    Raises CloudError where a process that lives does not answer in time, or is suspended.
    """
    begun = time.time()
    while (now := health(home)).cloud is None and now.process is not None:
        patience_ends = max(begun + BUSY_DEADLINE_S, _begin_of(now.process) + START_DEADLINE_S)
        if not now.may_answer or time.time() > patience_ends:
            raise CloudError(now.problem)
        time.sleep(POLL_S)
    return now.cloud


def _begin_of(process: Any) -> float:
    """The time at which a process began, in seconds of the epoch; 0 where it has ended."""
    import psutil  # noqa: PLC0415

    with suppress(psutil.Error):
        return float(process.create_time())
    return 0.0


def stop(home: Home, *, erase: bool = False) -> str:
    """Stop the local cloud so that it keeps its state; returns the sentence for the person who asked."""
    here = running(home) or _noted(home)
    sentence = "The local cloud was not running."
    if here is not None and (process := _server_process(here.pid, here.port)) is not None:
        process.terminate()
        # One that is suspended hears it only when it goes on.
        process.resume()
        sentence = "The local cloud is stopped; `couch up` brings everything back."
        if not _gone(process, STOP_DEADLINE_S):
            process.kill()
            _gone(process, STOP_DEADLINE_S)
            sentence = (
                f"The local cloud did not stop by itself and was ended: {_FORGOTTEN}. `couch up` repairs the deploy."
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


def _server_process(pid: int, port: int) -> Any | None:
    """The process of that id, if it is the server of a local cloud on that port and not a later program with the same id."""
    import psutil  # noqa: PLC0415 - only start, stop and what goes wrong look at processes

    try:
        process = psutil.Process(pid)
        command = process.cmdline()
    except (psutil.Error, ValueError):
        return None
    return process if SERVER in command and command[-1] == str(port) else None


def _gone(process: Any, deadline_s: float) -> bool:
    import psutil  # noqa: PLC0415

    try:
        process.wait(timeout=deadline_s)
    except psutil.TimeoutExpired:
        return False
    return True


def _last_line(log: os.PathLike[str]) -> str:
    with open(log, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - takes any path-like
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else "none"
