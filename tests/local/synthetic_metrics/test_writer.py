"""A made-up week must look measured: what is published, by whom and when, follows
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
Reasons of alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from datetime import UTC, datetime

import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.local.cloudwatch.alarm_history import Transition
from couch_explorers.local.cloudwatch.store import MetricStore, Sample
from couch_explorers.local.synthetic_metrics import writer
from couch_explorers.local.synthetic_metrics.simulation import SeriesRecorder

HOUR_S = 3600
DAY_S = 86_400
# Wednesday, 25 November 2026, 09:00 in Oslo
NOW = int(datetime(2026, 11, 25, 8, tzinfo=UTC).timestamp())
INCIDENT, DEPLOY = NOW - 9 * HOUR_S, NOW - 8 * HOUR_S - 600

JOBS = {"QueueName": "couch-explorers-42-jobs"}
DEAD_LETTERS = {"QueueName": "couch-explorers-42-jobs-dead-letter"}
WORKER = {"FunctionName": "couch-explorers-42-worker"}
API_FUNCTION = {"FunctionName": "couch-explorers-42-generate-image"}
API = {"ApiName": "couch-explorers-42-api"}
SERVICE = {"service": "couch-explorers-42-worker"}


class Week:
    """A written history, and how to look at it."""

    def __init__(self, store, **arguments):
        self.store = store
        self.alarms = {}
        self.written = writer.write(
            store, candidate="42", now_s=NOW, record_transitions=self.alarms.__setitem__, **arguments
        )  # fmt: skip

    def points(self, namespace, metric, dimensions, statistic="Sum", start=NOW - 8 * DAY_S, end=NOW, period=60):
        asked = {"start_s": start, "end_s": end, "period_s": period, "statistic": statistic, "now_s": NOW}
        return dict(self.store.points(namespace, metric, dimensions, **asked))

    def total(self, *metric, **stretch):
        return sum(self.points(*metric, **stretch).values())


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    store = MetricStore(tmp_path_factory.mktemp("history") / "metrics.sqlite")
    yield Week(store)
    store.close()


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


def everything(store):
    end_s = NOW + DAY_S
    return {
        metric: store.points(
            metric.namespace, metric.metric, dict(metric.dimensions), start_s=NOW - 10 * DAY_S, end_s=end_s,
            period_s=60, statistic="Sum", now_s=NOW,
        )
        for metric in store.series()
    }  # fmt: skip


def test_all_that_a_review_fetches_is_there(week):
    names = {
        (metric.namespace, metric.metric, tuple(sorted(dict(metric.dimensions)))) for metric in week.store.series()
    }

    for metric in (
        "NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives",
        "SentMessageSize", "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed", "ApproximateAgeOfOldestMessage",
    ):  # fmt: skip
        assert ("AWS/SQS", metric, ("QueueName",)) in names
    for metric in ("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"):
        assert ("AWS/Lambda", metric, ("FunctionName",)) in names
    for metric in ("Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"):
        assert ("AWS/ApiGateway", metric, ("ApiName",)) in names
        assert ("AWS/ApiGateway", metric, ("ApiName", "Stage")) in names
    for metric in ("PicturesMade", "GenerationTime", "TimeToPicture"):
        assert ("CouchExplorers", metric, ("service",)) in names
        assert ("CouchExplorers", metric, ("model", "service")) in names
    for metric in ("FailedJobs", "PostponedJobs"):
        assert ("CouchExplorers", metric, ("service",)) in names
        assert ("CouchExplorers", metric, ("reason", "service")) in names


def test_what_was_sent_and_not_deleted_lies_in_the_queue(week):
    sent = week.points("AWS/SQS", "NumberOfMessagesSent", JOBS)
    deleted = week.points("AWS/SQS", "NumberOfMessagesDeleted", JOBS)
    visible = week.points("AWS/SQS", "ApproximateNumberOfMessagesVisible", JOBS)
    in_flight = week.points("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", JOBS)

    there = 0
    for minute in sorted(sent):
        there += sent[minute] - deleted[minute]
        assert visible[minute] + in_flight[minute] == there
    assert there == 0


def test_each_receive_is_one_invocation(week):
    received = {
        minute: count for minute, count in week.points("AWS/SQS", "NumberOfMessagesReceived", JOBS).items() if count
    }

    assert week.points("AWS/Lambda", "Invocations", WORKER) == received


def test_each_invocation_has_an_end(week):
    invocations = week.total("AWS/Lambda", "Invocations", WORKER)

    ends = sum(
        week.total("CouchExplorers", metric, SERVICE) for metric in ("PicturesMade", "PostponedJobs", "FailedJobs")
    )
    assert invocations == ends + week.total("AWS/Lambda", "Errors", WORKER)
    assert week.total("AWS/Lambda", "Duration", WORKER, "SampleCount") == invocations


def test_every_job_becomes_a_picture_or_a_dead_letter(week):
    sent = week.total("AWS/SQS", "NumberOfMessagesSent", JOBS)

    assert sent == week.written.jobs
    assert sent == week.total("CouchExplorers", "PicturesMade", SERVICE) + week.total(
        "CouchExplorers", "FailedJobs", SERVICE
    )


def test_the_parts_of_a_custom_metric_add_up_to_the_whole(week):
    for metric, name in (("PicturesMade", "model"), ("FailedJobs", "reason"), ("PostponedJobs", "reason")):
        parts = week.store.series("CouchExplorers", metric, [("service", SERVICE["service"]), (name, None)])

        assert len(parts) > 1
        whole = week.total("CouchExplorers", metric, SERVICE)
        assert whole == sum(week.total("CouchExplorers", metric, dict(part.dimensions)) for part in parts)


def test_nearly_every_picture_is_the_default_models(week):
    made = week.total("CouchExplorers", "PicturesMade", SERVICE)

    assert week.total("CouchExplorers", "PicturesMade", SERVICE | {"model": DEFAULT_MODEL_ID}) > 0.8 * made


def test_no_more_run_at_once_than_the_mapping_allows(week):
    running = week.points("AWS/Lambda", "ConcurrentExecutions", WORKER, "Maximum")

    assert max(running.values()) == 8
    assert min(running.values()) == 1


def test_no_invocation_outlasts_its_time_out(week):
    assert max(week.points("AWS/Lambda", "Duration", WORKER, "Maximum").values()) == 20_000
    assert max(week.points("AWS/Lambda", "Duration", API_FUNCTION, "Maximum").values()) <= 28_000


def test_nights_are_quiet_and_days_are_not(week):
    # Thursday, 19 November, in Oslo.
    midnight = int(datetime(2026, 11, 18, 23, tzinfo=UTC).timestamp())
    hours = week.points("AWS/SQS", "NumberOfMessagesSent", JOBS, start=midnight, end=midnight + DAY_S, period=3600)

    by_hour = list(hours.values())
    assert sum(by_hour[1:5]) < 20
    assert sum(by_hour[9:12]) > 150
    assert sum(by_hour[19:22]) > 250


def test_the_incident_is_seen_in_every_series_and_is_over_after_the_deploy(week):
    during, after = {"start": INCIDENT, "end": DEPLOY}, {"start": DEPLOY + 1800, "end": NOW}
    age = week.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, "Maximum", **during)
    backlog = week.points("AWS/SQS", "ApproximateNumberOfMessagesVisible", JOBS, "Maximum", **during)

    assert max(age.values()) > 900
    assert max(backlog.values()) > 100
    assert week.total("CouchExplorers", "PostponedJobs", SERVICE, **during) > 500
    assert 2 <= week.total("CouchExplorers", "FailedJobs", SERVICE | {"reason": "Throttled"}, **during) <= 40
    assert week.total("AWS/Lambda", "Errors", WORKER, **during) > 0
    assert week.total("AWS/ApiGateway", "5XXError", API, **during) > 0

    assert max(week.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, "Maximum", **after).values()) < 60
    assert week.total("CouchExplorers", "PostponedJobs", SERVICE, **after) == 0
    assert week.total("AWS/Lambda", "Errors", WORKER, **after) == 0
    assert week.total("AWS/ApiGateway", "5XXError", API, **after) == 0


def test_pictures_take_longer_in_the_incident_and_a_little_less_time_after_the_deploy(week):
    def average(**stretch):
        return week.total("AWS/Lambda", "Duration", WORKER, **stretch) / week.total(
            "AWS/Lambda", "Invocations", WORKER, **stretch
        )

    before = average(start=INCIDENT - DAY_S, end=INCIDENT)
    assert average(start=INCIDENT, end=DEPLOY) > 1.3 * before
    assert 0.85 * before < average(start=DEPLOY + HOUR_S, end=NOW) < 0.98 * before


def test_a_smaller_incident_came_six_days_before(week):
    start = INCIDENT - 6 * DAY_S
    then = week.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, "Maximum", start=start, end=start + HOUR_S)
    now = week.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, "Maximum", start=INCIDENT, end=DEPLOY)

    assert 300 < max(then.values()) < 0.6 * max(now.values())


def test_throttled_dead_letters_are_redriven_and_the_others_deleted(week):
    lying = week.points("AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_LETTERS, "Maximum")
    redriven_s = DEPLOY + 45 * 60

    assert max(value for minute, value in lying.items() if INCIDENT <= minute < redriven_s) > 0
    assert all(value == 0 for minute, value in lying.items() if minute >= redriven_s)
    assert week.total("AWS/SQS", "NumberOfMessagesSent", DEAD_LETTERS) == week.total(
        "CouchExplorers", "FailedJobs", SERVICE
    )


def test_dead_letters_that_nobody_touched_for_six_hours_publish_nothing_once_they_are_gone(week):
    lying = week.points("AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_LETTERS, "Maximum")

    assert max(lying) == DEPLOY + 45 * 60 + 6 * HOUR_S - 120
    assert len(lying) < 8 * 1440


def test_the_gateway_counts_what_its_function_never_heard_of(week):
    count = week.total("AWS/ApiGateway", "Count", API)
    invocations = week.total("AWS/Lambda", "Invocations", API_FUNCTION)
    by_stage = API | {"Stage": "prod"}

    assert count > invocations
    assert week.total("AWS/ApiGateway", "IntegrationLatency", API, "SampleCount") == invocations
    assert week.total("AWS/ApiGateway", "Latency", API, "SampleCount") == count
    assert week.total("AWS/ApiGateway", "Count", by_stage) == count
    # Each request says 0 or 1, so that the average is the rate.
    assert week.total("AWS/ApiGateway", "4XXError", API, "SampleCount") == count


def test_a_made_up_minute_is_marked_as_one_and_so_is_the_deploy(week):
    marked = week.points("CouchExplorers/Local", "SyntheticHistory", {"candidate": "42"})
    deploys = week.points("CouchExplorers/Local", "SyntheticDeploy", {"candidate": "42"})

    assert list(marked) == list(range(NOW - 8 * DAY_S, NOW, 60))
    assert set(marked.values()) == {1.0}
    assert deploys == {DEPLOY: 1.0}


def test_the_alarms_rang_as_the_series_say(week):
    age = [(step.new, step.time_s) for step in week.alarms["couch-explorers-42-oldest-message-age"]]

    assert [state for state, _ in age] == ["ALARM", "OK"] * 2
    assert INCIDENT < age[2][1] < INCIDENT + 900
    assert DEPLOY < age[3][1] < DEPLOY + 1800
    assert set(week.alarms) == {
        f"couch-explorers-42-{name}" for name in ("oldest-message-age", "dead-letters", "worker-errors", "failed-jobs")
    }
    for transitions in week.alarms.values():
        assert transitions
        assert [step.new for step in transitions] == ["ALARM", "OK"] * (len(transitions) // 2)
        assert [step.time_s for step in transitions] == sorted(step.time_s for step in transitions)


def test_the_time_to_picture_counts_from_the_sending_over_waits_and_retries(week):
    def percentile(rank, service=SERVICE, **stretch):
        return max(week.points("CouchExplorers", "TimeToPicture", service, rank, period=3600, **stretch).values())

    api = {"service": API_FUNCTION["FunctionName"]}
    during, after = {"start": INCIDENT, "end": DEPLOY + 3600}, {"start": DEPLOY + 2 * HOUR_S, "end": NOW}

    assert percentile("p95", **during) > 600_000
    assert percentile("p50", **after) < 20_000
    assert week.total("CouchExplorers", "TimeToPicture", SERVICE, "SampleCount") == week.total(
        "CouchExplorers", "PicturesMade", SERVICE
    )
    # The API waits for nothing but the model.
    assert percentile("p99", api) < 29_000


def test_a_request_without_a_picture_is_counted_by_reason(week):
    api = {"service": API_FUNCTION["FunctionName"]}
    [*reasons] = week.store.series("CouchExplorers", "FailedRequests", [("service", api["service"]), ("reason", None)])

    assert {dict(each.dimensions)["reason"] for each in reasons} == {"InvalidRequest", "ModelTimeout", "Throttled"}
    failed = week.total("CouchExplorers", "FailedRequests", api)
    assert failed + week.total("CouchExplorers", "TimeToPicture", api, "SampleCount") <= week.total(
        "AWS/Lambda", "Invocations", API_FUNCTION
    )


def test_no_quarter_of_an_hour_has_the_pictures_that_the_alarm_on_their_time_needs(week):
    # That is why no transition of it is written: an alarm that ignores low samples keeps its state below 10 / (1 - 0.95).
    counts = week.points("CouchExplorers", "TimeToPicture", SERVICE, "SampleCount", period=900)

    assert max(counts.values()) < 200


def test_the_alarms_thresholds_are_the_deployed_ones(store):
    week = Week(store, days=1, thresholds={"oldest-message-age": 1e6})

    assert week.alarms["couch-explorers-42-oldest-message-age"] == []


def test_the_same_seed_gives_the_same_history_and_another_seed_another(store):
    Week(store, days=0.5)
    first = everything(store)
    Week(store, days=0.5)
    assert everything(store) == first

    Week(store, days=0.5, seed=2)
    assert everything(store) != first


def test_another_history_replaces_the_former_one(store):
    Week(store, days=2)
    week = Week(store, days=1)

    assert min(week.points("CouchExplorers/Local", "SyntheticHistory", {"candidate": "42"}, "Sum")) == NOW - DAY_S


def test_the_history_ends_where_the_first_minute_was_measured(store):
    measured_s = NOW - 4 * HOUR_S
    store.add(Sample.of("AWS/SQS", "NumberOfMessagesSent", 3, time_s=measured_s + 5, dimensions=JOBS))

    week = Week(store, days=1)

    assert week.written.end_s == measured_s
    sent = week.points("AWS/SQS", "NumberOfMessagesSent", JOBS)
    assert {minute: value for minute, value in sent.items() if minute >= measured_s} == {measured_s: 3.0}
    assert week.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, start=measured_s) == {}


def test_what_was_measured_before_the_stretch_is_in_nobodys_way(store):
    store.add(Sample.of("AWS/SQS", "NumberOfMessagesSent", 3, time_s=NOW - 3 * DAY_S, dimensions=JOBS))

    assert Week(store, days=1).written.end_s == NOW


def test_where_everything_was_measured_nothing_is_written(store):
    store.add(Sample.of("AWS/Lambda", "Invocations", 1, time_s=NOW - DAY_S, dimensions=WORKER))

    written = Week(store, days=1).written

    assert (written.samples, written.jobs, written.start_s) == (0, 0, written.end_s)


def test_erasing_leaves_what_was_measured_and_takes_the_alarms_past_too(store):
    store.add(Sample.of("AWS/SQS", "NumberOfMessagesSent", 3, time_s=NOW - HOUR_S, dimensions=JOBS))
    measured = everything(store)
    week = Week(store, days=1)
    assert week.written.samples > 0

    assert writer.erase(store, "42", week.alarms.__setitem__) == week.written.samples

    assert everything(store) == measured
    assert not any(week.alarms.values())


def test_erasing_one_candidates_history_leaves_anothers(store):
    Week(store, days=0.1)
    before = everything(store)
    writer.write(store, candidate="7", now_s=NOW, days=0.1)

    writer.erase(store, "7")

    assert everything(store) == before


@pytest.mark.parametrize("days", [0, -1, 16])
def test_a_history_of_days_that_are_not_kept_is_refused_and_nothing_is_erased(store, days):
    Week(store, days=0.1)
    before = everything(store)

    with pytest.raises(writer.SyntheticMetricsError, match=f"A history of {days} days cannot be kept by the minute"):
        writer.write(store, candidate="42", now_s=NOW, days=days)

    assert everything(store) == before


def test_a_summary_tells_the_times_in_utc(week):
    summary = week.written.to_json()

    assert summary["start"] == "2026-11-17T08:00:00Z"
    assert summary["incidents"][-1] == {"start": "2026-11-24T23:00:00Z", "end": "2026-11-24T23:50:00Z"}
    assert summary["deploy"] == "2026-11-24T23:50:00Z"
    assert summary["samples"] > 200_000


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_the_incident_tells_the_same_story_at_any_hour(store, hour):
    now = NOW + hour * HOUR_S

    alarms = {}
    writer.write(store, candidate="42", now_s=now, days=1, record_transitions=alarms.__setitem__)

    asked = {"period_s": 60, "statistic": "Maximum", "now_s": now}
    age = store.points("AWS/SQS", "ApproximateAgeOfOldestMessage", JOBS, start_s=now - 9 * HOUR_S, end_s=now, **asked)
    assert max(value for _, value in age) > 600
    assert max(value for minute, value in age if minute > now - 7 * HOUR_S) < 60
    assert alarms["couch-explorers-42-failed-jobs"]
    lying = store.points(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_LETTERS, start_s=now - DAY_S, end_s=now, **asked
    )
    assert not any(value for minute, value in lying if minute > now - 7 * HOUR_S)


# 25 November 2026, 09:41 UTC
MINUTE = 1_795_599_660
END = MINUTE + 3600
NONE = {"oldest-message-age": 300.0, "dead-letters": 0.0, "worker-errors": 0.0, "failed-jobs": 0.0}


@pytest.fixture
def recorder():
    return SeriesRecorder()


def transitions(recorder, name, end_s=END):
    found = writer.alarm_transitions(recorder, "42", NONE, end_s=end_s, worker_timeout_s=20)
    return found[f"couch-explorers-42-{name}"]


def ages(recorder, *values):
    series = recorder.metric(
        "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "couch-explorers-42-jobs"}, "Seconds"
    )
    for minute, value in enumerate(values):
        series.add(MINUTE + 60 * minute, value)


def test_an_alarm_rings_from_the_end_of_the_first_minute_above_the_threshold_to_that_of_the_first_below(recorder):
    ages(recorder, 12, 640, 700, 300, 5)

    assert transitions(recorder, "oldest-message-age") == [
        Transition(
            MINUTE + 120,
            "OK",
            "ALARM",
            "Threshold Crossed: 1 out of the last 1 datapoints [640.0 (25/11/26 09:42:00)] was greater than the threshold"
            " (300.0) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        Transition(
            MINUTE + 240,
            "ALARM",
            "OK",
            "Threshold Crossed: 1 out of the last 1 datapoints [300.0 (25/11/26 09:44:00)] was not greater than the"
            " threshold (300.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
    ]


def test_a_metric_that_stops_rings_until_its_last_point_is_out_of_sight(recorder):
    series = recorder.metric("CouchExplorers", "FailedJobs", {"service": "couch-explorers-42-worker"})
    series.add(MINUTE, 1)

    alarm, ok = transitions(recorder, "failed-jobs")

    # As with the live alarms: cloudwatch/alarm_evaluation.py looks two periods further back for real points.
    assert (alarm.time_s, ok.time_s) == (MINUTE + 60, MINUTE + 240)
    assert "treated as [NonBreaching]" in ok.reason


def test_errors_are_looked_for_as_far_back_as_a_time_out_began(recorder):
    series = recorder.metric("AWS/Lambda", "Errors", {"FunctionName": "couch-explorers-42-worker"})
    for minute, errors in enumerate((1, 0, 0, 1, 0, 0, 0, 0)):
        series.add(MINUTE + 60 * minute, errors)

    # ceil(20 s / 60 s) + 2 = 3 periods, as in infra/alarms.tf.
    assert [(step.time_s - MINUTE, step.new) for step in transitions(recorder, "worker-errors")] == [
        (60, "ALARM"), (420, "OK"),
    ]  # fmt: skip


def test_two_bad_stretches_ring_twice(recorder):
    ages(recorder, 640, 5, 5, 640, 5)

    assert [step.new for step in transitions(recorder, "oldest-message-age")] == ["ALARM", "OK", "ALARM", "OK"]


def test_an_alarm_that_still_rings_at_the_end_is_put_out_there(recorder):
    ages(recorder, 640)

    assert transitions(recorder, "oldest-message-age", end_s=MINUTE + 60)[-1].time_s == MINUTE + 60


def test_an_alarm_without_a_breach_has_no_past(recorder):
    ages(recorder, 12, 5)

    assert transitions(recorder, "oldest-message-age") == []
    assert transitions(recorder, "dead-letters") == []


def test_the_default_thresholds_are_those_of_a_local_deployment():
    thresholds = writer.default_thresholds("42")

    assert thresholds["oldest-message-age"] == 100.0
    assert thresholds["dead-letters"] == thresholds["failed-jobs"] == thresholds["worker-errors"] == 0.0
