"""A deployed queue in memory: a bucket, a queue, and a worker that does what a test tells it to."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

from couch_explorers.core import generation, jobs, png
from couch_explorers.core.image_models import MODELS
from couch_explorers.workspace import Workspace
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked, refusal

from .fake_aws import BUCKET, drawn, make_cells

ARNS = tuple(model.arn for model in MODELS.values())
PREFIX = "42"
QUEUE = "http://127.0.0.1:1/000000000000/couch-explorers-42-jobs"


class FleetSqs:
    """Hands each message to the fleet's worker; `refuse(entry)` may give an entry's failure, `failures` are raised first."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.batches = []
        self.failures = []
        self.refuse = lambda entry: None
        self.depth = 0
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        assert QueueUrl == QUEUE
        with self._lock:
            if self.failures:
                raise self.failures.pop(0)
            self.batches.append(Entries)
            failed = {entry["Id"]: failure for entry in Entries if (failure := self.refuse(entry))}
            for entry in Entries:
                if entry["Id"] not in failed:
                    self.fleet.serve(entry["MessageBody"])
        sent = [
            {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": "0"}
            for entry in Entries
            if entry["Id"] not in failed
        ]
        return {"Successful": sent, "Failed": [{"Id": job_id, **failure} for job_id, failure in failed.items()]}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        if isinstance(self.depth, Exception):
            raise self.depth
        return {"Attributes": dict.fromkeys(AttributeNames, str(self.depth))}


class Fleet:
    """The deployed system; `worker(job)` is called for each message, at once, and paints unless a test sets another."""

    def __init__(self):
        self.s3, self.sqs = Bucket(BUCKET), FleetSqs(self)
        self.worker = self.paint
        self.served = []

    def client(self, service, **_):
        return checked(service, {"s3": self.s3, "sqs": self.sqs}[service])

    def workspace(self, **names):
        usual = {"queue_url": QUEUE, "functions": {"worker": "couch-explorers-42-worker"}, "model_arns": ARNS}
        return Workspace("local", self, "42", "eu-west-1", BUCKET, PREFIX, **(usual | names))

    def serve(self, body):
        job = jobs.parse(body, fallback_id="message-1", model_arns=ARNS)
        self.served.append(job.id)
        self.worker(job)

    def paint(self, job, picture=None, **metadata):
        parameters = generation.parameters_of(job, seed=job.seed, created=datetime(2026, 11, 23, 12, tzinfo=UTC))
        content = png.add_parameters(drawn(job.seed), parameters) if picture is None else picture
        self.s3.put(job.key(PREFIX), content, **({generation.HASH_METADATA: job.request_hash} | metadata))

    def note(self, job, reason="ContentFiltered", detail="The filter refused the prompt."):
        note = {"id": job.id, "reason": reason, "detail": detail, "time": "2026-11-23T12:00:00Z"}
        self.s3.put(job.error_key(PREFIX), json.dumps(note).encode())


__all__ = ["PREFIX", "QUEUE", "Fleet", "make_cells", "refusal"]
