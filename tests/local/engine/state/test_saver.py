"""Saving and restoring the state, in the engine's own environment and without a server."""

from tests.engine_python import in_engine

BEGIN = """
import json, tempfile
from pathlib import Path
from couch_explorers.local.engine.state.saver import State
folder = Path(tempfile.mkdtemp())
state = State(folder / "saved", folder / "objects")
state.restore()
"""


def test_changes_that_the_disk_did_not_take_are_written_when_it_does():
    code = """
from localemu.services.sqs.models import StandardQueue, sqs_stores
from couch_explorers.local.engine.state.journal import Journal
from couch_explorers.local.engine.state.saver import engine_name
queue = StandardQueue("jobs", "eu-west-1", "000000000000")
sqs_stores["000000000000"]["eu-west-1"].queues["jobs"] = queue
state.queues.put(queue, queue.put({"MessageId": "a", "Body": "A jeep", "Attributes": {}}))
write, errors = Journal.write, []
def full(self, changes):
    raise OSError("disk full")
Journal.write = full
for _ in range(2):
    try:
        state.save()
    except OSError as error:
        errors.append(str(error))
Journal.write = write
state.save()
state.close()
print(json.dumps([errors, sorted(Journal(folder / "saved", engine_name()).names("message"))]))
"""
    assert in_engine(BEGIN + code) == [["disk full", "disk full"], ["a"]]


def test_dropped_body_is_deleted_after_its_record_is_written():
    code = """
bodies, seen = state.objects.bodies, []
name = bodies.begin()
bodies.path(name).write_bytes(b"x")
bodies.drop(name)
from couch_explorers.local.engine.state.journal import Journal
write = Journal.write
Journal.write = lambda self, changes: seen.append(bodies.path(name).exists()) or write(self, changes)
state.save()
print(json.dumps([seen, bodies.path(name).exists()]))
"""
    assert in_engine(BEGIN + code) == [[True], False]


def test_missing_body_is_refused_by_its_key():
    code = """
from couch_explorers.local.engine.state.journal import StateError
from localemu.services.s3.models import S3Bucket, S3Object, s3_stores
bucket = S3Bucket("bucket-one", "000000000000", "eu-west-1", owner={})
s3_stores["000000000000"]["eu-west-1"].buckets["bucket-one"] = bucket
s3_stores["000000000000"]["eu-west-1"].global_bucket_map["bucket-one"] = "000000000000"
item = S3Object("a/b", owner={})
with state.objects.store.open("bucket-one", item, mode="w") as stored:
    import io
    stored.write(io.BytesIO(b"hello"))
    bucket.objects.set("a/b", item)
state.objects.touch_bucket("bucket-one")
state.save()
state.close()
for file in (folder / "saved" / "objects").iterdir():
    file.unlink()
try:
    State(folder / "saved", folder / "objects").restore()
    message = ""
except StateError as error:
    message = str(error)
print(json.dumps(["'a/b'" in message, "is missing" in message, "couch up" in message]))
"""
    assert in_engine(BEGIN + code) == [True, True, True]
