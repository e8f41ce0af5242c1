"""Lists of prompts in files: CSV, JSON Lines, or plain text with one prompt per line."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from couch_explorers import paths
from couch_explorers.core.errors import shown
from couch_explorers.exploration.axes import ExplorationError, parse_prompts, refuse_too_many
from couch_explorers.files import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# A hundred thousand prompts, the most of a sweep, of 600 characters each.
MAX_FILE_BYTES = 64 << 20
PROMPT, NAME = "prompt", "name"

# Line number, name (or None) and text of a prompt.
Entry = tuple[int, Any, Any]


def read_prompts(file: str | Path) -> dict[str, str]:
    """Read a list of prompts, or of prompt templates, by name.

    Args:
        file: a path, relative to the project's folder. The extension defines the format, in UTF-8: `.csv` with a header and
            the columns `prompt` and, optionally, `name`; `.jsonl` with one text, or one object with the same fields, per
            line; `.txt` with one prompt per line. Empty lines are skipped.

    Returns:
        Text by name, in the file's order; a prompt without a name is named by its first words.

    Raises:
        ExplorationError: for a file that cannot be read, has another extension, no prompt or an unknown column or field, or
            that names only some of its prompts; with the line, and what to do.

    """
    path = paths.resolve(file)
    readers: dict[str, Callable[[Path, str], Iterator[Entry]]] = {
        ".csv": _read_csv,
        ".jsonl": _read_jsonl,
        ".txt": _read_text,
    }
    if (read := readers.get(path.suffix.lower())) is None:
        raise ExplorationError(f"{path} is no list of prompts: give a file that ends in {', '.join(readers)}.")
    entries = list(read(path, _content(path)))
    if not entries:
        raise ExplorationError(f"{path} has no prompts: write at least one.")
    refuse_too_many("prompts", len(entries))
    unnamed = [line for line, name, _ in entries if name in (None, "")]
    try:
        if not unnamed:
            return parse_prompts([(name, text) for _, name, text in entries])
        if len(unnamed) == len(entries):
            return parse_prompts([text for _, _, text in entries])
    except ExplorationError as error:
        raise ExplorationError(f"{path}: {error}") from error
    raise ExplorationError(f"{path}, line {unnamed[0]}: the prompt has no name, and others have. Name all, or none.")


def _content(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ExplorationError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB: split it.")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ExplorationError(f"There is no file {path}.") from error
    except UnicodeDecodeError as error:
        raise ExplorationError(f"{path} is no text in UTF-8 (byte {error.start + 1}): save it as UTF-8.") from error
    except OSError as error:
        raise ExplorationError(f"{path} cannot be read: {reason(error)}.") from error


def _read_text(_path: Path, content: str) -> Iterator[Entry]:
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield number, None, line


def _read_csv(path: Path, content: str) -> Iterator[Entry]:
    rows = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        columns = [column.strip().lower() for column in rows.fieldnames or ()]
        rows.fieldnames = columns
        _check_fields(path, 1, columns, what="column")
        for row in rows:
            if None in row or None in row.values():
                raise ExplorationError(
                    f"{path}, line {rows.line_num}: the row has not as many fields as the header, {len(columns)}. "
                    "A prompt with a comma stands in quotes.",
                )
            yield rows.line_num, row.get(NAME), row[PROMPT]
    except csv.Error as error:
        raise ExplorationError(f"{path}, line {rows.line_num}: no CSV ({error}).") from error


def _read_jsonl(path: Path, content: str) -> Iterator[Entry]:
    # Not str.splitlines, which also splits at characters that JSON strings may contain.
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ExplorationError(f"{path}, line {number}: no JSON ({error}).") from error
        if isinstance(entry, str):
            yield number, None, entry
        elif isinstance(entry, dict):
            _check_fields(path, number, list(entry), what="field")
            yield number, entry.get(NAME), entry[PROMPT]
        else:
            raise ExplorationError(
                f'{path}, line {number}: {shown(entry)} is no prompt. Write a text, or {{"name": "…", "prompt": "…"}}.',
            )


def _check_fields(path: Path, line: int, names: list[str], *, what: str) -> None:
    unknown = [name for name in names if name not in (PROMPT, NAME)]
    if PROMPT not in names or unknown:
        found = ", ".join(map(shown, names)) or "none"
        raise ExplorationError(
            f"{path}, line {line}: a list of prompts has the {what}s {PROMPT} and, if wanted, {NAME}; here: {found}.",
        )
