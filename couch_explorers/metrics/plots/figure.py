"""A figure with its caption and alternative text: layout, rendering and saving.

A figure has several axes below each other with the same time axis, as high as their contents. Notebooks show it as inline SVG,
with unique ids, no leaking styles, no date and few digits; reports save it as SVG, PDF or PNG.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from couch_explorers import formatting, html, plot_style
from couch_explorers.files import write_whole
from couch_explorers.metrics import model
from couch_explorers.metrics.review_data import ReviewData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import SeriesKey

DOTS_AN_INCH = 300
# No dates and no program versions: the same figure is the same file.
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Panel:
    """A figure, its caption, and an alternative text for readers who cannot see it.

    The figure is independent of pyplot: it is not shown automatically, and need not be closed.
    """

    name: str
    title: str
    sentence: str
    alternative: str
    figure: Figure
    # Explains the code points shown in place of characters that no font has; empty without any.
    note: str = field(default="", init=False)
    _rendered: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        note = plot_style.spell(self.figure)
        object.__setattr__(self, "note", note)
        object.__setattr__(self, "sentence", " ".join(filter(None, (self.sentence, note))))

    def svg(self) -> str:
        """Return the figure as inline SVG."""
        return inline_svg(self._file("svg").decode(), name=self.name, label=self.alternative)

    def save(self, folder: Path | str, formats: Iterable[str] = ("svg", "pdf", "png")) -> list[Path]:
        """Write `<folder>/<name>.<format>` for each format, pixels at 300 dpi; return the paths.

        Raises ValueError for a format other than svg, pdf, png.
        """
        wanted = [form.lower().lstrip(".") for form in ([formats] if isinstance(formats, str) else formats)]
        unknown = [form for form in wanted if form not in METADATA]
        if unknown:
            raise ValueError(f"A figure cannot be saved as {', '.join(unknown)}: choose among {', '.join(METADATA)}.")
        return [write_whole(Path(folder) / f"{self.name}.{form}", self.rendered(form)) for form in wanted]

    def rendered(self, form: str) -> bytes:
        """Return the content of a file: `form` is svg, pdf or png."""
        if form == "svg":
            text = self._file("svg").decode()
            return standalone_svg(text, name=self.name, label=self.alternative).encode()
        return self._file(form)

    def _file(self, form: str) -> bytes:
        """Render once."""
        if form not in self._rendered:
            buffer = io.BytesIO()
            with plot_style.sheet():
                self.figure.savefig(buffer, format=form, dpi=DOTS_AN_INCH, metadata=METADATA[form])
            self._rendered[form] = buffer.getvalue()
        return self._rendered[form]

    def __str__(self) -> str:
        return f"{self.title}. {self.sentence}"

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        shown = html.render("metrics/figure.html.j2", drawing=self.svg(), caption=self.sentence)
        return {"text/html": shown, "text/plain": str(self)}


# In points: at the upper and lower edge, and between two axes with their titles and labels.
EDGE_PT, BETWEEN_PT = 5.0, 15.0
# Arbitrary: axes are measured at this resolution, which does not affect sizes in points.
MEASURED_AT_DPI = 72.0


@dataclass(frozen=True)
class Subplot:
    """One set of axes.

    Attributes:
        draw: Draws it.
        height_pt: Its height in points without title and labels, which may depend on the frame.
        title: Its title.
        keys: The series that it draws; the dashboard in `infra/` shows the same.

    """

    draw: Callable[[pd.DataFrame, Axes], Axes]
    height_pt: float | Callable[[pd.DataFrame], float]
    title: str
    keys: tuple[SeriesKey, ...]

    def height_of(self, frame: pd.DataFrame) -> float:
        """Return the height in points for a frame."""
        return self.height_pt(frame) if callable(self.height_pt) else self.height_pt


@dataclass(frozen=True)
class Chart:
    """A figure's name, title and kind (for the alternative text), its subplots from top to bottom, and its caption."""

    name: str
    title: str
    kind: str
    subplots: tuple[Subplot, ...]
    caption: Callable[[ReviewData], str]


def make_panel(frame: pd.DataFrame, chart: Chart, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """Draw a chart, `width_pt` points wide in all, and add its caption.

    Raises:
        ValueError: the frame has no context.

    """
    data = ReviewData.of(frame)
    with plot_style.sheet():
        figure = Figure(figsize=(1, 1), dpi=MEASURED_AT_DPI)
        FigureCanvasAgg(figure)
        _stack(figure, frame, chart.subplots, width_pt)
    caption = chart.caption(data)
    return Panel(chart.name, chart.title, caption, f"{chart.kind}, {_window_text(frame)}. {caption}", figure)


def _stack(figure: Figure, frame: pd.DataFrame, parts: Sequence[Subplot], width_pt: float) -> None:
    """Draw each subplot at its size, measure its titles and labels, then move all to their positions."""
    height = sum(part.height_of(frame) for part in parts)
    left, across = plot_style.LEFT_PT / width_pt, (width_pt - plot_style.LEFT_PT - plot_style.RIGHT_PT) / width_pt
    figure.set_size_inches(width_pt / plot_style.POINTS_AN_INCH, height / plot_style.POINTS_AN_INCH)
    drawn = []
    for place, part in enumerate(parts):
        ax = figure.add_axes((left, 0, across, part.height_of(frame) / height))
        part.draw(frame, ax)
        if place < len(parts) - 1:
            ax.tick_params(axis="x", which="both", labelbottom=False)
        drawn.append((ax, part.height_of(frame), *_overhang(ax)))
    height = 2 * EDGE_PT + BETWEEN_PT * (len(parts) - 1) + sum(own + above + below for _, own, above, below in drawn)
    figure.set_size_inches(width_pt / plot_style.POINTS_AN_INCH, height / plot_style.POINTS_AN_INCH)
    top = height - EDGE_PT
    for ax, own, above, below in drawn:
        bottom = top - above - own
        ax.set_position((left, bottom / height, across, own / height))
        top = bottom - below - BETWEEN_PT


def _overhang(ax: Axes) -> tuple[float, float]:
    """Measure in points how far titles and labels extend above and below axes."""
    plot_style.choose_fonts(ax)
    box = ax.get_tightbbox()
    if box is None:
        return 0.0, 0.0
    return max(0.0, float(box.y1 - ax.bbox.y1)), max(0.0, float(ax.bbox.y0 - box.y0))


def _window_text(frame: pd.DataFrame) -> str:
    """Describe the window for an alternative text."""
    context = model.context_of(frame)
    start, end = (time.astimezone(context.zone) for time in (context.window().start, context.window().end))
    return f"{formatting.date(start)} {start:%H:%M} to {formatting.date(end)} {end:%H:%M} {context.timezone}"


_PROLOGUE = re.compile(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<!--.*?-->\s*|<metadata>.*?</metadata>\s*", re.DOTALL)
# matplotlib styles every element of the page it stands in; on the root both properties are inherited.
_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)
_INHERITED = "stroke-linejoin:round;stroke-linecap:butt"
_ROOT = re.compile(r"<svg\b(?P<attributes>[^>]*)>")
_SIZE = re.compile(r'\s(?:width|height|version)="[^"]*"')
_NAMED = re.compile(r'(?P<before>\bid="|href="#|url\(#)(?P<id>[^")]+)')
# A scale keeps all its digits: 0.015625 rounded to two would be a third too small.
_NUMBER = re.compile(r"(?P<kept>(?:scale|matrix)\([^)]*\))|-?\d+\.\d{3,}")
_BETWEEN = re.compile(r">\s+<")
_LINE_END = re.compile(r"\s*\n\s*")
# Of a point, which is 4/3 pixels on the page; glyphs have their own, larger units.
DIGITS = 2

_shown = itertools.count(1)


def inline_svg(text: str, *, name: str, label: str) -> str:
    """Convert SVG for an HTML page. Each call generates other ids, so that a page may contain it twice."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return _fitted(text, f"{name}-{digest}-{next(_shown)}-", label, ' style="display:block;width:100%;height:auto;{}"')


def standalone_svg(text: str, *, name: str, label: str) -> str:
    """Convert SVG for a file: the same for the same figure."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _fitted(text, f"{name}-", label, ' style="{}"', sized=True)


def _fitted(text: str, prefix: str, label: str, styled: str, *, sized: bool = False) -> str:
    text = _STYLE.sub("", _PROLOGUE.sub("", text))
    text = _NAMED.sub(lambda found: f"{found['before']}{prefix}{found['id']}", text)
    text = _NUMBER.sub(_shortened, text)
    text = _LINE_END.sub(" ", _BETWEEN.sub("><", text))

    def root(found: re.Match[str]) -> str:
        attributes = found["attributes"] if sized else _SIZE.sub("", found["attributes"])
        return f'<svg{attributes} role="img" aria-label="{escape(label)}"{styled.format(_INHERITED)}>'

    return _ROOT.sub(root, text, count=1).strip() + "\n"


def _shortened(found: re.Match[str]) -> str:
    if found["kept"]:
        return found["kept"]
    return f"{float(found[0]):.{DIGITS}f}".rstrip("0").rstrip(".") or "0"
