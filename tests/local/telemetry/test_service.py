"""The service publishes, writes and evaluates each minute, and keeps what it measured."""

import threading

import pytest

from couch_explorers.aws import REGION
from couch_explorers.files import write_json
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.settings import ACCOUNT_ID
from couch_explorers.local.synthetic_metrics.writer import SyntheticMetricsError
from couch_explorers.local.telemetry import service, sqs
from couch_explorers.local.telemetry.service import Ticker
from couch_explorers.paths import Home

JOBS = "couch-explorers-42-jobs"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{JOBS}"


class Engine:
    """Stands for an engine that has one queue; it notes what it is asked."""

    def __init__(self):
        self.telemetry = None
        self.messages = []
        self.evaluated = []
        self.past = {}

    def attach(self, telemetry):
        self.telemetry = telemetry

    def publish_queues(self, minute_s, now_s):
        looks = {ARN: sqs.depth(ARN, self.messages, minute_s, now_s)}
        sqs.publish(self.telemetry.recorder, self.telemetry.queues, looks, minute_s, now_s)

    def evaluate_alarms(self, now_s):
        self.evaluated.append((now_s, total(self.telemetry.store, now_s, "NumberOfMessagesSent", QueueName=JOBS)))

    def record_past(self, alarm_name, transitions):
        self.past[alarm_name] = transitions

    def alarm_thresholds(self, stem):
        return {"oldest-message-age": 120.0}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def telemetry(home, clock, engine):
    telemetry = service.Telemetry(home, engine, clock)
    telemetry.attach()
    yield telemetry
    telemetry.stop()


@pytest.fixture
def deployed(home):
    write_json(home.deployment_file, {"workspace": {"candidate": "42"}})


def total(store, now_s, metric, namespace="AWS/SQS", **dimensions):
    asked = {
        "start_s": now_s - 10 * 86_400,
        "end_s": now_s + 60,
        "period_s": 3600,
        "statistic": "Sum",
        "now_s": now_s,
    }
    return sum(value for _, value in store.points(namespace, metric, dimensions, **asked))


def test_store_lies_in_the_homes_folder(telemetry, home):
    assert home.metrics_file.exists()


def test_minute_is_written_before_alarms_are_evaluated(telemetry, clock, engine):
    telemetry.queues.sent(ARN, 100)
    clock.passes(60.2)

    telemetry.tick()

    assert engine.evaluated == [(clock.now_s, 1)]


def test_beat_writes_what_the_minute_has_counted_so_far(telemetry, clock, engine):
    telemetry.queues.sent(ARN, 100)
    clock.passes(5)

    telemetry.beat(clock.now_s)
    telemetry.beat(clock.now_s)

    assert [sent for _, sent in engine.evaluated] == [1, 1]


def test_queue_is_published_each_minute_with_its_backlog(telemetry, clock, engine):
    engine.messages = [
        sqs.MessageState("visible", clock.now_s - 120, 0),
        sqs.MessageState("visible", clock.now_s - 60, 1),
    ]
    clock.passes(60)

    telemetry.tick()

    assert total(telemetry.store, clock.now_s, "ApproximateNumberOfMessagesVisible", QueueName=JOBS) == 2
    assert total(telemetry.store, clock.now_s, "ApproximateAgeOfOldestMessage", QueueName=JOBS) == 180


def test_last_minute_is_kept_when_the_cloud_stops(telemetry, clock, home):
    telemetry.queues.sent(ARN, 100)

    telemetry.stop()

    store = MetricStore(home.metrics_file)
    assert total(store, clock.now_s, "NumberOfMessagesSent", QueueName=JOBS) == 1
    store.close()


def test_history_needs_something_deployed(telemetry):
    with pytest.raises(service.NotDeployedError, match="couch up"):
        telemetry.write_history()
    with pytest.raises(service.NotDeployedError, match="couch up"):
        telemetry.erase_history()


def test_history_is_written_for_the_candidate_and_forgotten_whole(telemetry, deployed, clock, engine):
    written = telemetry.write_history(days=1)

    jobs = total(telemetry.store, clock.now_s, "NumberOfMessagesSent", QueueName=JOBS)
    assert written["candidate"] == "42"
    assert jobs > 1000
    assert set(engine.past) == {
        f"couch-explorers-42-{name}" for name in ("oldest-message-age", "dead-letters", "worker-errors", "failed-jobs")
    }

    assert telemetry.erase_history() == {"samples": written["samples"]}
    assert total(telemetry.store, clock.now_s, "NumberOfMessagesSent", QueueName=JOBS) == 0
    assert not any(engine.past.values())


def test_history_that_cannot_be_kept_is_refused(telemetry, deployed):
    with pytest.raises(SyntheticMetricsError, match="20"):
        telemetry.write_history(days=20)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def minute(calls, clock):
    return Ticker(
        {"queues": lambda *times: calls.append(("queues", *times)), "functions": lambda *_: calls.append("functions")},
        lambda now_s: calls.append(("alarms", now_s)),
        lambda now_s: calls.append(("expire", now_s)),
        clock,
    )


def test_the_sources_publish_the_minute_that_has_ended_and_then_the_alarms_look(minute, calls, clock):
    began_s = clock.now_s
    clock.passes(60.2)

    assert minute.tick()

    assert calls == [("queues", began_s, clock.now_s), "functions", ("alarms", clock.now_s)]


def test_a_minute_is_done_once(minute, calls, clock):
    clock.passes(60.2)
    minute.tick()
    clock.passes(10)

    assert not minute.tick()
    assert len(calls) == 3


def test_nothing_is_due_in_the_minute_in_which_it_starts(minute, calls, clock):
    clock.passes(30)

    assert not minute.tick()
    assert calls == []


def test_minutes_that_were_slept_through_are_a_gap(minute, calls, clock):
    began_s = clock.now_s
    clock.passes(8 * 3600 + 0.2)

    minute.tick()

    assert [call for call in calls if call[0] == "queues"] == [("queues", began_s + 8 * 3600 - 60, clock.now_s)]


def test_who_wakes_long_after_the_full_minute_does_not_take_what_it_finds_for_the_minutes(minute, calls, clock):
    clock.passes(60 + service.LATE_S + 1)

    minute.tick()

    assert calls == [("alarms", clock.now_s)]


def test_a_source_that_fails_stops_neither_the_others_nor_the_alarms(calls, clock, caplog):
    def fails(*_):
        raise ValueError("no queue")

    minute = Ticker(
        {"queues": fails, "functions": lambda *_: calls.append("functions")},
        lambda _: calls.append("alarms"),
        fails,
        clock,
    )
    clock.passes(3600.2)

    assert minute.tick()

    assert calls == ["functions", "alarms"]
    assert "The metrics of queues could not be dealt with this minute" in caplog.text


def test_what_is_too_old_is_swept_out_once_an_hour(minute, calls, clock):
    for _ in range(121):
        clock.passes(60)
        minute.tick()

    assert len([call for call in calls if call[0] == "expire"]) == 2


def test_it_wakes_a_moment_after_the_full_minute(minute, clock):
    clock.passes(12.5)

    assert minute.next_in_s() == pytest.approx(47.5 + service.AFTER_S)


def test_it_ticks_by_itself_until_it_is_stopped(clock, monkeypatch):
    ticked = threading.Event()
    monkeypatch.setattr(service, "AFTER_S", 0.001)
    minute = Ticker({"queues": lambda *_: None}, lambda _: ticked.set(), lambda _: None, clock)
    clock.passes(59.999)
    passing = minute.next_in_s

    def next_in_s():
        seconds = passing()
        clock.passes(seconds)
        return min(seconds, 0.005)

    monkeypatch.setattr(minute, "next_in_s", next_in_s)
    minute.start()

    assert ticked.wait(10)
    minute.stop()
    assert not minute.running


def test_one_that_was_never_started_can_be_stopped(minute):
    minute.stop()
