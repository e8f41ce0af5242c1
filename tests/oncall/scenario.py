"""Queues, a bucket, logs and rights in memory, behind the session of a real Workspace."""

import json
from datetime import UTC, datetime, timedelta

from couch_explorers.core import generation, image_models, jobs, png
from couch_explorers.workspace import Workspace
from tests.aws_fakes.models import ModelCatalogue, drawn
from tests.aws_fakes.queues import MessageQueues
from tests.aws_fakes.services import Bucket, Functions, Iam, Logs
from tests.aws_fakes.validated import checked

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/couch-explorers-42-jobs"
DEAD = f"{QUEUE}-dead-letter"
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
MODELS = tuple(
    image_models.get(name).arn for name in (image_models.DEFAULT_MODEL_ID, "amazon.titan-image-generator-v1")
)


class PictureBucket(Bucket):
    """The bucket with what the worker stores."""

    def paint(self, job):
        """Store a job's picture as the worker does."""
        picture = png.add_parameters(drawn(), generation.parameters_of(job, seed=job.seed, created=NOW))
        metadata = {
            generation.HASH_METADATA: job.request_hash,
            generation.MODEL_METADATA: job.model.id,
            generation.SEED_METADATA: str(job.seed),
        }
        self.put(job.key("42"), picture, **metadata)

    def note(self, job_id, reason="ContentFiltered", detail="The prompt was blocked.", **fields):
        """Store the note that the worker leaves."""
        text = json.dumps({"reason": reason, "detail": detail, "id": job_id, **fields})
        self.put(f"42/{job_id}.error.json", text.encode())


class Cloud:
    """What a session reaches: one client a service."""

    def __init__(self):
        self.sqs, self.s3, self.logs = (
            MessageQueues(QUEUE, DEAD, now=NOW),
            PictureBucket("bucket", NOW, timedelta(0)),
            Logs(NOW),
        )
        self.iam, self.bedrock, self.functions = Iam(), ModelCatalogue(), Functions()

    def client(self, service, **_):
        clients = vars(self) | {"lambda": self.functions}
        return checked(service, clients[service])

    def workspace(self, target="aws", **changes):
        usual = {
            "queue_url": QUEUE,
            "dead_letter_url": DEAD,
            "functions": {"worker": "worker", "api": "api"},
            "model_arns": MODELS,
            "endpoint": "http://127.0.0.1:1",
        }
        return Workspace(target, self, "42", "eu-west-1", "bucket", "42", **(usual | changes))

    def give_up(self, job_id, reason="Throttled", detail="Try again later.", *, body=None, minutes=0, **fields):
        """Put a dead-letter message as the worker writes it, that many minutes after the first."""
        text = body or jobs.message_body(fields.pop("prompt", "A fjord"), id=job_id, **fields)
        attributes = {"reason": reason, "detail": detail, "job_id": job_id}
        return self.sqs.put(DEAD, text, attributes=attributes, sent=NOW + timedelta(minutes=minutes))

    def line(self, message, *, function="worker", at_s=0, **fields):
        """Write a log line as the handlers do, that many seconds after now."""
        time = NOW + timedelta(seconds=at_s)
        stamp = f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03}+0000"
        self.logs.write(function, {"message": message, "timestamp": stamp, **fields}, time)
