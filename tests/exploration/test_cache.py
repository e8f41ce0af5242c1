"""The picture cache: whole pictures only, nothing paid twice, and a sentence wherever it cannot be written."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from couch_explorers.exploration import cache as caches
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.sweep_spec import ExplorationError
from tests.exploration.scenario import make_cells, painted

JOB = make_cells(1)[0].job


@pytest.fixture
def cache(tmp_path):
    return ImageCache(tmp_path / "images" / "local")


@pytest.fixture
def picture():
    return painted(JOB)


@pytest.fixture(params=[errno.ENOSPC, errno.EROFS, errno.EACCES], ids=["full", "read-only", "no right"])
def no_room(request, monkeypatch):
    """Let every new file fail from now on, and return what the system says to it: the superuser meets no other way."""

    def fail(*_, **__):
        raise OSError(request.param, os.strerror(request.param))

    def begin():
        monkeypatch.setattr(tempfile, "mkstemp", fail)
        monkeypatch.setattr(caches.Path, "write_bytes", fail)
        return os.strerror(request.param)

    return begin


def test_a_picture_that_was_kept_is_found_with_its_size_and_record(cache, picture):
    cache.note_request(JOB)

    kept = cache.keep(JOB, picture, seconds=1.5, usd=0.04)

    assert cache.find(JOB.id) == kept
    assert (kept.width, kept.height) == (48, 32)
    assert kept.path.read_bytes() == picture
    assert {"id", "model", "request", "asked", "kept", "seconds", "usd"} == set(kept.record)
    assert kept.record["request"] == JOB.request
    assert (kept.record["seconds"], kept.record["usd"]) == (1.5, 0.04)


def test_what_was_never_asked_for_is_not_there(cache):
    assert cache.find(JOB.id) is None
    assert cache.damage(JOB.id) == ""
    assert cache.record(JOB.id) == {}


def test_a_request_leaves_its_record_before_there_is_a_picture(cache):
    cache.note_request(JOB, run="morning")

    assert cache.find(JOB.id) is None
    assert cache.record(JOB.id) == {
        "id": JOB.id,
        "model": JOB.model.id,
        "request": JOB.request,
        "asked": cache.record(JOB.id)["asked"],
        "run": "morning",
    }


@pytest.mark.parametrize("damage", [lambda png: png[:-20], lambda png: png[:50] + b"?" + png[51:], lambda png: b""])
def test_a_picture_that_is_not_whole_counts_as_absent_and_is_reported(cache, picture, damage):
    path = cache.keep(JOB, picture).path
    path.write_bytes(damage(picture))

    assert cache.find(JOB.id) is None

    assert f"{path} was not whole." in cache.damage(JOB.id)


def test_a_damaged_picture_that_was_made_again_is_whole_again(cache, picture):
    cache.keep(JOB, picture).path.write_bytes(picture[:-20])
    cache.find(JOB.id)

    cache.keep(JOB, picture)

    assert cache.find(JOB.id) is not None
    assert cache.damage(JOB.id) == ""


def test_a_folder_in_the_place_of_a_picture_is_reported(cache):
    cache.path(JOB.id).mkdir(parents=True)

    assert cache.find(JOB.id) is None

    assert "cannot be read" in cache.damage(JOB.id)


def test_a_broken_record_costs_no_picture(cache, picture):
    cache.keep(JOB, picture, seconds=1.0)
    cache.folder.joinpath(f"{JOB.id}.json").write_bytes(b"\xff{")

    assert cache.find(JOB.id).record == {}


def test_where_a_picture_is_stored_is_known_without_asking(cache, picture):
    cache.keep(JOB, picture)
    assert not cache.find(JOB.id).is_at("pictures", "42/x.png")

    cache.note_stored(JOB, "pictures", "42/x.png")

    assert cache.find(JOB.id).is_at("pictures", "42/x.png")
    assert not cache.find(JOB.id).is_at("pictures", "77/x.png")
    assert not cache.find(JOB.id).is_at("others", "42/x.png")


def test_records_come_newest_first(cache):
    for place, cell in enumerate(make_cells(3)):
        written = cache.note_request(cell.job)
        os.utime(written, (place, place))

    seeds = [record["request"]["seed"] for record in cache.records(newest=2)]

    assert seeds == [3, 2]


def test_a_cache_that_is_not_there_has_no_records(cache):
    assert list(cache.records()) == []


def test_a_cache_that_can_be_written_is_left_as_it_was(cache):
    cache.check_writable()

    assert list(cache.folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_reported_before_anything_is_paid(cache):
    cache.folder.parent.mkdir()
    cache.folder.write_text("not a folder")

    with pytest.raises(ExplorationError, match="is a file where the picture cache should be: move it away"):
        cache.check_writable()


def test_a_folder_without_room_or_right_is_reported_before_anything_is_paid(cache, no_room):
    reason = no_room()

    with pytest.raises(ExplorationError, match=rf"cannot be written \({reason}\): make room or give the right"):
        cache.check_writable()

    assert list(cache.folder.iterdir()) == []


def test_a_picture_that_finds_no_room_leaves_no_half_of_itself(cache, picture, no_room):
    cache.note_request(JOB)
    reason = no_room()

    with pytest.raises(ExplorationError, match=reason):
        cache.keep(JOB, picture)

    assert [path.name for path in cache.folder.iterdir()] == [f"{JOB.id}.json"]


def test_a_record_that_cannot_be_completed_costs_no_picture(cache, picture, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(caches, "write_json", fail)

    kept = cache.keep(JOB, picture, seconds=1.0)
    cache.note_stored(JOB, "pictures", "42/x.png")

    assert cache.find(JOB.id).path == kept.path


def test_one_claims_and_the_other_does_not_get_it_until_it_is_given_back(cache):
    cache.folder.mkdir(parents=True)
    mine = cache.try_claim(JOB.id)

    assert ImageCache(cache.folder).try_claim(JOB.id) is None

    mine.release()
    mine.release()
    with ImageCache(cache.folder).try_claim(JOB.id) as theirs:
        assert theirs is not None
    assert list(cache.folder.iterdir()) == []


def test_who_waits_for_a_claim_gets_it_when_it_is_given_back(cache):
    cache.folder.mkdir(parents=True)
    mine = cache.try_claim(JOB.id)
    got = threading.Event()

    def wait():
        with cache.claim(JOB.id):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.2)
    mine.release()

    assert got.wait(10)
    waiting.join()


def test_a_claim_can_be_given_back_by_another_thread(cache):
    cache.folder.mkdir(parents=True)
    mine = cache.try_claim(JOB.id)

    other = threading.Thread(target=mine.release)
    other.start()
    other.join()

    assert cache.try_claim(JOB.id) is not None


def test_a_killed_process_loses_its_claims(cache):
    cache.folder.mkdir(parents=True)
    script = (
        "import sys, time; from pathlib import Path; from couch_explorers.exploration.cache import ImageCache;"
        "claim = ImageCache(Path(sys.argv[1])).try_claim(sys.argv[2]); print('mine', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(cache.folder), JOB.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "mine\n"
        assert cache.try_claim(JOB.id) is None

        holder.kill()

    assert cache.try_claim(JOB.id) is not None


def test_a_folder_that_takes_no_lock_is_reported(cache):
    cache.folder.parent.mkdir()
    cache.folder.write_text("not a folder")

    with pytest.raises(ExplorationError, match="is a file where"):
        cache.try_claim(JOB.id)


def test_a_record_is_json_for_people(cache):
    written = cache.note_request(JOB)

    assert json.loads(written.read_text())["request"]["prompt"] == "A fjord"


def test_a_picture_that_was_checked_is_not_read_again_until_it_changes(cache, monkeypatch):
    (cell,) = make_cells(1)
    path = cache.keep(cell.job, painted(cell.job)).path
    os.utime(path, (1, 1))
    assert cache.find(cell.id).width == 48
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))

    assert (cache.find(cell.id).width, cache.find(cell.id).height) == (48, 32)

    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-20])
    assert cache.find(cell.id) is None
    assert "was not whole" in cache.damage(cell.id)
    path.unlink()
    assert cache.find(cell.id) is None


def test_a_picture_changed_just_now_is_read_each_time(cache):
    (cell,) = make_cells(1)
    path = cache.keep(cell.job, painted(cell.job)).path
    before = path.stat()
    assert cache.find(cell.id) is not None

    damaged = bytearray(path.read_bytes())
    damaged[-30] ^= 1
    with path.open("r+b") as file:
        file.write(damaged)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert cache.find(cell.id) is None
