"""The process of the local cloud: start it, find it, stop it and ask it; its port; and what a killed `couch up` left running."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from couch_explorers.aws import REGION
from couch_explorers.files import read_json, write_json
from couch_explorers.local.engine import settings as engine_settings
from couch_explorers.local.settings import DEFAULT_PORT, HOST
from couch_explorers.paths import PROJECT_ROOT, Home

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

HIGHEST_PORT = 65535


class CloudError(Exception):
    """The local cloud is not in the expected state; the message says what to do."""


def choose_port(home: Home, requested: int | None) -> int:
    """The port to start on: the requested one, else the one of the deployment or of the last start, else the default.

    Raises:
        CloudError: Something is deployed on another port; the addresses of its queues, which its functions use, contain that port.
    """
    deployed = deployed_port(home)
    if requested is not None and deployed is not None and requested != deployed:
        raise CloudError(
            f"What is deployed here belongs to port {deployed}: queues carry it in their address. {how_to_move(requested)}"
        )
    return requested or last_port(home)


def how_to_move(port: int) -> str:
    """Advice on moving a cloud to another port."""
    return f"To begin again on another: couch down --erase, then couch up --port {port}"


def last_port(home: Home) -> int:
    """The port of a start without an option: that of the deployment, else of the last start, else the default."""
    choices = read_json(home.choices_file)
    chosen = choices.get("port") if isinstance(choices, dict) else None
    return deployed_port(home) or (chosen if type(chosen) is int and 0 < chosen <= HIGHEST_PORT else DEFAULT_PORT)


def deployed_port(home: Home) -> int | None:
    """The port of the deployment, None without one."""
    deployment = read_json(home.deployment_file)
    if not isinstance(deployment, dict):
        return None
    workspace = deployment.get("workspace")
    endpoint = workspace.get("endpoint") if isinstance(workspace, dict) else None
    try:
        return urlsplit(endpoint).port if isinstance(endpoint, str) else None
    except ValueError:
        return None


def require_free_port(home: Home, port: int) -> None:
    """Check that a port is free.

    Raises:
        CloudError: It is taken; the message names the program that holds it and says what to do.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = f"Port {port} is taken by {port_holder(port)}. Stop that program"
            if deployed_port(home) is not None:
                raise CloudError(
                    f"{taken}: what is deployed here belongs to its port. {how_to_move(port + 1)}"
                ) from error
            raise CloudError(f"{taken}, or choose another port: couch up --port {port + 1}") from error


def port_holder(port: int) -> str:
    """The name of the program that listens on a port, as far as this user may see it."""
    import psutil  # noqa: PLC0415

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN" and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"


# Seconds: a start takes three on an idle machine, and a minute on one that is busy with twenty other things.
START_DEADLINE_S = 180.0
SERVER = "couch_explorers.local.engine.server"
STOP_DEADLINE_S = 30.0
POLL_S = 0.05
# What is lost when the process ends without being stopped.
_LOST = "at most what was done in its last second is forgotten"
CHANGED_ENGINE = (
    "started on another engine than before: pictures, runs, ratings and metrics are kept, everything is deployed again, "
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
            raise CloudError(_no_answer(self.pid, self.port, error)) from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise CloudError(answer.get("error") if isinstance(answer, dict) else str(answer))
        return answer


@dataclass(frozen=True)
class Health:
    """The health of a folder's local cloud: the running cloud, or a sentence on what is wrong.

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
    """Return status and JSON of a response from the loopback address, without proxies and redirects.

    Raises OSError without an answer, HTTPException or ValueError for one that is no HTTP or no JSON.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, None if value is None else json.dumps(value).encode())
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read(ANSWER_LIMIT_BYTES))
    finally:
        connection.close()


def health(home: Home) -> Health:
    """Check the local cloud of a folder, at the port in its cloud file, else at that of the last start."""
    recorded = _recorded(home)
    port = recorded.port if recorded else last_port(home)
    try:
        status, answer = _ask(port, "GET", HEALTH_PATH, None, HEALTH_TIMEOUT_S)
    except (OSError, HTTPException, ValueError) as error:
        if recorded is None:
            return Health(None, NOT_RUNNING)
        other = isinstance(error, HTTPException | ValueError)
        return Health(
            None, _no_answer(recorded.pid, port, error), None if other else _server_process(recorded.pid, port)
        )
    if status == HTTPStatus.OK and isinstance(answer, dict) and answer.get("home") == str(home.path):
        pid = answer.get("pid")
        if recorded is not None and pid == recorded.pid:
            return Health(recorded)
        if isinstance(pid, int):
            # It was started here and answers; only its note was lost.
            return Health(_cloud(pid, port, datetime.now(UTC)))
    if recorded is None:
        return Health(None, NOT_RUNNING)
    return Health(None, _other_program(port, str(answer.get("home", "")) if isinstance(answer, dict) else ""))


def _recorded(home: Home) -> Cloud | None:
    """The cloud in the cloud file, None without a complete one."""
    note = read_json(home.cloud_file)
    try:
        cloud = Cloud(**note) if isinstance(note, dict) else None
    except TypeError:
        return None
    return cloud if cloud is not None and type(cloud.pid) is int and type(cloud.port) is int else None


def _cloud(pid: int, port: int, started: datetime) -> Cloud:
    return Cloud(pid, port, f"http://{HOST}:{port}", started.isoformat(timespec="seconds"))


def _no_answer(pid: int, port: int, error: Exception) -> str:
    """Return why the server that was started as `pid` does not respond on `port`, as far as known."""
    if isinstance(error, HTTPException | ValueError):
        return _other_program(port)
    process = _server_process(pid, port)
    if process is None and isinstance(error, ConnectionRefusedError):
        return f"The local cloud is not running: its process {pid} has ended without being stopped. Start it: couch up"
    if process is None:
        return (
            f"The local cloud is not running: its process {pid} has ended, and {port_holder(port)} holds port {port} "
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
    return f"On port {port} answers {port_holder(port)}{whose} and not this folder's local cloud. Stop that program, then: couch up"


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
    """Start the local cloud of a folder where it is not running.

    Args:
        home: The folder.
        asked_port: The port to listen on; default: that of the last time. A live process is waited for and never replaced.

    Returns:
        The running cloud, and a description of what was done.

    Raises:
        CloudError: A live process does not answer, the port is taken, or the server does not start; the message says what to do.
    """
    port = choose_port(home, asked_port)
    if (cloud := _present(home)) is not None:
        if asked_port is not None and cloud.port != asked_port:
            raise CloudError(f"The local cloud already runs on port {cloud.port}. {how_to_move(asked_port)}")
        if _recorded(home) != cloud:
            write_json(home.cloud_file, asdict(cloud))
        return cloud, "runs"
    changes_engine = home.earlier_objects.exists() and not home.saved.exists()
    # A stop deletes the file; one that still exists belongs to a cloud that was killed.
    unclean = home.cloud_file.exists()
    home.cloud_file.unlink(missing_ok=True)
    require_free_port(home, port)
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
            # Ctrl-C in the terminal of `couch up` must not end the cloud.
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
            raise CloudError(f"The local cloud did not answer within {START_DEADLINE_S:.0f} s. Its log: {log}")
        time.sleep(POLL_S)
    if unclean:
        return cloud, f"had not been stopped: {_LOST}; started again"
    if changes_engine:
        return cloud, CHANGED_ENGINE
    return cloud, "started"


def _present(home: Home) -> Cloud | None:
    """The folder's cloud, waited for while its process lives; None where there is none.

    Raises CloudError where a process that lives does not answer in time, or is suspended.
    """
    begun = time.time()
    while (now := health(home)).cloud is None and now.process is not None:
        patience_ends = max(begun + BUSY_DEADLINE_S, _start_time(now.process) + START_DEADLINE_S)
        if not now.may_answer or time.time() > patience_ends:
            raise CloudError(now.problem)
        time.sleep(POLL_S)
    return now.cloud


def _start_time(process: Any) -> float:
    """The time at which a process began, in seconds of the epoch; 0 where it has ended."""
    import psutil  # noqa: PLC0415

    with suppress(psutil.Error):
        return float(process.create_time())
    return 0.0


def stop(home: Home, *, erase: bool = False) -> str:
    """Stop the local cloud, which keeps its state, or erase its data; return a sentence for the user."""
    here = running(home) or _recorded(home)
    sentence = "The local cloud was not running."
    if here is not None and (process := _server_process(here.pid, here.port)) is not None:
        process.terminate()
        # A suspended process gets the signal only when it continues.
        process.resume()
        sentence = "The local cloud is stopped; `couch up` brings everything back."
        if not _has_ended(process, STOP_DEADLINE_S):
            process.kill()
            _has_ended(process, STOP_DEADLINE_S)
            sentence = f"The local cloud did not stop by itself and was ended: {_LOST}. `couch up` repairs the deploy."
    home.cloud_file.unlink(missing_ok=True)
    if erase:
        _erase(home)
        sentence = "The local cloud is stopped and its data is erased."
    return sentence


def _erase(home: Home) -> None:
    """Delete the data of the local cloud; pictures from AWS, which were paid for, and ratings stay."""
    spared = {home.lock_file, home.ratings("local").parent, home.images("aws"), home.runs("aws")}
    holders = {path.parent for path in spared} - {home.path}
    for item in [*home.path.glob("*"), *(child for folder in holders for child in folder.glob("*"))]:
        if item not in spared | holders:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    for folder in holders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _server_process(pid: int, port: int) -> Any | None:
    """The process of that id, if it is the server on that port and not a later program with the same id."""
    import psutil  # noqa: PLC0415 - only start, stop and what goes wrong look at processes

    try:
        process = psutil.Process(pid)
        command = process.cmdline()
    except (psutil.Error, ValueError):
        return None
    return process if SERVER in command and command[-1] == str(port) else None


def _has_ended(process: Any, deadline_s: float) -> bool:
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


INTERRUPT_DEADLINE_S = 10.0


def end_orphan_processes(home: Home) -> list[str]:
    """End `sam` and `terraform` processes that a killed `couch up` left running on this folder.

    Call it only while holding the folder's lock (`exclusive`): then no other command is waiting for them.

    Returns:
        The names of the processes that were ended.
    """
    import psutil  # noqa: PLC0415

    left = [process for process in psutil.process_iter() if _works_on(process, home.path)]
    names = []
    for process in left:
        try:
            names.append(process.name())
            # On SIGINT Terraform finishes the current operation, writes its state, and stops its providers.
            process.send_signal(signal.SIGINT)
        except psutil.NoSuchProcess:
            continue
    _, surviving = psutil.wait_procs(left, timeout=INTERRUPT_DEADLINE_S)
    for process in surviving:
        process.kill()
    psutil.wait_procs(surviving, timeout=INTERRUPT_DEADLINE_S)
    return names


def _works_on(process: Any, folder: Path) -> bool:
    """Whether a process is `sam` or `terraform` deploying from this folder, not an editor or shell whose directory it is."""
    import psutil  # noqa: PLC0415

    try:
        command = process.cmdline()
        programs = {Path(word).name for word in command[:2]}
        if "sam" in programs:
            return any(str(folder) in word for word in command[2:])
        if "terraform" in programs:
            return Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
    return False
