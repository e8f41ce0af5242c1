import json
import os
import signal
import time

import pytest

from couch_explorers.local.engine import settings
from couch_explorers.local.engine.lambda_runtime import execution_environment
from couch_explorers.local.engine.lambda_runtime.execution_environment import (
    EnvironmentPool,
    ExecutionEnvironment,
    FunctionSettings,
)
from couch_explorers.local.engine.lambda_runtime.runtime_process import Invocation

HANDLERS = """
import json, logging, os, subprocess, sys, time

runs = 0

def echo(event, context):
    return event

def count(event, context):
    global runs
    runs += 1
    return runs

def describe(event, context):
    return {
        "environment": dict(os.environ), "path": sys.path, "cwd": os.getcwd(), "arn": context.invoked_function_arn,
        "client": context.client_context and context.client_context.custom, "left": context.get_remaining_time_in_millis(),
        "pid": os.getpid(), "group": os.getpgid(0),
    }

def sleep(event, context):
    print("before")
    time.sleep(event)

def leave(event, context):
    print("leaving")
    os._exit(event)

def fail(event, context):
    raise KeyError("prompt")

def log(event, context):
    print("one")
    logging.getLogger().warning("two\\nlines")
    os.write(1, b"three\\n")
    print("four", end="")

def large(event, context):
    return "x" * event

def grow(event, context):
    data = bytearray(event)
    time.sleep(30)

def recurse(event, context):
    return recurse(event, context)

def spawn(event, context):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid

def pandas(event, context):
    import pandas
"""


@pytest.fixture
def made(tmp_path):
    """Makes environments on a folder with the handlers, and ends them."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(HANDLERS)
    environments = []

    def make(handler, *, files=None, **fields):
        for name, text in (files or {}).items():
            (code / name).write_text(text)
        function = FunctionSettings(
            **{
                "name": "paint", "version": "$LATEST", "handler": handler, "runtime": "python3.12", "region": "eu-west-1",
                "timeout_s": 20, "memory_mb": 256, "code": code, "log_group": "/aws/lambda/paint", **fields,
            }
        )  # fmt: skip
        events = []
        environment = ExecutionEnvironment(
            function,
            settings.LAMBDA_PYTHON,
            tmp_path / "scratch",
            lambda: {"AWS_ACCESS_KEY_ID": "key"},
            lambda _, event: events.append(event),
        )
        environment.events = events
        environments.append(environment)
        return environment

    yield make
    for environment in environments:
        environment.stop()


def invoke(environment, event=None, **fields):
    invocation = Invocation(
        **{"request_id": "request-1", "function_arn": "arn", "deadline_ms": 0, **fields},
        payload=json.dumps(event).encode(),
    )
    return environment.invoke(invocation)


def test_result_is_the_handlers_and_is_reported(made):
    result = invoke(made("app.echo"), {"prompt": "a jeep"})

    assert json.loads(result.payload) == {"prompt": "a jeep"}
    assert result.report.status is None
    assert result.report.init_ms > 0
    assert 5 < result.report.max_memory_mb < 256


def test_environment_is_kept_warm(made):
    environment = made("app.count")

    results = [invoke(environment) for _ in range(3)]

    assert [json.loads(result.payload) for result in results] == [1, 2, 3]
    assert [result.report.init_ms is None for result in results] == [False, True, True]


def test_process_sees_lambdas_environment_only(made, monkeypatch):
    monkeypatch.setenv("OF_THIS_MACHINE", "1")
    environment = made("app.describe", environment={"BUCKET": "pictures", "TZ": "Europe/Oslo"})

    seen = json.loads(invoke(environment, client_context='{"custom": {"a": "b"}}', function_arn="arn:x").payload)

    variables = seen["environment"]
    assert "OF_THIS_MACHINE" not in variables
    assert variables["BUCKET"] == "pictures"
    assert variables["TZ"] == "Europe/Oslo"
    assert variables["_HANDLER"] == "app.describe"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_LAMBDA_LOG_STREAM_NAME"] == environment.log_stream
    assert seen["cwd"] == variables["LAMBDA_TASK_ROOT"] == seen["path"][0]
    assert seen["client"] == {"a": "b"}
    assert seen["arn"] == "arn:x"
    assert 15_000 < seen["left"] <= 20_000
    assert seen["pid"] == seen["group"]


def test_timeout_is_lambdas_error_and_restarts_the_runtime(made):
    environment = made("app.sleep", timeout_s=1)

    result = invoke(environment, 30)
    again = invoke(environment, 0)

    assert json.loads(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: request-1 Error: Task timed out after 1.00 seconds",
    }
    assert result.report.duration_ms == 1000
    assert "before\n" in result.log_tail
    assert "request-1 Task timed out after 1.00 seconds\n" in result.log_tail
    assert result.log_tail.endswith("Status: timeout\t\n")
    assert again.report.status is None
    assert again.report.init_ms is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1, "Runtime exited with error: exit status 1"), (0, "Runtime exited without providing a reason")],
)
def test_exit_is_an_exit_error(made, code, reason):
    result = invoke(made("app.leave"), code)

    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: request-1 Error: {reason}",
    }
    assert "leaving\n" in result.log_tail
    assert result.log_tail.endswith("Status: error\tError Type: Runtime.ExitError\t\n")


def test_exception_carries_type_message_and_stack(made):
    result = invoke(made("app.fail"))

    error = json.loads(result.payload)
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("KeyError", "'prompt'", "request-1")
    assert 'raise KeyError("prompt")' in error["stackTrace"][-1]
    assert "[ERROR] KeyError: 'prompt'\nTraceback (most recent call last):\n" in result.log_tail


def test_code_is_where_it_is_on_aws(made):
    result = invoke(made("app.fail"))

    assert json.loads(result.payload)["stackTrace"][-1].startswith('  File "/var/task/app.py", line ')
    assert '\xa0\xa0File "/var/task/app.py", line ' in result.log_tail


def test_wrapper_script_runs_the_runtime(made):
    script = '#!/bin/sh\nexport OF_THE_WRAPPER=1\nexec "$@"\n'
    environment = made(
        "app.describe", files={"wrap": script}, environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    )
    (environment.settings.code / "wrap").chmod(0o755)

    assert json.loads(invoke(environment).payload)["environment"]["OF_THE_WRAPPER"] == "1"


def test_missing_wrapper_script_is_status_127(made):
    result = invoke(made("app.echo", environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/nowhere"}))

    assert (
        json.loads(result.payload)["errorMessage"]
        == "RequestId: request-1 Error: Runtime exited with error: exit status 127"
    )


def test_recursion_error_with_its_long_traceback_arrives(made):
    result = invoke(made("app.recurse"))

    assert json.loads(result.payload)["errorType"] == "RecursionError"


@pytest.mark.parametrize(
    ("handler", "files", "error_type"),
    [
        ("nowhere.handler", {}, "Runtime.ImportModuleError"),
        ("needs_pandas.handler", {"needs_pandas.py": "import pandas"}, "Runtime.ImportModuleError"),
        ("app.nothing", {}, "Runtime.HandlerNotFound"),
        ("app", {}, "Runtime.MalformedHandlerName"),
        ("broken.handler", {"broken.py": "def handler(:"}, "Runtime.UserCodeSyntaxError"),
        ("raises.handler", {"raises.py": "raise ValueError('no bucket')"}, "ValueError"),
    ],
)
def test_init_error_is_tried_again_and_returned(made, handler, files, error_type):
    result = invoke(made(handler, files=files))

    assert json.loads(result.payload)["errorType"] == error_type
    assert result.report.status == "error"
    assert f"Phase: init\tStatus: error\tError Type: {error_type}\n" in result.log_tail or len(result.log_tail) >= 4000
    assert f"Phase: invoke\tStatus: error\tError Type: {error_type}\n" in result.log_tail


def test_exit_during_init_is_an_exit_error(made):
    result = invoke(made("gone.handler", files={"gone.py": "import os; os._exit(3)"}))

    error = json.loads(result.payload)
    assert error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: request-1 Error: Runtime exited with error: exit status 3",
    }


def test_unpackaged_library_is_missing(made):
    result = invoke(made("app.pandas"))

    assert json.loads(result.payload)["errorMessage"] == "No module named 'pandas'"


def test_log_keeps_the_order_of_prints_records_and_raw_writes(made):
    environment = made("app.log")

    invoke(environment)

    init_start, *messages = [event.message for event in environment.events]
    assert init_start.startswith("INIT_START Runtime Version: python:3.12\tRuntime Version ARN: ")
    assert messages[0] == "START RequestId: request-1 Version: $LATEST\n"
    assert messages[1] == "one\n"
    assert messages[2].endswith("\trequest-1\ttwo\nlines\n")
    assert messages[3:5] == ["three\n", "four"]
    assert messages[5] == "END RequestId: request-1\n"
    assert messages[6].startswith("REPORT RequestId: request-1\tDuration: ")


def test_json_log_format_is_json(made):
    environment = made("app.log", log_format="JSON", application_log_level="INFO")

    invoke(environment)

    _, start, record, report = (
        json.loads(event.message) for event in environment.events if event.message.startswith("{")
    )
    assert start["type"] == "platform.start"
    assert start["record"] == {"requestId": "request-1", "version": "$LATEST"}
    assert (record["level"], record["message"], record["requestId"]) == ("WARNING", "two\nlines", "request-1")
    assert report["record"]["status"] == "success"
    assert report["record"]["metrics"]["memorySizeMB"] == 256


def test_response_beyond_six_megabytes_is_refused(made):
    environment = made("app.large")

    result = invoke(environment, 7 * 1024 * 1024)

    assert json.loads(result.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert json.loads(invoke(environment, 3).payload) == "xxx"


def test_memory_beyond_the_limit_ends_the_function(made):
    result = invoke(made("app.grow", memory_mb=128), 400 * 1024 * 1024)

    error = json.loads(result.payload)
    assert error["errorMessage"] == "RequestId: request-1 Error: Runtime exited with error: signal: killed"
    assert result.report.error_type == "Runtime.OutOfMemory"
    assert result.report.max_memory_mb == 128


def test_stop_kills_processes_that_the_function_started(made):
    environment = made("app.spawn")
    child = json.loads(invoke(environment).payload)

    environment.stop()

    assert _ends(child)


def test_layers_are_on_the_import_path_after_the_function(made, tmp_path):
    for name in ("upper", "lower"):
        folder = tmp_path / name / "python"
        folder.mkdir(parents=True)
        (folder / "of_a_layer.py").write_text(f"NAME = {name!r}")
    code = {"uses.py": "import of_a_layer\ndef handler(event, context): return of_a_layer.NAME"}

    result = invoke(made("uses.handler", files=code, layers=(tmp_path / "upper", tmp_path / "lower")))

    assert json.loads(result.payload) == "upper"


def test_portable_client_stands_in_for_the_native_module(made):
    # As on a machine that AWS builds no native module for: what is imported by its name comes from our folder alone.
    hide = """
import importlib.machinery, sys

class Hidden(importlib.machinery.PathFinder):
    def find_spec(name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if name == "runtime_client" and "portable" not in spec.origin:
            return importlib.machinery.PathFinder.find_spec(name, [sys.path[-1]], target)

sys.meta_path.insert(0, Hidden)
"""
    which = {"which.py": "import runtime_client\ndef handler(event, context): return [runtime_client.__file__, event]"}
    hidden = made("app.echo").settings.code.parent / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(hide)
    environment = made("which.handler", files=which, environment={"PYTHONPATH": str(hidden)})

    file, event = json.loads(invoke(environment, {"prompt": "é"}).payload)
    failed = invoke(made("app.fail", environment={"PYTHONPATH": str(hidden)}))

    assert file.endswith("portable/runtime_client.py")
    assert event == {"prompt": "é"}
    assert json.loads(failed.payload)["errorType"] == "KeyError"


def _ends(process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        try:
            with open(f"/proc/{process}/stat") as stat:  # noqa: PTH123
                if stat.read().split()[2] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    return False


# --- the pool ---------------------------------------------------------------------------------------------------------


class FakeEnvironment:
    def __init__(self, kind):
        self.kind = kind
        self.prepared = False
        self.stopped = False

    def prepare(self):
        self.prepared = True
        return True

    def stop(self):
        self.stopped = True


@pytest.fixture
def created():
    return []


@pytest.fixture
def pool(created):
    def create(kind):
        created.append(FakeEnvironment(kind))
        return created[-1]

    return EnvironmentPool(create)


def use(pool, **arguments):
    with pool.environment(**arguments) as environment:
        return environment


def test_warm_environment_is_used_again(pool, created):
    assert use(pool) is use(pool)
    assert len(created) == 1


def test_concurrent_invocations_have_environments_of_their_own(pool):
    with pool.environment() as first, pool.environment() as second:
        assert first is not second


def test_environment_that_was_used_last_goes_first(pool):
    with pool.environment() as first, pool.environment() as second:
        pass

    # The inner one was released first, so the outer one was used last.
    assert use(pool) is first
    assert second.stopped is False


def test_environment_of_a_failed_invocation_is_not_used_again(pool, created):
    with pytest.raises(RuntimeError), pool.environment():
        raise RuntimeError

    assert created[0].stopped
    assert use(pool) is not created[0]


def test_stop_ends_idle_environments_at_once_and_busy_ones_afterwards(pool):
    with pool.environment() as busy:
        idle = use(pool)

        pool.stop()

        assert idle.stopped
        assert not busy.stopped
    assert busy.stopped


@pytest.mark.parametrize("limit", ["KEEP_ALIVE_S", "MAX_AGE_S"])
def test_idle_and_old_environments_end(pool, created, monkeypatch, limit):
    use(pool)
    pool.end_expired()
    assert not created[0].stopped

    monkeypatch.setattr(execution_environment, limit, -1.0)
    pool.end_expired()

    assert created[0].stopped
    assert use(pool) is not created[0]


def test_provisioned_environments_are_started_ahead_and_kept(pool, created, monkeypatch):
    assert pool.provision(2)
    assert [(each.kind, each.prepared) for each in created] == [("provisioned-concurrency", True)] * 2

    monkeypatch.setattr(execution_environment, "KEEP_ALIVE_S", -1.0)
    pool.end_expired()

    assert use(pool, provisioned=True) in created
    assert use(pool) not in created[:2]


def test_fewer_provisioned_environments_end_the_surplus(pool, created):
    pool.provision(3)

    pool.provision(1)

    assert [each.stopped for each in created].count(True) == 2
