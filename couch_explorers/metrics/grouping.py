"""The rows of each series in a frame of points, found once for each frame.

A frame is asked for some forty series hundreds of times, and has some fifty thousand rows: going through all of them for
each would take most of the time of a review and of a figure.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)
NAMES = ["window", "resource", "metric", "statistic"]

# Window, resource, metric and statistic.
Named = tuple[str, str, str, str]
Rows = dict[Named, "NDArray[np.intp]"]

# By the identity of a frame, which is forgotten together with it; the number of its rows tells whether it has grown since.
_found: dict[int, tuple[weakref.ref[Any], int, Rows]] = {}


def rows_of(frame: pd.DataFrame, named: Named) -> NDArray[np.intp]:
    """Give the places of the rows of one series of one window, in the frame's order; none where there is no such series."""
    return _rows_by_series(frame).get(named, NO_ROWS)


def _rows_by_series(frame: pd.DataFrame) -> Rows:
    kept = _found.get(id(frame))
    count = len(frame.index)
    if kept is not None and kept[0]() is frame and kept[1] == count:
        return kept[2]
    rows: Rows = frame.groupby(NAMES, observed=True).indices
    identity = id(frame)
    _found[identity] = (weakref.ref(frame, lambda _gone: _found.pop(identity, None)), count, rows)
    return rows
