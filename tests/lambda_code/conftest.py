"""The worker, loaded once as its Lambda would load it, before S3 and SQS in memory."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import handlers
from tests.aws_fakes.queues import Queues
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked

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


class NoteBucket(Bucket):
    """S3, in which the worker's notes are read by key, and the keys that count time-outs."""

    @property
    def notes(self):
        return {key: json.loads(each.body) for key, each in self.objects.items() if each.body}

    @property
    def timeouts(self):
        return [key for key, each in self.objects.items() if not each.body]


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
    queues = checked("sqs", Queues())
    monkeypatch.setattr(loaded_worker, "sqs", lambda: queues)
    monkeypatch.setattr(loaded_worker, "s3", checked("s3", NoteBucket()))
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
