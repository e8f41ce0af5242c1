"""What a run says on the page of its GitHub Actions job: tables and folded details, no pictures.

GitHub drops a step's summary without a word beyond 1 MiB and strips pictures given as data URIs
(docs.github.com, "Workflow commands", adding a job summary), so this stays below 900 KiB and points at the report.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

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
    """Add a run's summary to the step's file, as far as the step's limit leaves room; its folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8") as file:
        file.write(fit(render(result), LIMIT_BYTES - written))


def render(result: RunResult) -> str:
    """Write the summary as GitHub's Markdown."""
    sign = {"passed": "✅", "found trouble": "⚠️"}.get(result.outcome, "❌")
    parts = [f"## {sign} {text(result.notebook)} {result.outcome}", _facts(result)]
    if result.error:
        place = f" in cell {result.error['cell']}" if result.error["cell"] else ""
        parts.append(f"**{text(result.error['type'])}{place}:** {text(result.error['message'])}")
        if result.error["traceback"]:
            # The end of a traceback names the error.
            tail = escape(result.error["traceback"][-TRACEBACK_CHARACTERS:])
            parts.append(f"<details><summary>Traceback</summary>\n\n<pre>{tail}</pre>\n\n</details>")
    if result.checks:
        found = [(f"{SIGNS[c.verdict]} {c.verdict}", c.name, c.detail, f"{c.seconds:.1f}") for c in result.checks]
        parts.append(table(("Verdict", "Check", "What was seen", "Seconds"), found))
    if result.parameters:
        parts.append(
            folded("Parameters", table(("Parameter", "Value"), ((n, str(v)) for n, v in result.parameters.items())))
        )
    if result.timings["cells"]:
        cells = sorted(result.timings["cells"], key=lambda cell: -cell["seconds"])
        took = [(str(c["cell"]), c["heading"], f"{c['seconds']:.1f}") for c in cells]
        parts.append(folded("Cells, slowest first", table(("Cell", "Under", "Seconds"), took)))
    parts.append(f"The report with its pictures is `{result.path('html').name}` among this run's artifacts.")
    return "\n\n".join(parts) + "\n\n"


def fit(summary: str, room: int) -> str:
    """Cut a summary at a line's end so that it takes at most `room` bytes, and say so; nothing where even that is too much."""
    if len(summary.encode()) <= room:
        return summary
    # Whatever is open where the cut falls has to be closed behind it.
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


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a Markdown table; what is in the cells cannot break it."""
    heads = list(titles)
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(text(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def folded(title: str, content: str) -> str:
    """Fold content away under a title."""
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def text(value: str) -> str:
    """Make any text safe inside a line or a table's cell: no Markdown, no HTML, one line, not endless."""
    line = " ".join(value.split())
    if len(line) > CELL_CHARACTERS:
        line = line[: CELL_CHARACTERS - 1] + "…"
    return re.sub(r"([\\`*_{}\[\]|~#@])", r"\\\1", escape(line, quote=False))


def _facts(result: RunResult) -> str:
    facts = [f"target **{text(result.target)}**", f"{result.seconds:.1f} s"]
    return " · ".join(([count(result.checks)] if result.checks else []) + facts)
