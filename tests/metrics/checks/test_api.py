"""Count, 4XXError, 5XXError and Latency by "Amazon API Gateway dimensions and metrics":
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.model import API_FUNCTION, FunctionConfiguration, SeriesState
from tests.metrics.rows import lately, row_of

P95 = series.api_latency("p95")
FAILURES, REFUSALS, LATENCY = "API errors (5xx)", "API refusals (4xx)", "API latency"


def test_more_than_one_failure_in_twenty_just_now_needs_somebody(frame_of):
    row = row_of(frame_of({series.API_5XX: lately(2), series.API_COUNT: lately(30)}), FAILURES)

    assert row.verdict == Verdict.BAD
    assert row.reason == "2 of 30 requests failed (7 %). 2 of 30 requests in the last minutes."


def test_few_failures_among_many_requests_are_a_warning(frame_of):
    assert row_of(frame_of({series.API_5XX: lately(2), series.API_COUNT: lately(40)}), FAILURES).verdict == Verdict.WARN


def test_a_handful_of_requests_that_failed_just_now_says_nothing_as_a_share(frame_of):
    def row_with(requests):
        return row_of(frame_of({series.API_5XX: lately(1), series.API_COUNT: lately(requests)}, calm=False), FAILURES)

    assert row_with(1).verdict == Verdict.WARN
    assert row_with(4).verdict == Verdict.WARN
    assert row_with(5).verdict == Verdict.BAD


def test_failures_of_hours_ago_are_a_warning(frame_of):
    assert row_of(frame_of({series.API_5XX: {60: 9}}), FAILURES).verdict == Verdict.WARN


def test_an_api_that_nobody_asked_is_well(frame_of):
    for check in (FAILURES, REFUSALS):
        row = row_of(frame_of(calm=False), check)
        assert (row.verdict, row.value, row.reason) == (Verdict.OK, 0, "None: no requests.")


def test_refusals_are_judged_by_their_share_and_never_bad(frame_of):
    def row_with(refused):
        return row_of(frame_of({series.API_4XX: lately(refused), series.API_COUNT: lately(100)}), REFUSALS)

    assert row_with(5).verdict == Verdict.OK
    assert (row_with(6).verdict, row_with(6).value, row_with(6).threshold) == (Verdict.WARN, 6, 5)
    assert row_with(100).verdict == Verdict.WARN


def test_a_handful_of_refusals_says_nothing_as_a_share(frame_of):
    frame = frame_of({series.API_4XX: lately(4), series.API_COUNT: lately(5)})

    assert row_of(frame, REFUSALS).verdict == Verdict.OK


def test_the_share_of_refusals_changes_by_points(frame_of):
    frame = frame_of(
        {series.API_4XX: {0: 4}, series.API_COUNT: {0: 100}},
        before={series.API_4XX: {0: 1}, series.API_COUNT: {0: 100}},
    )

    assert row_of(frame, REFUSALS).change == "+3.0 points"


# API Gateway waits 29 s at most; the function's own time-out of 28 s comes first.
def test_a_latency_near_the_time_out_is_a_warning_and_bad_when_people_get_errors_now(frame_of):
    def row_with(periods):
        return row_of(frame_of({P95: periods, series.API_COUNT: dict.fromkeys(range(1440), 1)}), LATENCY)

    assert row_with({1: 20_000}).verdict == Verdict.OK
    assert row_with({1: 22_000}).verdict == Verdict.WARN
    assert row_with({1: 27_000}).verdict == Verdict.WARN
    assert row_with({23: 27_000}).verdict == Verdict.BAD
    assert "79 % of the 28 s after which people get an error" in row_with({1: 22_000}).reason


def test_the_gateway_ends_what_a_slower_function_would_not(frame_of):
    functions = (FunctionConfiguration(API_FUNCTION, "api", 60.0, 512),)
    frame = frame_of({P95: {1: 9_000}, series.API_COUNT: {60: 50}}, functions=functions)

    assert row_of(frame, LATENCY).threshold == 0.75 * 29


def test_a_latency_of_too_few_requests_is_not_judged(frame_of):
    row = row_of(frame_of({P95: {1: 27_000}, series.API_COUNT: {60: 19}}), LATENCY)

    assert row.verdict == Verdict.NO_DATA
    assert row.reason == "No p95: 19 requests an hour at most, and 20 are needed."


def test_a_latency_that_nobody_waited_for_is_idle(frame_of):
    row = row_of(frame_of(calm=False), LATENCY)

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, "Idle: no requests.")


def test_an_api_that_is_not_deployed_says_how_to_deploy_it(frame_of):
    states = dict.fromkeys((series.API_5XX, series.API_4XX, P95), SeriesState.MISSING)

    for check in (FAILURES, REFUSALS, LATENCY):
        assert row_of(frame_of(states=states), check).reason == "Missing: the API is not deployed."
    assert "sam deploy" in row_of(frame_of(states=states, target="aws"), FAILURES).action
