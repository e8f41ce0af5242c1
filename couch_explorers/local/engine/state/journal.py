"""The journal of a local cloud's state: records in an SQLite file, written by transactions and checked as a whole when opened."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

# Incremented when a release writes records that the previous one cannot read.
FORMAT = 1

FILE = "state.sqlite"
_OWN = frozenset({FILE, f"{FILE}-journal", f"{FILE}-wal"})

# The sum of the records' hashes is kept in an SQLite integer, which has 64 bits and a sign.
_HASH_BYTES = 7
_MODULUS = 1 << 8 * _HASH_BYTES

_SCHEMA = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE record (kind TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;
"""


class StateError(Exception):
    """The saved state cannot be used; the message says why and what to do."""


class Key(NamedTuple):
    """The key of a record: its kind, such as `message`, and its name within the kind."""

    kind: str
    name: str


# New values of records; None deletes a record.
Changes = Mapping[Key, bytes | None]


class Journal:
    """The records of one local cloud.

    SQLite's write-ahead log makes each transaction all or nothing, even across a power cut. The file also holds the number of
    its records and the sum of their hashes, so that a truncated or altered file is detected.
    """

    def __init__(self, folder: Path, engine: str, readable: Iterable[str] = ()) -> None:
        """Open the journal in a folder, or create one there.

        Args:
            folder: The folder; created where it does not exist.
            engine: Name and version of the engine that writes records.
            readable: Other engines whose records this one can read.

        Raises:
            StateError: The journal is damaged, in use, unreadable, or of another version.

        """
        self.path = folder / FILE
        self._engine = engine
        self._hashes: dict[Key, int] = {}
        self._sum = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"The saved state {self.path} cannot be opened: {error}.") from error
        try:
            self._open({engine, *readable})
        except BaseException:
            self.connection.close()
            raise

    def _open(self, readable: set[str]) -> None:
        try:
            self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.connection.execute("BEGIN EXCLUSIVE")
            if not self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                # A new journal is an empty file in a folder in which nothing was saved yet.
                if self.path.stat().st_size or any(item.name not in _OWN for item in self.path.parent.iterdir()):
                    raise self._damaged("it is empty")
                for statement in _SCHEMA.split(";"):
                    self.connection.execute(statement)
                self._write_meta({"format": FORMAT, "engine": self._engine, "records": 0, "sum": 0})
            meta = dict(self.connection.execute("SELECT name, value FROM meta"))
            self._check_version(meta, readable)
            self._check_content(meta)
            self._write_meta({"engine": self._engine})
            self.connection.execute("COMMIT")
            # With the log a commit waits for no disk, which takes up to a second on a busy one: it survives the end of this process
            # however that comes, and a power cut takes the last commits as a whole.
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_BUSY":
                raise StateError(
                    f"The saved state {self.path} is in use by another process. Stop that local cloud first: couch down"
                ) from error
            raise self._damaged(str(error)) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _check_version(self, meta: Mapping[str, object], readable: set[str]) -> None:
        if set(meta) != {"format", "engine", "records", "sum"}:
            raise self._damaged("it does not say what wrote it")
        if meta["format"] != FORMAT or meta["engine"] not in readable:
            raise StateError(
                f"The saved state in {self.path.parent} was written by {meta['engine']} in format {meta['format']}; this is "
                f"{self._engine}, which reads format {FORMAT} of {', '.join(sorted(readable))}. Go back to the release that "
                f"wrote it, or move the folder away and deploy again: couch up"
            )

    def _check_content(self, meta: Mapping[str, object]) -> None:
        if (word := self.connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise self._damaged(word)
        for key, value in self._records():
            self._hashes[key] = _hash(key, value)
        self._sum = sum(self._hashes.values()) % _MODULUS
        if (len(self._hashes), self._sum) != (meta["records"], meta["sum"]):
            raise self._damaged("its records are not those that were written")

    def _damaged(self, why: str) -> StateError:
        return StateError(
            f"The saved state {self.path} is damaged ({why}) and was not read. Move {self.path.parent} away and deploy again: "
            "couch up. Pictures, runs, ratings and metrics are kept; messages, objects and log events are in that folder only."
        )

    def _records(self) -> Iterator[tuple[Key, bytes]]:
        for kind, name, value in self.connection.execute("SELECT kind, key, value FROM record ORDER BY kind, key"):
            yield Key(kind, name), value

    def records(self, kind: str) -> dict[str, bytes]:
        """Return every record of a kind, by name."""
        rows = self.connection.execute("SELECT key, value FROM record WHERE kind = ? ORDER BY key", (kind,))
        return dict(rows.fetchall())

    def names(self, kind: str) -> set[str]:
        """Return the names of the records of a kind."""
        return {key.name for key in self._hashes if key.kind == kind}

    def write(self, changes: Changes) -> int:
        """Write all changes in one transaction, which outlives this process when this returns.

        Args:
            changes: New values by key; None deletes a record.

        Returns:
            How many records were changed.

        Raises:
            OSError: The disk does not take them; the journal then holds what it held before.

        """
        new = {key: None if value is None else _hash(key, value) for key, value in changes.items()}
        new = {key: value for key, value in new.items() if value != self._hashes.get(key)}
        if not new:
            return 0
        deleted = [key for key, value in new.items() if value is None]
        put = [(*key, changes[key]) for key, value in new.items() if value is not None]
        count = len(self._hashes) + sum(key not in self._hashes for key in new) - len(deleted)
        total = (self._sum + sum((value or 0) - self._hashes.get(key, 0) for key, value in new.items())) % _MODULUS
        try:
            self.connection.execute("BEGIN EXCLUSIVE")
            self.connection.executemany("DELETE FROM record WHERE kind = ? AND key = ?", deleted)
            self.connection.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", put)
            self._write_meta({"records": count, "sum": total})
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise OSError(f"{self.path}: {error}") from error
        for key, value in new.items():
            if value is None:
                del self._hashes[key]
            else:
                self._hashes[key] = value
        self._sum = total
        return len(new)

    def _write_meta(self, values: Mapping[str, object]) -> None:
        self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def _hash(key: Key, value: bytes) -> int:
    name = f"{key.kind}\0{key.name}\0".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(name + value, digest_size=_HASH_BYTES).digest())
