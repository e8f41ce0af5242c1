"""The figures as files: SVG, PDF and PNG of each, a Markdown snippet to paste, and a manifest that a program reads."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from couch_explorers.figures.figure import Figure
from couch_explorers.files import reason, write_json, write_whole
from couch_explorers.reports import beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from couch_explorers.figures.figure import Absent
    from couch_explorers.workspace import Workspace

FOLDER, SNIPPET, MANIFEST = "exam_report", "figures.md", "figures.json"
FORMATS = ("svg", "pdf", "png")
# What would be read as Markdown, or as a formula, in the middle of a text; what stands between backticks stays code.
MARKDOWN = re.compile(r"(`[^`\n]+`)|([\\`*_{}\[\]<>|#$~])")
HEAD = "<!-- Written by `couch run exam_report`. Links are relative to this file: keep the folder together. -->\n"


class Saved(list[Path]):
    """The files that were written; a notebook shows links to them."""

    def __init__(self, files: list[Path], figures: Sequence[Figure], folder: Path, trouble: str = "") -> None:
        """`trouble` says why files are missing."""
        super().__init__(files)
        self.figures, self.folder, self.trouble = figures, folder, trouble

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if self.trouble:
            return {"text/html": f"<p>{escape(self.trouble)}</p>", "text/plain": self.trouble}
        rows = "".join(
            f"<li>Figure {figure.number}, {escape(figure.title)}: {', '.join(self._link(path) for path in self._of(figure))}</li>"
            for figure in self.figures
        )
        others = ", ".join(self._link(path) for path in self if path.name in (SNIPPET, MANIFEST))
        html = f"<ul>{rows}<li>To paste, and for programs: {others}</li></ul>"
        return {
            "text/html": html,
            "text/plain": f"{beside.shown(self.folder)}: {', '.join(path.name for path in self)}",
        }

    def _of(self, figure: Figure) -> list[Path]:
        return [path for path in self if path.stem == figure.name and path.suffix != ".md"]

    def _link(self, path: Path) -> str:
        # The report of a run lies in the folder above: such a link works wherever both go.
        href = f"{quote(FOLDER)}/{quote(path.name)}" if os.environ.get(beside.OUT_VARIABLE) else path.as_uri()
        return f'<a href="{href}">{escape(path.name)}</a>'


def save(figures: Sequence[Figure | Absent], workspace: Workspace, folder: Path | None = None) -> Saved:
    """Write every figure that was made, snippet and manifest; a figure that was not made leaves no older file behind.

    Without a folder they go into `exam_report/` beside the report that `couch run` makes, else into that of the local home;
    where that cannot be written, the result says so. Raises OSError for a given folder that cannot be written.
    """
    into = folder or _folder()
    made = [figure for figure in figures if isinstance(figure, Figure)]
    try:
        return Saved(_write(figures, made, workspace, into), made, into)
    except OSError as error:
        if folder is not None:
            raise
        return Saved([], made, into, f"The files could not be written into {into}: {reason(error)}.")


def _write(figures: Sequence[Figure | Absent], made: Sequence[Figure], workspace: Workspace, into: Path) -> list[Path]:
    files = [path for figure in made for path in figure.made.panel.save(into, FORMATS)]
    for figure in figures:
        if not isinstance(figure, Figure):
            for form in FORMATS:
                (into / f"{figure.name}.{form}").unlink(missing_ok=True)
    return [
        *files,
        write_whole(into / SNIPPET, snippet(figures)),
        write_json(into / MANIFEST, manifest(figures, workspace)),
    ]


def snippet(figures: Sequence[Figure | Absent]) -> str:
    """Write the figures as Markdown: picture, numbered caption, source, and links to the other files."""
    return "\n".join([HEAD, *(_pasted(figure) for figure in figures)])


def manifest(figures: Sequence[Figure | Absent], workspace: Workspace) -> dict[str, Any]:
    """Tell of each figure its name, words, source and files; of one that could not be made, why."""
    return {
        "target": workspace.target,
        "candidate": workspace.candidate,
        "made": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "figures": [_told(figure) for figure in figures],
    }


def _folder() -> Path:
    out = beside.folder(FOLDER)
    return out / FOLDER if os.environ.get(beside.OUT_VARIABLE) else out


def _told(figure: Figure | Absent) -> dict[str, Any]:
    told: dict[str, Any] = {"number": figure.number, "name": figure.name, "title": figure.title}
    if not isinstance(figure, Figure):
        return told | {"verdict": str(figure.check.verdict), "reason": figure.reason, "files": {}}
    return told | {
        "verdict": str(figure.check.verdict),
        "caption": figure.caption,
        "alternative_text": figure.made.panel.alternative,
        "missing": figure.made.missing,
        "source": figure.made.source.to_json(),
        "files": {form: f"{figure.name}.{form}" for form in FORMATS},
    }


def _pasted(figure: Figure | Absent) -> str:
    if not isinstance(figure, Figure):
        return f"**Figure {figure.number}. {_plain(figure.title)}** could not be made. {_plain(figure.reason)}\n"
    source, name = figure.made.source, figure.name
    # Pixels need no second wrapping.
    shown = f"{name}.png" if figure.made.picture else f"{name}.svg"
    others = ", ".join(f"[{form.upper()}]({name}.{form})" for form in FORMATS)
    return (
        f"![{_plain(figure.made.panel.alternative)}]({shown})\n\n"
        f"**Figure {figure.number}. {_plain(figure.title)}.** {_plain(figure.caption)} "
        f"*{source.kind}: {_plain(source.sentence)}* ({others})\n"
    )


def _plain(text: str) -> str:
    """Make text that Markdown leaves as it is."""
    return MARKDOWN.sub(lambda found: found[1] or f"\\{found[2]}", " ".join(text.split()))
