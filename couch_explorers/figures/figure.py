"""A figure of the report: its number, drawing, caption and data source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers import checks, html
from couch_explorers.checks import Check, Verdict

if TYPE_CHECKING:
    from couch_explorers.figures.provenance import Source
    from couch_explorers.metrics.plots.figure import Panel


class FigureError(Exception):
    """A figure cannot be made; the message says why, and what to do."""


@dataclass(frozen=True)
class RenderedFigure:
    """A drawing with its source; `missing` says what is not in it and what to do, empty where nothing is missing.

    `picture` is HTML that a page shows in place of the drawing's SVG, for one that is made of pixels.
    """

    panel: Panel
    source: Source
    missing: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure in its place in the report."""

    number: int
    made: RenderedFigure
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name of its files."""
        return self.made.panel.name

    @property
    def title(self) -> str:
        """The title."""
        return self.made.panel.title

    @property
    def caption(self) -> str:
        """The caption, without number, title and source."""
        return " ".join(filter(None, (self.made.panel.sentence, self.made.missing)))

    @property
    def check(self) -> Check:
        """The check: whether the figure is complete, and the source of its data."""
        source = self.made.source
        verdict = Verdict.WARN if self.made.missing else Verdict.OK
        detail = "\n".join(filter(None, (f"{source.kind}: {source.sentence}", self.made.missing)))
        return Check(_named(self.number, self.title), verdict, self.seconds, detail)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        source = self.made.source
        shown = html.render(
            "figures/figure.html.j2",
            drawing=self.made.picture or self.made.panel.svg(),
            number=self.number,
            title=self.title,
            caption=self.caption,
            badge=source.badge,
            source=source.sentence,
        )
        return {"text/html": shown, "text/plain": str(self)}

    def __str__(self) -> str:
        source = self.made.source
        return f"Figure {self.number}. {self.title}. {self.caption} {source.kind}: {source.sentence}"


@dataclass(frozen=True)
class MissingFigure:
    """A figure that could not be made, and why; `broken` if the cause is a defect rather than missing data."""

    number: int
    name: str
    title: str
    reason: str
    seconds: float = 0.0
    broken: bool = False

    @property
    def check(self) -> Check:
        """The reason, as a check."""
        verdict = Verdict.BAD if self.broken else Verdict.NO_DATA
        return Check(_named(self.number, self.title), verdict, self.seconds, self.reason)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        badge = checks.badge(self.check.verdict)
        shown = html.render(
            "figures/missing.html.j2", badge=badge, number=self.number, title=self.title, reason=self.reason
        )
        return {"text/html": shown, "text/plain": str(self)}

    def __str__(self) -> str:
        return f"Figure {self.number}. {self.title}. {self.check.verdict}: {self.reason}"


def _named(number: int, title: str) -> str:
    """Name a figure's check."""
    return f"figure {number}: {title[:1].lower()}{title[1:]}"
