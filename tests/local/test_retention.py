"""What the local cloud keeps for how long, and what is pruned."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import botocore.session
import pytest
from botocore.stub import Stubber

from couch_explorers.local import retention
from couch_explorers.local.retention import Pruned
from couch_explorers.paths import Home

DAY_S = 86_400
NOW = 100 * DAY_S


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def stubbed():
    def make(service):
        arguments = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = botocore.session.Session().create_client(service, region_name="eu-west-1", **arguments)
        return client, Stubber(client)

    return make


def write(path, days_old, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - days_old * DAY_S,) * 2)
    os.utime(path.parent, (NOW - days_old * DAY_S,) * 2)
    return path


def test_old_files_of_the_local_target_are_deleted(home):
    old = [
        write(home.inbox / "old.eml", 31),
        write(home.pictures / "old.png", 31),
        write(home.images("local") / "old.png", 31),
        write(home.thumbnails("local") / "old.jpg", 31),
        write(home.runs("local") / "old run" / "sheet.png", 31),
    ]

    pruned = retention.prune_files(home, now=NOW)

    assert [(each.count, each.size) for each in pruned] == [(1, 10)] * 5
    assert not [path for path in old if path.exists()]
    assert not (home.runs("local") / "old run").exists()


def test_recent_files_stay(home):
    recent = [
        write(home.inbox / "new.eml", 29),
        write(home.pictures / "new.png", 29),
        write(home.images("local") / "new.png", 29),
        write(home.thumbnails("local") / "new.jpg", 29),
        write(home.runs("local") / "new run" / "sheet.png", 29),
    ]

    assert sum(each.count for each in retention.prune_files(home, now=NOW)) == 0
    assert all(path.exists() for path in recent)


def test_run_with_one_recent_file_stays_whole(home):
    kept = write(home.runs("local") / "run" / "old.png", 90)
    write(home.runs("local") / "run" / "new.json", 1)

    retention.prune_files(home, now=NOW)

    assert kept.exists()


def test_paid_images_and_ratings_are_never_deleted(home):
    spared = [
        write(home.images("aws") / "paid.png", 500),
        write(home.runs("aws") / "run" / "sheet.png", 500),
        write(home.ratings("local"), 500),
        write(home.metrics_file, 500),
        write(home.saved / "state.sqlite", 500),
    ]

    retention.prune_files(home, keep_days=0, now=NOW)

    assert all(path.exists() for path in spared)


def test_old_objects_are_deleted_and_recent_ones_stay(stubbed):
    s3, stub = stubbed("s3")
    contents = [
        {"Key": f"42/{days}.png", "Size": 10, "LastModified": datetime.fromtimestamp(NOW - days * DAY_S, UTC)}
        for days in (1, 29, 31, 90)
    ]
    stub.add_response("list_objects_v2", {"Contents": contents}, {"Bucket": "b", "Prefix": "42/"})
    wanted = {"Objects": [{"Key": "42/31.png"}, {"Key": "42/90.png"}], "Quiet": True}
    stub.add_response("delete_objects", {}, {"Bucket": "b", "Delete": wanted})

    with stub:
        pruned = retention.prune_objects(s3, "b", "42/", now=NOW)

    stub.assert_no_pending_responses()
    assert pruned == Pruned("object in the bucket", 2, 20)


def test_objects_that_s3_keeps_are_counted_with_the_reason(stubbed):
    s3, stub = stubbed("s3")
    old = datetime.fromtimestamp(NOW - 90 * DAY_S, UTC)
    contents = [{"Key": f"42/{name}.png", "Size": 10, "LastModified": old} for name in "abc"]
    stub.add_response("list_objects_v2", {"Contents": contents}, {"Bucket": "b", "Prefix": "42/"})
    failed = [
        {"Key": f"42/{name}.png", "Code": "SlowDown", "Message": "Please reduce your request rate."} for name in "bc"
    ]
    stub.add_response("delete_objects", {"Errors": failed})

    with stub:
        pruned = retention.prune_objects(s3, "b", "42/", now=NOW)

    assert pruned == Pruned("object in the bucket", 1, 10, 2, "SlowDown: Please reduce your request rate")
    assert pruned.problem.startswith("2 objects in the bucket could not be deleted (SlowDown: ")


def test_log_streams_expire_by_the_retention_of_their_group(stubbed):
    logs, stub = stubbed("logs")
    groups = [{"logGroupName": "kept", "retentionInDays": 14}, {"logGroupName": "for ever"}]
    streams = [
        {"logStreamName": "old", "creationTime": 0, "lastEventTimestamp": (NOW - 15 * DAY_S) * 1000},
        {"logStreamName": "new", "creationTime": 0, "lastEventTimestamp": (NOW - 13 * DAY_S) * 1000},
        {"logStreamName": "empty and new", "creationTime": (NOW - DAY_S) * 1000},
    ]
    stub.add_response("describe_log_groups", {"logGroups": groups}, {})
    stub.add_response("describe_log_streams", {"logStreams": streams}, {"logGroupName": "kept"})
    stub.add_response("delete_log_stream", {}, {"logGroupName": "kept", "logStreamName": "old"})

    with stub:
        assert retention.expire_log_streams(logs, now=NOW) == 1

    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("pruned", "keep_days", "sentence"),
    [
        ([], 30, "Nothing is older than 30 days."),
        ([], 0, "There was nothing to delete."),
        ([Pruned("e-mail", 0, 0)], 30, "Nothing is older than 30 days."),
        ([Pruned("e-mail", 2, 1_000_000)], 0, "Deleted: 2 e-mails (1.0 MB)."),
        (
            [Pruned("e-mail", 1, 2_000), Pruned("object in the bucket", 1204, 3_210_000_000)],
            30,
            "Deleted, older than 30 days: 1 e-mail (0.0 MB) and 1,204 objects in the bucket (3,210.0 MB).",
        ),
    ],
)
def test_sentence_lists_what_was_deleted(pruned, keep_days, sentence):
    assert retention.sentence(pruned, keep_days) == sentence


def test_command_prunes_the_folder_of_a_cloud_that_does_not_run(home):
    old, new = write(home.inbox / "old.eml", 0), home.inbox / "new.eml"
    new.write_bytes(b"x")
    couch = Path(sys.executable).with_name("couch")
    environment = os.environ | {"COUCH_HOME": str(home.path)}

    done = subprocess.run([couch, "down", "--prune"], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "The local cloud was not running.",
        "Deleted, older than 30 days: 1 e-mail (0.0 MB).",
    ]
    assert (old.exists(), new.exists()) == (False, True)
