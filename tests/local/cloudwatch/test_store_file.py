import os
import sqlite3
import subprocess
import sys

import pytest

from couch_explorers.local.cloudwatch.metric import Sample
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.cloudwatch.store_file import Database

NOON = 1_795_608_000


def values(store):
    asked = {"start_s": NOON, "end_s": NOON + 3600, "period_s": 60, "statistic": "Sum", "now_s": NOON}
    return store.points("Own", "Made", {}, **asked)


def test_a_file_keeps_its_metrics_for_the_next_process(tmp_path):
    first = MetricStore(tmp_path / "metrics.sqlite")
    first.add(Sample.of("Own", "Made", 3, time_s=NOON))
    first.close()

    second = MetricStore(tmp_path / "metrics.sqlite")

    assert values(second) == [(NOON, 3.0)]
    second.close()


def test_a_killed_process_loses_nothing(tmp_path):
    file = tmp_path / "metrics.sqlite"
    program = (
        "import os, pathlib, sys\n"
        "from couch_explorers.local.cloudwatch.metric import Sample\n"
        "from couch_explorers.local.cloudwatch.store import MetricStore\n"
        "store = MetricStore(pathlib.Path(sys.argv[1]))\n"
        f"store.add(Sample.of('Own', 'Made', 3, time_s={NOON}))\n"
        "os.kill(os.getpid(), 9)\n"
    )

    killed = subprocess.run([sys.executable, "-c", program, str(file)], check=False, env={**os.environ})

    assert killed.returncode == -9
    store = MetricStore(file)
    assert values(store) == [(NOON, 3.0)]
    store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but it is long enough to look at" * 40, b"SQLite format 3\0broken"]
)
def test_a_file_that_cannot_be_read_is_kept_beside_a_new_one(tmp_path, caplog, content):
    file = tmp_path / "metrics.sqlite"
    file.write_bytes(content)

    store = MetricStore(file)
    store.add(Sample.of("Own", "Made", 3, time_s=NOON))

    assert values(store) == [(NOON, 3.0)]
    assert (tmp_path / "metrics.sqlite.unreadable").read_bytes() == content
    assert "metrics.sqlite.unreadable" in caplog.text
    store.close()


def test_a_file_of_another_release_is_kept_beside_a_new_one(tmp_path, caplog):
    file = tmp_path / "metrics.sqlite"
    other = sqlite3.connect(file)
    other.execute("PRAGMA user_version = 99")
    other.close()

    MetricStore(file).close()

    assert "it has the schema 99, and this release reads 1" in caplog.text


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        MetricStore(tmp_path / "missing" / "metrics.sqlite")


def test_a_closed_file_is_not_opened_again(tmp_path):
    database = Database(tmp_path / "metrics.sqlite")
    database.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"), database.reading():
        pass


def test_a_failed_transaction_leaves_nothing_behind(tmp_path):
    database = Database(tmp_path / "metrics.sqlite")
    insert = "INSERT INTO series (region, namespace, metric, dimensions, unit, origin) VALUES ('', '', '', '', '', '')"

    with pytest.raises(sqlite3.IntegrityError), database.writing() as connection:
        connection.executemany(insert, [(), ()])

    with database.reading() as connection:
        assert connection.execute("SELECT COUNT(*) FROM series").fetchone() == (0,)
    database.close()
