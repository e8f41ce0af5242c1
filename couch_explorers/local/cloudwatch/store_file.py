"""The SQLite file under the metric store: its tables, one writer, and as many readers as ask at once."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
        """Lend the writer for one transaction: all of it is kept, or none."""
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
        """Lend a connection to read with: a file is read beside its writer, memory has one connection for all."""
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
        """Close every connection; one that is lent out is closed when it comes back."""
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
