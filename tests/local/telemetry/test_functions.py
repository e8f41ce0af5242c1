"""Each invocation is measured once, by real worker processes.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
"""

import io
import re
import time
import zipfile

import pytest

from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import functions, lambda_
from couch_explorers.local.telemetry.lambda_ import Concurrency

# MiniStack leaves the pipes of its worker processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATCHED = (
    "_execute_function_dispatch",
    "_acquire_execution_slot",
    "_release_execution_slot",
    "_emit_lambda_metrics",
    "_emit_lambda_logs",
)
PATCHED_OF_WORKERS = ("invoke", "_spawn", "_read_stderr", "_drain_stderr_bounded")
WORKER = "couch-explorers-42-worker"
HANDLER = """
import time

def handler(event, context):
    print("at work")
    time.sleep(event.get("seconds", 0))
    if "fail" in event:
        raise ValueError(event["fail"])
    return event.get("answer")
"""


@pytest.fixture
def concurrency(clock):
    return Concurrency(clock)


@pytest.fixture
def lambda_svc(monkeypatch, noted, concurrency, clock):
    from ministack.core import lambda_runtime  # noqa: PLC0415 - only these tests need it
    from ministack.core.responses import AccountRegionScopedDict, request_scope  # noqa: PLC0415 - likewise
    from ministack.services import cloudwatch_logs, lambda_svc  # noqa: PLC0415 - likewise

    for name in PATCHED:
        monkeypatch.setattr(lambda_svc, name, getattr(lambda_svc, name))
    for name in PATCHED_OF_WORKERS:
        monkeypatch.setattr(lambda_runtime.Worker, name, getattr(lambda_runtime.Worker, name))
    monkeypatch.setattr(lambda_runtime, "_signal", lambda_runtime._signal)
    monkeypatch.setattr(lambda_runtime, "_workers", {})
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", AccountRegionScopedDict())
    functions.mend(noted, concurrency, clock)
    with request_scope(ACCOUNT_ID, REGION):
        yield lambda_svc
    lambda_runtime.kill_workers([each for pool in lambda_runtime._workers.values() for each in pool])


@pytest.fixture(scope="module")
def code():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", HANDLER)
    return archive.getvalue()


@pytest.fixture
def function(code):
    """Make a function's record as MiniStack keeps it."""

    def made(code=code, concurrency=None, **config):
        return {
            "code_zip": code,
            "concurrency": concurrency,
            "config": {
                "FunctionName": WORKER,
                "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{WORKER}",
                "Runtime": "python3.12",
                "Handler": "app.handler",
                "Role": f"arn:aws:iam::{ACCOUNT_ID}:role/worker",
                "Timeout": 20,
                "MemorySize": 512,
            }
            | config,
        }

    return made


@pytest.fixture
def log(lambda_svc):
    """Every line of the function's log."""

    def lines():
        from ministack.services import cloudwatch_logs  # noqa: PLC0415 - only these tests need it

        streams = cloudwatch_logs._log_groups[f"/aws/lambda/{WORKER}"]["streams"].values()
        return [event["message"] for stream in streams for event in stream["events"]]

    return lines


def values(noted, metric):
    return noted.values(metric, FunctionName=WORKER)


def test_an_invocation_counts_once_as_itself_and_among_all_of_the_account(lambda_svc, noted, function):
    lambda_svc._execute_function(function(), {"answer": 42})

    for dimensions in ({"FunctionName": WORKER}, {"FunctionName": WORKER, "Resource": WORKER}, {}):
        assert noted.values("Invocations", **dimensions) == [1]
        assert noted.values("Errors", **dimensions) == [0]
        assert noted.values("Throttles", **dimensions) == [0]
        assert len(noted.values("Duration", **dimensions)) == 1
    assert len(noted.samples) == 12


def test_everything_is_stamped_with_the_start_of_the_invocation(lambda_svc, noted, function):
    # "The timestamp on an error metric reflects when the function was invoked, not when the error occurred."
    before_s = time.time()

    lambda_svc._execute_function(function(), {"seconds": 0.3, "fail": "no"})

    (started_s,) = {each.time_s for each in noted.samples}
    assert before_s <= started_s <= time.time() - 0.3


def test_the_duration_is_the_handlers_without_start_up_and_reading_of_logs(lambda_svc, noted, function, log):
    began_s = time.perf_counter()

    lambda_svc._execute_function(function(), {"seconds": 0.2})

    all_ms = (time.perf_counter() - began_s) * 1000
    (duration_ms,) = values(noted, "Duration")
    (init_ms,) = re.findall(r"Init Duration: ([\d.]+) ms", log()[-1])
    assert 200 <= duration_ms < all_ms - float(init_ms)


def test_a_function_that_raises_is_an_error_and_an_invocation(lambda_svc, noted, function):
    lambda_svc._execute_function(function(), {"fail": "no such model"})

    assert (values(noted, "Invocations"), values(noted, "Errors")) == ([1], [1])


def test_a_time_out_is_an_error_as_long_as_the_time_out(lambda_svc, noted, function, log):
    lambda_svc._execute_function(function(Timeout=1), {"seconds": 30})

    assert (values(noted, "Errors"), values(noted, "Duration")) == ([1], [1000])
    (report,) = (line for line in log() if line.startswith("REPORT"))
    assert "\tDuration: 1000.00 ms\t" in report
    assert report.endswith("\tStatus: timeout")
    assert re.search(r"\tMax Memory Used: [1-9]\d* MB\t", report)


def test_a_function_whose_code_cannot_be_loaded_is_an_error(lambda_svc, noted, function):
    lambda_svc._execute_function(function(Handler="absent.handler"), {})

    assert (values(noted, "Invocations"), values(noted, "Errors")) == ([1], [1])


def test_a_batch_that_failed_in_part_is_no_error(lambda_svc, noted, function):
    lambda_svc._execute_function(function(), {"answer": {"batchItemFailures": [{"itemIdentifier": "a"}]}})

    assert (values(noted, "Invocations"), values(noted, "Errors")) == ([1], [0])


def test_an_invocation_that_is_throttled_is_no_invocation(lambda_svc, noted, function, clock):
    # "Invocations aren't recorded if the invocation request is throttled."
    result = lambda_svc._execute_function(function(concurrency=0), {})

    assert result["throttle"]
    assert (values(noted, "Throttles"), values(noted, "Invocations"), values(noted, "Errors")) == ([1], [], [])
    assert {each.time_s for each in noted.samples} == {clock.now_s}


def test_a_version_is_a_resource_of_its_own(lambda_svc, noted, function):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{WORKER}:3"
    lambda_svc._execute_function(function(concurrency=0, FunctionArn=arn), {})

    assert noted.values("Throttles", FunctionName=WORKER, Resource=f"{WORKER}:3") == [1]


def test_what_ministack_measured_of_direct_invocations_is_silent(lambda_svc, noted):
    lambda_svc._emit_lambda_metrics(WORKER, duration_ms=5.0, error=False, throttle=False)

    assert noted.samples == []


def test_how_many_ran_at_once_is_known_by_function_and_for_the_account(lambda_svc, noted, function, concurrency, clock):
    slots = [lambda_svc._acquire_execution_slot(function(), function()["config"])[0] for _ in range(3)]
    for slot in slots:
        lambda_svc._release_execution_slot(slot)
    began_s = clock.now_s
    clock.passes(60)

    lambda_.publish_concurrency(noted, concurrency)

    for dimensions in ({"FunctionName": WORKER}, {}):
        (sample,) = noted.of("ConcurrentExecutions", **dimensions)
        assert (sample.highest, sample.time_s) == (3, began_s)


def test_the_report_of_a_cold_start_says_so_and_the_next_does_not(lambda_svc, function, log):
    for _ in range(2):
        lambda_svc._execute_function(function(), {})

    cold, warm = (line for line in log() if line.startswith("REPORT"))
    pattern = (
        r"REPORT RequestId: [0-9a-f-]{36}\tDuration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\t"
        r"Memory Size: 512 MB\tMax Memory Used: ([1-9]\d*) MB"
    )
    assert (started := re.fullmatch(pattern + r"\tInit Duration: (\d+\.\d\d) ms", cold))
    assert int(started[2]) == pytest.approx(float(started[1]) + float(started[4]), abs=1.01)
    assert (ran := re.fullmatch(pattern, warm))
    assert int(ran[2]) == pytest.approx(float(ran[1]), abs=1.01)
    # A Python of its own, not the test's: what a process has inherited from its parent is not its memory.
    assert int(started[3]) < 200


def test_the_log_has_the_functions_lines_between_start_and_end(lambda_svc, function, log):
    lambda_svc._execute_function(function(), {})

    start, output, end, report = log()
    assert re.fullmatch(r"START RequestId: [0-9a-f-]{36} Version: \$LATEST", start)
    assert output == "at work"
    assert end == start.replace("START", "END").removesuffix(" Version: $LATEST")
    assert report.startswith(end.replace("END", "REPORT"))


def test_measuring_that_fails_breaks_no_invocation(lambda_svc, function, noted, monkeypatch, caplog):
    def fails(*_):
        raise OSError("no room")

    monkeypatch.setattr(noted, "record", fails)

    assert lambda_svc._execute_function(function(), {"answer": 42})["body"] == 42
    assert f"An invocation of {WORKER} could not be measured" in caplog.text
