"""Set up the axes of a chart: time axis, title, statistic and time zone.

The time axis counts seconds from the window's start and is labelled with the clock of the review's time zone. On the day of
a clock change it has 23 or 25 hours, and each label stands where that clock showed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from couch_explorers import formatting, plot_style
from couch_explorers.metrics.plots.annotations import draw_annotations
from couch_explorers.metrics.plots.artists import LineLabels
from couch_explorers.metrics.review_data import partial_note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context, SeriesKey

# In points, between a text in axes without data and their edges.
NO_DATA_EDGE_PT = 20.0


def setup_axes(
    ax: Axes,
    facts: Context,
    title: str,
    *told: tuple[str, float],
    keys: Sequence[SeriesKey] = (),
    beside: str = "",
    alarms: Sequence[str] = (),
    first: bool = True,
) -> LineLabels:
    """Dress axes for a chart of the window `now`; give what collects the names of its lines.

    `told` names each statistic with its period in seconds. `keys` are the series drawn: where one of them is only partly
    known, the title says so. `alarms` watch them. Axes that are not the `first` of a figure leave the rest to those.
    """
    format_time_axis(ax, facts)
    rows_pt = draw_annotations(ax, facts, alarms, first=first)
    statistic = statistic_label(facts, *told, beside=f" ({beside})" if beside else "")
    write_title(ax, title, "; ".join(filter(None, (statistic, partial_note(facts, *keys)))), rows_pt)
    return LineLabels(ax)


# In points: from what stands above the axes to the foot of the title, between its two halves, and from line to line.
RISE_PT, BETWEEN_PT, LINE_PT = 6.0, 9.0, 13.0


def write_title(ax: Axes, title: str, told: str, rows_pt: float) -> None:
    """Write a title over the rows that stand above the axes; `told` goes into lines of its own where it is too long."""
    title_pt = plot_style.text_width(title, plot_style.TITLE_SIZE, bold=True) + BETWEEN_PT
    foot_pt = rows_pt + RISE_PT
    room = plot_style.width_of(ax) + plot_style.RIGHT_PT - plot_style.EDGE_PT
    beside = title_pt + plot_style.text_width(told, plot_style.TEXT_SIZE) <= room
    below = told if beside else plot_style.wrap(told, room, plot_style.TEXT_SIZE)
    ax.set_title(title, loc="left", pad=foot_pt if beside else foot_pt + LINE_PT * (1 + below.count("\n")))
    ax.annotate(
        below,
        (0, 1),
        xytext=(title_pt if beside else 0, foot_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        va="baseline",
        fontsize=plot_style.TEXT_SIZE,
        color=plot_style.SOFT,
        annotation_clip=False,
    )


def statistic_label(facts: Context, *told: tuple[str, float], beside: str = "") -> str:
    """Say what the numbers are: "Maximum of each minute, Europe/Oslo"."""
    parts = formatting.join(f"{name.lower()} of {formatting.period(period_s)}" for name, period_s in told)
    return f"{parts[:1].upper()}{parts[1:]}{beside}, {facts.timezone}"


MINUTE_S, DAY_S = 60, 86400
DAY_MIN = 1440
# Between two ticks, in minutes of the wall clock, and how many of them are enough; a narrow figure holds fewer.
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
MOST_STEPS, WIDEST_LABEL, APART_PT = 12, "00:00", 8.0
# Longer windows are labelled by day, by week, by month.
MOST_DAYS, MOST_WEEKS_IN_DAYS = 15, 140
# Every time zone of today differs from UTC by whole quarters of an hour.
QUARTER_MIN = 15


@dataclass(frozen=True)
class Tick:
    """A place on the axis and its two lines of label; a label without a `mark` stands between two marks."""

    at_s: float
    label: str
    second_line: str = ""
    mark: bool = True


def format_time_axis(ax: Axes, facts: Context) -> None:
    """Set the limits, ticks and labels of the time axis."""
    ax.set_xlim(0, facts.window().length.total_seconds())
    found = ticks(facts, plot_style.width_of(ax))
    if any(tick.second_line for tick in found):
        # All with two lines then: matplotlib sets the first of two a little lower than one alone.
        found = [replace(tick, second_line=tick.second_line or " ") for tick in found]
    marked = [tick for tick in found if tick.mark]
    ax.set_xticks([tick.at_s for tick in marked], [_text(tick) for tick in marked])
    between = [tick for tick in found if not tick.mark]
    ax.set_xticks([tick.at_s for tick in between], [_text(tick) for tick in between], minor=True)
    ax.tick_params(axis="x", which="minor", length=0)


def ticks(facts: Context, width_pt: float = plot_style.PLOT_PT) -> list[Tick]:
    """Choose the ticks for a window drawn `width_pt` points wide, ascending."""
    length_min = facts.window().length.total_seconds() / MINUTE_S
    most = min(MOST_STEPS, width_pt / (plot_style.text_width(WIDEST_LABEL, plot_style.SMALL_SIZE) + APART_PT))
    step_min = next((step for step in STEPS_MIN if length_min / step <= most), None)
    if step_min is not None:
        return _hours(facts, step_min, width_pt)
    days = length_min / DAY_MIN
    if days <= MOST_DAYS:
        return [*_days(facts, width_pt)]
    midnights = _midnights(facts)
    if days <= MOST_WEEKS_IN_DAYS:
        weeks = [(at, local) for at, local in midnights if local.weekday() == 0]
        return [Tick(at, f"{local.day} {local:%b}") for at, local in weeks]
    months = [(at, local) for at, local in midnights if local.day == 1]
    return [
        Tick(at, f"{local:%b}", f"{local:%Y}" if local.month == 1 or not place else "")
        for place, (at, local) in enumerate(months)
    ]


def _hours(facts: Context, step_min: int, width_pt: float) -> list[Tick]:
    """Mark the moments at which the wall clock shows a round time, and write the date under the first of each day."""
    moments = [*_round_moments(facts, step_min)]
    first_of_day = [
        place for place, (_, local) in enumerate(moments) if not place or local.date() != moments[place - 1][1].date()
    ]
    if len(first_of_day) > 1:
        # The window's first tick goes without a date where it would run into the next one.
        apart = (moments[first_of_day[1]][0] - moments[0][0]) * width_pt / facts.window().length.total_seconds()
        if apart < plot_style.text_width(formatting.date(moments[0][1]), plot_style.SMALL_SIZE) + APART_PT:
            first_of_day = first_of_day[1:]
    found = []
    for place, (at_s, local) in enumerate(moments):
        label, _, zone = formatting.clock(local).partition(" ")
        found.append(Tick(at_s, label, zone or (formatting.date(local) if place in first_of_day else "")))
    return _thinned(found, width_pt / facts.window().length.total_seconds())


def _thinned(found: list[Tick], scale: float) -> list[Tick]:
    """Leave out a tick that a clock change has moved into the one before it."""
    kept: list[Tick] = []
    for tick in found:
        room = plot_style.text_width(tick.label, plot_style.SMALL_SIZE) + APART_PT
        if not kept or (tick.at_s - kept[-1].at_s) * scale >= room:
            kept.append(tick)
    return kept


def _round_moments(facts: Context, step_min: int) -> Iterator[tuple[float, datetime]]:
    """Walk the window in real time, so that no hour is left out or seen once too little."""
    window = facts.window()
    walk = timedelta(minutes=min(step_min, QUARTER_MIN))
    midnight = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    time = midnight + walk * -((midnight - window.start) // walk)
    while time <= window.end:
        local = time.astimezone(facts.zone)
        if (local.hour * 60 + local.minute) % step_min == 0:
            yield (time - window.start).total_seconds(), local
        time += walk


def _days(facts: Context, width_pt: float) -> Iterator[Tick]:
    """Mark each midnight, and write each day's name between two of them."""
    end_s = facts.window().length.total_seconds()
    midnights = _midnights(facts, around=True)
    points_a_second = width_pt / end_s
    for (start, local), (end, _) in pairwise(midnights):
        if start >= 0:
            yield Tick(start, "")
        first, last = max(start, 0.0), min(end, end_s)
        name = formatting.date(local)
        for text in (name, name.rpartition(" ")[0], name.split(" ")[1]):
            if plot_style.text_width(text, plot_style.SMALL_SIZE) + 4 <= (last - first) * points_a_second:
                yield Tick((first + last) / 2, text, mark=False)
                break


def _midnights(facts: Context, *, around: bool = False) -> list[tuple[float, datetime]]:
    """List the midnights of the window, each with its seconds from the start; with the ones just outside if `around`."""
    window = facts.window()
    date = window.start.astimezone(facts.zone).date()
    found = []
    while True:
        local = datetime(date.year, date.month, date.day, tzinfo=facts.zone)
        at_s = (local.astimezone(UTC) - window.start).total_seconds()
        inside = 0 <= at_s <= window.length.total_seconds()
        if inside or around:
            found.append((at_s, local))
        if at_s > window.length.total_seconds():
            return found
        date += timedelta(days=1)


def _text(tick: Tick) -> str:
    return f"{tick.label}\n{tick.second_line}" if tick.second_line else tick.label


def write_no_data(ax: Axes, text: str) -> None:
    """Write into axes without data why there is none."""
    ax.text(
        0.5,
        0.5,
        plot_style.wrap(
            f"{text[:1].upper()}{text[1:]}.", plot_style.width_of(ax) - 2 * NO_DATA_EDGE_PT, plot_style.TEXT_SIZE
        ),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=plot_style.TEXT_SIZE,
        color=plot_style.SOFT,
        bbox={"facecolor": plot_style.PAPER, "edgecolor": "none", "pad": 3},
        linespacing=1.4,
    )
