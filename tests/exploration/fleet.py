"""A deployed queue in memory: a bucket, a queue, and a worker that does what a test tells it to."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

from couch_explorers.core import generation, jobs, png
from couch_explorers.core.image_models import MODELS
from couch_explorers.workspace import Workspace

from .fake_aws import BUCKET, FakeS3, drawn, make_cells, refusal

ARNS = tuple(model.arn for model in MODELS.values())
PREFIX = "42"
QUEUE = "http://127.0.0.1:1/000000000000/couch-explorers-42-jobs"


class FleetS3(FakeS3):
    """A bucket that dates what is written, and lists and removes as S3 does; `may_remove` is the caller's right to."""

    def __init__(self):
        super().__init__()
        self.may_remove = True
        self.lists = []
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def put(self, key, body, **metadata):
        self.now += timedelta(seconds=1)
        self.objects[key] = {"Body": body, "Metadata": metadata, "LastModified": self.now}

    def list_objects_v2(self, *, Bucket, Prefix, StartAfter="", MaxKeys=1000):  # noqa: N803
        self._called("list")
        self.lists.append((Prefix, StartAfter, MaxKeys))
        keys = sorted(key for key in list(self.objects) if key.startswith(Prefix) and key > StartAfter)
        contents = [
            {
                "Key": key,
                "ETag": hashlib.md5(self.objects[key]["Body"]).hexdigest(),
                "LastModified": self.objects[key]["LastModified"],
            }
            for key in keys[:MaxKeys]
        ]
        return {"Contents": contents, "IsTruncated": len(keys) > MaxKeys} if contents else {"IsTruncated": False}

    def delete_objects(self, *, Bucket, Delete):  # noqa: N803
        self._called("delete")
        if not self.may_remove:
            return {"Errors": [entry | {"Code": "AccessDenied"} for entry in Delete["Objects"]]}
        for entry in Delete["Objects"]:
            self.objects.pop(entry["Key"], None)
        return {"Deleted": Delete["Objects"]}


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
        return {"Failed": [{"Id": job_id, **failure} for job_id, failure in failed.items()]}

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        if isinstance(self.depth, Exception):
            raise self.depth
        return {"Attributes": dict.fromkeys(AttributeNames, str(self.depth))}


class Fleet:
    """The deployed system; `worker(job)` is called for each message, at once, and paints unless a test sets another."""

    def __init__(self):
        self.s3, self.sqs = FleetS3(), FleetSqs(self)
        self.worker = self.paint
        self.served = []

    def client(self, service, **_):
        return {"s3": self.s3, "sqs": self.sqs}[service]

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


__all__ = ["PREFIX", "QUEUE", "Fleet", "FleetS3", "make_cells", "refusal"]
