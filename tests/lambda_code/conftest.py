"""The worker, loaded once as its Lambda would load it, with AWS around it played by small fakes."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "BUCKET_NAME": "pictures",
    "CANDIDATE": "42",
    "MODEL_ARNS": "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1,"
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs",
    "DEAD_LETTER_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs-dead-letter",
    "MAX_RECEIVE_COUNT": "10",
    "FUNCTION_TIMEOUT_S": "60",
    "POWERTOOLS_SERVICE_NAME": "couch-explorers-42-worker",
    "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
}


class Studio:
    """Stands for the core's `generate`: fails as told, one failure a call, and makes every other picture."""

    def __init__(self, picture):
        self.picture = picture
        self.jobs = []
        self.failures = []
        self.already_there = False

    def generate(self, job, *, bedrock, s3, bucket, prefix):
        self.jobs.append(job)
        if self.failures:
            raise self.failures.pop(0)
        return self.picture(
            bucket=bucket,
            key=job.key(prefix),
            model=job.model.id,
            seed=job.seed,
            milliseconds=1234,
            already_there=self.already_there,
        )


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
    """Stands for S3: keeps the notes by key, or fails."""

    def __init__(self):
        self.notes = {}
        self.failure = None

    def put_object(self, *, Bucket, Key, Body, ContentType):  # noqa: N803 - S3's names
        if self.failure:
            raise self.failure
        assert (Bucket, ContentType) == ("pictures", "application/json")
        self.notes[Key] = json.loads(Body)


def load_worker():
    """Load a fresh copy of the worker in the environment of the moment."""
    spec = importlib.util.spec_from_file_location("lambda_sqs", ROOT / "lambda_code" / "lambda_sqs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment():
    return dict(ENVIRONMENT)


@pytest.fixture
def load():
    return load_worker


@pytest.fixture(scope="session")
def loaded_worker():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            patch.setenv(name, value)
        return load_worker()


@pytest.fixture
def worker(loaded_worker, monkeypatch):
    studio = Studio(loaded_worker.generation.Picture)
    monkeypatch.setattr(loaded_worker.generation, "generate", studio.generate)
    queues = Queues()
    monkeypatch.setattr(loaded_worker, "sqs", lambda: queues)
    monkeypatch.setattr(loaded_worker, "s3", Bucket())
    log = io.StringIO()
    loaded_worker.logger.logger_handler.setStream(log)
    return SimpleNamespace(module=loaded_worker, studio=studio, sqs=queues, s3=loaded_worker.s3, log=log)


@pytest.fixture
def context():
    return SimpleNamespace(
        function_name="couch-explorers-42-worker",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:couch-explorers-42-worker",
        aws_request_id="5e0d2c1b-0000-4000-8000-000000000001",
        get_remaining_time_in_millis=lambda: 28_000,
    )


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
