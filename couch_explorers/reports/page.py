"""An executed notebook as one HTML file that opens offline, reads well on a screen and prints well on paper.

nbconvert renders the cells by a template of ours, which has none of its links to a CDN; a page around them says how the
run ended, what was checked, with which parameters, and where the time went. Letters that the reader's machine may lack are
fonts inside the page.
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
    """Make the report's HTML from an executed notebook; the notebook itself stays as it is."""
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
    # Only now is it known which letters the page has.
    letters = font_css(html)
    return html.replace("</style>", f"{letters}</style>", 1) if letters else html


def _problems(result: RunResult) -> list[Check]:
    """Take out what speaks against the run, the worst first; of a review only that: its verdicts are its first figure."""
    found = [check for check in result.checks if check.verdict is not Verdict.OK]
    if "fail_on" in result.parameters:
        found = [check for check in found if check.verdict is Verdict.BAD]
    return sorted(found, key=lambda check: check.verdict is not Verdict.BAD)


def _prepared(notebook: Any, result: RunResult) -> tuple[str, Any]:
    """Take the title out of the first cell, and note at each code cell its number, seconds and fate."""
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
    make: Any = HTMLExporter  # nbconvert tells no types
    exporter = make(
        template_name="couch",
        extra_template_basedirs=[str(ASSETS)],
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    return str(exporter.from_notebook_node(notebook)[0])


def _code_colours() -> str:
    """Style code by Pygments, without the background it would set."""
    return str(HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight"))


def _plain(html: str) -> str:
    """Take the text out of a heading, without the sign of its anchor."""
    return unescape(re.sub(r"<[^>]+>", "", ANCHOR.sub("", html))).strip()


# The first family of report.css: Chromium does not draw again what a later one loads too late. It is asked for no letter that
# is not in it, so Latin ones stay those of the reader's machine.
FAMILY = "couch-explorers-letters"


def font_css(page: str) -> str:
    """Write the fonts for the characters of a page that DejaVu Sans lacks and that a package of ours has.

    Only their letters are in them, some hundred bytes each; a page in Latin letters gets none. Emoji are drawn in black, as
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
    # With the digits and blanks of the same font a mark finds the letter that it belongs to.
    data = base64.b64encode(_subset(file, "".join(sorted(characters)) + " ")).decode()
    source = f"url(data:font/woff;base64,{data}) format('woff')"
    return f"@font-face{{font-family:{FAMILY};src:{source};unicode-range:{codes},U+200C-200D}}"


def _subset(file: Path, text: str) -> bytes:
    from fontTools import subset  # noqa: PLC0415 - a page in Latin letters need not wait for it

    options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(file), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    subsetter.subset(font)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    font.close()
    return buffer.getvalue()
