"""Execution environments of a function, and the pool in which those of one version stay warm.

An environment is what AWS keeps around a runtime's process: it starts the runtime, starts it again after a time-out or an exit, has
a `/tmp` and a log stream, and words failures as AWS does.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import json
import math
import os
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from couch_explorers.local.engine.lambda_runtime.function_logs import JsonLog, LogEvent, Report, TextLog, utc_time
from couch_explorers.local.engine.lambda_runtime.runtime_process import (
    MAX_RESPONSE,
    Ending,
    Invocation,
    PhaseEnd,
    RuntimeProcess,
)

START = Path(__file__).parent / "function_process" / "start.py"

# Seconds that code outside of the handler may take before Lambda runs it again within the first invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
INIT_TIMEOUT_S = 10.0
# Bytes of the log that LogType=Tail returns. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
LOG_TAIL = 4096
MB = 1024 * 1024
# The documented folder of the runtime; it does not exist here, and on AWS it holds only AWS's own code.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RUNTIME_DIR = "/var/runtime"
# Where a function's archive and its layers are on AWS; logs and stack traces name these instead of folders of this machine.
TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt"


@dataclass(frozen=True)
class FunctionSettings:
    """The settings of one version of a function that its execution environments use."""

    name: str
    version: str
    handler: str
    runtime: str
    region: str
    timeout_s: int
    memory_mb: int
    # The unpacked archive, and the unpacked layers in the order of their precedence.
    code: Path
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str = "INFO"
    initialization_type: str = "on-demand"
    runtime_version_arn: str = ""

    def process_environment(self, log_stream: str, scratch: Path, credentials: Mapping[str, str]) -> dict[str, str]:
        """Return all environment variables of the function's process; its own take precedence over Lambda's unreserved ones."""
        unreserved = {
            "LANG": "en_US.UTF-8",
            "PATH": os.pathsep.join(
                ["/var/lang/bin:/usr/local/bin:/usr/bin/:/bin", *self._in_layers("bin"), "/opt/bin"]
            ),
            "LD_LIBRARY_PATH": os.pathsep.join([*self._in_layers("lib"), "/var/task", "/var/task/lib", "/opt/lib"]),
            "PYTHONPATH": RUNTIME_DIR,
            "TZ": ":UTC",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            # Not AWS's: a function's temporary files stay apart from other functions' and from this machine's.
            "TMPDIR": str(scratch),
        }
        reserved = {
            "_HANDLER": self.handler,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": self.initialization_type,
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "LAMBDA_TASK_ROOT": str(self.code),
            "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
        }
        if self.log_format == "JSON":
            reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        if self.application_log_level:
            reserved["AWS_LAMBDA_LOG_LEVEL"] = self.application_log_level
        return unreserved | dict(self.environment) | reserved | dict(credentials)

    def import_path(self) -> list[str]:
        """Return the folders of the layers that are on Python's import path."""
        version = self.runtime.removeprefix("python")
        return self._in_layers(f"python/lib/python{version}/site-packages", "python")

    def as_on_lambda(self, text: str) -> str:
        """Replace this machine's folders by AWS's in a text."""
        for layer in self.layers:
            text = text.replace(str(layer), LAYER_ROOT)
        return text.replace(str(self.code), TASK_ROOT)

    def command(self, python: Path) -> list[str]:
        """Return the command that runs the handler: Python, or the wrapper script that the function names.

        https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html
        """
        command = [str(python), str(START), self.handler, *self.import_path()]
        wrapper = self.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
        if not wrapper:
            return command
        if wrapper.startswith(TASK_ROOT + "/"):
            wrapper = str(self.code / wrapper.removeprefix(TASK_ROOT + "/"))
        elif wrapper.startswith(LAYER_ROOT + "/"):
            candidates = [layer / wrapper.removeprefix(LAYER_ROOT + "/") for layer in self.layers]
            wrapper = str(next((candidate for candidate in candidates if candidate.is_file()), wrapper))
        # By a shell, so that a missing script ends with status 127 as on AWS.
        return ["/bin/sh", "-c", 'exec "$0" "$@"', wrapper, *command]

    def _in_layers(self, *folders: str) -> list[str]:
        candidates = [layer / folder for layer in self.layers for folder in folders]
        return [str(folder) for folder in candidates if folder.is_dir()]


@dataclass(frozen=True)
class InvocationResult:
    """The result of one invocation."""

    request_id: str
    payload: bytes
    started_at: float
    report: Report
    # The last 4 KB of its log.
    log_tail: str

    @property
    def failed(self) -> bool:
        """Whether it is a function error to the caller."""
        return self.report.status is not None


class ExecutionEnvironment:
    """Serves one invocation at a time, with a runtime that is started for the first and kept for the next."""

    def __init__(
        self,
        settings: FunctionSettings,
        python: Path,
        scratch: Path,
        credentials: Callable[[], Mapping[str, str]],
        deliver: Callable[[str, LogEvent], None],
    ) -> None:
        self.settings = settings
        self.id = uuid4().hex
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{settings.version}]{self.id}"
        self._python = python
        self._scratch = scratch / self.id
        self._credentials = credentials
        self._deliver = deliver
        self._process: RuntimeProcess | None = None
        self._stopped = False
        self._lines: list[str] = []
        self._peak_memory = 0
        json_format = settings.log_format == "JSON"
        self._platform: JsonLog | TextLog = JsonLog(settings.system_log_level) if json_format else TextLog()
        self._fresh = True

    def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run the handler once, with `deadline_ms` set from the time-out. Its failures are results, not exceptions."""
        self._lines = []
        init_ms: float | None = None
        if self._fresh and self._process is None:
            init_ms = self._init()
        self._fresh = False
        started_at = time.time()
        begun = time.monotonic()
        end = self._initialized_in_invoke(begun)
        self._write(self._platform.start(invocation.request_id, self.settings.version))
        if end is None:
            end = self._run(invocation, begun)
        return self._conclude(invocation.request_id, started_at, (time.monotonic() - begun) * 1000, init_ms, end)

    def prepare(self) -> bool:
        """Start the runtime ahead of any invocation, as provisioned concurrency does; return whether that succeeded."""
        self._init()
        return self._process is not None

    def stop(self) -> None:
        """Kill the runtime's processes and delete its temporary files."""
        self._stopped = True
        if self._process:
            self._process.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _init(self) -> float | None:
        """Run the init phase; return its milliseconds, or None where it failed and is to be repeated within the invocation."""
        begun = time.monotonic()
        runtime = self.settings.runtime.replace("python", "python:")
        self._write(self._platform.init_start(runtime, self.settings.runtime_version_arn))
        self._lines = []  # an invocation's log begins after it
        end = self._start().wait_until_ready(INIT_TIMEOUT_S)
        took_ms = (time.monotonic() - begun) * 1000
        if end.ending is Ending.READY:
            return took_ms
        self._report_init(end, took_ms, "init")
        return None

    def _initialized_in_invoke(self, begun: float) -> PhaseEnd | None:
        """Start the runtime if there is none; return its failure, which then is the invocation's result."""
        if self._process and self._process.usable:
            return None
        end = self._start().wait_until_ready(self.settings.timeout_s)
        if end.ending is Ending.READY:
            return None
        self._report_init(end, (time.monotonic() - begun) * 1000, "invoke")
        return end

    def _run(self, invocation: Invocation, begun: float) -> PhaseEnd:
        for _ in range(2):  # a runtime that has exited while it was idle is replaced once
            left_s = begun + self.settings.timeout_s - time.monotonic()
            assert self._process
            end = self._process.invoke(_with_deadline(invocation, left_s), left_s)
            if end.ending is not Ending.GONE:
                break
            failure = self._initialized_in_invoke(begun)
            if failure:
                return failure
        return end

    def _start(self) -> RuntimeProcess:
        if self._process:
            self._process.stop()
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._process = RuntimeProcess(
            self.settings.command(self._python),
            self.settings.process_environment(self.log_stream, self._scratch, self._credentials()),
            self.settings.code,
            memory_limit=self.settings.memory_mb * MB,
            take_log=self._take,
        )
        if self._stopped:
            self._process.stop()
        return self._process

    def _report_init(self, end: PhaseEnd, took_ms: float, phase: str) -> None:
        status = "timeout" if end.ending is Ending.TIMEOUT else "error"
        self._write(
            self._platform.init_report(took_ms, phase, status, None if status == "timeout" else _error_type(end))
        )
        self._discard_process()

    def _measure_memory(self) -> None:
        if self._process:
            self._peak_memory = max(self._peak_memory, self._process.peak_memory())

    def _discard_process(self) -> None:
        if self._process:
            self._measure_memory()
            self._process.stop()
            self._process = None

    def _conclude(
        self, request_id: str, started_at: float, duration_ms: float, init_ms: float | None, end: PhaseEnd
    ) -> InvocationResult:
        status, error_type, payload = None, None, end.payload
        if end.ending is Ending.TIMEOUT:
            status, error_type = "timeout", "Sandbox.Timedout"
            duration_ms = self.settings.timeout_s * 1000.0
            sentence = f"Task timed out after {self.settings.timeout_s:.2f} seconds"
            self._write(self._platform.fault(f"{utc_time(time.time())} {request_id} {sentence}\n"))
            payload = _error(error_type, f"RequestId: {request_id} Error: {sentence}")
        elif end.ending in {Ending.EXIT, Ending.OUT_OF_MEMORY, Ending.STOPPED, Ending.GONE}:
            status, error_type = "error", _error_type(end)
            message = f"RequestId: {request_id} Error: {_exit_reason(end)}"
            self._write(self._platform.fault(f"{message}\nRuntime.ExitError"))
            payload = _error("Runtime.ExitError", message)
        elif end.ending is Ending.ERROR:
            status, error_type = "error", _error_type(end)
            payload = self.settings.as_on_lambda(payload.decode(errors="replace")).encode()
        elif len(payload) > MAX_RESPONSE:
            status, error_type = "error", "Function.ResponseSizeTooLarge"
            payload = _error(
                error_type, f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            )
        self._measure_memory()
        if end.ending not in {Ending.RESPONSE, Ending.ERROR} or error_type == "Function.ResponseSizeTooLarge":
            self._discard_process()
        report = Report(
            request_id=request_id,
            duration_ms=duration_ms,
            # The init phase is billed since August 2025.
            # https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
            billed_ms=math.ceil(duration_ms + (init_ms or 0)),
            memory_size_mb=self.settings.memory_mb,
            max_memory_mb=math.ceil(self._peak_memory / MB),
            init_ms=init_ms,
            status=status,
            error_type=error_type,
        )
        self._write(self._platform.report(report))
        tail = "".join(self._lines).encode()[-LOG_TAIL:].decode(errors="ignore")
        return InvocationResult(request_id, payload, started_at, report, tail)

    def _write(self, lines: Sequence[str]) -> None:
        now = int(time.time() * 1000)
        for line in lines:
            self._take(LogEvent(now, line))

    def _take(self, event: LogEvent) -> None:
        message = self.settings.as_on_lambda(event.message)
        self._lines.append(message if message.endswith("\n") else message + "\n")
        self._deliver(self.log_stream, LogEvent(event.timestamp_ms, message))


def _with_deadline(invocation: Invocation, left_s: float) -> Invocation:
    return Invocation(**{**vars(invocation), "deadline_ms": int((time.time() + left_s) * 1000)})


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()


def _error_type(end: PhaseEnd) -> str:
    if end.ending is Ending.OUT_OF_MEMORY:
        return "Runtime.OutOfMemory"
    if end.ending is not Ending.ERROR:
        return "Runtime.ExitError"
    if end.error_type:
        return end.error_type
    try:
        return str(json.loads(end.payload)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Runtime.Unknown"


def _exit_reason(end: PhaseEnd) -> str:
    """Describe how a process ended, in AWS's words."""
    if end.exit_code < 0:
        names = {
            signal.SIGKILL: "killed",
            signal.SIGSEGV: "segmentation fault",
            signal.SIGABRT: "aborted",
            signal.SIGTERM: "terminated",
        }
        number = signal.Signals(-end.exit_code)
        return f"Runtime exited with error: signal: {names.get(number, number.name)}"
    if end.exit_code == 0:
        return "Runtime exited without providing a reason"
    return f"Runtime exited with error: exit status {end.exit_code}"


# --- the pool ---------------------------------------------------------------------------------------------------------


# Seconds after which an idle environment ends. AWS names no figure; it keeps them for some minutes.
KEEP_ALIVE_S = 600.0
# Seconds after which an environment is replaced: AWS does so every few hours, and the role's credentials last twelve.
MAX_AGE_S = 4 * 3600.0
# Seconds between two checks for expired environments.
CHECK_S = 30.0


@dataclass(eq=False)
class _Kept:
    environment: ExecutionEnvironment
    provisioned: bool
    created_at: float = field(default_factory=time.monotonic)
    idle_since: float = field(default_factory=time.monotonic)

    def expired(self, now: float) -> bool:
        """Whether it has been idle for too long or is too old."""
        idle = now - self.idle_since > KEEP_ALIVE_S and not self.provisioned
        return idle or now - self.created_at > MAX_AGE_S


class EnvironmentPool:
    """The environments of one version: warm ones are used again, idle and old ones end.

    `create` returns a new environment, given its initialization type; the environment starts its process when it is first used.
    """

    def __init__(self, create: Callable[[str], ExecutionEnvironment]) -> None:
        self._create = create
        self._lock = threading.Lock()
        self._idle: list[_Kept] = []
        self._busy: set[_Kept] = set()
        self._stopped = False
        _pools.add(self)
        _start_ending_expired()

    @contextmanager
    def environment(self, *, provisioned: bool = False) -> Iterator[ExecutionEnvironment]:
        """Provide an environment for one invocation: the one that was used last, or a new one."""
        with self._lock:
            kept = next((each for each in reversed(self._idle) if each.provisioned == provisioned), None)
            if kept:
                self._idle.remove(kept)
            else:
                kept = self._make(provisioned=provisioned)
            self._busy.add(kept)
        reusable = False
        try:
            yield kept.environment
            reusable = True
        finally:
            kept.idle_since = time.monotonic()
            with self._lock:
                self._busy.discard(kept)
                reusable = reusable and not self._stopped and not kept.expired(kept.idle_since)
                if reusable:
                    self._idle.append(kept)
            if not reusable:
                kept.environment.stop()

    def provision(self, count: int) -> bool:
        """Keep `count` environments started; return whether all of them have started."""
        with self._lock:
            provisioned = [each for each in (*self._idle, *self._busy) if each.provisioned]
            surplus = [each for each in self._idle if each.provisioned][: max(0, len(provisioned) - count)]
            self._idle = [each for each in self._idle if each not in surplus]
        for each in surplus:
            each.environment.stop()
        started = True
        for _ in range(count - len(provisioned)):
            kept = self._make(provisioned=True)
            started = kept.environment.prepare() and started
            with self._lock:
                self._idle.append(kept)
        return started

    def stop(self) -> None:
        """End idle environments now, and the others when their invocation is over."""
        with self._lock:
            self._stopped = True
            idle, self._idle = self._idle, []
        for kept in idle:
            kept.environment.stop()

    def end_expired(self) -> None:
        """End the environments that are idle for too long or too old."""
        now = time.monotonic()
        with self._lock:
            expired = [kept for kept in self._idle if kept.expired(now)]
            self._idle = [kept for kept in self._idle if kept not in expired]
        for kept in expired:
            kept.environment.stop()

    def _make(self, *, provisioned: bool) -> _Kept:
        return _Kept(self._create("provisioned-concurrency" if provisioned else "on-demand"), provisioned)


_pools: weakref.WeakSet[EnvironmentPool] = weakref.WeakSet()
_keep_alive_thread = threading.Lock()


def _start_ending_expired() -> None:
    """Start the one thread that ends expired environments, unless it runs."""
    if _keep_alive_thread.acquire(blocking=False):
        threading.Thread(target=_end_expired, name="lambda-keep-alive", daemon=True).start()


def _end_expired() -> None:
    while True:
        time.sleep(CHECK_S)
        for pool in tuple(_pools):
            pool.end_expired()
