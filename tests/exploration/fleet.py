"""A deployed queue in memory: a bucket, a queue, and a worker that does what a test tells it to."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from couch_explorers.core import generation, jobs, png
from couch_explorers.core.image_models import MODELS
from couch_explorers.workspace import Workspace
from tests.aws_fakes.models import drawn
from tests.aws_fakes.queues import ServedQueue
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked, refusal

from .scenario import BUCKET, make_cells

ARNS = tuple(model.arn for model in MODELS.values())
PREFIX = "42"
QUEUE = "http://127.0.0.1:1/000000000000/couch-explorers-42-jobs"


class Fleet:
    """The deployed system; `worker(job)` is called for each message, at once, and paints unless a test sets another."""

    def __init__(self):
        self.s3, self.sqs = Bucket(BUCKET), ServedQueue(self.serve)
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
