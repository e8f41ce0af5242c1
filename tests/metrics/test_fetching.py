from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.metrics import facts, fetching, series
from couch_explorers.metrics.errors import MetricsError, MetricsParameterError
from couch_explorers.metrics.facts import API_FUNCTION, WORKER, SeriesState
from tests.metrics.believable import CORE
from tests.metrics.fake_aws import client_error, workspace_of

NOW = datetime(2026, 11, 25, 8, 0, 27, tzinfo=UTC)
END = NOW.replace(second=0)
DAY = timedelta(days=1)


def minutes(*values, end=END):
    """Give values for the last minutes before an end."""
    return {end - timedelta(minutes=len(values) - number): value for number, value in enumerate(values)}


def fetch(workspace, hours=24, **arguments):
    return fetching.fetch_hours(workspace, hours, **{"now": NOW} | arguments)


def test_the_frame_is_tidy_in_utc_and_carries_its_facts(aws, workspace):
    aws.put(series.AGE, minutes(0, 5, 700))

    frame = fetch(workspace)

    assert tuple(frame.columns) == facts.COLUMNS
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    assert frame.iloc[-1].to_dict() == {
        "window": "now", "resource": "queue", "metric": "ApproximateAgeOfOldestMessage", "statistic": "Maximum",
        "unit": "Seconds", "value": 700.0,
    }  # fmt: skip
    assert frame.index[-1] == END - timedelta(minutes=1)
    assert facts.of(frame).period_s == 60


def test_points_of_each_window_are_told_apart(aws, workspace):
    for ago, value in ((0 * DAY, 1), (1 * DAY, 2), (7 * DAY, 3), (3 * DAY, 99)):
        aws.put(series.SENT, minutes(value, end=END - ago))

    frame = fetch(workspace)

    found = {name: facts.points(frame, series.SENT, name).tolist() for name in ("now", "before", "week")}
    assert found == {"now": [1], "before": [2], "week": [3]}


def test_a_day_of_all_series_is_one_call_a_window(aws, workspace):
    for reason in ("Throttled", "ContentFiltered", "Conflict"):
        aws.put(series.failed_jobs(reason), minutes(1), reasons=[reason])

    frame = fetch(workspace)

    assert len(aws.calls("GetMetricData")) == facts.of(frame).calls == 3
    assert all(len(call["MetricDataQueries"]) >= 25 for call in aws.calls("GetMetricData"))


def test_a_week_is_one_call_a_window_too(aws, workspace):
    frame = fetch(workspace, hours=168)

    assert len(aws.calls("GetMetricData")) == 2
    assert facts.of(frame).period_s == 300
    assert facts.of(frame).percentile_period_s == 3600


def test_failed_jobs_come_by_the_reasons_that_cloudwatch_lists(aws, workspace):
    aws.put(series.failed_jobs("Throttled"), minutes(2), reasons=["Throttled"])
    aws.put(series.failed_jobs("Strange"), minutes(1), reasons=["Strange"])

    frame = fetch(workspace)

    assert series.reasons(facts.of(frame)) == ("Strange", "Throttled")
    assert facts.points(frame, series.failed_jobs("Throttled")).tolist() == [2]


def test_pictures_come_by_the_models_that_cloudwatch_lists_for_each_function(aws, workspace):
    aws.put(series.pictures(API_FUNCTION, CORE), minutes(4))

    frame = fetch(workspace)

    assert series.models(facts.of(frame), API_FUNCTION) == (CORE,)
    assert series.models(facts.of(frame), WORKER) == ()
    assert facts.points(frame, series.pictures(API_FUNCTION, CORE)).tolist() == [4]


def test_without_the_right_to_list_every_known_reason_and_model_is_asked_for(aws, workspace):
    aws.errors["ListMetrics"] = client_error("AccessDenied", operation="ListMetrics", status=403)

    found = facts.of(fetch(workspace))

    assert {"ContentFiltered", "Throttled", "Unexpected"} <= set(series.reasons(found))
    assert "Generation" not in series.reasons(found)
    assert series.models(found, WORKER) == (CORE,)
    assert found.unanswered["cloudwatch:ListMetrics"].startswith(
        "No right to list reasons and models: allow cloudwatch:ListMetrics."
    )
    assert found.unanswered["cloudwatch:ListMetrics"] in found.notes


def test_partial_missing_denied_idle_and_zero_are_five_different_things(aws):
    aws.put(series.VISIBLE, minutes(0, 0))
    aws.put(series.SENT, minutes(1))
    aws.status = {"NumberOfMessagesSent": "PartialData", "NumberOfMessagesDeleted": "Forbidden"}
    workspace = workspace_of(aws, api_url=None, functions={"worker": "couch-explorers-42-worker"})

    found = facts.of(fetch(workspace))

    assert found.state(series.VISIBLE) is SeriesState.COMPLETE
    assert found.state(series.AGE) is SeriesState.IDLE
    assert found.state(series.SENT) is SeriesState.PARTIAL
    assert found.state(series.DELETED) is SeriesState.DENIED
    assert found.state(series.API_COUNT) is SeriesState.MISSING
    assert "The API is not deployed: run `sam deploy` in sam_lambda/." in found.notes
    assert any("only a part for the window 'now': queue NumberOfMessagesSent" in note for note in found.notes)


def test_what_is_not_deployed_is_not_asked_for(aws):
    workspace = workspace_of(aws, api_url=None, functions={"worker": "couch-explorers-42-worker"})

    fetch(workspace)

    asked = [query["MetricStat"]["Metric"] for query in aws.calls("GetMetricData")[0]["MetricDataQueries"]]
    assert {metric["Namespace"] for metric in asked} == {"AWS/SQS", "AWS/Lambda", "CouchExplorers"}


def test_a_queue_that_never_existed_is_missing_and_not_idle(aws, workspace):
    aws.queues.clear()

    found = facts.of(fetch(workspace))

    assert found.state(series.AGE) is found.state(series.DEAD_LETTERS_VISIBLE) is SeriesState.MISSING
    assert found.state(series.errors(WORKER)) is SeriesState.IDLE
    (note,) = found.notes
    assert note.startswith(
        "Missing, though other parts of the queue are there: queue, dead letters. To bring it back, run"
    )


def test_a_queue_that_is_gone_keeps_the_numbers_it_had(aws, workspace):
    aws.queues.clear()
    aws.put(series.SENT, minutes(3))

    frame = fetch(workspace)

    assert facts.of(frame).state(series.SENT) is SeriesState.COMPLETE
    assert facts.points(frame, series.SENT).tolist() == [3]


def test_with_nothing_deployed_nothing_is_asked_and_the_frame_is_empty(aws):
    workspace = workspace_of(aws, api_url=None, queue_url=None, dead_letter_url=None, functions={})

    frame = fetch(workspace)

    assert frame.empty
    assert tuple(frame.columns) == facts.COLUMNS
    assert set(facts.of(frame).states.values()) == {SeriesState.MISSING}
    assert aws.calls("ListMetrics") == []
    assert facts.of(frame).cost_usd == 0


def test_a_caller_who_may_see_no_metrics_still_sees_the_alarms(aws, workspace):
    aws.errors["GetMetricData"] = client_error("AccessDenied", operation="GetMetricData", status=403)

    frame = fetch(workspace)

    found = facts.of(frame)
    assert frame.empty
    assert set(found.states.values()) == {SeriesState.DENIED}
    assert found.unanswered == {"cloudwatch:GetMetricData": "No right to read metrics: allow cloudwatch:GetMetricData."}
    assert found.notes.count(found.unanswered["cloudwatch:GetMetricData"]) == 1
    assert {function.resource for function in found.functions} == {WORKER, API_FUNCTION}


def test_throttled_metrics_end_in_an_error_that_says_what_to_do(aws, workspace):
    aws.errors["GetMetricData"] = client_error("Throttling", "Rate exceeded", "GetMetricData")

    with pytest.raises(MetricsError, match="wait a minute and try again"):
        fetch(workspace)


def throttled_before(moment):
    """Let CloudWatch throttle whoever asks for a window that begins before a moment."""

    def error(StartTime, **_arguments):  # noqa: N803 - boto3's name
        return client_error("Throttling", "Rate exceeded", "GetMetricData") if StartTime < moment else None

    return error


def test_a_throttled_window_to_compare_with_is_left_out_with_a_note_and_the_review_goes_on(aws, workspace):
    aws.put(series.SENT, minutes(1))
    aws.errors["GetMetricData"] = throttled_before(END - 5 * DAY)

    frame = fetch(workspace, compare="week")

    found = facts.of(frame)
    assert facts.points(frame, series.SENT).tolist() == [1]
    assert [window.name for window in found.windows] == ["now", "before"]
    assert found.compare is None
    (note,) = found.notes
    assert note.startswith("The window 'week' is left out. CloudWatch throttled GetMetricData")


def test_both_throttled_windows_to_compare_with_are_told_in_one_note(aws, workspace):
    aws.errors["GetMetricData"] = throttled_before(END - DAY)

    found = facts.of(fetch(workspace))

    assert [window.name for window in found.windows] == ["now"]
    (note,) = found.notes
    assert note.startswith("The windows 'before' and 'week' are left out. CloudWatch throttled")


def test_a_cloud_out_of_reach_is_told_after_the_first_question(aws, workspace):
    aws.errors["ListMetrics"] = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(MetricsError, match=r"could not be reached for ListMetrics.*couch status"):
        fetch(workspace)

    assert aws.calls("GetMetricData") == []


def test_wrong_parameters_are_told_before_anybody_is_asked(aws, workspace):
    for arguments in ({"timezone": "Europe/Osol"}, {"hours": 0}, {"compare": "yesterday"}):
        with pytest.raises(MetricsParameterError):
            fetch(workspace, **arguments)

    with pytest.raises(MetricsParameterError, match="future"):
        fetching.fetch(workspace, NOW + DAY, NOW + 2 * DAY, now=NOW)
    assert aws.asked == []


def test_over_a_clock_change_windows_stay_equally_long_and_points_keep_their_utc_times(aws, workspace):
    # In Oslo, 02:00 to 03:00 comes twice on 25 October 2026.
    now = datetime(2026, 10, 25, 8, 0, tzinfo=UTC)
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    aws.put(series.SENT, {first: 1, second: 2})

    frame = fetch(workspace, now=now)

    found = facts.points(frame, series.SENT)
    assert dict(zip(found.index, found, strict=True)) == {first: 1, second: 2}
    assert {window.length for window in facts.of(frame).windows} == {DAY}
    local = [moment.astimezone(facts.of(frame).zone).strftime("%H:%M %Z") for moment in found.index]
    assert local == ["02:30 CEST", "02:30 CET"]


def test_percentiles_count_their_hours_from_the_windows_start(aws, workspace):
    now = NOW.replace(minute=43)
    aws.put(series.duration(WORKER, "p95"), {now - timedelta(minutes=30): 9000, now - timedelta(minutes=90): 7000})

    found = facts.points(fetch(workspace, now=now), series.duration(WORKER, "p95"))

    assert [f"{moment:%H:%M}" for moment in found.index] == ["06:43", "07:43"]


def test_the_local_history_is_told_as_synthetic_and_does_not_enter_the_frame(aws):
    def mark(metric, *times):
        aws.put_metric("CouchExplorers/Local", metric, {"candidate": "42"}, "Sum", dict.fromkeys(times, 1.0))

    mark("SyntheticHistory", *(END - timedelta(minutes=number) for number in (90, 89, 88, 60, 59)))
    mark("SyntheticDeploy", END - timedelta(minutes=60))
    workspace = workspace_of(aws, target="local")

    frame = fetch(workspace)

    found = facts.of(frame)
    assert frame.empty
    assert found.synthetic == (
        (END - timedelta(minutes=90), END - timedelta(minutes=87)),
        (END - timedelta(minutes=60), END - timedelta(minutes=58)),
    )
    assert [(deploy.time, deploy.synthetic) for deploy in found.deploys] == [(END - timedelta(minutes=60), True)]


def test_aws_is_not_asked_for_the_local_historys_marks(aws, workspace):
    fetch(workspace)

    asked = {query["MetricStat"]["Metric"]["Namespace"] for query in aws.calls("GetMetricData")[0]["MetricDataQueries"]}
    assert "CouchExplorers/Local" not in asked


def test_the_price_of_the_request_is_that_of_its_metrics(aws, workspace):
    found = facts.of(fetch(workspace, compare="none"))

    # 5 of the queue, 1 of its dead letters, 2 of jobs, 4 of the API, 6 of each function.
    assert found.metrics_requested == 24
    assert found.cost_usd == pytest.approx(0.00024)


def test_the_facts_tell_what_was_asked_when_and_against_what(aws, workspace):
    found = facts.of(fetch(workspace, timezone="Asia/Tokyo", compare="week"))

    assert (found.target, found.candidate, found.timezone, found.compare) == ("aws", "42", "Asia/Tokyo", "week")
    assert found.fetched == NOW
    assert [window.name for window in found.windows] == ["now", "before", "week"]
