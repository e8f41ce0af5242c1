import json
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import scripts

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def module():
    return scripts.load("benchmarks/results.py")


@pytest.fixture
def results(module):
    return module.Results("a_client", runs=3)


@pytest.fixture
def repository(tmp_path):
    """A git repository with one commit and the given way to talk to it."""

    def git(*words):
        identity = ("-c", "user.name=Kari", "-c", "user.email=kari@couch-explorers.example")
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "code.py").write_text("one\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "One")
    return tmp_path, git("rev-parse", "HEAD")[:12]


def test_each_figure_has_a_line_with_minimum_median_maximum_and_budget(results):
    results.add("image.to_id", "start to the id", [0.25, 0.5, 0.125], "s", budget=1.5)

    assert [line.split() for line in results.table().splitlines()] == [
        ["3", "runs", "minimum", "median", "maximum"],
        ["start", "to", "the", "id", "0.12", "0.25", "0.50", "s", "budget", "1.5", "s"],
    ]


def test_what_was_measured_once_stands_beneath_the_medians_and_a_count_has_no_decimals(results):
    results.add("image.size", "size", 31.9, "MB")
    results.add("again.paid", "paid again", [0, 0, 2], "pictures", budget=0)

    heading, size, paid = results.table().splitlines()

    assert size.index("31.90") + 5 == heading.index("median") + 6
    assert paid.split() == ["paid", "again", "0", "0", "2", "pictures", "budget", "0", "pictures"]


def test_a_price_of_a_tenth_of_a_cent_is_not_shown_as_nothing(results):
    results.add("fetch.cost", "price", 0.00126, "USD")

    assert "0.0013" in results.table()


def test_long_titles_keep_the_columns_apart(results):
    results.add("a.short", "short", [1.0, 2.0])
    results.add("a.long", "a title " * 10, [1.0, 2.0])

    assert len({line.index("2.00") for line in results.table().splitlines()[1:]}) == 1


def test_a_saved_file_holds_who_when_where_and_each_figure_by_its_key(results, tmp_path):
    results.add("image.to_id", "start to the id", [0.25, 0.5, 0.125], "s", budget=1.5)
    results.add("image.part", "part", [0.123456789], "")

    saved = json.loads(results.save(tmp_path).read_text(encoding="utf-8"))

    assert [path.name for path in tmp_path.iterdir()] == ["a_client.json"]
    assert (saved["benchmark"], saved["runs"]) == ("a_client", 3)
    assert saved["figures"] == {
        "image.to_id": {
            "title": "start to the id",
            "unit": "s",
            "minimum": 0.125,
            "median": 0.25,
            "maximum": 0.5,
            "budget": 1.5,
        },
        "image.part": {
            "title": "part",
            "unit": "",
            "minimum": 0.123457,
            "median": 0.123457,
            "maximum": 0.123457,
            "budget": None,
        },
    }


def test_the_time_of_measuring_is_utc_to_the_second(results):
    moment = datetime(2026, 11, 25, 12, 30, 15, 999, tzinfo=UTC)

    assert results.to_json(moment)["measured"] == "2026-11-25T12:30:15+00:00"


def test_the_machine_is_described_by_what_it_can_do_not_by_its_name(module):
    description = module.machine()

    assert set(description) == {"cpu", "cores", "memory_gb", "python", "system"}
    assert description["cores"] >= 1
    assert description["memory_gb"] >= 1
    assert description["cpu"]
    assert not {platform.node(), str(Path.home())} & set(description.values())


def test_the_commit_has_twelve_digits_and_a_plus_when_files_differ_from_it(module, repository):
    folder, head = repository

    assert module.commit(folder) == head
    (folder / "code.py").write_text("two\n")
    assert module.commit(folder) == f"{head}+"


def test_saved_figures_of_other_benchmarks_do_not_make_the_commit_a_changed_one(module, repository):
    folder, head = repository
    (folder / "benchmarks" / "results").mkdir(parents=True)
    (folder / "benchmarks" / "results" / "another.json").write_text("{}\n")

    assert module.commit(folder) == head


def test_without_a_repository_the_commit_is_unknown(module, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert module.commit(tmp_path) == "unknown"


@pytest.mark.parametrize(
    ("key", "values", "sentence"),
    [
        ("to_id", [1.0], "The key 'to_id' needs a dot"),
        ("image.to_id", [2.0], "The key 'image.to_id' is used twice in a_client"),
        ("image.whole", [], "Nothing was measured for 'image.whole'"),
    ],
)
def test_what_could_not_be_named_or_quoted_is_refused(results, key, values, sentence):
    results.add("image.to_id", "start to the id", [1.0])

    with pytest.raises(ValueError, match=re.escape(sentence)):
        results.add(key, "title", values)


def test_nothing_is_saved_unless_asked_for(module, results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module.Results, "save", lambda _: pytest.fail("saved"))
    results.add("image.to_id", "start to the id", [1.0])

    results.show(save=False)

    assert "start to the id" in capsys.readouterr().out
