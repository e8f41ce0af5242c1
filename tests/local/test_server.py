"""What the local cloud answers to `couch` itself, and what of its telemetry survives a stop."""

import asyncio
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from couch_explorers.aws import REGION
from couch_explorers.local.admin_api import AdminApi
from couch_explorers.local.bedrock.emulator import ImageModelEmulator
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.engine.server import LocalCloud
from couch_explorers.local.synthetic_metrics.writer import SyntheticMetricsError
from couch_explorers.local.telemetry import service
from couch_explorers.paths import Home
from couch_explorers.workspace import local_session
from tests import bare_cloud


class FakeTelemetry:
    """Remembers what it was asked; raises what it is told to."""

    def __init__(self):
        self.asked = []
        self.error = None

    def write_history(self, days, seed):
        if self.error:
            raise self.error
        self.asked.append((days, seed))
        return {"candidate": "42", "samples": 7}

    def erase_history(self):
        self.asked.append("erase")
        return {"samples": 7}


@pytest.fixture
def telemetry():
    return FakeTelemetry()


@pytest.fixture
def saved():
    return []


@pytest.fixture
def ask(telemetry, saved):
    """Ask the application; status and JSON."""
    models = ImageModelEmulator()
    cloud = LocalCloud(None, None, AdminApi(models, lambda: saved.append("state"), telemetry))

    def asked(method, path, body=b""):
        sent = []

        async def receive():
            return {"type": "http.request", "body": body}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": []}
        asyncio.run(cloud(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])

    yield asked
    models.close()


def test_a_history_is_written_and_the_state_saved(ask, telemetry, saved):
    assert ask("PUT", "/_couch/history", b'{"days": 2.5, "seed": 3}') == (200, {"candidate": "42", "samples": 7})
    assert telemetry.asked == [(2.5, 3)]
    assert saved == ["state"]


def test_a_history_has_eight_days_and_the_first_seed_when_nothing_is_given(ask, telemetry):
    ask("PUT", "/_couch/history")

    assert telemetry.asked == [(8, 1)]


def test_a_history_can_be_forgotten(ask, telemetry, saved):
    assert ask("DELETE", "/_couch/history") == (200, {"samples": 7})
    assert telemetry.asked == ["erase"]
    assert saved == ["state"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"weeks": 1}', b'{"days": "8"}', b'{"days": true}', b'{"seed": 1.5}', b'{"seed": null}']
)
def test_settings_that_are_not_understood_are_refused_with_what_is_taken(ask, telemetry, saved, body):
    status, answer = ask("PUT", "/_couch/history", body)

    assert status == 400
    assert 'A JSON object is taken, {"days": 8, "seed": 1}' in answer["error"]
    assert telemetry.asked == saved == []


def test_a_history_of_something_that_is_not_deployed_is_a_conflict(ask, telemetry, saved):
    telemetry.error = service.NotDeployedError()

    status, answer = ask("PUT", "/_couch/history")

    assert status == 409
    assert "couch up" in answer["error"]
    assert saved == []


def test_a_history_that_cannot_be_kept_is_a_bad_request(ask, telemetry):
    telemetry.error = SyntheticMetricsError("A history of 400 days cannot be kept.")

    assert ask("PUT", "/_couch/history") == (400, {"error": "A history of 400 days cannot be kept."})


def test_what_is_not_known_is_answered_with_what_is(ask):
    status, answer = ask("POST", "/_couch/history")

    assert status == 404
    assert "PUT or DELETE /_couch/history" in answer["error"]


# A real one


@pytest.mark.end_to_end
def test_a_stopped_cloud_has_kept_its_metrics(tmp_path):
    with bare_cloud.serving(tmp_path) as server:
        session = local_session(server.endpoint)
        queue = session.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        session.client("sqs").send_message(QueueUrl=queue, MessageBody="A jeep on the savanna")
        session.client("cloudwatch").put_metric_data(
            Namespace="CouchExplorers", MetricData=[{"MetricName": "PicturesMade", "Value": 1, "Unit": "Count"}]
        )
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(f"{server.endpoint}/_couch/history", method="PUT"), timeout=30)
        refused.value.close()

    store = MetricStore(Home(tmp_path).metrics_file)
    known = {each.metric for each in store.series(region=REGION)}
    store.close()
    assert refused.value.code == 409
    assert {"PicturesMade", "NumberOfMessagesSent", "SentMessageSize"} <= known
    assert "Traceback" not in server.log
