import base64
import io
import re

import pytest
from fontTools.ttLib import TTFont

from couch_explorers.reports import page


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
