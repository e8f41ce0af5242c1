"""The parts together: what is counted is stored at the minute, what is made up can be written and forgotten.

Metrics of SQS come each minute:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
"""

import pytest

from couch_explorers.files import write_json
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.history import HistoryError
from couch_explorers.local.settings import ACCOUNT_ID, REGION, Home
from couch_explorers.local.telemetry import service

JOBS = "couch-explorers-42-jobs"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{JOBS}"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def telemetry(home, clock, monkeypatch):
    from ministack.core.responses import AccountRegionScopedDict  # noqa: PLC0415 - only these tests need it
    from ministack.services import cloudwatch, sqs  # noqa: PLC0415 - likewise

    monkeypatch.setattr(sqs, "_queues", AccountRegionScopedDict())
    for name in ("_alarms", "_alarm_history"):
        monkeypatch.setattr(cloudwatch, name, AccountRegionScopedDict())
    telemetry = service.Telemetry(home, clock)
    yield telemetry
    telemetry.stop()


@pytest.fixture
def deployed(home):
    write_json(home.deployment_file, {"workspace": {"candidate": "42"}})


def total(store, clock, metric, namespace="AWS/SQS", **dimensions):
    start_s = clock.now_s - 10 * 86_400
    asked = {"start_s": start_s, "end_s": clock.now_s + 60, "period_s": 3600, "statistic": "Sum", "now_s": clock.now_s}
    return sum(value for _, value in store.points(namespace, metric, dimensions, **asked))


def test_the_store_lies_in_the_homes_folder(telemetry, home):
    assert home.metrics_file.exists()


def test_a_minute_is_written_before_the_alarms_look(telemetry, clock, monkeypatch):
    found = []

    def evaluate(store, now_s):
        found.append(total(store, clock, "NumberOfMessagesSent", QueueName=JOBS))

    monkeypatch.setattr(service.alarms, "evaluate", evaluate)
    telemetry._queues.sent(ARN, 100)
    clock.passes(60.2)

    telemetry._ticker.tick()

    assert found == [1]


def test_a_queue_that_lies_there_is_published_each_minute_with_its_backlog(telemetry, clock):
    from ministack.core.responses import request_scope  # noqa: PLC0415 - only this test needs it
    from ministack.services import sqs  # noqa: PLC0415 - likewise

    with request_scope(ACCOUNT_ID, REGION):
        sqs._queues["url"] = {
            "attributes": {"QueueArn": ARN},
            "messages": [{"body": "A jeep", "dedup_cache_key": None, "sent_at": clock.now_s}],
        }

    for _ in range(2):
        clock.passes(60)
        telemetry._ticker.tick()

    assert total(telemetry.store, clock, "ApproximateNumberOfMessagesVisible", QueueName=JOBS) == 2
    assert total(telemetry.store, clock, "ApproximateAgeOfOldestMessage", QueueName=JOBS) == 180


def test_what_the_last_minute_has_counted_is_not_lost_when_the_cloud_stops(telemetry, clock, home):
    telemetry._queues.sent(ARN, 100)

    telemetry.stop()

    store = MetricStore(home.metrics_file)
    assert total(store, clock, "NumberOfMessagesSent", QueueName=JOBS) == 1
    store.close()


def test_a_history_needs_something_deployed(telemetry):
    with pytest.raises(service.NotDeployedError, match="Nothing is deployed on this local cloud"):
        telemetry.write_history(1, 1)
    with pytest.raises(service.NotDeployedError):
        telemetry.erase_history()


def test_a_history_is_written_for_the_candidate_and_forgotten_whole(telemetry, deployed, clock):
    written = telemetry.write_history(1, 1)
    jobs = total(telemetry.store, clock, "NumberOfMessagesSent", QueueName=JOBS)
    erased = telemetry.erase_history()

    assert written["candidate"] == "42"
    assert jobs > 0
    assert erased["samples"] == written["samples"] > 0
    assert total(telemetry.store, clock, "NumberOfMessagesSent", QueueName=JOBS) == 0


def test_a_history_that_cannot_be_kept_is_refused(telemetry, deployed):
    with pytest.raises(HistoryError, match="ask for more than 0"):
        telemetry.write_history(400, 1)
