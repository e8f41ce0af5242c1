"""Points made into the tidy frame that reviews and figures read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from couch_explorers.metrics.facts import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from couch_explorers.metrics.facts import Facts, Series

LABELS = COLUMNS[:-1]


@dataclass
class Points:
    """What one series measured in one window: `times_s` is Unix time, the start of each period, in ascending order."""

    window: str
    series: Series
    times_s: Sequence[float] = field(default_factory=list)
    values: Sequence[float] = field(default_factory=list)


def build(points: Iterable[Points], facts: Facts) -> pd.DataFrame:
    """Put points into a frame: index `time` (UTC), columns `facts.COLUMNS`, `attrs["facts"]` the facts.

    The rows stand by window, series and time, as they were given. The labels are categories: a day has some hundred
    thousand rows, and a series is picked out of them many times.
    """
    given = list(points)
    counts = [len(each.times_s) for each in given]
    labels = [
        (each.window, each.series.resource, each.series.metric, each.series.statistic, each.series.unit)
        for each in given
    ]
    times = np.concatenate([np.asarray(each.times_s, dtype="float64") for each in given] or [np.empty(0)])
    values = [np.asarray(each.values, dtype="float64") for each in given]
    columns: dict[str, object] = {
        name: _repeated([label[place] for label in labels], counts) for place, name in enumerate(LABELS)
    }
    columns["value"] = np.concatenate(values or [np.empty(0)])
    index = pd.DatetimeIndex((times * 1_000_000).round().astype("datetime64[us]"), name="time").tz_localize("UTC")
    frame = pd.DataFrame(columns, index=index, columns=list(COLUMNS))
    frame.attrs["facts"] = facts
    return frame


def _repeated(labels: list[str], counts: list[int]) -> pd.Categorical:
    """Repeat each label as often as its series has points; the categories stand in the order of their first series."""
    categories = list(dict.fromkeys(labels))
    codes = np.array([categories.index(label) for label in labels], dtype="int16")
    return pd.Categorical.from_codes(np.repeat(codes, counts), categories=pd.Index(categories, dtype="str"))
