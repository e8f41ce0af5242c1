"""GetMetricData's answers by https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.metrics import answers, series
from couch_explorers.metrics.errors import MetricsError
from couch_explorers.metrics.facts import SeriesState, Window
from tests.metrics.believable import NAMES
from tests.metrics.fake_aws import client_error

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
WINDOW = Window("now", END - timedelta(hours=1), END)
LINES = series.build(NAMES, period_s=60, percentile_period_s=300)


def minutes(*values):
    return {WINDOW.start + timedelta(minutes=number): value for number, value in enumerate(values)}


def ask(aws, lines=LINES):
    answer = answers.ask(aws.client("cloudwatch"), WINDOW, lines)
    points = {each.series.key: list(each.values) for each in answer.points}
    states = {line.key: state for line, state in zip(lines, answer.states, strict=True)}
    return answer, points, states


def test_all_series_of_a_window_are_one_request(aws):
    aws.put(series.AGE, minutes(1, 2, 700))

    answer, points, states = ask(aws)

    assert len(aws.calls("GetMetricData")) == answer.calls == 1
    assert points[series.AGE] == [1, 2, 700]
    assert states[series.AGE] is SeriesState.COMPLETE
    assert answer.notes == []


def test_a_zero_is_data_and_silence_is_none(aws):
    aws.put(series.VISIBLE, minutes(0, 0))

    _, points, states = ask(aws)

    assert (points[series.VISIBLE], states[series.VISIBLE]) == ([0, 0], SeriesState.COMPLETE)
    assert (points[series.SENT], states[series.SENT]) == ([], SeriesState.IDLE)


def test_an_answer_of_several_pages_is_joined_in_order_of_time(aws):
    aws.page_points = 7
    aws.put(series.VISIBLE, minutes(*range(20)))
    aws.put(series.AGE, minutes(*range(30)))

    answer, points, states = ask(aws)

    assert answer.calls == 8
    assert points[series.VISIBLE] == list(range(20))
    assert points[series.AGE] == list(range(30))
    assert set(states.values()) == {SeriesState.COMPLETE, SeriesState.IDLE}


@pytest.mark.parametrize("status", ["PartialData", "InternalError"])
def test_a_series_that_ends_without_being_complete_is_partial(aws, status):
    aws.put(series.AGE, minutes(1, 2))
    aws.status["ApproximateAgeOfOldestMessage"] = status

    _, points, states = ask(aws)

    assert states[series.AGE] is SeriesState.PARTIAL
    assert points[series.AGE] == [1, 2]


def test_a_forbidden_series_is_denied_and_the_others_go_on(aws):
    aws.put(series.AGE, minutes(1))
    aws.put(series.VISIBLE, minutes(1))
    aws.status["ApproximateAgeOfOldestMessage"] = "Forbidden"

    _, _, states = ask(aws)

    assert states[series.AGE] is SeriesState.DENIED
    assert states[series.VISIBLE] is SeriesState.COMPLETE


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_caller_without_the_right_gets_nothing_and_the_name_of_the_right(aws, code):
    aws.errors["GetMetricData"] = client_error(code, "User is not authorized", "GetMetricData", 403)

    answer, points, states = ask(aws)

    assert set(states.values()) == {SeriesState.DENIED}
    assert not any(points.values())
    assert answer.notes == ["No right to read metrics: allow cloudwatch:GetMetricData."]


def test_throttling_to_the_end_says_what_to_do(aws):
    aws.errors["GetMetricData"] = client_error("Throttling", "Rate exceeded", "GetMetricData")

    with pytest.raises(MetricsError, match=r"throttled GetMetricData.*wait a minute.*Service Quotas"):
        ask(aws)


def test_a_refusal_quotes_what_cloudwatch_says(aws):
    aws.errors["GetMetricData"] = client_error("ValidationError", "The parameter StartTime is wrong.", "GetMetricData")

    with pytest.raises(
        MetricsError, match=r"refused GetMetricData \(ValidationError\): The parameter StartTime is wrong\."
    ):
        ask(aws)


def test_credentials_that_have_expired_are_no_missing_right(aws):
    aws.errors["GetMetricData"] = client_error("ExpiredToken", "The security token has expired", "GetMetricData", 403)

    with pytest.raises(MetricsError, match=r"ExpiredToken.*Check the credentials"):
        ask(aws)


def test_a_cloud_out_of_reach_says_where_to_look(aws):
    aws.errors["GetMetricData"] = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(MetricsError, match=r"could not be reached.*couch status"):
        ask(aws)


def test_more_than_five_hundred_queries_are_several_requests(aws):
    lines = series.build(
        NAMES, period_s=60, percentile_period_s=300, reasons=[f"Reason{number}" for number in range(600)]
    )
    aws.put(series.api_latency("p95"), minutes(9000))

    answer, points, _ = ask(aws, lines)

    assert answer.calls == 2
    assert len(answer.states) == len(lines)
    assert points[series.api_latency("p95")] == [9000]


def test_metrics_are_counted_for_each_page(aws):
    one_page, _, _ = ask(aws)
    aws.page_points = 5
    aws.put(series.AGE, minutes(*range(8)))

    two_pages, _, _ = ask(aws)

    assert two_pages.metrics_requested == 2 * one_page.metrics_requested
