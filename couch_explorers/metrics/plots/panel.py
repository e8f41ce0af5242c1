"""A figure with the sentence that reads it: what a notebook shows, and what goes into a report as SVG, PDF or PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers.files import write_whole
from couch_explorers.metrics.plots import style, svg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.figure import Figure

DOTS_AN_INCH = 300
# No dates and no program versions: the same figure is the same file.
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Panel:
    """A figure, the sentence that reads it, and an alternative text for those who cannot see it.

    The figure belongs to no pyplot state: nothing is shown by itself, and nothing need be closed.
    """

    name: str
    title: str
    sentence: str
    alternative: str
    figure: Figure
    # What explains the numbers that stand for characters that no font has; empty without any.
    note: str = field(default="", init=False)
    _rendered: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        note = style.spell(self.figure)
        object.__setattr__(self, "note", note)
        object.__setattr__(self, "sentence", " ".join(filter(None, (self.sentence, note))))

    def svg(self) -> str:
        """Give the figure as SVG for the inside of a page."""
        return svg.inline(self._file("svg").decode(), name=self.name, label=self.alternative)

    def save(self, folder: Path | str, formats: Iterable[str] = ("svg", "pdf", "png")) -> list[Path]:
        """Write `<folder>/<name>.<format>` for each format, pixels at 300 an inch; give the paths.

        Raises ValueError for a format that is none of svg, pdf, png.
        """
        wanted = [form.lower().lstrip(".") for form in ([formats] if isinstance(formats, str) else formats)]
        unknown = [form for form in wanted if form not in METADATA]
        if unknown:
            raise ValueError(f"A figure cannot be saved as {', '.join(unknown)}: choose among {', '.join(METADATA)}.")
        return [write_whole(Path(folder) / f"{self.name}.{form}", self._content(form)) for form in wanted]

    def _content(self, form: str) -> bytes:
        if form == "svg":
            text = self._file("svg").decode()
            return svg.standing_alone(text, name=self.name, label=self.alternative).encode()
        return self._file(form)

    def _file(self, form: str) -> bytes:
        """Render once."""
        if form not in self._rendered:
            buffer = io.BytesIO()
            with style.sheet():
                self.figure.savefig(buffer, format=form, dpi=DOTS_AN_INCH, metadata=METADATA[form])
            self._rendered[form] = buffer.getvalue()
        return self._rendered[form]

    def __str__(self) -> str:
        return f"{self.title}. {self.sentence}"

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        caption = f'<figcaption style="margin:.4em 0 0">{escape(self.sentence)}</figcaption>'
        html = f'<figure class="couch-figure" style="margin:.8em 0 1.6em">{self.svg()}{caption}</figure>'
        return {"text/html": html, "text/plain": str(self)}
