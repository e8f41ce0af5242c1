import re
from pathlib import Path

import pytest

from couch_explorers.checks import Check, Verdict
from couch_explorers.reports import RunResult, job_summary
from tests import hostile

ERROR = {
    "type": "KeyError",
    "message": "a | b",
    "cell": 2,
    "heading": "The fall",
    "traceback": "Traceback <x>\nKeyError",
}


@pytest.fixture
def result():
    def result(checks=(), error=None):
        return RunResult(
            notebook="smoke_test",
            target="local",
            parameters={"prompt": "a | b\nc"},
            status="failed" if error else "ok",
            checks=list(checks),
            timings={"cells": [{"cell": 1, "heading": "The API", "seconds": 1.25}]},
            versions={},
            started="2026-11-23T10:00:00+00:00",
            seconds=12.3,
            error=error,
            folder=Path("reports"),
        )

    return result


@pytest.mark.parametrize("error", [None, ERROR], ids=["passed", "failed"])
def test_summary_has_heading_error_and_table(result, error, snapshot):
    summary = job_summary.render(result([Check("a check", Verdict.OK, 0.5, "seen")], error))

    assert summary.startswith("## ❌ " if error else "## ✅ ")
    assert "| ✓ OK | a check | seen | 0.5 |" in summary
    assert summary == snapshot


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a | b", "a \\| b"),
        ("one\ntwo", "one two"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("![x](data:image/png;base64,AAAA)", "!\\[x\\](data:image/png;base64,AAAA)"),
        ("@somebody #1 `x`", "\\@somebody \\#1 \\`x\\`"),
    ],
)
def test_text_cannot_break_the_table(value, written):
    assert job_summary.text(value) == written


def test_a_cell_of_the_table_is_never_endless():
    assert len(job_summary.text("x" * 10_000)) == job_summary.CELL_CHARACTERS


def test_a_summary_stays_below_githubs_limit_and_says_that_it_was_cut(result, tmp_path):
    checks = [Check(f"check {number}", Verdict.OK, 0.5, "ø" * 590) for number in range(2000)]

    job_summary.append(tmp_path / "summary.md", result(checks))

    content = (tmp_path / "summary.md").read_bytes()
    assert len(content) <= job_summary.LIMIT_BYTES
    assert content.decode().endswith(job_summary.TRUNCATED)


def test_a_summary_is_written_into_a_folder_that_is_not_there_yet(result, tmp_path):
    job_summary.append(tmp_path / "reports" / "summary.md", result())

    assert (tmp_path / "reports" / "summary.md").read_text(encoding="utf-8").startswith("## ")


def test_what_the_step_wrote_before_counts_too(result, tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("x" * (job_summary.LIMIT_BYTES - 10))

    job_summary.append(path, result())

    assert path.stat().st_size == job_summary.LIMIT_BYTES - 10


def test_what_is_open_where_the_cut_falls_is_closed(result):
    long = ERROR | {"traceback": "line\n" * 3000}

    cut = job_summary.fit(job_summary.render(result(error=long)), 4000)

    assert len(cut.encode()) <= 4000
    assert cut.count("<details>") == cut.count("</details>") == 1
    assert cut.count("<pre>") == cut.count("</pre>") == 1


def test_two_runs_of_one_step_stand_one_below_the_other(result, tmp_path):
    path = tmp_path / "summary.md"

    job_summary.append(path, result())
    job_summary.append(path, result(error=ERROR))

    text = path.read_text(encoding="utf-8")
    assert text.index("## ✅") < text.index("## ❌")


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_cell_is_neither_markdown_nor_html(text):
    cell = job_summary.text(text)

    assert "\n" not in cell
    assert re.findall(r"(?<!\\)[*_`\[\]|#@~]", cell) == []
    assert hostile.skeleton(cell) == []
