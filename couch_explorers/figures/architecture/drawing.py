"""The architecture on paper: boxes in the colour of their path, arrows for the way a prompt takes, a legend below."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from couch_explorers.figures import canvas
from couch_explorers.figures.architecture import plan as planning
from couch_explorers.figures.architecture.boxes import NOT_KNOWN, boxes, rule
from couch_explorers.figures.architecture.plan import LINE_PT, PAD_PT, TEXT_SIZE, TITLE_LINE_PT, TITLE_SIZE
from couch_explorers.metrics.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from matplotlib.typing import LineStyleType

    from couch_explorers.figures.architecture.deployed import AlarmRule, Deployed
    from couch_explorers.figures.architecture.plan import Arrow, Placed, Plan
    from couch_explorers.figures.canvas import Canvas, Point

HEAD_LONG_PT, HEAD_WIDE_PT = 5.5, 2.6


@dataclass(frozen=True)
class Look:
    """The colours of a box, or the colour and dashes of an arrow."""

    edge: str
    ground: str = style.PAPER
    dashes: LineStyleType = style.SOLID
    width: float = 1.3


BOXES = {
    "api": Look(style.BLUE, "#eaf3fa"),
    "queue": Look(style.GREEN, "#e8f4ef"),
    "failure": Look(style.VERMILLION, "#fdf0e8"),
    "watch": Look(style.SOFT, style.SYNTHETIC_GROUND),
    "store": Look(style.INK, style.PAPER),
    "person": Look(style.FRAME, style.PAPER),
}
ARROWS = {
    "api": Look(style.BLUE, width=1.6),
    "queue": Look(style.GREEN, dashes=(0, (6, 1.5)), width=1.6),
    "both": Look(style.INK, width=1.6),
    "failure": Look(style.VERMILLION, dashes=style.DASH_DOT),
    "watch": Look(style.SOFT, dashes=style.DOTTED),
}
LEGEND = {
    "api": "a prompt by the API",
    "queue": "a prompt by the queue",
    "failure": "what failed",
    "watch": "what is watched",
}
ABSENT = "not deployed"
SAMPLE_PT, WORDS_AT_PT = 16.0, 20.0
ABSENT_DASHES: LineStyleType = (0, (3, 2))


def draw(deployed: Deployed) -> Figure:
    """Draw what is deployed, as wide as printed text; a part that is not there is dashed and says so."""
    worded = boxes(deployed)
    plan = planning.plan(worded, deployed)
    with style.sheet():
        sheet = canvas.blank(plan.height)
        _frame(sheet, plan)
        for arrow in plan.arrows:
            _arrow(sheet, arrow)
        for placed in plan.placed.values():
            _box(sheet, placed)
        _rules(sheet, plan.placed["alarms"], deployed.alarms)
        _legend(sheet, plan)
    return sheet.figure


def _frame(sheet: Canvas, plan: Plan) -> None:
    x, y, width, height = plan.frame
    sheet.card((x, y), width, height, 5.0, facecolor="#f0f2f5", edgecolor="none", zorder=1)
    middle = y + (plan.placed["api_function"].y - y) / 2
    sheet.text((x + width / 2, middle), "one core for both ways", side="center", color=style.SOFT)


def _box(sheet: Canvas, placed: Placed) -> None:
    look, box = BOXES[placed.box.look], placed.box
    edge = look.edge if box.deployed else style.FRAME
    sheet.card(
        (placed.x, placed.y), placed.width, placed.height,
        facecolor=look.ground if box.deployed else style.PAPER, edgecolor=edge, linewidth=0.9,
        linestyle=style.SOLID if box.deployed else ABSENT_DASHES,
    )  # fmt: skip
    x, y = placed.x + PAD_PT, placed.y + PAD_PT
    ink = style.INK if box.deployed else style.SOFT
    sheet.text((x, y + TITLE_LINE_PT / 2), box.title, TITLE_SIZE, weight="bold", color=ink)
    y += TITLE_LINE_PT
    for text, colour in (*((line, ink) for line in placed.name), *((line, style.SOFT) for line in placed.lines)):
        sheet.text((x, y + LINE_PT / 2), text, TEXT_SIZE, color=colour)
        y += LINE_PT


def _rules(sheet: Canvas, placed: Placed, alarms: Sequence[AlarmRule] | None) -> None:
    """List the alarms in their box: the name at the left, when it rings at the right."""
    y = placed.y + PAD_PT + TITLE_LINE_PT
    if not alarms:
        told = NOT_KNOWN if alarms is None else ABSENT
        sheet.text((placed.x + PAD_PT, y + LINE_PT / 2), told, TEXT_SIZE, color=style.SOFT)
    for alarm in alarms or ():
        sheet.text((placed.x + PAD_PT, y + LINE_PT / 2), alarm.short_name, TEXT_SIZE)
        sheet.text(
            (placed.x + placed.width - PAD_PT, y + LINE_PT / 2), rule(alarm), TEXT_SIZE, "right", color=style.SOFT
        )
        y += LINE_PT


def _arrow(sheet: Canvas, arrow: Arrow) -> None:
    look = ARROWS[arrow.look]
    colour = look.edge if arrow.real else style.FRAME
    dashes = look.dashes if arrow.real else ABSENT_DASHES
    end, back, wings = _head(arrow.points)
    sheet.line([*arrow.points[:-1], back], colour, look.width, dashes)
    sheet.shape([end, *wings], colour)
    if arrow.label:
        sheet.text(arrow.label_at, arrow.label, TEXT_SIZE, arrow.label_side, color=style.SOFT)  # type: ignore[arg-type]


def _head(points: Sequence[Point]) -> tuple[Point, Point, tuple[Point, Point]]:
    """Give the tip of an arrow, the middle of its head's base, and the head's other corners."""
    (start_x, start_y), (x, y) = list(pairwise(points))[-1]
    length = ((x - start_x) ** 2 + (y - start_y) ** 2) ** 0.5
    along, down = (x - start_x) / length, (y - start_y) / length
    back = (x - along * HEAD_LONG_PT, y - down * HEAD_LONG_PT)
    wing = (down * HEAD_WIDE_PT, along * HEAD_WIDE_PT)
    return (x, y), back, ((back[0] + wing[0], back[1] - wing[1]), (back[0] - wing[0], back[1] + wing[1]))


def _legend(sheet: Canvas, plan: Plan) -> None:
    """Explain the arrows that there are."""
    drawn = {arrow.look for arrow in plan.arrows if arrow.real}
    samples = [(ARROWS[name], text) for name, text in LEGEND.items() if name in drawn]
    if not all(placed.box.deployed for placed in plan.placed.values()):
        samples.append((Look(style.FRAME, dashes=ABSENT_DASHES), ABSENT))
    x, y = canvas.EDGE_PT, plan.legend_y
    for look, text in samples:
        sheet.line([(x, y), (x + SAMPLE_PT, y)], look.edge, look.width, look.dashes)
        sheet.text((x + WORDS_AT_PT, y), text, TEXT_SIZE, color=style.SOFT)
        x += WORDS_AT_PT + style.text_width(text, TEXT_SIZE) + PAD_PT * 2
