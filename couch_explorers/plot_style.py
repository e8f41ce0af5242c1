"""One style sheet for all figures: light ground, colours that a colour-blind reader tells apart, legible in grey.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/); no two lines of a figure differ by colour alone, each
has its own dashes too. Letters are DejaVu Sans, which matplotlib brings along and whose digits are all equally wide; what it
lacks is drawn by the fonts that follow it in `fonts.files`: see `choose_fonts`.
"""

from __future__ import annotations

from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from couch_explorers import fonts, text_layout

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2DBase
    from matplotlib.typing import LineStyleType

# As on the report page (reports/assets/report.css).
INK, SOFT, RULE, PAPER = "#1d2733", "#5b6472", "#dfe3e8", "#ffffff"
FRAME = "#9aa3ae"

BLUE, VERMILLION, GREEN, ORANGE, SKY = "#0072b2", "#d55e00", "#007a5a", "#e69f00", "#56b4e9"
PALE_BLUE, PALE_GREEN, PALE_ORANGE = "#d3e6f3", "#cfe8df", "#efb65a"
BEFORE = "#a3adb9"
ALARM, ALARM_GROUND = "#b42318", "#fbe9e6"
SYNTHETIC_GROUND = "#f5f6f8"

# On the report page a figure is 832 CSS pixels wide, as the column of text is: 12 points here are 16 pixels there.
POINTS_AN_INCH = 72
WIDTH_PT = 624.0
# On paper it is as wide as the text of an A4 page with margins of 25 mm: 160 mm, at which letters keep their size.
PRINT_WIDTH_PT = 160 / 25.4 * POINTS_AN_INCH
# Of which the axes take what these leave. All figures have the same, so that they line up under each other.
LEFT_PT, RIGHT_PT = 56.0, 102.0
PLOT_PT = WIDTH_PT - LEFT_PT - RIGHT_PT
# Words keep away from the edge, since few pixels make letters a little wider.
EDGE_PT = 3.0
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 10.5, 9.0, 8.25

SOLID: LineStyleType = "-"
DASHED: LineStyleType = (0, (5, 2))
DOTTED: LineStyleType = (0, (1.2, 1.6))
DASH_DOT: LineStyleType = (0, (6, 2, 1.2, 2))

FAMILY = "DejaVu Sans"
NORMAL, BOLD = 400, 700

_MEASURED_SIZE, _SUBPIXELS = 200.0, 64

_SHEET: dict[str, Any] = {
    # A dollar is a dollar and begins no formula.
    "text.parse_math": False,
    "font.family": FAMILY,
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FRAME,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": SMALL_SIZE,
    "axes.titlesize": TITLE_SIZE,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": FRAME,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.color": FRAME,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": SMALL_SIZE,
    "ytick.major.size": 0,
    "ytick.major.pad": 5,
    "lines.solid_capstyle": "butt",
    "lines.dash_capstyle": "butt",
    "lines.solid_joinstyle": "round",
    "lines.scale_dashes": False,
    "hatch.color": FRAME,
    "hatch.linewidth": 0.5,
    "path.simplify": True,
    "path.simplify_threshold": 0.15,
    # Letters as outlines: a figure looks the same where DejaVu Sans is not installed, and no label grows into another.
    "svg.fonttype": "path",
    "svg.hashsalt": "couch-explorers",
    "pdf.fonttype": 42,
}


def sheet() -> AbstractContextManager[None]:
    """Set the style for what is made and saved inside of `with plot_style.sheet():`, and for nothing else."""
    return mpl.rc_context(_SHEET)  # type: ignore[arg-type]  # the names of settings are a type


def choose_fonts(artist: Artist) -> None:
    """Set the fonts of each text of a figure or axes that DejaVu Sans cannot draw, and of no others.

    matplotlib looks up every family of a text each time it draws or measures it: with all families on each text that took
    a quarter of a page's time.
    """
    for text in _texts(artist):
        if not fonts.is_plain(written := text.get_text()):
            text.set_fontfamily(list(dict.fromkeys([FAMILY, *(_family(run.file) for run in fonts.runs(written))])))


@cache
def _family(file: Path) -> str:
    """Make a font known to matplotlib as a family of its own name, and return the name."""
    if file == fonts.files()[0]:
        return FAMILY
    name = f"couch-explorers {file.stem}"
    for weight in (NORMAL, BOLD):
        # One weight serves for both: else matplotlib would warn that it takes it.
        entry = FontEntry(
            fname=str(file),
            name=name,
            style="normal",
            variant="normal",
            weight=weight,
            stretch="normal",
            size="scalable",
        )
        fontManager.ttflist.append(entry)
    return name


def _texts(artist: Artist) -> list[Text]:
    return [text for text in artist.findobj(Text) if isinstance(text, Text)]


def spell(figure: Figure) -> str:
    """Replace each character of a figure's texts that no font has by its number, and return the note that explains them."""
    texts = _texts(figure)
    note = fonts.note(text.get_text() for text in texts)
    for text in texts:
        if not fonts.is_plain(written := text.get_text()):
            text.set_text(fonts.spelled(fonts.visible(written)))
    choose_fonts(figure)
    return note


def width_of(ax: Axes) -> float:
    """Points that axes are wide."""
    return float(ax.bbox.width) * POINTS_AN_INCH / ax.figure.dpi


def height_of(ax: Axes) -> float:
    """Points that axes are high."""
    return float(ax.bbox.height) * POINTS_AN_INCH / ax.figure.dpi


def corner(ax: Axes, across: float, up: float) -> ScaledTranslation:
    """Move the origin to a place of the axes, from (0, 0) at the lower left to (1, 1) at the upper right."""
    return ScaledTranslation(across, up, cast("Affine2DBase", ax.transAxes))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = TEXT_SIZE, *, bold: bool = False) -> float:
    """Points that one line of text takes."""
    first = findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal"))
    # Looked through one after the other for each letter.
    font = get_font(first if fonts.is_plain(text) else [first, *map(str, fonts.files()[1:])])
    # Measured large, where rounding to whole pixels does not show.
    font.set_size(_MEASURED_SIZE, POINTS_AN_INCH)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / _SUBPIXELS * size / _MEASURED_SIZE


def wrap(text: str, width_pt: float, size: float) -> str:
    """Break a text at blanks into lines of at most `width_pt` points; a longer word has a line of its own."""
    return "\n".join(text_layout.wrap(text, partial(text_width, size=size), width_pt, long_words="keep"))
