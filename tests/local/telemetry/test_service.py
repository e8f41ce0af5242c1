"""The parts of the telemetry work together: what is counted is written, judged, and kept when the cloud stops."""

import pytest

from couch_explorers.aws import REGION
from couch_explorers.files import write_json
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.history import HistoryError
from couch_explorers.local.settings import ACCOUNT_ID
from couch_explorers.local.telemetry import service, sqs
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

    telemetry._ticker.tick()

    assert engine.evaluated == [(clock.now_s, 1)]


def test_beat_writes_what_the_minute_has_counted_so_far(telemetry, clock, engine):
    telemetry.queues.sent(ARN, 100)
    clock.passes(5)

    telemetry._beat(clock.now_s)
    telemetry._beat(clock.now_s)

    assert [sent for _, sent in engine.evaluated] == [1, 1]


def test_queue_is_published_each_minute_with_its_backlog(telemetry, clock, engine):
    engine.messages = [
        sqs.MessageState("visible", clock.now_s - 120, 0),
        sqs.MessageState("visible", clock.now_s - 60, 1),
    ]
    clock.passes(60)

    telemetry._ticker.tick()

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
    with pytest.raises(HistoryError, match="20"):
        telemetry.write_history(days=20)
