import base64
import io
import re

import nbformat
import pytest
from fontTools.ttLib import TTFont

from couch_explorers.checks import Check, Verdict
from couch_explorers.reports import RunResult, page
from tests import hostile


def faces(css):
    """The characters of each font that a style sheet embeds, with its size in bytes."""
    found = []
    for data in re.findall(r"base64,([^)]+)\)", css):
        content = base64.b64decode(data)
        with TTFont(io.BytesIO(content)) as font:
            found.append((set(map(chr, font.getBestCmap())), len(content)))
    return found


@pytest.mark.parametrize("html", ["", "<p>A fjord \u2713 \u2026 \u00d7 \u00e6</p>", "\u05ea\u05dc \u0645\u0631"])
def test_a_page_whose_letters_every_machine_has_gets_no_font(html):
    assert page.font_css(html) == ""


def test_a_page_gets_the_letters_that_it_has_and_no_others():
    (japanese, small), (hindi, tiny) = sorted(
        faces(page.font_css("<p>東京の夜 हिन्दी</p>")), key=lambda it: -len(it[0] & set("東京の夜"))
    )

    assert set("東京の夜") <= japanese
    assert set("हिन्दी") <= hindi
    assert len(japanese) < 10
    assert max(small, tiny) < 20_000


def test_a_font_serves_only_its_own_letters():
    css = page.font_css("京a")

    assert "unicode-range:U+4EAC,U+200C-200D" in css


def test_emoji_are_embedded_too():
    ((letters, _),) = faces(page.font_css("a \U0001f5fc"))

    assert "\U0001f5fc" in letters


def test_the_style_of_a_report_asks_the_embedded_letters_first():
    style = (page.ASSETS / "report.css").read_text(encoding="utf-8")

    asked = re.findall(r"font-family:\s*([^;]+);", style)
    assert asked
    assert all(families.startswith(f"{page.FAMILY}, ") for families in asked)


def report(tmp_path, text):
    """The page of a run whose parameter, checks, output, picture's description and error all are a text."""
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("display_data", {"text/plain": text}),
        nbformat.v4.new_output("error", ename="ValueError", evalue=text, traceback=[text]),
    ]
    injected = nbformat.v4.new_code_cell(f"prompt = {text!r}", outputs=outputs)
    result = RunResult(
        notebook="smoke_test",
        target="local",
        parameters={"prompt": text},
        status="failed",
        checks=[Check(text, Verdict.BAD, 1.0, text)],
        timings={"cells": [{"cell": 1, "seconds": 1.0, "heading": text}], "start": 0.1},
        versions={"python": "3.12"},
        started="2026-11-23T10:00:00+00:00",
        seconds=2.0,
        error={"type": "ValueError", "message": text, "cell": 1, "heading": text, "traceback": text},
        folder=tmp_path,
    )
    return result, page.render(nbformat.v4.new_notebook(cells=[injected]), result, {"prompt": text})


def skeleton(html):
    """The page's elements, but for those that set code and terminal output: a check's sentence may have code in it."""
    return [part for part in hostile.skeleton(html) if part[0].lstrip("/") not in ("code", "span")]


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_report_gains_no_element_from_a_prompt_and_its_summary_steers_no_terminal(tmp_path, text):
    _, harmless = report(tmp_path, hostile.HARMLESS)

    result, html = report(tmp_path, text)

    assert skeleton(html) == skeleton(harmless)
    assert hostile.unprintable(result.summary()) == set()
