"""Atomic file writes, and checks that a folder is writable before anything is paid for."""

import errno
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

# The size of a report or a picture: only writing shows whether a disk is full.
PROBE_BYTES = 4 * 1024 * 1024


class OutputError(Exception):
    """A folder cannot be written to; the message says which, why, and how to choose another."""


def reason(error: OSError) -> str:
    """Return the system's reason why a file could not be written or read."""
    return error.strerror or str(error)


def check_writable(folder: Path, *, what: str, how: str) -> Path:
    """Create a folder and check that a file of PROBE_BYTES fits into it.

    Args:
        folder: made where it is not there.
        what: what is to be written, as the beginning of a sentence: "The report".
        how: how another folder is chosen: "give another folder with --out".

    Raises:
        OutputError: the folder is a file, may not be written, or has no room.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-", buffering=0) as probe:
            written = 0
            while written < PROBE_BYTES:
                written += probe.write(bytes(PROBE_BYTES - written))
    except OSError as error:
        why = reason(error) if error.errno != errno.EEXIST else "it is a file"
        raise OutputError(f"{what} cannot be written into {folder} ({why}): {how}.") from error
    return folder


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file atomically: neither a reader nor a crash leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A lone surrogate, which UTF-8 cannot encode, is written as its escape.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    # mkstemp creates files for the owner only; these get ordinary permissions.
    path.chmod(0o644)
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write a value as indented JSON, atomically."""
    return write_whole(path, json_text(value))


def json_text(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def read_json(path: Path) -> Any:
    """Return the value in a JSON file; None if the file does not exist or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
