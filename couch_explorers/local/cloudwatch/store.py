"""The metric store: one SQLite file that survives a killed process, with CloudWatch's resolution and retention.

Metrics, dimensions, resolution and retention: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html.
Standard metrics are kept by the minute, high-resolution metrics by the second for three hours.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from couch_explorers.aws import REGION
from couch_explorers.local.cloudwatch import statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MINUTE_S = 60
"""The storage resolution of a standard metric; a high-resolution metric is kept by the second."""

Row = tuple[int, float, float, float, float]
"""time, count, total, lowest, highest: of one minute, one value seen `count` times, or a statistic set"""


class MetricId(NamedTuple):
    """One metric; its dimensions are sorted by name."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...] = ()

    def has(self, requested: Sequence[tuple[str, str | None]]) -> bool:
        """Whether it has all of these dimensions; a value None means any value."""
        held = dict(self.dimensions)
        return all(name in held and value in (None, held[name]) for name, value in requested)


@dataclass(frozen=True)
class Sample:
    """One value, or the statistic set of several, of one metric at one time.

    `time_s` is Unix time; `unit` is one of CloudWatch's (Count, Seconds, Milliseconds, …). A single value has `count` 1
    and `total`, `lowest` and `highest` equal to it; a value seen n times has `count` n and `total` n times the value.
    `resolution_s` is CloudWatch's StorageResolution: 60, or 1 for a high-resolution metric.
    """

    namespace: str
    metric: str
    time_s: float
    unit: str
    count: float
    total: float
    lowest: float
    highest: float
    dimensions: Mapping[str, str] = field(default_factory=dict)
    resolution_s: int = MINUTE_S

    @classmethod
    def of(
        cls,
        namespace: str,
        metric: str,
        value: float,
        *,
        time_s: float,
        unit: str = "Count",
        dimensions: Mapping[str, str] | None = None,
    ) -> Sample:
        """Make the sample of a single value."""
        return cls(namespace, metric, time_s, unit, 1.0, value, value, value, dimensions or {})


def dimensions_to_text(dimensions: Mapping[str, str]) -> str:
    """Write dimensions so that the same ones are the same text."""
    return json.dumps(sorted(dimensions.items()), ensure_ascii=False, separators=(",", ":"))


def dimensions_from_text(text: str) -> tuple[tuple[str, str], ...]:
    """Read dimensions that were written by `to_text`."""
    return tuple((name, value) for name, value in json.loads(text))


DAY_S = 86_400

# Points of each period are kept this long; a period sees what its largest divisor in this table sees.
RETENTION_S = {1: 3 * 3600, 60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}

# "For metrics with high resolution, the period can be 1, 5, 10, 20, 30, 60, or any multiple of 60":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
SHORT_PERIODS_S = (1, 5, 10, 20, 30)

# By series, so that only the old rows are looked at. Like values are joined into one row seen more often, so that
# percentiles stay what they were.
ROLL_UP = """
INSERT INTO samples (series, time, lowest, highest, count, total)
SELECT series, time - time % :step, lowest, highest, SUM(count), SUM(total) FROM samples
WHERE series IN (SELECT id FROM series) AND time < :before AND time % :step <> 0 GROUP BY 1, 2, 3, 4
ON CONFLICT DO UPDATE SET count = count + excluded.count, total = total + excluded.total
"""
DROP_ROLLED_UP = "DELETE FROM samples WHERE series IN (SELECT id FROM series) AND time < :before AND time % :step <> 0"
DROP = "DELETE FROM samples WHERE series IN (SELECT id FROM series) AND time < :before"


def retention_s(period_s: int) -> int:
    """The time for which CloudWatch keeps points of a period.

    Raises:
        ValueError: CloudWatch has no such period.

    """
    if period_s <= 0 or (period_s % MINUTE_S and period_s not in SHORT_PERIODS_S):
        raise ValueError(
            f"The period {period_s} s is not known: ask for 1, 5, 10, 20 or 30 s, or for a multiple of 60 s."
        )
    return max(kept for period, kept in RETENTION_S.items() if period_s % period == 0)


def expire_samples(database: sqlite3.Connection, now_s: float) -> None:
    """Roll up samples beyond the retention of a resolution to the next one, and delete those beyond all retention."""
    periods = sorted(RETENTION_S)
    for kept, step in pairwise(periods):
        before = int((now_s - RETENTION_S[kept]) // step) * step
        database.execute(ROLL_UP, {"step": step, "before": before})
        database.execute(DROP_ROLLED_UP, {"step": step, "before": before})
    database.execute(DROP, {"before": now_s - RETENTION_S[periods[-1]]})


logger = logging.getLogger("couch.local")

SCHEMA_VERSION = 1
# Dimensions are text, so that one comparison matches all of them; a sample is found by its series and time, in that order.
SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    region TEXT NOT NULL, namespace TEXT NOT NULL, metric TEXT NOT NULL, dimensions TEXT NOT NULL,
    unit TEXT NOT NULL, origin TEXT NOT NULL,
    UNIQUE (region, namespace, metric, dimensions, unit, origin)
);
CREATE TABLE IF NOT EXISTS samples (
    series INTEGER NOT NULL, time INTEGER NOT NULL,
    lowest REAL NOT NULL, highest REAL NOT NULL, count REAL NOT NULL, total REAL NOT NULL,
    PRIMARY KEY (series, time, lowest, highest)
) WITHOUT ROWID;
"""
# The same value again in the same minute is one row more often seen: nothing of the distribution is lost.
INSERT = """
INSERT INTO samples (series, time, lowest, highest, count, total) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count, total = total + excluded.total
"""
OF_ONE_METRIC = """
FROM samples WHERE series IN (
    SELECT id FROM series WHERE region = ? AND namespace = ? AND metric = ? AND dimensions = ?
    AND (? IS NULL OR unit = ?)
) AND time >= ? AND time < ?
"""
AGGREGATES = f"""
SELECT (time - ?) / ? AS period, SUM(count), SUM(total), MIN(lowest), MAX(highest) {OF_ONE_METRIC}
GROUP BY period ORDER BY period
"""
DISTRIBUTIONS = f"""
SELECT (time - ?) / ? AS period, lowest, highest, count {OF_ONE_METRIC} ORDER BY period
"""

BUSY_S = 30.0


class Database:
    """One file, or memory where `file` is None; safe to use from several threads.

    A file that cannot be read is kept beside a new one: metrics are worth less than a local cloud that starts.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        try:
            self._writer = self._opened()
        except sqlite3.OperationalError:
            # No right to write, no room: a new file would fare no better.
            raise
        except sqlite3.DatabaseError as error:
            if file is None:
                raise
            aside = file.with_name(f"{file.name}.unreadable")
            logger.warning("%s cannot be read (%s); it is kept as %s and a new one begun.", file, error, aside.name)
            file.replace(aside)
            for leftover in (f"{file.name}-wal", f"{file.name}-shm"):
                file.with_name(leftover).unlink(missing_ok=True)
            self._writer = self._opened()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The writing connection, for one transaction."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with: a file is read beside its writer, memory has one connection for all."""
        if self._file is None:
            with self._lock:
                yield self._writer
            return
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError(f"{self._file} is closed.")
            connection = self._readers.pop() if self._readers else None
        connection = connection or self._opened()
        try:
            yield connection
        finally:
            with self._lock:
                if self._closed:
                    connection.close()
                else:
                    self._readers.append(connection)

    def close(self) -> None:
        """Close all connections; one in use is closed when it is returned."""
        with self._lock:
            self._closed = True
            for connection in (*self._readers, self._writer):
                connection.close()
            self._readers.clear()

    def _opened(self) -> sqlite3.Connection:
        """Open a connection. Without syncing a killed process loses nothing; only a crashed machine does."""
        connection = sqlite3.connect(
            self._file or ":memory:", check_same_thread=False, isolation_level=None, timeout=BUSY_S
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA_VERSION):
                raise sqlite3.DatabaseError(  # noqa: TRY301 - one way out for every file that is not ours
                    f"it has the schema {version}, and this release reads {SCHEMA_VERSION}"
                )
            if not version:
                connection.executescript(SCHEMA)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection


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
        """Store samples in one transaction; those with count 0 are left out.

        Raises:
            ValueError: A figure is not finite; nothing is stored.
        """
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
                            (
                                region,
                                sample.namespace,
                                sample.metric,
                                dimensions_to_text(sample.dimensions),
                                sample.unit,
                                origin,
                            ),
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
        """Store many rows in one transaction, by metric and unit, and return their number; faster than single samples."""
        with self._writing() as database:
            written = 0
            for (namespace, metric, dimensions), unit, rows in series:
                number = self._id_of(
                    database, (region, namespace, metric, dimensions_to_text(dict(dimensions)), unit, origin)
                )
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
        parameters = (
            start,
            period_s,
            region,
            namespace,
            metric,
            dimensions_to_text(dimensions),
            unit,
            unit,
            oldest,
            end_s,
        )
        with self._database.reading() as database:
            rows = database.execute(DISTRIBUTIONS if extended else AGGREGATES, parameters).fetchall()
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
        found = sorted(MetricId(space, name, dimensions_from_text(text)) for space, name, text in rows)
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
                (region, namespace, metric, dimensions_to_text(dimensions), int(start_s), end_s),
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
                (since_s, region, namespace, metric, metric, dimensions_to_text(dimensions or {}), origin),
            ).fetchone()
        return None if found[0] is None else int(found[0])

    def forget(self, origin: str) -> int:
        """Delete all samples of an origin; return their number."""
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
        """Roll up samples beyond the retention of their resolution, and delete those beyond all retention."""
        with self._writing() as database:
            expire_samples(database, now_s)
            self._drop_empty_series(database)

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction; a failed one clears the cached ids of series."""
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
