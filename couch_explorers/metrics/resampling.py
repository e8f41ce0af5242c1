"""One series of one window on its period's grid: a gap is NaN, and what was not measured is never drawn.

Time is seconds from the window's start. So the window before lies under today's, and an hour that the clock repeats keeps
its place. Percentiles of too few samples are gaps: a p95 of three runs is only the longest of three.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting
from couch_explorers.metrics import model, series, thresholds
from couch_explorers.metrics.model import SeriesState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd
    from numpy.typing import NDArray

    from couch_explorers.metrics.model import Context, SeriesKey, Window

# What several periods may be joined to, in seconds.
ROUND_PERIODS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
# A line of more points than twice its pixels shows no more, and makes the page heavy.
MOST_POINTS = 1500
# Stairs and bars of more steps than this are too narrow to be told apart.
MOST_STEPS = 170
# Only these can be joined over several periods without a mistake.
JOINS = {"Sum": np.add, "Maximum": np.maximum}


@dataclass(frozen=True)
class Curve:
    """Values by time: `edges` (seconds from the window's start) are one more than `points`, in which NaN is a gap."""

    edges: NDArray[np.float64]
    points: NDArray[np.float64]
    period_s: int
    window: Window

    @property
    def empty(self) -> bool:
        """Whether nothing was measured."""
        return bool(np.isnan(self.points).all())

    @property
    def middles(self) -> NDArray[np.float64]:
        """The middle of each period."""
        middles: NDArray[np.float64] = (self.edges[:-1] + self.edges[1:]) / 2
        return middles

    @property
    def total(self) -> float:
        """The sum of all values; 0 of none."""
        return float(np.nansum(self.points))

    @property
    def highest(self) -> float:
        """The greatest value; NaN of none."""
        return float("nan") if self.empty else float(np.nanmax(self.points))

    @property
    def lowest(self) -> float:
        """The smallest value; NaN of none."""
        return float("nan") if self.empty else float(np.nanmin(self.points))

    @property
    def latest(self) -> float:
        """The last value that was measured; NaN of none."""
        return float("nan") if self.empty else float(self.points[~np.isnan(self.points)][-1])

    @property
    def highest_at(self) -> tuple[datetime, datetime]:
        """From when to when the period with the greatest value lasted; the last of several."""
        return self.at(int(np.flatnonzero(self.points == self.highest)[-1]))

    @property
    def latest_at(self) -> tuple[datetime, datetime]:
        """From when to when the period of the last value lasted."""
        return self.at(int(np.flatnonzero(~np.isnan(self.points))[-1]))

    def at(self, place: int) -> tuple[datetime, datetime]:
        """From when to when a period lasted."""
        start, end = self.edges[place : place + 2]
        return self.window.start + timedelta(seconds=float(start)), self.window.start + timedelta(seconds=float(end))

    def keep(self, where: NDArray[np.bool_]) -> Curve:
        """Make a gap of every value that is not to be kept."""
        return Curve(self.edges, np.where(where, self.points, np.nan), self.period_s, self.window)

    def scaled(self, factor: float) -> Curve:
        """Give the same in another unit."""
        return Curve(self.edges, self.points * factor, self.period_s, self.window)


def resample(frame: pd.DataFrame, key: SeriesKey, window: str = "now", *, period_s: int | None = None) -> Curve:
    """Put a series on its grid, joined to `period_s` where that is longer; all gaps where there is no such series.

    Raises ValueError for a statistic that cannot be joined, such as a percentile.
    """
    facts = model.context_of(frame)
    stretch = facts.window(window)
    own_s = period_of(facts, key)
    step_s = max(own_s, period_s or own_s)
    if step_s > own_s and key[2] not in JOINS:
        raise ValueError(f"{key[2]} of {own_s} s cannot be joined to {step_s} s; only {', '.join(JOINS)} can.")
    offsets, measured = measured_values(frame, key, stretch)
    length = stretch.length.total_seconds()
    if step_s > own_s:
        edges = _joined_edges(length, step_s)
    else:
        # The long periods of percentiles may be aligned to the clock, not to the window.
        edges = _edges(
            length, step_s, float(offsets[0] % step_s) if series.is_percentile(key) and len(offsets) else 0.0
        )
    values = np.full(len(edges) - 1, np.nan)
    places = np.searchsorted(edges, offsets, side="right") - 1
    inside = (places >= 0) & (places < len(values)) & ~np.isnan(measured)
    places, measured = places[inside], measured[inside]
    if step_s > own_s:
        identity = 0.0 if key[2] == "Sum" else -np.inf
        values[places] = identity
        JOINS[key[2]].at(values, places, measured)
    else:
        values[places] = measured
    return Curve(np.clip(edges, 0, length), values, step_s, stretch)


def resample_before(frame: pd.DataFrame, key: SeriesKey, *, period_s: int | None = None) -> Curve | None:
    """Give the same series of the window that is compared with; None where there is no such window or nothing in it."""
    shown = windows_shown(model.context_of(frame))
    if len(shown) == 1:
        return None
    found = resample(frame, key, shown[0], period_s=period_s)
    return None if found.empty else found


def resample_counts_before(frame: pd.DataFrame, key: SeriesKey, *, period_s: int | None = None) -> Curve | None:
    """Give the same for what is counted, where nothing measured is none, not unknown; None only where it is unknown."""
    facts = model.context_of(frame)
    shown = windows_shown(facts)
    if len(shown) == 1 or facts.state(key, shown[0]) not in {SeriesState.IDLE, SeriesState.COMPLETE}:
        return None
    return resample(frame, key, shown[0], period_s=period_s)


def period_of(facts: Context, key: SeriesKey) -> int:
    """Seconds that one point of a series stands for."""
    asked = next((each.period_s for each in facts.series if each.key == key), None)
    if asked is not None:
        return asked
    return facts.percentile_period_s if series.is_percentile(key) else facts.period_s


def coarser_period_s(facts: Context, most: int) -> int:
    """Choose the shortest round period of which the window holds at most `most`; never shorter than the frame's own."""
    length = facts.window().length.total_seconds()
    fitting = (
        period_s
        for period_s in ROUND_PERIODS_S
        if period_s >= facts.period_s and period_s % facts.period_s == 0 and length / period_s <= most
    )
    return next(fitting, facts.period_s)


def windows_shown(facts: Context) -> tuple[str, ...]:
    """Name the windows that a figure draws: the one compared with, where there is one, and "now" over it."""
    names = {window.name for window in facts.windows}
    return (facts.compare, "now") if facts.compare in names and facts.compare is not None else ("now",)


def _edges(length: float, step_s: int, phase: float) -> NDArray[np.float64]:
    """Cut the window into periods that begin at `phase`; the first may begin before the window."""
    first = phase - step_s if phase > 0 else 0.0
    return first + step_s * np.arange(max(1, ceil((length - first) / step_s)) + 1, dtype=np.float64)


def _joined_edges(length: float, step_s: int) -> NDArray[np.float64]:
    """Cut the window into periods that count from its end, so that the last and most looked at is whole."""
    return length - step_s * np.arange(max(1, ceil(length / step_s)), -1, -1, dtype=np.float64)


def measured_values(
    frame: pd.DataFrame, key: SeriesKey, window: Window
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the seconds from the window's start, ascending, and the values of one series."""
    rows = model.rows_of(frame, (window.name, *key))
    times = frame.index[rows]
    offsets = (times - window.start).total_seconds().to_numpy(dtype=np.float64)
    values = frame["value"].to_numpy(dtype=np.float64)[rows]
    order = np.argsort(offsets, kind="stable")
    return offsets[order], values[order]


def with_min_samples(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey, window: str = "now") -> Curve:
    """Give a percentile with a gap wherever `samples` (a Sum) counts too few in its period.

    Where the samples are not known, nobody knows whether there were enough: only what needs no more than one stays.
    """
    percentile = resample(frame, key, window)
    least = thresholds.MIN_SAMPLES.get(key[2], 1)
    counted = resample(frame, samples, window)
    if percentile.empty or (counted.empty and least == 1):
        return percentile
    return percentile.keep(samples_per_period(percentile, counted) >= least)


def samples_per_period(percentile: Curve, counted: Curve) -> NDArray[np.float64]:
    """Count for each period of a percentile how many samples it is made of.

    Periods of both kinds need not begin together: each count falls into the period in which it began.
    """
    places = np.searchsorted(percentile.edges, counted.edges[:-1], side="right") - 1
    sums = np.zeros(len(percentile.points))
    np.add.at(sums, places.clip(0, len(sums) - 1), np.nan_to_num(counted.points))
    return sums


def with_min_samples_before(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey) -> Curve | None:
    """Give the same of the window that is compared with; None where there is none or nothing in it."""
    shown = windows_shown(model.context_of(frame))
    if len(shown) == 1:
        return None
    found = with_min_samples(frame, key, samples, shown[0])
    return None if found.empty else found


def missing_percentiles(frame: pd.DataFrame, keys: Sequence[SeriesKey], samples: SeriesKey, noun: str) -> str:
    """Say which percentiles are left out for want of samples: "p95 needs 20 runs a period to be drawn and p99 100"; empty where none is."""
    left_out = []
    for key in keys:
        least = thresholds.MIN_SAMPLES.get(key[2])
        if least and _gaps(with_min_samples(frame, key, samples)) > _gaps(resample(frame, key)):
            left_out.append((key[2], least))
    if not left_out:
        return ""
    if resample(frame, samples).empty:
        names = formatting.join(name for name, _ in left_out)
        return f"how many {noun} there were is not known: {names} {'are' if len(left_out) > 1 else 'is'} not drawn"
    first, *rest = left_out
    return formatting.join(
        [f"{first[0]} needs {first[1]} {noun} a period to be drawn", *(f"{name} {least}" for name, least in rest)]
    )


def _gaps(curve: Curve) -> int:
    return int(np.isnan(curve.points).sum())
