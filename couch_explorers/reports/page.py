"""Renders an executed notebook as one HTML file that opens offline, and reads well on screen and paper.

nbconvert renders the cells with this project's template, which has no links to a CDN; the page around them shows the outcome,
the checks, the parameters and the slowest cells. Characters that the reader's machine may lack are embedded as fonts.
"""

from __future__ import annotations

import base64
import copy
import io
import re
from collections import defaultdict
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters.html import HTMLExporter
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # it comes without types

from couch_explorers import fonts
from couch_explorers.checks import COLOURS, SIGNS, Check, Verdict, count
from couch_explorers.html import render as render_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.reports import RunResult

ASSETS = Path(__file__).with_name("assets")
SLOWEST, SHORTEST_S = 5, 0.05
TITLE = re.compile(r"\A\s*#\s+(?P<title>[^\n]+)\n?")
ANCHOR = re.compile(r'<a class="anchor-link".*?</a>', re.DOTALL)
HEADING = re.compile(r'<h(?P<level>[23]) id="(?P<anchor>[^"]+)"[^>]*>(?P<text>.*?)</h(?P=level)>', re.DOTALL)


def render(notebook: Any, result: RunResult, comments: Mapping[str, str]) -> str:
    """Render the report's HTML from an executed notebook, without changing the notebook."""
    title, cells = _prepared(notebook, result)
    body = _cells_html(cells)
    headings = [(int(m["level"]), m["anchor"], _plain(m["text"])) for m in HEADING.finditer(body)]
    slowest = sorted(result.timings["cells"], key=lambda cell: -cell["seconds"])[:SLOWEST]
    html = render_template(
        "report.html.j2",
        body=body,
        comments=comments,
        count=count(result.checks),
        css=(ASSETS / "report.css").read_text(encoding="utf-8") + _code_colours(),
        failed=any(check.verdict is Verdict.BAD for check in result.checks),
        headings=headings,
        problems=_problems(result),
        result=result,
        signs=SIGNS,
        slowest=[cell for cell in slowest if cell["seconds"] >= SHORTEST_S],
        started=datetime.fromisoformat(result.started),
        title=title or result.notebook,
        colours=COLOURS,
    )
    # Only now are the page's characters known.
    font_face = font_css(html)
    return html.replace("</style>", f"{font_face}</style>", 1) if font_face else html


def _problems(result: RunResult) -> list[Check]:
    """Return the checks that are not OK, worst first; only BAD ones of a review, which shows its verdicts itself."""
    found = [check for check in result.checks if check.verdict is not Verdict.OK]
    if "fail_on" in result.parameters:
        found = [check for check in found if check.verdict is Verdict.BAD]
    return sorted(found, key=lambda check: check.verdict is not Verdict.BAD)


def _prepared(notebook: Any, result: RunResult) -> tuple[str, Any]:
    """Remove the title from the first cell, and add to each code cell its number, seconds and whether it stopped the run."""
    cells = copy.deepcopy(notebook)
    title = ""
    if cells.cells and cells.cells[0].cell_type == "markdown" and (match := TITLE.match(cells.cells[0].source)):
        title = match["title"].strip()
        cells.cells[0].source = cells.cells[0].source[match.end() :]
    seconds = {timing["cell"]: timing["seconds"] for timing in result.timings["cells"]}
    stopped = result.error["cell"] if result.error else None
    for number, cell in enumerate((cell for cell in cells.cells if cell.cell_type == "code"), start=1):
        cell.metadata["couch"] = {"number": number, "seconds": seconds.get(number), "stopped": number == stopped}
    return title, cells


def _cells_html(notebook: Any) -> str:
    make: Any = HTMLExporter  # nbconvert has no type annotations
    exporter = make(
        template_name="couch",
        extra_template_basedirs=[str(ASSETS)],
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    return str(exporter.from_notebook_node(notebook)[0])


def _code_colours() -> str:
    """Return Pygments' styles for code, without its background."""
    return str(HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight"))


def _plain(html: str) -> str:
    """Return a heading's text, without its anchor."""
    return unescape(re.sub(r"<[^>]+>", "", ANCHOR.sub("", html))).strip()


# The first family in report.css: Chromium does not redraw text whose font loads late from a later family. Its unicode-range
# covers only its own characters, so that Latin text uses the reader's fonts.
FAMILY = "couch-explorers-letters"


def font_css(page: str) -> str:
    """Return the CSS with fonts for the characters of a page that DejaVu Sans lacks and a bundled font has.

    The fonts contain only these characters, about a hundred bytes each; a page in Latin letters has none. Emoji are black, as
    on a contact sheet.
    """
    wanted: dict[Path, set[str]] = defaultdict(set)
    for character in set(page):
        file = fonts.font_of(character)
        if file in fonts.files()[1:]:
            wanted[file].add(character)
    return "".join(_face(file, characters) for file, characters in sorted(wanted.items()))


def _face(file: Path, characters: set[str]) -> str:
    codes = ",".join(f"U+{ord(character):X}" for character in sorted(characters))
    # With the space of the same font, so that combining marks are placed correctly.
    data = base64.b64encode(_subset(file, "".join(sorted(characters)) + " ")).decode()
    source = f"url(data:font/woff;base64,{data}) format('woff')"
    return f"@font-face{{font-family:{FAMILY};src:{source};unicode-range:{codes},U+200C-200D}}"


def _subset(file: Path, text: str) -> bytes:
    from fontTools import subset  # noqa: PLC0415 - not needed for a page in Latin letters

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(file), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    subsetter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    font.close()
    return buffer.getvalue()
