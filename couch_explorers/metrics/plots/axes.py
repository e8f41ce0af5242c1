"""Set up the axes of a chart: time axis, title, statistic and time zone.

The time axis counts seconds from the window's start and is labelled with the local time of the review's time zone. On the day of
a clock change it has 23 or 25 hours, and each label is where the clock showed that time.
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

# In points, between the text in empty axes and their edges.
NO_DATA_EDGE_PT = 20.0


def setup_axes(
    ax: Axes,
    context: Context,
    title: str,
    *statistics: tuple[str, float],
    keys: Sequence[SeriesKey] = (),
    suffix: str = "",
    alarms: Sequence[str] = (),
    first: bool = True,
) -> LineLabels:
    """Set up axes for a chart of the window `now`; return the collector of its line labels.

    `statistics` are names with their periods in seconds. `keys` are the series drawn: if one of them is partial, the title
    says so. `alarms` are shown in a row. Axes that are not the `first` of a figure show no other events.
    """
    format_time_axis(ax, context)
    rows_pt = draw_annotations(ax, context, alarms, first=first)
    statistic = statistic_label(context, *statistics, suffix=f" ({suffix})" if suffix else "")
    write_title(ax, title, "; ".join(filter(None, (statistic, partial_note(context, *keys)))), rows_pt)
    return LineLabels(ax)


# In points: from the rows above the axes to the title, between title and subtitle, and the line height.
RISE_PT, BETWEEN_PT, LINE_PT = 6.0, 9.0, 13.0


def write_title(ax: Axes, title: str, subtitle: str, rows_pt: float) -> None:
    """Write a title over the rows above the axes; a `subtitle` that is too long gets its own lines."""
    title_pt = plot_style.text_width(title, plot_style.TITLE_SIZE, bold=True) + BETWEEN_PT
    foot_pt = rows_pt + RISE_PT
    room = plot_style.width_of(ax) + plot_style.RIGHT_PT - plot_style.EDGE_PT
    fits = title_pt + plot_style.text_width(subtitle, plot_style.TEXT_SIZE) <= room
    text = subtitle if fits else plot_style.wrap(subtitle, room, plot_style.TEXT_SIZE)
    ax.set_title(title, loc="left", pad=foot_pt if fits else foot_pt + LINE_PT * (1 + text.count("\n")))
    ax.annotate(
        text,
        (0, 1),
        xytext=(title_pt if fits else 0, foot_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        va="baseline",
        fontsize=plot_style.TEXT_SIZE,
        color=plot_style.SOFT,
        annotation_clip=False,
    )


def statistic_label(context: Context, *statistics: tuple[str, float], suffix: str = "") -> str:
    """Describe the numbers: "Maximum of each minute, Europe/Oslo"."""
    parts = formatting.join(f"{name.lower()} of {formatting.period(period_s)}" for name, period_s in statistics)
    return f"{parts[:1].upper()}{parts[1:]}{suffix}, {context.timezone}"


MINUTE_S, DAY_S = 60, 86400
DAY_MIN = 1440
# Between two ticks, in minutes of local time, and their maximum number; a narrow figure has fewer.
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
MAX_TICKS, WIDEST_LABEL, MIN_GAP_PT = 12, "00:00", 8.0
# Longer windows are labelled by day, by week, by month.
MAX_DAYS, MAX_WEEKS_IN_DAYS = 15, 140
# Every current time zone differs from UTC by whole quarters of an hour.
QUARTER_MIN = 15


@dataclass(frozen=True)
class Tick:
    """A position on the axis and its two-line label; a label without a `mark` is between two marks."""

    at_s: float
    label: str
    second_line: str = ""
    mark: bool = True


def format_time_axis(ax: Axes, context: Context) -> None:
    """Set the limits, ticks and labels of the time axis."""
    ax.set_xlim(0, context.window().length.total_seconds())
    found = ticks(context, plot_style.width_of(ax))
    if any(tick.second_line for tick in found):
        # All need two lines then: matplotlib places the first of two slightly lower than a single one.
        found = [replace(tick, second_line=tick.second_line or " ") for tick in found]
    marked = [tick for tick in found if tick.mark]
    ax.set_xticks([tick.at_s for tick in marked], [_text(tick) for tick in marked])
    between = [tick for tick in found if not tick.mark]
    ax.set_xticks([tick.at_s for tick in between], [_text(tick) for tick in between], minor=True)
    ax.tick_params(axis="x", which="minor", length=0)


def ticks(context: Context, width_pt: float = plot_style.PLOT_PT) -> list[Tick]:
    """Choose the ticks for a window drawn `width_pt` points wide, ascending."""
    length_min = context.window().length.total_seconds() / MINUTE_S
    max_ticks = min(MAX_TICKS, width_pt / (plot_style.text_width(WIDEST_LABEL, plot_style.SMALL_SIZE) + MIN_GAP_PT))
    step_min = next((step for step in STEPS_MIN if length_min / step <= max_ticks), None)
    if step_min is not None:
        return _hours(context, step_min, width_pt)
    days = length_min / DAY_MIN
    if days <= MAX_DAYS:
        return [*_days(context, width_pt)]
    midnights = _midnights(context)
    if days <= MAX_WEEKS_IN_DAYS:
        weeks = [(at, local) for at, local in midnights if local.weekday() == 0]
        return [Tick(at, f"{local.day} {local:%b}") for at, local in weeks]
    months = [(at, local) for at, local in midnights if local.day == 1]
    return [
        Tick(at, f"{local:%b}", f"{local:%Y}" if local.month == 1 or not index else "")
        for index, (at, local) in enumerate(months)
    ]


def _hours(context: Context, step_min: int, width_pt: float) -> list[Tick]:
    """Mark the round local times, with the date under the first one of each day."""
    times = [*_round_times(context, step_min)]
    first_of_day = [
        index for index, (_, local) in enumerate(times) if not index or local.date() != times[index - 1][1].date()
    ]
    if len(first_of_day) > 1:
        # The window's first tick has no date if it would overlap the next one.
        apart = (times[first_of_day[1]][0] - times[0][0]) * width_pt / context.window().length.total_seconds()
        if apart < plot_style.text_width(formatting.date(times[0][1]), plot_style.SMALL_SIZE) + MIN_GAP_PT:
            first_of_day = first_of_day[1:]
    found = []
    for index, (at_s, local) in enumerate(times):
        label, _, zone = formatting.clock(local).partition(" ")
        found.append(Tick(at_s, label, zone or (formatting.date(local) if index in first_of_day else "")))
    return _thinned(found, width_pt / context.window().length.total_seconds())


def _thinned(found: list[Tick], scale: float) -> list[Tick]:
    """Leave out a tick that a clock change has moved onto the one before it."""
    kept: list[Tick] = []
    for tick in found:
        room = plot_style.text_width(tick.label, plot_style.SMALL_SIZE) + MIN_GAP_PT
        if not kept or (tick.at_s - kept[-1].at_s) * scale >= room:
            kept.append(tick)
    return kept


def _round_times(context: Context, step_min: int) -> Iterator[tuple[float, datetime]]:
    """Iterate over the window in UTC, so that no hour is skipped, nor a repeated one seen only once."""
    window = context.window()
    step = timedelta(minutes=min(step_min, QUARTER_MIN))
    midnight = window.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    time = midnight + step * -((midnight - window.start) // step)
    while time <= window.end:
        local = time.astimezone(context.zone)
        if (local.hour * 60 + local.minute) % step_min == 0:
            yield (time - window.start).total_seconds(), local
        time += step


def _days(context: Context, width_pt: float) -> Iterator[Tick]:
    """Mark each midnight, with each day's name between two of them."""
    end_s = context.window().length.total_seconds()
    midnights = _midnights(context, around=True)
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


def _midnights(context: Context, *, around: bool = False) -> list[tuple[float, datetime]]:
    """List the midnights of the window, each with its seconds from the start; with the ones just outside if `around`."""
    window = context.window()
    date = window.start.astimezone(context.zone).date()
    found = []
    while True:
        local = datetime(date.year, date.month, date.day, tzinfo=context.zone)
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
    """Write in empty axes why there is no data."""
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
