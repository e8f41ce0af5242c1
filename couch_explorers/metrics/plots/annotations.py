"""Annotate charts with events: alarms, deploys, clock changes and synthetic data.

Each event is marked across the axes and labelled in a row above them, where no data can hide the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory

from couch_explorers import formatting, plot_style
from couch_explorers.metrics.findings import MAX_INTERVALS
from couch_explorers.metrics.statistics import open_interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context, Deploy


COMMIT_LETTERS = 7
HOUR = timedelta(hours=1)
# Between the labels of two deploys, in points.
MIN_GAP_PT = 14.0


@dataclass(frozen=True)
class Event:
    """An event from `start_s` to `end_s` (seconds from the window's start), with alternative texts, the longest first.

    `moments` are set for events without a duration.
    """

    start_s: float
    end_s: float
    texts: tuple[str, ...]
    moments: tuple[float, ...] = ()


def alarm_events(context: Context, short_name: str, *, named: bool = False) -> list[Event]:
    """List the intervals in ALARM: a text for each, or for the last with their number if there are many."""
    found = context.alarm(short_name)
    if found is None or not found.alarm_intervals:
        return []
    prefix = f"{short_name} " if named else ""
    times = len(found.alarm_intervals)
    entries = []
    for number, (start, end) in enumerate(found.alarm_intervals, start=1):
        interval_text = (
            f"since {context.format_time(start)}"
            if (start, end) == open_interval(context, found)
            else context.format_interval(start, end)
        )
        many = f"{times} times"
        texts = (
            (f"{prefix}{interval_text}",)
            if times <= MAX_INTERVALS
            else (f"{prefix}{many}, last {interval_text}", f"{prefix}{many}", many)
        )
        entries.append(_event(context, start, end, *(texts if times <= MAX_INTERVALS or number == times else ())))
    return entries


def deploy_events(context: Context, width_pt: float = plot_style.PLOT_PT) -> list[Event]:
    """List the deploys; those whose labels would overlap at that width become one entry."""
    window = context.window()
    inside = (deploy for deploy in context.deploys if window.start <= deploy.time < window.end)
    groups = [[deploy] for deploy in sorted(inside, key=lambda deploy: deploy.time)]
    scale = width_pt / window.length.total_seconds()
    while True:
        entries = [
            _point_event(context, [deploy.time for deploy in group], *_deploy_texts(group, context)) for group in groups
        ]
        overlaps = (
            place
            for place, (left, right) in enumerate(pairwise(entries))
            if (right.start_s - left.end_s) * scale
            < plot_style.text_width(left.texts[0], plot_style.SMALL_SIZE) + MIN_GAP_PT
        )
        place = next(overlaps, None)
        if place is None:
            return entries
        groups[place : place + 2] = [groups[place] + groups[place + 1]]


def clock_change_events(context: Context) -> list[Event]:
    """List the clock changes."""
    return [
        _point_event(
            context,
            [time],
            f"put {'forward' if by > timedelta() else 'back'} {formatting.count(abs(by) / HOUR, 'hour')}",
        )
        for time, by in clock_changes(context)
    ]


def synthetic_events(context: Context) -> list[Event]:
    """List the intervals with synthetic points."""
    window = context.window()
    inside = ((start, end) for start, end in context.synthetic if end > window.start and start < window.end)
    return [_event(context, start, end, "synthetic, not measured", "not measured") for start, end in inside]


def _deploy_texts(group: Sequence[Deploy], context: Context) -> tuple[str, ...]:
    last = group[-1]
    time = context.format_time(last.time)
    # A trailing plus means that uncommitted changes were deployed, too.
    commit = last.commit.rstrip("+")[:COMMIT_LETTERS] + "+" * last.commit.endswith("+")
    if len(group) == 1:
        return (f"{time} {commit}".strip(), time)
    many = f"{len(group)} deploys"
    return (f"{many}, last {time} {commit}".strip(), f"{many}, last {time}", many)


def _event(context: Context, start: datetime, end: datetime, *texts: str) -> Event:
    window = context.window()
    length = window.length.total_seconds()
    first, last = (min(max((time - window.start).total_seconds(), 0.0), length) for time in (start, end))
    return Event(first, last, texts)


def _point_event(context: Context, times: Sequence[datetime], *texts: str) -> Event:
    start = context.window().start
    entry = _event(context, times[0], times[-1], *texts)
    return replace(entry, moments=tuple((time - start).total_seconds() for time in times))


def clock_changes(context: Context) -> list[tuple[datetime, timedelta]]:
    """Find the clock changes of the time zone inside the window, and how far each moves the clock forward."""
    window = context.window()
    changes = []
    time = window.start.astimezone(UTC)
    while time < window.end:
        following = min(time + timedelta(hours=1), window.end)
        put_forward = _offset(following, context) - _offset(time, context)
        if put_forward:
            changes.append((_change_time(time, following, context), put_forward))
        time = following
    return changes


def _change_time(before: datetime, after: datetime, context: Context) -> datetime:
    """Find the minute of a clock change between two times."""
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        before, after = (middle, after) if _offset(middle, context) == _offset(before, context) else (before, middle)
    return after


def _offset(time: datetime, context: Context) -> timedelta:
    return time.astimezone(context.zone).utcoffset() or timedelta()


# In points: from the axes to the first row, the height of a row and of a bar, and between a bar and its label.
FOOT_PT, ROW_PT, BAR_PT, GAP_PT = 5.0, 13.0, 6.0, 4.0
SHORTEST_BAR_PT, FLAG_PT = 1.5, 5.0
# The most lines for one group of deploys.
MAX_LINES = 5
NAME_LEFT_PT = -5.0
INCH = 1 / plot_style.POINTS_AN_INCH


@dataclass
class _Row:
    """A row of events above the axes, `middle_pt` points up; `taken` are the occupied intervals, in points."""

    ax: Axes
    middle_pt: float
    scale: float
    taken: list[tuple[float, float]] = field(default_factory=list)


def draw_annotations(ax: Axes, context: Context, alarms: Sequence[str] = (), *, first: bool = True) -> float:
    """Draw the events; return the height in points of the rows above the axes, 0 without events.

    `alarms` are the short names of the alarms to show. Axes that are not the `first` of their figure have rows only for
    these.
    """
    width_pt = plot_style.width_of(ax)
    found = [("alarm", alarm_events(context, short_name, named=len(alarms) > 1)) for short_name in alarms]
    found += [
        ("deploy", deploy_events(context, width_pt)),
        ("clock", clock_change_events(context)),
        ("synthetic", synthetic_events(context)),
    ]
    shown = [(kind, entries) for kind, entries in found if entries and (first or kind == "alarm")]
    for kind, entries in found:
        _draw_across(ax, kind, entries)
    for place, (kind, entries) in enumerate(shown):
        row = _Row(ax, FOOT_PT + place * ROW_PT + BAR_PT / 2, width_pt / context.window().length.total_seconds())
        _draw_row(row, kind, entries)
    return FOOT_PT + len(shown) * ROW_PT if shown else 0.0


def _draw_across(ax: Axes, kind: str, entries: list[Event]) -> None:
    """Draw bands and lines across the axes, behind the data."""
    for entry in entries:
        if not entry.moments:
            ground, order = (plot_style.ALARM_GROUND, 0.2) if kind == "alarm" else (plot_style.SYNTHETIC_GROUND, 0.1)
            ax.axvspan(entry.start_s, entry.end_s, facecolor=ground, linewidth=0, zorder=order)
        colour, dashes = (
            (plot_style.INK, plot_style.DOTTED) if kind == "deploy" else (plot_style.SOFT, plot_style.DASH_DOT)
        )
        # Many deploys in a row would hide the data: the first and last are enough.
        many = len(entry.moments) > MAX_LINES
        for at_s in (entry.moments[0], entry.moments[-1]) if many else entry.moments:
            ax.axvline(at_s, color=colour, linewidth=0.9, linestyle=dashes, zorder=1.5)


def _draw_row(row: _Row, kind: str, entries: list[Event]) -> None:
    """Label the row, draw its events, and write the texts that fit."""
    row.ax.annotate(
        kind,
        (0, 1),
        xytext=(NAME_LEFT_PT, row.middle_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=plot_style.SMALL_SIZE,
        color=plot_style.SOFT,
        annotation_clip=False,
    )
    for entry in entries:
        overhang = FLAG_PT / 2 if entry.moments else 0.0
        row.taken.append((entry.start_s * row.scale - overhang, entry.end_s * row.scale + overhang))
    for place, entry in enumerate(entries):
        if entry.moments:
            _flag(row, kind, entry)
        else:
            _bar(row, kind, entry)
        _write(row, place, entry, inside=kind == "synthetic")


def _bar(row: _Row, kind: str, entry: Event) -> None:
    style = (
        {"facecolor": plot_style.ALARM, "linewidth": 0}
        if kind == "alarm"
        else {
            "facecolor": plot_style.SYNTHETIC_GROUND,
            "edgecolor": plot_style.FRAME,
            "linewidth": 0.5,
            "hatch": "//////",
        }
    )
    bottom, height = (row.middle_pt - BAR_PT / 2) * INCH, BAR_PT * INCH
    width = max(entry.end_s - entry.start_s, SHORTEST_BAR_PT / row.scale)
    bar = Rectangle((entry.start_s, bottom), width, height, clip_on=False, **style)  # type: ignore[arg-type]
    bar.set_transform(_above(row.ax))
    row.ax.add_artist(bar)


def _flag(row: _Row, kind: str, entry: Event) -> None:
    row.ax.plot(
        entry.moments,
        [row.middle_pt * INCH] * len(entry.moments),
        marker="v" if kind == "deploy" else "D",
        markersize=FLAG_PT if kind == "deploy" else 3.5,
        color=plot_style.INK,
        linestyle="none",
        clip_on=False,
        transform=_above(row.ax),
    )


def _write(row: _Row, place: int, entry: Event, *, inside: bool) -> None:
    """Write the longest text that fits: in a long bar, else to its right, else to its left."""
    start, end = row.taken[place]
    others = [interval for number, interval in enumerate(row.taken) if number != place]
    for text in entry.texts:
        width = plot_style.text_width(text, plot_style.SMALL_SIZE)
        if inside and width + 4 * GAP_PT <= end - start:
            _text(row, (start + end) / 2, text, "center")
            return
        right, left = (end + GAP_PT, end + GAP_PT + width), (start - GAP_PT - width, start - GAP_PT)
        margin = (plot_style.width_of(row.ax) + GAP_PT, plot_style.width_of(row.ax) + GAP_PT + width)
        for side, (first, last) in (("left", right), ("right", left), ("left", margin)):
            free = all(last + GAP_PT <= other[0] or first - GAP_PT >= other[1] for other in others)
            if free and first >= 0 and last <= plot_style.width_of(row.ax) + plot_style.RIGHT_PT - plot_style.EDGE_PT:
                _text(row, first if side == "left" else last, text, side)
                row.taken.append((first, last))
                return


def _text(row: _Row, at_pt: float, text: str, side: str) -> None:
    row.ax.annotate(
        text,
        (0, 1),
        xytext=(at_pt, row.middle_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=plot_style.SMALL_SIZE,
        color=plot_style.INK,
        annotation_clip=False,
        bbox={"facecolor": plot_style.PAPER, "edgecolor": "none", "pad": 1.5} if side == "center" else None,
    )


def _above(ax: Axes) -> blended_transform_factory:  # type: ignore[valid-type]
    """Return the transform for coordinates above the axes: seconds across, and inches up from the upper edge."""
    up = ax.figure.dpi_scale_trans + plot_style.corner(ax, 0, 1)
    return blended_transform_factory(ax.transData, up)
