"""Files that are either whole or not there, and folders that are found wanting before anything is paid."""

import errno
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

# As much as a report or a picture takes: what a full disk refuses is found out by writing it.
PROBE_BYTES = 4 * 1024 * 1024


class OutputError(Exception):
    """A folder that cannot be written into; the message says which, why, and how to choose another."""


def reason(error: OSError) -> str:
    """Say in the system's words why a file could not be written or read."""
    return error.strerror or str(error)


def check_writable(folder: Path, *, what: str, how: str) -> Path:
    """Make a folder and sure that a file of PROBE_BYTES fits into it.

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
    """Write a file so that a reader, or a crash, never meets half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Half a character pair, which UTF-8 has no bytes for, is written as its escape.
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
    # mkstemp makes files for the owner only; these are ordinary ones.
    path.chmod(0o644)
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write a value as indented JSON, whole or not at all."""
    return write_whole(path, json_text(value))


def json_text(value: Any) -> str:
    """Write a value as indented JSON, for people too."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def read_json(path: Path) -> Any:
    """The value in a JSON file; None where there is no such file or it holds no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
