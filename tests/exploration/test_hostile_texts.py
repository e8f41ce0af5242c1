"""A prompt is text wherever a sweep shows or keeps it: in HTML, in a terminal, in CSV and in a line for a shell."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from datetime import UTC, datetime

import pytest

from couch_explorers.exploration import results
from couch_explorers.exploration.comparison import compare
from couch_explorers.exploration.contact_sheet import contact_sheet
from couch_explorers.exploration.gallery import gallery
from couch_explorers.exploration.plan import PlanSummary
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.reproduce import Recipe
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.winners import best
from couch_explorers.smoke import parts
from tests import hostile
from tests.aws_fakes.models import drawn

HARMLESS = {name: f"{hostile.HARMLESS} {number}" for number, name in enumerate(hostile.TEXTS)}


def saved(frame, title):
    """Save a sweep's result as the runner does."""
    missing = frame.isna()
    rows = [
        tuple(None if missing.loc[place, name] else value for name, value in row.items())
        for place, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]
    started = datetime(2026, 11, 23, tzinfo=UTC)
    run = {
        "title": title, "purpose": title, "target": "local", "via": "direct", "started": started.isoformat(), "seconds": 3.0,
        "totals": results.run_totals(rows), "axes": {"prompts": {title: title}, "models": sorted(set(frame["model"]))},
    }  # fmt: skip
    return results.save_run(rows, results.new_run_folder("local", title, started), run)


def bundle(page):
    """What a notebook shows of an object: (HTML, plain text)."""
    if hasattr(page, "_repr_mimebundle_"):
        found = page._repr_mimebundle_()
        return found["text/html"], found.get("text/plain", "")
    return page._repr_html_(), str(page) if isinstance(page, PlanSummary) else ""


@pytest.fixture
def pages(painted, workspace, home):
    """Everything in a notebook that shows prompts, as {name: (HTML, plain text)}."""

    def make(texts):
        first = next(iter(texts.values()))
        prompts = {f"=<b>{name}": text for name, text in texts.items()}
        frame = painted(prompts, seeds=(7,), negative_prompts=first)
        for number, text in enumerate(texts.values(), start=1):
            rate(number, frame, verdict="keep", note=text)
        # The gallery shows all runs: here this one alone.
        shutil.rmtree(home.runs("local"), ignore_errors=True)
        saved(frame, first)
        shown = {
            "plan": Sweep(prompts, seeds=(7,), negative_prompts=first).summary(workspace),
            "contact sheet": contact_sheet(frame, title=first),
            "comparison": compare(frame, 1, 2),
            "gallery": gallery(),
            "winners": best(frame, len(texts)),
            "smoke test": parts.Part(
                (), tuple(parts.ShownPicture(drawn(1), text, text) for text in texts.values()), first
            ),
        }
        return {name: bundle(page) for name, page in shown.items()}

    return make


def elements(html):
    """The page's skeleton, but for the marks of a comparison: which words of two texts differ is the texts' own matter."""
    return [part for part in hostile.skeleton(html) if part[0] not in ("mark", "/mark")]


def test_no_page_gains_an_element_from_a_prompt(pages):
    expected, found = pages(HARMLESS), pages(hostile.TEXTS)

    for name, (html, plain) in found.items():
        assert elements(html) == elements(expected[name][0]), name
        assert hostile.unprintable(plain) == set(), name


def test_a_saved_run_holds_no_formula_and_is_read_back_as_it_was(painted):
    frame = painted({f"=<b>{name}": text for name, text in hostile.TEXTS.items()}, seeds=(7,), negative_prompts="=1+1")

    folder = saved(frame, "Journeys")

    with (folder / results.RESULTS_FILE).open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    # OWASP, "CSV Injection": what a spreadsheet takes for a formula.
    assert [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d+(\.\d+)?$)", cell)] == []
    texts = ["prompt", "negative_prompt", "prompt_name"]
    assert results.load(folder)[texts].equals(frame[texts])


@pytest.mark.parametrize("text", ["'=1", "''", "'", "'a", "'''-1", "=", ""])
def test_an_apostrophe_of_ones_own_is_kept(text):
    written = results.escape_formula(text)

    assert results.unescape_formula(written) == text
    assert not written.startswith("=")


def test_the_line_for_a_shell_holds_the_prompt_as_one_word(painted):
    frame = painted(dict(hostile.TEXTS), seeds=(7,))
    for number in frame["number"]:
        rate(int(number), frame, verdict="keep")

    lines = best(frame, len(frame))["paint_command"]

    assert sorted(shlex.split(line)[-1] for line in lines) == sorted(frame["prompt"])


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_recipe_shows_what_is_in_its_prompt(text, painted):
    [cell] = Sweep({"name": text}, seeds=(7,)).cells()

    assert hostile.unprintable(str(Recipe("picture.png", cell.job, {}, b""))) == set()
