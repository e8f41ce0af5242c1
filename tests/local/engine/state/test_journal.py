"""The journal as a file: transactions, versions, and every way in which a file can be harmed."""

import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couch_explorers.local.engine.state import journal
from couch_explorers.local.engine.state.journal import Journal, Key, StateError

ENGINE = "Engine 1"
KEYS = [Key("message", name) for name in "abcdef"]


def contents(folder):
    opened = Journal(folder, ENGINE)
    try:
        return opened.records("message")
    finally:
        opened.close()


def written(folder, *transactions):
    opened = Journal(folder, ENGINE)
    for changes in transactions:
        opened.write(changes)
    opened.close()
    return folder / journal.FILE


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=200), max_size=6), max_size=6))
@settings(max_examples=25, deadline=None)
def test_reopened_journal_has_the_last_values(transactions):
    expected = {}
    for changes in transactions:
        expected |= changes

    with TemporaryDirectory() as folder:
        written(Path(folder), *transactions)

        assert contents(Path(folder)) == {key.name: value for key, value in expected.items() if value is not None}


def test_unchanged_records_are_not_written_again(tmp_path):
    opened = Journal(tmp_path, ENGINE)
    opened.write({KEYS[0]: b"1", KEYS[1]: b"2"})

    assert opened.write({KEYS[0]: b"1", KEYS[1]: b"3", KEYS[2]: None}) == 1


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The file of a good journal, and its records."""
    folder = tmp_path_factory.mktemp("good")
    file = written(folder, {key: key.name.encode() * 900 for key in KEYS}, {KEYS[0]: None, KEYS[1]: b"short"})
    return file, contents(folder)


def assert_whole_or_refused(folder, expected):
    sentence = f"{folder} couch up"
    found = None
    try:
        found = contents(folder)
    except StateError as error:
        sentence = str(error)
    assert str(folder) in sentence
    assert "couch up" in sentence
    assert found in (None, expected)


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_truncated_journal_is_intact_or_refused(good, share):
    content, expected = good[0].read_bytes(), good[1]
    length = int(share * len(content))

    with TemporaryDirectory() as folder:
        Path(folder, journal.FILE).write_bytes(content[:length])

        # A file without a byte is what SQLite makes of a new one: nothing was ever acknowledged into it.
        assert_whole_or_refused(Path(folder), expected if length else {})


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_flipped_bit_is_harmless_or_refused(good, share, bit):
    content, expected = good[0].read_bytes(), good[1]
    harmed = bytearray(content)
    harmed[int(share * len(content))] ^= 1 << bit

    with TemporaryDirectory() as folder:
        Path(folder, journal.FILE).write_bytes(harmed)

        assert_whole_or_refused(Path(folder), expected)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM record WHERE key = 'c'",
        "UPDATE record SET value = x'00' WHERE key = 'c'",
        "INSERT INTO record VALUES ('message', 'x', x'00')",
        "UPDATE record SET kind = 'queue' WHERE key = 'c'",
        "DELETE FROM meta WHERE name = 'sum'",
        "DROP TABLE record",
    ],
)
def test_altered_journal_is_refused(tmp_path, statement):
    file = written(tmp_path, dict.fromkeys(KEYS, b"1"))
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()

    with pytest.raises(StateError, match="is damaged"):
        Journal(tmp_path, ENGINE)


@pytest.mark.parametrize("content", [b"", b"S"])
def test_emptied_journal_beside_bodies_is_refused(tmp_path, content):
    (tmp_path / journal.FILE).write_bytes(content)
    (tmp_path / "objects").mkdir()

    with pytest.raises(StateError, match="it is empty"):
        Journal(tmp_path, ENGINE)


def test_interrupted_transaction_leaves_the_one_before(tmp_path):
    opened = Journal(tmp_path, ENGINE)
    opened.write({KEYS[0]: b"old"})
    # What a killed process leaves: SQLite's log beside the file, with a part of a transaction at its end.
    opened.connection.execute("PRAGMA cache_size = 1")
    opened.connection.execute("BEGIN EXCLUSIVE")
    opened.connection.executemany(
        "INSERT OR REPLACE INTO record VALUES ('message', ?, ?)", [(str(name), b"new" * 2000) for name in range(50)]
    )
    torn = tmp_path / "torn"
    torn.mkdir()
    for file in tmp_path.glob(f"{journal.FILE}*"):
        (torn / file.name).write_bytes(file.read_bytes())
    opened.close()

    assert (torn / f"{journal.FILE}-wal").stat().st_size > 100_000
    assert contents(torn) == {"a": b"old"}


def test_killed_process_leaves_what_it_wrote(tmp_path):
    opened = Journal(tmp_path / "first", ENGINE)
    opened.write({KEYS[0]: b"old", KEYS[1]: b"1"})
    opened.write({KEYS[0]: b"new", KEYS[1]: None})
    # Neither closed nor flushed: the files as another process finds them.
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    opened.close()

    assert contents(tmp_path / "second") == {"a": b"new"}


def test_state_of_another_engine_is_refused_with_both_versions(tmp_path):
    written(tmp_path, {KEYS[0]: b"1"})

    with pytest.raises(StateError) as refusal:
        Journal(tmp_path, "Engine 2")

    assert "written by Engine 1 in format 1" in str(refusal.value)
    assert "this is Engine 2" in str(refusal.value)
    assert contents(tmp_path) == {"a": b"1"}


def test_state_of_a_readable_engine_is_opened_and_then_this_engines_own(tmp_path):
    written(tmp_path, {KEYS[0]: b"1"})
    opened = Journal(tmp_path, "Engine 2", ["Engine 1"])

    assert opened.records("message") == {"a": b"1"}

    opened.close()
    with pytest.raises(StateError, match="written by Engine 2"):
        Journal(tmp_path, ENGINE)


def test_state_of_another_format_is_refused(tmp_path, monkeypatch):
    written(tmp_path, {KEYS[0]: b"1"})
    monkeypatch.setattr(journal, "FORMAT", 2)

    with pytest.raises(StateError, match="in format 1; this is Engine 1, which reads format 2"):
        Journal(tmp_path, ENGINE)


def test_state_in_use_is_refused(tmp_path):
    first = Journal(tmp_path, ENGINE)

    with pytest.raises(StateError, match="in use by another process"):
        Journal(tmp_path, ENGINE)

    first.close()


def test_full_disk_loses_nothing_that_was_written(tmp_path):
    opened = Journal(tmp_path, ENGINE)
    opened.write({KEYS[0]: b"1"})
    pages = opened.connection.execute("PRAGMA page_count").fetchone()[0]
    # SQLite answers as it does on a full disk.
    opened.connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OSError, match="full"):
        opened.write({KEYS[0]: b"2", KEYS[1]: b"x" * 100_000})

    opened.connection.execute("PRAGMA max_page_count = 100000")
    assert opened.records("message") == {"a": b"1"}
    assert opened.write({KEYS[0]: b"2", KEYS[1]: b"x" * 100_000}) == 2
    opened.close()
    assert contents(tmp_path) == {"a": b"2", "b": b"x" * 100_000}
