"""Percentiles that enough samples carry: a p95 of three runs is only the longest of three, and is not drawn.

The counts are those that the verdicts go by, so that figure and verdict leave out the same points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import limits, words
from couch_explorers.metrics.plots import curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from couch_explorers.metrics.facts import SeriesKey
    from couch_explorers.metrics.plots.curves import Curve


def carried(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey, window: str = "now") -> Curve:
    """Give a percentile with a gap wherever `samples` (a Sum) counts too few in its period.

    Where the samples are not known, nobody knows whether there were enough: only what needs no more than one stays.
    """
    percentile = curves.curve(frame, key, window)
    least = limits.LEAST_SAMPLES.get(key[2], 1)
    counted = curves.curve(frame, samples, window)
    if percentile.empty or (counted.empty and least == 1):
        return percentile
    # Periods of both kinds need not begin together: each count falls into the period in which it began.
    places = np.searchsorted(percentile.edges, counted.edges[:-1], side="right") - 1
    sums = np.zeros(len(percentile.points))
    np.add.at(sums, places.clip(0, len(sums) - 1), np.nan_to_num(counted.points))
    return percentile.keep(sums >= least)


def carried_before(frame: pd.DataFrame, key: SeriesKey, samples: SeriesKey) -> Curve | None:
    """Give the same of the window that is compared with; None where there is none or nothing in it."""
    shown = curves.windows_shown(known.of(frame))
    if len(shown) == 1:
        return None
    found = carried(frame, key, samples, shown[0])
    return None if found.empty else found


def note(frame: pd.DataFrame, keys: Sequence[SeriesKey], samples: SeriesKey, noun: str) -> str:
    """Say which percentiles are left out for want of samples: "p95 needs 20 runs a period to be drawn and p99 100"; empty where none is."""
    left_out = []
    for key in keys:
        least = limits.LEAST_SAMPLES.get(key[2])
        if least and _gaps(carried(frame, key, samples)) > _gaps(curves.curve(frame, key)):
            left_out.append((key[2], least))
    if not left_out:
        return ""
    if curves.curve(frame, samples).empty:
        names = words.join(name for name, _ in left_out)
        return f"how many {noun} there were is not known: {names} {'are' if len(left_out) > 1 else 'is'} not drawn"
    first, *rest = left_out
    return words.join(
        [f"{first[0]} needs {first[1]} {noun} a period to be drawn", *(f"{name} {least}" for name, least in rest)]
    )


def _gaps(curve: Curve) -> int:
    return int(np.isnan(curve.points).sum())
