from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.core import errors
from couch_explorers.metrics import cloudwatch, model, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, MetricsError, MetricsParameterError, SeriesState, Window
from couch_explorers.metrics.series import Names
from couch_explorers.objective import API_OBJECTIVE, QUEUE_OBJECTIVE, Objective
from tests.aws_fakes.monitored import client_error, workspace_of
from tests.metrics.believable import CORE, NAMES

NOW = datetime(2026, 11, 25, 8, 0, 27, tzinfo=UTC)
END = NOW.replace(second=0)
DAY = timedelta(days=1)


def minutes(*values, end=END):
    """Give values for the last minutes before an end."""
    return {end - timedelta(minutes=len(values) - number): value for number, value in enumerate(values)}


def fetch(workspace, hours=24, **arguments):
    return cloudwatch.fetch_hours(workspace, hours, **{"now": NOW} | arguments)


def test_the_frame_is_tidy_in_utc_and_carries_its_facts(aws, workspace):
    aws.put(series.AGE, minutes(0, 5, 700))

    frame = fetch(workspace)

    assert tuple(frame.columns) == model.COLUMNS
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    assert frame.iloc[-1].to_dict() == {
        "window": "now", "resource": "queue", "metric": "ApproximateAgeOfOldestMessage", "statistic": "Maximum",
        "unit": "Seconds", "value": 700.0,
    }  # fmt: skip
    assert frame.index[-1] == END - timedelta(minutes=1)
    assert model.context_of(frame).period_s == 60


def test_points_of_each_window_are_told_apart(aws, workspace):
    for ago, value in ((0 * DAY, 1), (1 * DAY, 2), (7 * DAY, 3), (3 * DAY, 99)):
        aws.put(series.SENT, minutes(value, end=END - ago))

    frame = fetch(workspace)

    found = {name: model.points(frame, series.SENT, name).tolist() for name in ("now", "before", "week")}
    assert found == {"now": [1], "before": [2], "week": [3]}


def test_a_day_of_all_series_is_one_call_a_window(aws, workspace):
    for reason in ("Throttled", "ContentFiltered", "Conflict"):
        aws.put(series.failed_jobs(reason), minutes(1), reasons=[reason])

    frame = fetch(workspace)

    # The windows of the error budget and of its burn rates, of the objectives' series only, are the last two.
    assert len(aws.calls("GetMetricData")) == model.context_of(frame).calls == 3 + 2
    asked = sorted(len(call["MetricDataQueries"]) for call in aws.calls("GetMetricData"))
    assert asked[:2] == [21, 21]
    assert asked[2] >= 40


def test_the_objectives_longer_windows_are_asked_as_coarsely_as_their_burn_rates_allow(aws, workspace):
    frame = fetch(workspace)

    found = {
        (call["EndTime"] - call["StartTime"], call["MetricDataQueries"][0]["MetricStat"]["Period"])
        for call in aws.calls("GetMetricData")
    }
    assert found == {(DAY, 60), (3 * DAY, 300), (28 * DAY, 3600)}
    assert {window.name: window.end for window in model.context_of(frame).objective_windows} == {
        "burn": END,
        "budget": END,
    }


def test_the_objective_is_the_one_that_the_function_was_deployed_with(aws, workspace):
    aws.functions[NAMES.worker]["Configuration"]["Environment"] = {
        "Variables": {"OBJECTIVE_S": "12.5", "OBJECTIVE_PERCENT": "99"}
    }

    frame = fetch(workspace)

    facts = model.context_of(frame)
    assert facts.objectives == {WORKER: Objective(12.5, 0.99), API_FUNCTION: API_OBJECTIVE}
    queries = aws.calls("GetMetricData")[0]["MetricDataQueries"]
    ranks = {query["MetricStat"]["Stat"] for query in queries if query["MetricStat"]["Stat"].startswith("PR")}
    assert ranks == {"PR(:12500)", "PR(:20000)"}


def test_an_objective_that_makes_no_sense_is_the_default(aws, workspace):
    aws.functions[NAMES.worker]["Configuration"]["Environment"] = {
        "Variables": {"OBJECTIVE_S": "soon", "OBJECTIVE_PERCENT": "100"}
    }

    assert model.context_of(fetch(workspace)).objectives[WORKER] == QUEUE_OBJECTIVE


def test_a_week_is_one_call_a_window_too(aws, workspace):
    frame = fetch(workspace, hours=168)

    assert len(aws.calls("GetMetricData")) == 2 + 2
    assert model.context_of(frame).period_s == 300
    assert model.context_of(frame).percentile_period_s == 3600


def test_failed_jobs_come_by_the_reasons_that_cloudwatch_lists(aws, workspace):
    aws.put(series.failed_jobs("Throttled"), minutes(2), reasons=["Throttled"])
    aws.put(series.failed_jobs("Strange"), minutes(1), reasons=["Strange"])

    frame = fetch(workspace)

    assert series.reasons(model.context_of(frame)) == tuple(sorted({"Strange", "Throttled", *errors.client_reasons()}))
    assert model.points(frame, series.failed_jobs("Throttled")).tolist() == [2]


def test_pictures_come_by_the_models_that_cloudwatch_lists_for_each_function(aws, workspace):
    aws.put(series.pictures(API_FUNCTION, CORE), minutes(4))

    frame = fetch(workspace)

    assert series.models(model.context_of(frame), API_FUNCTION) == (CORE,)
    assert series.models(model.context_of(frame), WORKER) == ()
    assert model.points(frame, series.pictures(API_FUNCTION, CORE)).tolist() == [4]


def test_without_the_right_to_list_every_known_reason_and_model_is_asked_for(aws, workspace):
    aws.errors["ListMetrics"] = client_error("AccessDenied", operation="ListMetrics", status=403)

    found = model.context_of(fetch(workspace))

    assert {"ContentFiltered", "Throttled", "Unexpected"} <= set(series.reasons(found))
    assert "Generation" not in series.reasons(found)
    assert series.models(found, WORKER) == (CORE,)
    assert found.error_notes["cloudwatch:ListMetrics"].startswith(
        "No right to list reasons and models: allow cloudwatch:ListMetrics."
    )
    assert found.error_notes["cloudwatch:ListMetrics"] in found.notes


def test_partial_missing_denied_idle_and_zero_are_five_different_things(aws):
    aws.put(series.VISIBLE, minutes(0, 0))
    aws.put(series.SENT, minutes(1))
    aws.status = {"NumberOfMessagesSent": "PartialData", "NumberOfMessagesDeleted": "Forbidden"}
    workspace = workspace_of(aws, api_url=None, functions={"worker": "couch-explorers-42-worker"})

    found = model.context_of(fetch(workspace))

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

    found = model.context_of(fetch(workspace))

    assert found.state(series.AGE) is found.state(series.DEAD_LETTERS_VISIBLE) is SeriesState.MISSING
    assert found.state(series.errors(WORKER)) is SeriesState.IDLE
    (note,) = found.notes
    assert note.startswith(
        "Missing, though other parts of the queue are there: queue, dead-letter queue. To bring it back, run"
    )


def test_a_queue_that_is_gone_keeps_the_numbers_it_had(aws, workspace):
    aws.queues.clear()
    aws.put(series.SENT, minutes(3))

    frame = fetch(workspace)

    assert model.context_of(frame).state(series.SENT) is SeriesState.COMPLETE
    assert model.points(frame, series.SENT).tolist() == [3]


def test_with_nothing_deployed_nothing_is_asked_and_the_frame_is_empty(aws):
    workspace = workspace_of(aws, api_url=None, queue_url=None, dead_letter_url=None, functions={})

    frame = fetch(workspace)

    assert frame.empty
    assert tuple(frame.columns) == model.COLUMNS
    assert set(model.context_of(frame).states.values()) == {SeriesState.MISSING}
    assert aws.calls("ListMetrics") == []
    assert model.context_of(frame).cost_usd == 0


def test_a_caller_who_may_see_no_metrics_still_sees_the_alarms(aws, workspace):
    aws.errors["GetMetricData"] = client_error("AccessDenied", operation="GetMetricData", status=403)

    frame = fetch(workspace)

    found = model.context_of(frame)
    assert frame.empty
    assert set(found.states.values()) == {SeriesState.DENIED}
    assert found.error_notes == {
        "cloudwatch:GetMetricData": "No right to read metrics: allow cloudwatch:GetMetricData."
    }
    assert found.notes.count(found.error_notes["cloudwatch:GetMetricData"]) == 1
    assert {function.resource for function in found.functions} == {WORKER, API_FUNCTION}


def test_throttled_metrics_end_in_an_error_that_says_what_to_do(aws, workspace):
    aws.errors["GetMetricData"] = client_error("Throttling", "Rate exceeded", "GetMetricData")

    with pytest.raises(MetricsError, match="wait a minute and try again"):
        fetch(workspace)


def throttled_before(moment):
    """Let CloudWatch throttle anyone who asks for a window that begins before a moment."""

    def error(StartTime, **_arguments):  # noqa: N803 - boto3's name
        return client_error("Throttling", "Rate exceeded", "GetMetricData") if StartTime < moment else None

    return error


def test_a_throttled_window_to_compare_with_is_left_out_with_a_note_and_the_review_goes_on(aws, workspace):
    aws.put(series.SENT, minutes(1))
    aws.errors["GetMetricData"] = throttled_before(END - 5 * DAY)

    frame = fetch(workspace, compare="week")

    found = model.context_of(frame)
    assert model.points(frame, series.SENT).tolist() == [1]
    assert [window.name for window in found.windows] == ["now", "before"]
    assert found.compare is None
    week, budget = found.notes
    assert week.startswith("The window 'week' is left out. CloudWatch throttled GetMetricData")
    assert budget.startswith("The error budget of the objective is not known. CloudWatch throttled GetMetricData")
    assert [window.name for window in found.objective_windows] == ["burn"]


def test_both_throttled_windows_to_compare_with_are_reported_in_one_note(aws, workspace):
    aws.errors["GetMetricData"] = throttled_before(END - DAY)

    found = model.context_of(fetch(workspace))

    assert [window.name for window in found.windows] == ["now"]
    note, *_ = found.notes
    assert note.startswith("The windows 'before' and 'week' are left out. CloudWatch throttled")
    assert len(found.notes) == 3


def test_a_cloud_out_of_reach_is_reported_after_the_first_question(aws, workspace):
    aws.errors["ListMetrics"] = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    with pytest.raises(MetricsError, match=r"could not be reached for ListMetrics.*couch status"):
        fetch(workspace)

    assert aws.calls("GetMetricData") == []


def test_wrong_parameters_are_refused_before_anybody_is_asked(aws, workspace):
    for arguments in ({"timezone": "Europe/Osol"}, {"hours": 0}, {"compare": "yesterday"}):
        with pytest.raises(MetricsParameterError):
            fetch(workspace, **arguments)

    with pytest.raises(MetricsParameterError, match="future"):
        cloudwatch.fetch(workspace, NOW + DAY, NOW + 2 * DAY, now=NOW)
    assert aws.asked == []


def test_over_a_clock_change_windows_stay_equally_long_and_points_keep_their_utc_times(aws, workspace):
    # In Oslo, 02:00 to 03:00 comes twice on 25 October 2026.
    now = datetime(2026, 10, 25, 8, 0, tzinfo=UTC)
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    aws.put(series.SENT, {first: 1, second: 2})

    frame = fetch(workspace, now=now)

    found = model.points(frame, series.SENT)
    assert dict(zip(found.index, found, strict=True)) == {first: 1, second: 2}
    assert {window.length for window in model.context_of(frame).windows} == {DAY}
    local = [moment.astimezone(model.context_of(frame).zone).strftime("%H:%M %Z") for moment in found.index]
    assert local == ["02:30 CEST", "02:30 CET"]


def test_percentiles_count_their_hours_from_the_windows_start(aws, workspace):
    now = NOW.replace(minute=43)
    aws.put(series.duration(WORKER, "p95"), {now - timedelta(minutes=30): 9000, now - timedelta(minutes=90): 7000})

    found = model.points(fetch(workspace, now=now), series.duration(WORKER, "p95"))

    assert [f"{moment:%H:%M}" for moment in found.index] == ["06:43", "07:43"]


def test_the_local_history_is_marked_as_synthetic_and_does_not_enter_the_frame(aws):
    def mark(metric, *times):
        aws.put_metric("CouchExplorers/Local", metric, {"candidate": "42"}, "Sum", dict.fromkeys(times, 1.0))

    mark("SyntheticHistory", *(END - timedelta(minutes=number) for number in (90, 89, 88, 60, 59)))
    mark("SyntheticDeploy", END - timedelta(minutes=60))
    workspace = workspace_of(aws, target="local")

    frame = fetch(workspace)

    found = model.context_of(frame)
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
    found = model.context_of(fetch(workspace, compare="none"))

    # 5 of the queue, 1 of its dead-letter queue, 2 of jobs, 4 of the API, 6 of each function, the time to picture of both and 5
    # reasons of each that are the client's. The two longer windows of the objectives ask for 11 of the queue and 8 of the API.
    assert found.metrics_requested == 36 + 2 * 19
    assert found.cost_usd == pytest.approx(0.00074)


def test_the_facts_tell_what_was_asked_when_and_against_what(aws, workspace):
    found = model.context_of(fetch(workspace, timezone="Asia/Tokyo", compare="week"))

    assert (found.target, found.candidate, found.timezone, found.compare) == ("aws", "42", "Asia/Tokyo", "week")
    assert found.fetched == NOW
    assert [window.name for window in found.windows] == ["now", "before", "week"]


ANSWERS_END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
WINDOW = Window("now", ANSWERS_END - timedelta(hours=1), ANSWERS_END)
LINES = series.build(NAMES, period_s=60, percentile_period_s=300)


def answer_minutes(*values):
    return {WINDOW.start + timedelta(minutes=number): value for number, value in enumerate(values)}


def ask(aws, lines=LINES):
    answer = cloudwatch.get_metric_data(aws.client("cloudwatch"), WINDOW, lines)
    points = {each.series.key: list(each.values) for each in answer.points}
    states = {line.key: state for line, state in zip(lines, answer.states, strict=True)}
    return answer, points, states


def test_all_series_of_a_window_are_one_request(aws):
    aws.put(series.AGE, answer_minutes(1, 2, 700))

    answer, points, states = ask(aws)

    assert len(aws.calls("GetMetricData")) == answer.calls == 1
    assert points[series.AGE] == [1, 2, 700]
    assert states[series.AGE] is SeriesState.COMPLETE
    assert answer.notes == []


def test_a_zero_is_data_and_silence_is_none(aws):
    aws.put(series.VISIBLE, answer_minutes(0, 0))

    _, points, states = ask(aws)

    assert (points[series.VISIBLE], states[series.VISIBLE]) == ([0, 0], SeriesState.COMPLETE)
    assert (points[series.SENT], states[series.SENT]) == ([], SeriesState.IDLE)


def test_an_answer_of_several_pages_is_joined_in_order_of_time(aws):
    aws.page_points = 7
    aws.put(series.VISIBLE, answer_minutes(*range(20)))
    aws.put(series.AGE, answer_minutes(*range(30)))

    answer, points, states = ask(aws)

    assert answer.calls == 8
    assert points[series.VISIBLE] == list(range(20))
    assert points[series.AGE] == list(range(30))
    assert set(states.values()) == {SeriesState.COMPLETE, SeriesState.IDLE}


@pytest.mark.parametrize("status", ["PartialData", "InternalError"])
def test_a_series_that_ends_without_being_complete_is_partial(aws, status):
    aws.put(series.AGE, answer_minutes(1, 2))
    aws.status["ApproximateAgeOfOldestMessage"] = status

    _, points, states = ask(aws)

    assert states[series.AGE] is SeriesState.PARTIAL
    assert points[series.AGE] == [1, 2]


def test_a_forbidden_series_is_denied_and_the_others_go_on(aws):
    aws.put(series.AGE, answer_minutes(1))
    aws.put(series.VISIBLE, answer_minutes(1))
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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (client_error("Throttling", "Rate exceeded"), r"throttled GetMetricData.*wait a minute.*Service Quotas"),
        (client_error("ValidationError", "StartTime is wrong."), r"refused GetMetricData \(ValidationError\): StartTime is wrong\."),
        # Not a missing right.
        (client_error("ExpiredToken", "It has expired", status=403), r"ExpiredToken.*Check the credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), r"could not be reached.*couch status"),
    ],
    ids=["throttled", "refused", "expired", "out of reach"],
)  # fmt: skip
def test_failure_of_cloudwatch_says_what_to_do(aws, error, message):
    aws.errors["GetMetricData"] = error

    with pytest.raises(MetricsError, match=message):
        ask(aws)


def test_more_than_five_hundred_queries_are_several_requests(aws):
    lines = series.build(
        NAMES, period_s=60, percentile_period_s=300, reasons=[f"Reason{number}" for number in range(600)]
    )
    aws.put(series.api_latency("p95"), answer_minutes(9000))

    answer, points, _ = ask(aws, lines)

    assert answer.calls == 2
    assert len(answer.states) == len(lines)
    assert points[series.api_latency("p95")] == [9000]


def test_metrics_are_counted_for_each_page(aws):
    one_page, _, _ = ask(aws)
    aws.page_points = 5
    aws.put(series.AGE, answer_minutes(*range(8)))

    two_pages, _, _ = ask(aws)

    assert two_pages.metrics_requested == 2 * one_page.metrics_requested


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
WORKER_SERVICE, API_SERVICE = {"service": "couch-explorers-42-worker"}, {"service": "couch-explorers-42-generate-image"}


def find(aws, model_arns=(), **changes):
    return cloudwatch.find_dimensions(aws.client("cloudwatch"), Names.of(workspace_of(aws, **changes)), model_arns)


def put(aws, metric, dimensions):
    aws.put_metric("CouchExplorers", metric, dimensions, "Sum", {NOON: 1})


def test_only_metrics_with_just_the_service_and_the_label_count(aws):
    put(aws, "FailedJobs", WORKER_SERVICE)
    put(aws, "FailedJobs", WORKER_SERVICE | {"reason": "Throttled"})
    put(aws, "FailedJobs", WORKER_SERVICE | {"reason": "Other", "region": "x"})
    put(aws, "PostponedJobs", WORKER_SERVICE | {"reason": "ModelTimeout"})
    put(aws, "PicturesMade", WORKER_SERVICE | {"model": "a"})
    put(aws, "PicturesMade", API_SERVICE | {"model": "b"})
    put(aws, "FailedJobs", {"service": "couch-explorers-43-worker", "reason": "AnotherCandidates"})

    found = find(aws)

    assert found.reasons == {"Throttled"}
    assert found.models == {WORKER: {"a"}, API_FUNCTION: {"b"}}
    assert found.error_notes == {}


def test_a_function_that_is_not_deployed_is_not_asked_for(aws):
    find(aws, functions={"api": API_SERVICE["service"]})

    assert [call["Dimensions"][0]["Value"] for call in aws.calls("ListMetrics")] == [API_SERVICE["service"]]


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_without_a_list_everything_known_is_asked_for_and_a_note_says_so(aws, code):
    aws.errors["ListMetrics"] = client_error(code, operation="ListMetrics")

    found = find(aws, ["arn:aws:bedrock:us-west-2::foundation-model/stability.sd3-5-large-v1:0"])

    assert found.models[WORKER] == {"stability.sd3-5-large-v1:0"}
    assert found.reasons == errors.reasons()
    assert found.error_notes["cloudwatch:ListMetrics"].endswith("All that are known are asked for instead.")


def test_credentials_that_nobody_knows_end_the_fetch_at_once(aws):
    aws.errors["ListMetrics"] = client_error(
        "InvalidClientTokenId", "The security token is invalid.", "ListMetrics", 403
    )

    with pytest.raises(MetricsError, match=r"refused ListMetrics \(InvalidClientTokenId\)"):
        find(aws)


def of_kind(*keys):
    lines = series.build(NAMES, period_s=60, percentile_period_s=3600, reasons=["A", "B"])
    return [line for line in lines if line.key in keys]


def test_up_to_five_statistics_of_a_metric_are_one_metric():
    durations = of_kind(*(series.duration(WORKER, statistic) for statistic in series.DURATION_STATISTICS))

    assert len(durations) == 5
    assert cloudwatch.metrics_requested(durations) == 1


def test_a_sixth_statistic_is_another_metric():
    durations = of_kind(*(series.duration(WORKER, statistic) for statistic in series.DURATION_STATISTICS))

    assert cloudwatch.metrics_requested([*durations, replace(durations[0], statistic="p90")]) == 2


def test_other_dimensions_are_other_metrics():
    assert (
        cloudwatch.metrics_requested(of_kind(series.FAILED_JOBS, series.failed_jobs("A"), series.failed_jobs("B"))) == 3
    )


def test_the_local_historys_marks_are_not_billed():
    assert cloudwatch.metrics_requested(series.synthetic_marks(NAMES, 60)) == 0


def test_a_thousand_metrics_cost_a_cent():
    assert cloudwatch.request_cost_usd(1000) == pytest.approx(0.01)


def test_the_sentence_names_calls_metrics_and_price(frame_of):
    facts = frame_of(target="aws").context

    assert cloudwatch.request_sentence(facts) == "3 calls of GetMetricData for 93 metrics: $0.0009."
    assert "the local cloud costs nothing, AWS would bill $0.0009" in cloudwatch.request_sentence(
        replace(facts, target="local")
    )
    assert cloudwatch.request_sentence(replace(facts, calls=1)).startswith("1 call of")
