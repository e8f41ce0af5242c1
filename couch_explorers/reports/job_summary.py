"""A run's summary on the page of its GitHub Actions job: tables and folded details, no pictures.

GitHub silently drops a step's summary over 1 MiB and strips pictures in data URIs
(docs.github.com, "Workflow commands", adding a job summary), so this stays below 900 KiB and refers to the report.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from couch_explorers import html
from couch_explorers.checks import SIGNS, count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from couch_explorers.reports import RunResult

LIMIT_BYTES = 900 * 1024
CELL_CHARACTERS = 600
TRACEBACK_CHARACTERS = 20_000
TRUNCATED = "\n\n*The rest is in the report.*\n"


def append(path: Path, result: RunResult) -> None:
    """Append a run's summary to the step's file, as far as the limit allows; creates the folder if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8") as file:
        file.write(fit(render(result), LIMIT_BYTES - written))


def render(result: RunResult) -> str:
    """Render the summary as GitHub Markdown."""
    summary = html.render(
        "job_summary.md.j2",
        sign={"passed": "✅", "found trouble": "⚠️"}.get(result.outcome, "❌"),
        name=_safe(result.notebook),
        outcome=result.outcome,
        target=_safe(result.target),
        seconds=f"{result.seconds:.1f}",
        error=_error(result),
        count=count(result.checks),
        checks=_cells((f"{SIGNS[c.verdict]} {c.verdict}", c.name, c.detail, f"{c.seconds:.1f}") for c in result.checks),
        parameters=_cells((name, str(value)) for name, value in result.parameters.items()),
        cells=_cells(
            (str(cell["cell"]), cell["heading"], f"{cell['seconds']:.1f}")
            for cell in sorted(result.timings["cells"], key=lambda cell: -cell["seconds"])
        ),
        report=result.path("html").name,
    )
    return f"{summary}\n\n"


def _error(result: RunResult) -> dict[str, str] | None:
    error = result.error
    if not error:
        return None
    return {
        "type": _safe(error["type"]),
        "place": f" in cell {error['cell']}" if error["cell"] else "",
        "message": _safe(error["message"]),
        # The end of a traceback names the error.
        "traceback": error["traceback"][-TRACEBACK_CHARACTERS:],
    }


def _cells(rows: Iterable[Iterable[str]]) -> list[list[str]]:
    return [[_safe(value) for value in row] for row in rows]


def _safe(value: str) -> str:
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2, which loads when something is rendered

    return Markup(text(value))  # noqa: S704 - escaped by `text`


def fit(summary: str, room: int) -> str:
    """Truncate a summary at a line's end to at most `room` bytes, with a note; empty if even that does not fit."""
    if len(summary.encode()) <= room:
        return summary
    # Tags that are open at the cut are closed after it.
    left = room - len(TRUNCATED.encode()) - len("</pre></details>")
    if left < 0:
        return ""
    kept = ""
    for line in summary.splitlines(keepends=True):
        left -= len(line.encode())
        if left < 0:
            break
        kept += line
    for tag in ("pre", "details"):
        kept += f"</{tag}>" * (kept.count(f"<{tag}>") - kept.count(f"</{tag}>"))
    return kept + TRUNCATED


def text(value: str) -> str:
    """Escape any text for a line or a table cell: no Markdown, no HTML, one line, limited length."""
    line = " ".join(value.split())
    if len(line) > CELL_CHARACTERS:
        line = line[: CELL_CHARACTERS - 1] + "…"
    return re.sub(r"([\\`*_{}\[\]|~#@])", r"\\\1", escape(line, quote=False))
