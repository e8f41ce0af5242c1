"""docs/benchmarks.md, as tools/measured.py renders it."""

import json
from pathlib import Path

import pytest

from tests import scripts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page():
    return scripts.load("tools/measured.py")


def run(**figures):
    return {
        "benchmark": "client",
        "measured": "2026-11-26T01:12:20+00:00",
        "commit": "951ca27b7a23",
        "runs": 9,
        "machine": {"cores": 2, "cpu": "A CPU", "memory_gb": 24, "python": "3.11.7", "system": "Linux x86_64"},
        "figures": figures,
    }


def figure(minimum, median, maximum, unit="s", budget=None):
    return {
        "title": "from start | to end",
        "unit": unit,
        "minimum": minimum,
        "median": median,
        "maximum": maximum,
        "budget": budget,
    }


def test_run_has_its_date_commit_and_machine(page):
    text = page.render_page({"client": run()})

    about = text.partition("\n## client\n\n")[2].partition("\n\n|")[0]
    assert about.replace("\n", " ") == (
        "Measured 9 times on 26 November 2026 at 01:12 UTC, at commit `951ca27b7a23`: "
        "2 cores (A CPU), 24 GB, Linux x86_64, Python 3.11.7."
    )
    assert max(map(len, about.splitlines())) <= 100


@pytest.mark.parametrize(
    ("values", "row"),
    [
        (figure(0.1, 0.23456, 0.5, budget=1), "| from start / to end | 0.1 s | 0.235 s | 0.5 s | 1 s |"),
        (figure(100, 100, 100, "pictures"), "| from start / to end |  | 100 pictures |  |  |"),
        (figure(1.08, 1.08, 1.08, "", 1.25), "| from start / to end |  | 1.08 |  | 1.25 |"),
        (figure(0.0000123, 0.0000123, 0.0000123, "USD"), "| from start / to end |  | 0.0000123 USD |  |  |"),
        (figure(12345.678, 12345.678, 12345.678, "MB"), "| from start / to end |  | 12,346 MB |  |  |"),
    ],
)
def test_figure_is_a_row(page, values, row):
    assert row in page.render_page({"client": run(a=values)}).splitlines()


def test_every_run_has_a_section(page):
    text = page.render_page({"a": run() | {"benchmark": "first"}, "b": run() | {"benchmark": "second"}})

    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## first", "## second"]


def test_page_that_differs_is_reported_and_written(page, tmp_path, capsys):
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "client.json").write_text(json.dumps(run(a=figure(1, 2, 3))), encoding="utf-8")
    written = tmp_path / "docs" / "benchmarks.md"
    written.parent.mkdir()
    written.write_text("an older page", encoding="utf-8")

    assert page.main(["--check", "--root", str(tmp_path)]) == 1
    assert "docs/benchmarks.md: differs from the saved runs" in capsys.readouterr().out
    assert page.main(["--root", str(tmp_path)]) == 0
    assert "| from start / to end | 1 s | 2 s | 3 s |  |" in written.read_text(encoding="utf-8")
    assert page.main(["--check", "--root", str(tmp_path)]) == 0
