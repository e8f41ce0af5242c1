"""The REPORT line.

"REPORT line data fields" in https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from couch_explorers.local.telemetry.function_reports import report, timeout_s
from couch_explorers.local.telemetry.function_runs import Run

CONFIG = {"MemorySize": 512, "Timeout": 20}


def test_a_warm_run_has_no_start_up():
    run = Run(began_s=0.0, ended_s=1.35917, peak_mb=72)

    assert report(CONFIG, "88e84974", run, timed_out=False) == (
        "REPORT RequestId: 88e84974\tDuration: 1359.17 ms\tBilled Duration: 1360 ms\tMemory Size: 512 MB"
        "\tMax Memory Used: 72 MB"
    )


def test_a_cold_start_is_billed_with_its_start_up():
    run = Run(began_s=0.0, ended_s=0.0101, peak_mb=72, init_ms=584.76)

    assert report(CONFIG, "88e84974", run, timed_out=False) == (
        "REPORT RequestId: 88e84974\tDuration: 10.10 ms\tBilled Duration: 595 ms\tMemory Size: 512 MB"
        "\tMax Memory Used: 72 MB\tInit Duration: 584.76 ms"
    )


def test_memory_that_is_not_known_is_left_out():
    assert "Max Memory Used" not in report(CONFIG, "88e84974", Run(began_s=0.0, ended_s=0.1), timed_out=False)


def test_a_time_out_says_so():
    run = Run(began_s=0.0, ended_s=20.003, peak_mb=72)

    assert report(CONFIG, "88e84974", run, timed_out=True) == (
        "REPORT RequestId: 88e84974\tDuration: 20000.00 ms\tBilled Duration: 20000 ms\tMemory Size: 512 MB"
        "\tMax Memory Used: 72 MB\tStatus: timeout"
    )


def test_a_function_without_a_time_out_of_its_own_has_lambdas_of_3_s():
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
    assert timeout_s({}) == 3
