"""The architecture figure: boxes in four columns, arrows for the path of a prompt, a legend below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers import plot_style
from couch_explorers.figures import charts
from couch_explorers.figures.architecture.labels import NOT_KNOWN, boxes, rule
from couch_explorers.figures.charts import EDGE_PT, LEADING, SMALLEST_SIZE, WIDTH_PT
from couch_explorers.text_layout import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from matplotlib.typing import LineStyleType

    from couch_explorers.figures.architecture.deployment import AlarmRule, Deployed
    from couch_explorers.figures.architecture.labels import Box
    from couch_explorers.figures.charts import Canvas, Point

TITLE_SIZE, TEXT_SIZE = 8.0, SMALLEST_SIZE
# In points: between two columns, inside of a box.
BETWEEN_PT, PAD_PT = 25.0, 6.0
COLUMNS = 4
COLUMN_PT = (WIDTH_PT - 2 * EDGE_PT - (COLUMNS - 1) * BETWEEN_PT) / COLUMNS
# Above the first row stands the name of the frame around both functions; below the second, what failed goes its way.
FRAME_PT, HEAD_PT = 5.0, 15.0
GAPS_PT = (15.0, 34.0, 20.0)
LEGEND_PT = 22.0
TITLE_LINE_PT, LINE_PT = TITLE_SIZE * LEADING, TEXT_SIZE * LEADING

# Column and row of each box, and over how many columns it reaches.
PLACES = {
    "caller": (0, 0, 1), "gateway": (1, 0, 1), "api_function": (2, 0, 1), "models": (3, 0, 1),
    "sender": (0, 1, 1), "queue": (1, 1, 1), "worker": (2, 1, 1), "bucket": (3, 1, 1),
    "on_call": (0, 2, 1), "dead_letters": (1, 2, 1), "cloudwatch": (2, 2, 1), "notebooks": (3, 2, 1),
    "email": (0, 3, 1), "topic": (1, 3, 1), "alarms": (2, 3, 2),
}  # fmt: skip


@dataclass(frozen=True)
class Placed:
    """A box in its place, points from the upper left corner, with its name and lines broken to its width."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    name: tuple[str, ...]
    lines: tuple[str, ...]

    def left(self, part: float = 0.5) -> Point:
        """Return a point on the left side, at this fraction from the top."""
        return self.x, self.y + part * self.height

    def right(self, part: float = 0.5) -> Point:
        """Return a point on the right side."""
        return self.x + self.width, self.y + part * self.height

    def top(self, part: float = 0.5) -> Point:
        """Return a point on the upper side, at this fraction from the left."""
        return self.x + part * self.width, self.y

    def bottom(self, part: float = 0.5) -> Point:
        """Return a point on the lower side."""
        return self.x + part * self.width, self.y + self.height


@dataclass(frozen=True)
class Arrow:
    """An arrow between parts: `style` is api, queue, both, failure or watch; `real` if both ends are deployed."""

    style: str
    points: tuple[Point, ...]
    label: str = ""
    label_at: Point = (0.0, 0.0)
    label_side: str = "left"
    real: bool = True


@dataclass(frozen=True)
class Plan:
    """The layout, on a sheet of this height."""

    height: float
    frame: tuple[float, float, float, float]
    placed: dict[str, Placed]
    arrows: tuple[Arrow, ...]

    @property
    def legend_y(self) -> float:
        """The middle of the legend's line."""
        return self.height - EDGE_PT - LEGEND_PT / 2


def plan(boxes: dict[str, Box], deployed: Deployed) -> Plan:
    """Place all boxes, and the arrows between them."""
    # Their rules stand below the title in two columns, or one line says why there are none.
    alarms = max(1, len(deployed.alarms or ()))
    broken = {key: _broken(box, PLACES[key][2]) for key, box in boxes.items()}
    heights = [
        max(_height(broken[key], alarms if key == "alarms" else 0) for key, place in PLACES.items() if place[1] == row)
        for row in range(4)
    ]
    tops = [EDGE_PT + HEAD_PT]
    for height, gap in zip(heights, GAPS_PT, strict=False):
        tops.append(tops[-1] + height + gap)
    placed = {}
    for key, (column, row, over) in PLACES.items():
        x = EDGE_PT + column * (COLUMN_PT + BETWEEN_PT)
        name, lines = broken[key]
        placed[key] = Placed(boxes[key], x, tops[row], _width(over), heights[row], tuple(name), tuple(lines))
    upper, lower = placed["api_function"], placed["worker"]
    frame = (upper.x - FRAME_PT, EDGE_PT, upper.width + 2 * FRAME_PT, lower.bottom()[1] + FRAME_PT - EDGE_PT)
    height = tops[-1] + heights[-1] + LEGEND_PT + EDGE_PT
    return Plan(height, frame, placed, tuple(_arrows(placed, frame, deployed)))


def _width(columns: int) -> float:
    return columns * COLUMN_PT + (columns - 1) * BETWEEN_PT


def _broken(box: Box, columns: int) -> tuple[list[str], list[str]]:
    room = _width(columns) - 2 * PAD_PT
    return _wrapped(box.name, room), [part for line in box.lines for part in _wrapped(line, room)]


def _wrapped(text: str, room: float) -> list[str]:
    return wrap(text, lambda line: plot_style.text_width(line, TEXT_SIZE), room, long_words="hyphens")


def _height(text: tuple[Sequence[str], Sequence[str]], more: int) -> float:
    name, lines = text
    return 2 * PAD_PT + TITLE_LINE_PT + (len(name) + len(lines) + more) * LINE_PT


def _arrows(placed: dict[str, Placed], frame: tuple[float, float, float, float], deployed: Deployed) -> list[Arrow]:
    here = placed
    queue, letters, worker, watch = here["queue"], here["dead_letters"], here["worker"], here["cloudwatch"]
    frame_right, frame_bottom = frame[0] + frame[2], frame[1] + frame[3]
    # What failed leaves the worker below, and runs between the rows to the dead-letter queue.
    run = (queue.bottom()[1] + letters.top()[1]) / 2 + FRAME_PT

    def arrow(style: str, parts: tuple[str, str], *points: Point, wired: bool = True, **label: object) -> Arrow:
        real = wired and all(here[part].box.deployed for part in parts)
        return Arrow(style, points, real=real, **label)  # type: ignore[arg-type]

    def across(style: str, start: str, end: str, *, wired: bool = True) -> Arrow:
        return arrow(style, (start, end), here[start].right(), here[end].left(), wired=wired)

    receives = deployed.queue.max_receives if deployed.queue else None
    after = f"after {receives} receives" if receives else ""
    gives_up = receives is not None or not (deployed.queue and deployed.queue.is_known)
    is_wired = deployed.alarms is None or any(alarm.is_wired for alarm in deployed.alarms)
    first, second = queue.bottom(0.3), worker.bottom(0.22)
    turned = letters.top(0.72)[0]
    return [
        across("api", "caller", "gateway"),
        across("api", "gateway", "api_function"),
        across("queue", "sender", "queue"),
        across("queue", "queue", "worker", wired=deployed.mapping is not None),
        arrow("both", ("models", "models"), (frame_right, here["models"].left()[1]), here["models"].left()),
        arrow("both", ("bucket", "bucket"), (frame_right, here["bucket"].left()[1]), here["bucket"].left()),
        arrow(
            "failure", ("queue", "dead_letters"), first, letters.top(0.3), wired=gives_up,
            label=after, label_at=(first[0] - 4, run), label_side="right",
        ),
        arrow(
            "failure", ("worker", "dead_letters"), second, (second[0], run), (turned, run), (turned, letters.y),
            label="cannot succeed", label_at=((second[0] + turned) / 2, run - 6), label_side="center",
        ),
        arrow(
            "watch", ("cloudwatch", "cloudwatch"), (watch.top(0.6)[0], frame_bottom), watch.top(0.6),
            label="metrics, logs", label_at=(watch.top(0.6)[0] + 4, run), label_side="left",
        ),
        across("watch", "dead_letters", "cloudwatch"),
        across("watch", "on_call", "dead_letters"),
        across("watch", "cloudwatch", "notebooks"),
        arrow("both", ("bucket", "notebooks"), here["bucket"].bottom(), here["notebooks"].top(),
              label="pictures", label_at=(here["bucket"].bottom()[0] + 4, run), label_side="left"),
        arrow("watch", ("cloudwatch", "alarms"), watch.bottom(), (watch.bottom()[0], here["alarms"].y)),
        arrow("watch", ("alarms", "topic"), here["alarms"].left(), here["topic"].right(), wired=is_wired),
        arrow("watch", ("topic", "email"), here["topic"].left(), here["email"].right()),
        arrow("watch", ("topic", "on_call"), here["email"].top(), here["on_call"].bottom()),
    ]  # fmt: skip


@dataclass(frozen=True)
class BoxStyle:
    """The colours of a box, or the colour and dashes of an arrow."""

    edge: str
    ground: str = plot_style.PAPER
    dashes: LineStyleType = plot_style.SOLID
    width: float = 1.3


BOXES = {
    "api": BoxStyle(plot_style.BLUE, "#eaf3fa"),
    "queue": BoxStyle(plot_style.GREEN, "#e8f4ef"),
    "failure": BoxStyle(plot_style.VERMILLION, "#fdf0e8"),
    "watch": BoxStyle(plot_style.SOFT, plot_style.SYNTHETIC_GROUND),
    "store": BoxStyle(plot_style.INK, plot_style.PAPER),
    "person": BoxStyle(plot_style.FRAME, plot_style.PAPER),
}
ARROWS = {
    "api": BoxStyle(plot_style.BLUE, width=1.6),
    "queue": BoxStyle(plot_style.GREEN, dashes=(0, (6, 1.5)), width=1.6),
    "both": BoxStyle(plot_style.INK, width=1.6),
    "failure": BoxStyle(plot_style.VERMILLION, dashes=plot_style.DASH_DOT),
    "watch": BoxStyle(plot_style.SOFT, dashes=plot_style.DOTTED),
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
    """Draw what is deployed, as wide as printed text; a missing part is dashed and says so."""
    layout = plan(boxes(deployed), deployed)
    with plot_style.sheet():
        sheet = charts.blank(layout.height)
        _frame(sheet, layout)
        for arrow in layout.arrows:
            _arrow(sheet, arrow)
        for placed in layout.placed.values():
            _box(sheet, placed)
        _rules(sheet, layout.placed["alarms"], deployed.alarms)
        _legend(sheet, layout)
    return sheet.figure


def _frame(sheet: Canvas, plan: Plan) -> None:
    x, y, width, height = plan.frame
    sheet.card((x, y), width, height, 5.0, facecolor="#f0f2f5", edgecolor="none", zorder=1)
    middle = y + (plan.placed["api_function"].y - y) / 2
    sheet.text((x + width / 2, middle), "one core for both ways", side="center", color=plot_style.SOFT)


def _box(sheet: Canvas, placed: Placed) -> None:
    style, box = BOXES[placed.box.style], placed.box
    edge = style.edge if box.deployed else plot_style.FRAME
    sheet.card(
        (placed.x, placed.y), placed.width, placed.height,
        facecolor=style.ground if box.deployed else plot_style.PAPER, edgecolor=edge, linewidth=0.9,
        linestyle=plot_style.SOLID if box.deployed else ABSENT_DASHES,
    )  # fmt: skip
    x, y = placed.x + PAD_PT, placed.y + PAD_PT
    ink = plot_style.INK if box.deployed else plot_style.SOFT
    sheet.text((x, y + TITLE_LINE_PT / 2), box.title, TITLE_SIZE, weight="bold", color=ink)
    y += TITLE_LINE_PT
    for text, colour in (*((line, ink) for line in placed.name), *((line, plot_style.SOFT) for line in placed.lines)):
        sheet.text((x, y + LINE_PT / 2), text, TEXT_SIZE, color=colour)
        y += LINE_PT


def _rules(sheet: Canvas, placed: Placed, alarms: Sequence[AlarmRule] | None) -> None:
    """List the alarms in their box: the name at the left, the condition at the right."""
    y = placed.y + PAD_PT + TITLE_LINE_PT
    if not alarms:
        note = NOT_KNOWN if alarms is None else ABSENT
        sheet.text((placed.x + PAD_PT, y + LINE_PT / 2), note, TEXT_SIZE, color=plot_style.SOFT)
    for alarm in alarms or ():
        sheet.text((placed.x + PAD_PT, y + LINE_PT / 2), alarm.short_name, TEXT_SIZE)
        sheet.text(
            (placed.x + placed.width - PAD_PT, y + LINE_PT / 2), rule(alarm), TEXT_SIZE, "right", color=plot_style.SOFT
        )
        y += LINE_PT


def _arrow(sheet: Canvas, arrow: Arrow) -> None:
    style = ARROWS[arrow.style]
    colour = style.edge if arrow.real else plot_style.FRAME
    dashes = style.dashes if arrow.real else ABSENT_DASHES
    sheet.arrow(arrow.points, colour, style.width, dashes)
    if arrow.label:
        sheet.text(arrow.label_at, arrow.label, TEXT_SIZE, arrow.label_side, color=plot_style.SOFT)  # type: ignore[arg-type]


def _legend(sheet: Canvas, plan: Plan) -> None:
    """Draw the legend of the arrows."""
    drawn = {arrow.style for arrow in plan.arrows if arrow.real}
    samples = [(ARROWS[name], text) for name, text in LEGEND.items() if name in drawn]
    if not all(placed.box.deployed for placed in plan.placed.values()):
        samples.append((BoxStyle(plot_style.FRAME, dashes=ABSENT_DASHES), ABSENT))
    x, y = charts.EDGE_PT, plan.legend_y
    for style, text in samples:
        sheet.line([(x, y), (x + SAMPLE_PT, y)], style.edge, style.width, style.dashes)
        sheet.text((x + WORDS_AT_PT, y), text, TEXT_SIZE, color=plot_style.SOFT)
        x += WORDS_AT_PT + plot_style.text_width(text, TEXT_SIZE) + PAD_PT * 2
