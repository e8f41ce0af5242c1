"""Collects the values of a simulated history by metric and minute, as the metric store takes them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch.store import MINUTE_S, MetricId, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Line:
    """The values of one metric: each with its minute, and how often it was seen there."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._seen: defaultdict[tuple[int, float], int] = defaultdict(int)

    def add(self, time_s: float, value: float, times: int = 1) -> None:
        """Note a value in the minute of that time."""
        self._seen[int(time_s // MINUTE_S) * MINUTE_S, value] += times

    def rows(self) -> list[Row]:
        """Everything noted, in the order of time."""
        return [(time_s, times, value * times, value, value) for (time_s, value), times in sorted(self._seen.items())]

    def sums(self) -> dict[int, float]:
        """The sum of each minute that has a value."""
        found: defaultdict[int, float] = defaultdict(float)
        for (time_s, value), times in self._seen.items():
            found[time_s] += value * times
        return found

    def maxima(self) -> dict[int, float]:
        """The largest value of each minute that has one."""
        found: dict[int, float] = {}
        for time_s, value in self._seen:
            found[time_s] = max(value, found.get(time_s, value))
        return found


class Recorder:
    """Every line of a history, by metric."""

    def __init__(self) -> None:
        self._lines: dict[MetricId, Line] = {}

    def line(self, namespace: str, metric: str, dimensions: Mapping[str, str], unit: str = "Count") -> Line:
        """Give the line of a metric, the same one each time; the first caller's unit is its unit."""
        return self._lines.setdefault(MetricId(namespace, metric, tuple(sorted(dimensions.items()))), Line(unit))

    def series(self) -> Iterator[tuple[MetricId, str, list[Row]]]:
        """Give everything, as `MetricStore.add_rows` takes it."""
        for metric, line in self._lines.items():
            yield metric, line.unit, line.rows()


class InFlight:
    """How many invocations run at the same time, at most, in each minute."""

    def __init__(self) -> None:
        self._changes: list[tuple[float, int]] = []

    def add(self, start_s: float, seconds: float) -> None:
        """Note one invocation."""
        self._changes += [(start_s, 1), (start_s + seconds, -1)]

    def write(self, line: Line) -> None:
        """Write the peak of each minute in which anything ran."""
        running = 0
        minute = -1
        peak = 0
        for time_s, change in sorted(self._changes):
            now = int(time_s // MINUTE_S)
            if now != minute:
                # What runs on through whole minutes runs in each of them.
                for each in range(minute, now) if peak else ():
                    line.add(each * MINUTE_S, peak if each == minute else running)
                    if not running:
                        break
                minute, peak = now, running
            running += change
            peak = max(peak, running)
        if peak:
            line.add(minute * MINUTE_S, peak)
