"""REPORT lines by https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html, read with FilterLogEvents."""

from datetime import UTC, datetime, timedelta

from couch_explorers.metrics import surroundings_logs
from couch_explorers.metrics.facts import WORKER, Window
from tests.metrics.believable import NAMES

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
WINDOW = Window("now", END - timedelta(hours=24), END)

COLD = (
    "REPORT RequestId: 8fc6f963-411b-58b5-8483-a32130c0f45d\tDuration: 201.67 ms\tBilled Duration: 682 ms\t"
    "Memory Size: 512 MB\tMax Memory Used: 81 MB\tInit Duration: 480.25 ms\t\n"
)
WARM = (
    "REPORT RequestId: 9\tDuration: 100.00 ms\tBilled Duration: 101 ms\tMemory Size: 512 MB\tMax Memory Used: 130 MB\t"
)
TIMED_OUT = "REPORT RequestId: 7\tDuration: 60000.00 ms\tBilled Duration: 60000 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\tStatus: timeout"
WITHOUT_MEMORY = (
    "REPORT RequestId: 5\tDuration: 3 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB"
)


def read(aws, *pages):
    aws.log_pages = {NAMES.worker: [list(page) for page in pages]}
    return surroundings_logs.read(aws.client("logs"), WORKER, NAMES.worker, WINDOW)


def test_cold_starts_memory_and_billed_time_are_summed_up(aws):
    found = read(aws, [COLD, WARM, TIMED_OUT])

    assert (found.reports, found.cold_starts, found.complete) == (3, 1, True)
    assert (found.longest_init_ms, found.highest_memory_mb, found.billed_ms) == (480.25, 130.0, 60_783.0)


def test_lines_that_only_quote_a_report_do_not_count(aws):
    quoted = '{"message": "REPORT RequestId: 1\\tDuration: 5 ms\\tBilled Duration: 9 ms"}'

    assert read(aws, [quoted, "INIT_REPORT Init Duration: 9.9 ms"]).reports == 0


def test_a_memory_of_zero_is_no_measurement(aws):
    found = read(aws, [WITHOUT_MEMORY])

    assert (found.reports, found.highest_memory_mb, found.longest_init_ms, found.cold_starts) == (1, None, None, 0)


def test_without_a_line_no_figure_is_told(aws):
    found = read(aws, [])

    assert (found.reports, found.cold_starts, found.billed_ms) == (0, None, None)


def test_empty_pages_do_not_end_the_reading(aws):
    assert read(aws, [WARM], [], [], [WARM]).reports == 2


def test_a_function_that_never_ran_has_no_lines(aws):
    found = surroundings_logs.read(aws.client("logs"), WORKER, NAMES.worker, WINDOW)

    assert (found.reports, found.complete) == (0, True)


def test_only_the_first_pages_are_read_and_that_is_told(aws):
    found = read(aws, *[[WARM]] * 13)

    assert (found.reports, found.complete) == (12, False)
    assert read(aws, *[[WARM]] * 12).complete is True


def test_a_full_page_without_a_token_may_not_be_all(aws):
    assert read(aws, [WARM] * 10_000).complete is False
    assert read(aws, [WARM] * 10_000, [WARM]).complete is True


def test_the_window_ends_before_its_end(aws):
    read(aws, [])

    (asked,) = aws.calls("FilterLogEvents")
    assert asked["endTime"] - asked["startTime"] == 24 * 3600 * 1000 - 1
    assert asked["filterPattern"] == '"REPORT RequestId: "'
