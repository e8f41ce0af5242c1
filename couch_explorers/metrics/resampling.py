"""One series of one window on its period's grid: a gap is NaN, and what was not measured is never drawn.

Time is seconds from the window's start, so that the previous window lines up with the current one, and an hour repeated by the
clock keeps its position. Percentiles of too few samples are gaps: a p95 of three runs is only the longest of three.
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

# The periods to which shorter ones may be aggregated, in seconds.
ROUND_PERIODS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
# A line with more than two points per pixel shows nothing more, and makes the page heavy.
MAX_POINTS = 1500
# More stairs and bars than this are too narrow to be distinguished.
MAX_STEPS = 170
# Only these statistics can be aggregated exactly over several periods.
JOINS = {"Sum": np.add, "Maximum": np.maximum}


@dataclass(frozen=True)
class Curve:
    """Values over time: `edges` (seconds from the window's start) has one more item than `points`, in which NaN is a gap."""

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
        """The middle of each period, in seconds from the window's start."""
        middles: NDArray[np.float64] = (self.edges[:-1] + self.edges[1:]) / 2
        return middles

    @property
    def total(self) -> float:
        """The sum of all values; 0 if there are none."""
        return float(np.nansum(self.points))

    @property
    def highest(self) -> float:
        """The highest value; NaN if there are none."""
        return float("nan") if self.empty else float(np.nanmax(self.points))

    @property
    def lowest(self) -> float:
        """The lowest value; NaN if there are none."""
        return float("nan") if self.empty else float(np.nanmin(self.points))

    @property
    def latest(self) -> float:
        """The last measured value; NaN if there are none."""
        return float("nan") if self.empty else float(self.points[~np.isnan(self.points)][-1])

    @property
    def highest_at(self) -> tuple[datetime, datetime]:
        """Start and end of the period with the highest value; the last of several."""
        return self.at(int(np.flatnonzero(self.points == self.highest)[-1]))

    @property
    def latest_at(self) -> tuple[datetime, datetime]:
        """Start and end of the period of the last value."""
        return self.at(int(np.flatnonzero(~np.isnan(self.points))[-1]))

    def at(self, index: int) -> tuple[datetime, datetime]:
        """Return start and end of a period."""
        start, end = self.edges[index : index + 2]
        return self.window.start + timedelta(seconds=float(start)), self.window.start + timedelta(seconds=float(end))

    def keep(self, where: NDArray[np.bool_]) -> Curve:
        """Return a copy with a gap for every value that is not to be kept."""
        return Curve(self.edges, np.where(where, self.points, np.nan), self.period_s, self.window)

    def scaled(self, factor: float) -> Curve:
        """Return the curve in another unit."""
        return Curve(self.edges, self.points * factor, self.period_s, self.window)


def resample(frame: pd.DataFrame, key: SeriesKey, window: str = "now", *, period_s: int | None = None) -> Curve:
    """Put a series on its grid, aggregated to `period_s` if that is longer; all gaps if there is no such series.

    Raises ValueError for a statistic that cannot be aggregated, such as a percentile.
    """
    context = model.context_of(frame)
    interval = context.window(window)
    own_s = period_of(context, key)
    step_s = max(own_s, period_s or own_s)
    if step_s > own_s and key[2] not in JOINS:
        raise ValueError(f"{key[2]} of {own_s} s cannot be joined to {step_s} s; only {', '.join(JOINS)} can.")
    offsets, measured = measured_values(frame, key, interval)
    length = interval.length.total_seconds()
    if step_s > own_s:
        edges = _joined_edges(length, step_s)
    else:
        # The long periods of percentiles may be aligned to the clock, not to the window.
        edges = _edges(
            length, step_s, float(offsets[0] % step_s) if series.is_percentile(key) and len(offsets) else 0.0
        )
    values = np.full(len(edges) - 1, np.nan)
    positions = np.searchsorted(edges, offsets, side="right") - 1
    inside = (positions >= 0) & (positions < len(values)) & ~np.isnan(measured)
    positions, measured = positions[inside], measured[inside]
    if step_s > own_s:
        identity = 0.0 if key[2] == "Sum" else -np.inf
        values[positions] = identity
        JOINS[key[2]].at(values, positions, measured)
    else:
        values[positions] = measured
    return Curve(np.clip(edges, 0, length), values, step_s, interval)


def resample_before(frame: pd.DataFrame, key: SeriesKey, *, period_s: int | None = None) -> Curve | None:
    """Resample the series of the compared window; None if there is no such window or no data in it."""
    shown = windows_shown(model.context_of(frame))
    if len(shown) == 1:
        return None
    found = resample(frame, key, shown[0], period_s=period_s)
    return None if found.empty else found


def resample_counts_before(frame: pd.DataFrame, key: SeriesKey, *, period_s: int | None = None) -> Curve | None:
    """Resample the compared window of a count, where no data means zero; None only if it is unknown."""
    context = model.context_of(frame)
    shown = windows_shown(context)
    if len(shown) == 1 or context.state(key, shown[0]) not in {SeriesState.IDLE, SeriesState.COMPLETE}:
        return None
    return resample(frame, key, shown[0], period_s=period_s)


def period_of(context: Context, key: SeriesKey) -> int:
    """Return the period of a series in seconds."""
    requested = next((each.period_s for each in context.series if each.key == key), None)
    if requested is not None:
        return requested
    return context.percentile_period_s if series.is_percentile(key) else context.period_s


def coarser_period_s(context: Context, most: int) -> int:
    """Return the shortest round period of which the window has at most `most`; never shorter than the frame's own."""
    length = context.window().length.total_seconds()
    fitting = (
        period_s
        for period_s in ROUND_PERIODS_S
        if period_s >= context.period_s and period_s % context.period_s == 0 and length / period_s <= most
    )
    return next(fitting, context.period_s)


def windows_shown(context: Context) -> tuple[str, ...]:
    """Return the windows that a figure draws: the compared one, if there is one, and "now" over it."""
    names = {window.name for window in context.windows}
    return (context.compare, "now") if context.compare in names and context.compare is not None else ("now",)


def _edges(length: float, step_s: int, phase: float) -> NDArray[np.float64]:
    """Return the edges of periods that begin at `phase`; the first may begin before the window."""
    first = phase - step_s if phase > 0 else 0.0
    return first + step_s * np.arange(max(1, ceil((length - first) / step_s)) + 1, dtype=np.float64)


def _joined_edges(length: float, step_s: int) -> NDArray[np.float64]:
    """Return the edges of periods counted from the window's end, so that the last one, which matters most, is complete."""
    return length - step_s * np.arange(max(1, ceil(length / step_s)), -1, -1, dtype=np.float64)


def measured_values(
    frame: pd.DataFrame, key: SeriesKey, window: Window
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds from the window's start, ascending, and the values of one series."""
    rows = model.rows_of(frame, (window.name, *key))
    times = frame.index[rows]
    offsets = (times - window.start).total_seconds().to_numpy(dtype=np.float64)
    values = frame["value"].to_numpy(dtype=np.float64)[rows]
    order = np.argsort(offsets, kind="stable")
    return offsets[order], values[order]


def with_min_samples(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey, window: str = "now") -> Curve:
    """Return a percentile with a gap in each period in which `samples` (a Sum) counts too few.

    If the samples are unknown, only a percentile that needs no more than one is kept.
    """
    percentile = resample(frame, key, window)
    minimum = thresholds.MIN_SAMPLES.get(key[2], 1)
    counted = resample(frame, samples, window)
    if percentile.empty or (counted.empty and minimum == 1):
        return percentile
    return percentile.keep(samples_per_period(percentile, counted) >= minimum)


def samples_per_period(percentile: Curve, counted: Curve) -> NDArray[np.float64]:
    """Count the samples in each period of a percentile.

    The two kinds of periods need not be aligned: a count belongs to the period in which it begins.
    """
    positions = np.searchsorted(percentile.edges, counted.edges[:-1], side="right") - 1
    sums = np.zeros(len(percentile.points))
    np.add.at(sums, positions.clip(0, len(sums) - 1), np.nan_to_num(counted.points))
    return sums


def with_min_samples_before(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey) -> Curve | None:
    """Like `with_min_samples`, for the compared window; None if there is none or no data in it."""
    shown = windows_shown(model.context_of(frame))
    if len(shown) == 1:
        return None
    found = with_min_samples(frame, key, samples, shown[0])
    return None if found.empty else found


def missing_percentiles(frame: pd.DataFrame, keys: Sequence[SeriesKey], samples: SeriesKey, noun: str) -> str:
    """Describe which percentiles lack samples: "p95 needs 20 runs a period to be drawn and p99 100"; empty if none does."""
    left_out = []
    for key in keys:
        minimum = thresholds.MIN_SAMPLES.get(key[2])
        if minimum and _gaps(with_min_samples(frame, key, samples)) > _gaps(resample(frame, key)):
            left_out.append((key[2], minimum))
    if not left_out:
        return ""
    if resample(frame, samples).empty:
        names = formatting.join(name for name, _ in left_out)
        return f"how many {noun} there were is not known: {names} {'are' if len(left_out) > 1 else 'is'} not drawn"
    first, *rest = left_out
    return formatting.join(
        [f"{first[0]} needs {first[1]} {noun} a period to be drawn", *(f"{name} {minimum}" for name, minimum in rest)]
    )


def _gaps(curve: Curve) -> int:
    return int(np.isnan(curve.points).sum())
