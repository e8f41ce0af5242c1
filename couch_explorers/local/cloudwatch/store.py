"""Where the local cloud keeps its metrics: one SQLite file that survives a killed process, with CloudWatch's retention.

Standard metrics are kept by the minute, high-resolution metrics by the second for three hours ("Resolution" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html).
"""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch import retention, statistics
from couch_explorers.local.cloudwatch.metric import MINUTE_S, MetricId, from_text, to_text
from couch_explorers.local.cloudwatch.retention import DAY_S, retention_s
from couch_explorers.local.cloudwatch.store_file import AGGREGATES, DISTRIBUTIONS, INSERT, Database
from couch_explorers.local.settings import REGION

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from couch_explorers.local.cloudwatch.metric import Row, Sample

# ListMetrics names what had a point in the last two weeks, and on demand only what had one in the last three hours:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
LISTED_S = 14 * DAY_S
RECENTLY_ACTIVE_S = 3 * 3600

MEASURED = ""
"""The origin of what was measured; anything else was written by hand and can be forgotten by its origin."""


class MetricStore:
    """Every sample of the local cloud, safe to use from several threads; `file` None keeps them in memory."""

    def __init__(self, file: Path | None) -> None:
        self._database = Database(file)
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, ...], int] = {}

    def add(self, *samples: Sample, region: str = REGION, origin: str = MEASURED) -> None:
        """Keep samples, all or none. ValueError for one whose figures are not numbers; one with count 0 says nothing."""
        for sample in samples:
            if not all(map(math.isfinite, (sample.count, sample.total, sample.lowest, sample.highest, sample.time_s))):
                raise ValueError(f"{sample.namespace} {sample.metric}: not all figures are finite numbers: {sample}.")
        with self._writing() as database:
            database.executemany(
                INSERT,
                [
                    (
                        self._id_of(
                            database,
                            (region, sample.namespace, sample.metric, to_text(sample.dimensions), sample.unit, origin),
                        ),
                        int(sample.time_s // sample.resolution_s) * sample.resolution_s,
                        sample.lowest,
                        sample.highest,
                        sample.count,
                        sample.total,
                    )
                    for sample in samples
                    if sample.count > 0
                ],
            )

    def add_rows(
        self, series: Iterable[tuple[MetricId, str, Iterable[Row]]], *, region: str = REGION, origin: str = MEASURED
    ) -> int:
        """Keep many rows at once, by metric and unit, all or none; give their number. Quicker than samples one by one."""
        with self._writing() as database:
            written = 0
            for (namespace, metric, dimensions), unit, rows in series:
                number = self._id_of(database, (region, namespace, metric, to_text(dict(dimensions)), unit, origin))
                written += database.executemany(
                    INSERT,
                    (
                        (number, time_s - time_s % MINUTE_S, lowest, highest, count, total)
                        for time_s, count, total, lowest, highest in rows
                    ),
                ).rowcount
        return written

    def points(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        *,
        start_s: float,
        end_s: float,
        period_s: int,
        statistic: str,
        now_s: float,
        unit: str | None = None,
        region: str = REGION,
    ) -> list[tuple[int, float]]:
        """One statistic of each period that has data, oldest first: (start of the period, value).

        Periods count from `start_s`, rounded down to the minute, or to the period where that is shorter; `end_s` is not
        included. Dimensions are matched exactly: none means the metric without any. What CloudWatch would no longer have at
        `now_s` is left out.

        Raises:
            ValueError: the statistic or the period is not known.

        """
        extended = statistics.parse(statistic)
        kept_s = retention_s(period_s)
        step = min(period_s, MINUTE_S)
        start = int(start_s // step) * step
        oldest = max(float(start), now_s - kept_s)
        asked = (start, period_s, region, namespace, metric, to_text(dimensions), unit, unit, oldest, end_s)
        with self._database.reading() as database:
            rows = database.execute(DISTRIBUTIONS if extended else AGGREGATES, asked).fetchall()
        if not extended:
            return [
                (start + period * period_s, statistics.of_aggregate(statistic, count, total, lowest, highest))
                for period, count, total, lowest, highest in rows
            ]
        return [
            (start + period * period_s, value)
            for period, parts in groupby(rows, key=itemgetter(0))
            if (value := extended.of(part[1:] for part in parts)) is not None
        ]

    def series(
        self,
        namespace: str | None = None,
        metric: str | None = None,
        dimensions: Sequence[tuple[str, str | None]] = (),
        *,
        recently_active: bool = False,
        now_s: float | None = None,
        region: str = REGION,
    ) -> list[MetricId]:
        """Every metric that matches, sorted; a dimension's value None means any value.

        With `now_s` only what had a point in the two weeks before it, or in three hours where `recently_active`.
        """
        if recently_active and now_s is None:
            raise ValueError("recently_active needs now_s: recent at which time?")
        since = 0.0 if now_s is None else now_s - (RECENTLY_ACTIVE_S if recently_active else LISTED_S)
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT DISTINCT namespace, metric, dimensions FROM series WHERE region = ?"
                " AND (? IS NULL OR namespace = ?) AND (? IS NULL OR metric = ?)"
                " AND (SELECT MAX(time) FROM samples WHERE samples.series = series.id) >= ?",
                (region, namespace, namespace, metric, metric, since),
            ).fetchall()
        found = sorted(MetricId(space, name, from_text(text)) for space, name, text in rows)
        return [each for each in found if each.has(dimensions)]

    def units(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        *,
        start_s: float = 0,
        end_s: float = math.inf,
        region: str = REGION,
    ) -> tuple[str, ...]:
        """The units in which a metric was published between two times, sorted."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT DISTINCT unit FROM series WHERE region = ? AND namespace = ? AND metric = ? AND dimensions = ?"
                " AND EXISTS (SELECT 1 FROM samples WHERE samples.series = series.id AND time >= ? AND time < ?)"
                " ORDER BY unit",
                (region, namespace, metric, to_text(dimensions), int(start_s), end_s),
            ).fetchall()
        return tuple(unit for (unit,) in rows)

    def first_s(
        self,
        namespace: str,
        metric: str | None = None,
        dimensions: Mapping[str, str] | None = None,
        *,
        since_s: float = 0,
        origin: str = MEASURED,
        region: str = REGION,
    ) -> int | None:
        """The minute of the oldest sample of that origin since then; None where there is none. `metric` None: any metric."""
        with self._database.reading() as database:
            found = database.execute(
                "SELECT MIN((SELECT MIN(time) FROM samples WHERE samples.series = series.id AND time >= ?)) FROM series"
                " WHERE region = ? AND namespace = ? AND (? IS NULL OR metric = ?) AND dimensions = ? AND origin = ?",
                (since_s, region, namespace, metric, metric, to_text(dimensions or {}), origin),
            ).fetchone()
        return None if found[0] is None else int(found[0])

    def forget(self, origin: str) -> int:
        """Delete every sample of that origin; give their number."""
        with self._writing() as database:
            gone = database.execute(
                "DELETE FROM samples WHERE series IN (SELECT id FROM series WHERE origin = ?)", (origin,)
            ).rowcount
            self._drop_empty_series(database)
        return gone

    def clear(self) -> None:
        """Delete everything."""
        with self._writing() as database:
            database.execute("DELETE FROM samples")
            self._drop_empty_series(database)

    def expire(self, now_s: float) -> None:
        """Join what is too old to be asked for by its minute, and delete what is too old for any period."""
        with self._writing() as database:
            retention.expire(database, now_s)
            self._drop_empty_series(database)

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the writer; what a failed transaction wrote about series is not remembered."""
        with self._lock:
            try:
                with self._database.writing() as database:
                    yield database
            except BaseException:
                self._ids.clear()
                raise

    def _id_of(self, database: sqlite3.Connection, key: tuple[str, ...]) -> int:
        if key not in self._ids:
            database.execute(
                "INSERT OR IGNORE INTO series (region, namespace, metric, dimensions, unit, origin)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                key,
            )
            self._ids[key] = database.execute(
                "SELECT id FROM series WHERE region = ? AND namespace = ? AND metric = ? AND dimensions = ?"
                " AND unit = ? AND origin = ?",
                key,
            ).fetchone()[0]
        return self._ids[key]

    def _drop_empty_series(self, database: sqlite3.Connection) -> None:
        self._ids.clear()
        database.execute("DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM samples WHERE series = series.id)")
