"""The worker, loaded once as its Lambda would load it, with AWS around it played by small fakes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import handlers

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "lambda_code" / "lambda_sqs.py"
ENVIRONMENT = handlers.ENVIRONMENT | {
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs",
    "DEAD_LETTER_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs-dead-letter",
    "MAX_RECEIVE_COUNT": "10",
    "FUNCTION_TIMEOUT_S": "60",
    "OBJECTIVE_S": "60",
    "OBJECTIVE_PERCENT": "95",
    "POWERTOOLS_SERVICE_NAME": "couch-explorers-42-worker",
    "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
}


class Queues:
    """Stands for SQS: keeps what was sent and put off, or fails."""

    def __init__(self):
        self.sent = []
        self.visibility = []
        self.failures = {}

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803 - SQS's names
        self._fail("send_message")
        values = {name: attribute["StringValue"] for name, attribute in MessageAttributes.items()}
        assert {attribute["DataType"] for attribute in MessageAttributes.values()} == {"String"}
        self.sent.append(SimpleNamespace(queue=QueueUrl, body=MessageBody, attributes=values))

    def change_message_visibility(self, *, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803 - SQS's names
        self._fail("change_message_visibility")
        self.visibility.append((QueueUrl, ReceiptHandle, VisibilityTimeout))

    def _fail(self, name):
        if name in self.failures:
            raise self.failures[name]


class Bucket:
    """Stands for S3: keeps the notes by key and the keys of empty objects, or fails."""

    def __init__(self):
        self.notes = {}
        self.empty = []
        self.failure = None

    def list_objects_v2(self, *, Bucket, Prefix):  # noqa: N803 - S3's names
        assert Bucket == "pictures"
        return {"KeyCount": sum(key.startswith(Prefix) for key in self.empty)}

    def put_object(self, *, Bucket, Key, Body, ContentType=None):  # noqa: N803 - S3's names
        if self.failure:
            raise self.failure
        if Body == b"":
            assert Bucket == "pictures"
            self.empty.append(Key)
            return
        assert (Bucket, ContentType) == ("pictures", "application/json")
        self.notes[Key] = json.loads(Body)


@pytest.fixture
def environment():
    return dict(ENVIRONMENT)


@pytest.fixture
def load():
    """Load a fresh copy of the worker in the environment of the moment."""
    return lambda: handlers.load(WORKER)


@pytest.fixture(scope="session")
def loaded_worker():
    return handlers.loaded(WORKER, ENVIRONMENT)


@pytest.fixture
def worker(loaded_worker, monkeypatch):
    studio = handlers.Studio(loaded_worker.generation.Picture)
    monkeypatch.setattr(loaded_worker.generation, "generate", studio.generate)
    queues = Queues()
    monkeypatch.setattr(loaded_worker, "sqs", lambda: queues)
    monkeypatch.setattr(loaded_worker, "s3", Bucket())
    log = io.StringIO()
    loaded_worker.logger.logger_handler.setStream(log)
    return SimpleNamespace(module=loaded_worker, studio=studio, sqs=queues, s3=loaded_worker.s3, log=log)


@pytest.fixture
def context():
    return handlers.context("couch-explorers-42-worker", memory_mb=512)


@pytest.fixture
def batch():
    """The recorded event: a bare prompt and a JSON job."""
    return json.loads((ROOT / "tests" / "events" / "sqs_batch.json").read_text(encoding="utf-8"))


@pytest.fixture
def message(batch):
    """A batch of one message with this body, delivered so many times."""

    def make(body, receives=1):
        record = batch["Records"][0]
        record["body"] = body
        record["attributes"]["ApproximateReceiveCount"] = str(receives)
        return {"Records": [record]}

    return make
