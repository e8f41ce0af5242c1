"""Find names that the project has given up: modules, identifiers, commands, headings and phrases of tools/retired_names.toml.

python tools/retired_names.py     prints each place, and exits with 1 where there is any
"""

import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = "tools/retired_names.toml"
# History stays as it was written, and the table itself has to name what it retires.
NEVER_READ = (TABLE, "CHANGELOG.md", "*.lock", "*.svg", "*.png", "*.jpg", "*.whl", "tests/tools/test_retired_names.py")
HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True)
class Retired:
    """A retired name: its replacement, and the files (patterns) in which it is still allowed."""

    name: str
    kind: str
    use: str
    allowed: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Source:
    """A tracked file: its text, its code, and its Markdown."""

    path: str
    text: str
    code: str = ""
    markdown: str = ""

    @classmethod
    def read(cls, path: str, text: str) -> "Source":
        """Divide a file by its suffix; a notebook's cells are code and Markdown."""
        if path.endswith(".ipynb"):
            cells = json.loads(text)["cells"]
            parts = {
                kind: "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)
                for kind in ("code", "markdown")
            }
            return cls(path, "\n".join(parts.values()), parts["code"], parts["markdown"])
        return cls(path, text, text if path.endswith(".py") else "", text if path.endswith(".md") else "")

    @cached_property
    def lower(self) -> str:
        """The text in lower case, to search for a phrase's first word."""
        return self.text.lower()

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """The names in the code; every word of it where it is not all Python, as in a cell with a magic command."""
        try:
            tokens = list(tokenize.generate_tokens(StringIO(self.code).readline))
        except (tokenize.TokenError, SyntaxError):
            return frozenset(re.findall(r"\w+", self.code))
        return frozenset(token.string for token in tokens if token.type == tokenize.NAME)


def table(folder: Path = ROOT) -> list[Retired]:
    """Read the retired names.

    Raises:
        ValueError: there is no such kind of name.

    """
    listed = tomllib.loads((folder / TABLE).read_text(encoding="utf-8"))
    if unknown := listed.keys() - FINDERS.keys():
        raise ValueError(f"{TABLE}: no such kind: {', '.join(sorted(unknown))}")
    return [
        Retired(name, kind, use if isinstance(use, str) else use["use"], () if isinstance(use, str) else tuple(use["allowed"]))
        for kind, names in listed.items()
        for name, use in names.items()
    ]  # fmt: skip


def sources(folder: Path = ROOT) -> Iterator[Source]:
    """Read the tracked text files that may hold a retired name."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    for path in listed:
        if (folder / path).is_file() and not any(fnmatch(path, pattern) for pattern in NEVER_READ):
            yield Source.read(path, (folder / path).read_text(encoding="utf-8", errors="replace"))


def find(names: list[Retired], files: Iterator[Source]) -> list[str]:
    """Name each file that holds a retired name, with what to use instead."""
    return [
        f"{source.path}: {name.kind} {name.name!r} is retired, use {name.use!r}"
        for source in files
        for name in names
        if not any(fnmatch(source.path, pattern) for pattern in name.allowed) and FINDERS[name.kind](source, name.name)
    ]


def _has_module(source: Source, name: str) -> bool:
    """Whether a file is the module (or lies in the package), or imports it or names it in full."""
    place = f"couch_explorers/{name.replace('.', '/')}"
    package, _, last = f"couch_explorers.{name}".rpartition(".")
    if source.path == f"{place}.py" or source.path.startswith(f"{place}/"):
        return True
    # Hundreds of names and files: an expression runs only where the words that it needs stand.
    if f"{package}.{last}" in source.text:
        written = rf"(?<![\w.]){re.escape(package)}\.{last}\b(?!\()"
        if re.search(written, source.text):
            return True
    imported = rf"from {re.escape(package)} import (?:\w+(?: as \w+)?, )*{last}\b"
    return f"from {package} import " in source.code and re.search(imported, source.code) is not None


def _has_identifier(source: Source, name: str) -> bool:
    return name in source.code and name in source.identifiers


def _has_command(source: Source, name: str) -> bool:
    """Whether `couch NAME` stands anywhere, as a command line or as its list of arguments."""
    if name not in source.text:
        return False
    written = rf"\bcouch {re.escape(name)}(?![\w-])|[\"']couch[\"'], [\"']{re.escape(name)}[\"']|\$\(COUCH\) {re.escape(name)}(?![\w-])"
    return re.search(written, source.text) is not None


def _has_heading(source: Source, name: str) -> bool:
    return any(found["text"] == name for found in HEADING.finditer(source.markdown))


def _has_phrase(source: Source, name: str) -> bool:
    # A phrase may be broken by a line's end, and by the sign of a comment.
    if name.split(maxsplit=1)[0].lower() not in source.lower:
        return False
    words = r"[\s#]+".join(map(re.escape, name.split()))
    return re.search(rf"(?<!\w){words}(?!\w)", source.text, re.IGNORECASE) is not None


FINDERS: dict[str, Callable[[Source, str], bool]] = {
    "module": _has_module,
    "identifier": _has_identifier,
    "command": _has_command,
    "heading": _has_heading,
    "phrase": _has_phrase,
}


def main() -> int:
    """Print every place that holds a retired name."""
    found = find(table(), sources())
    print("\n".join(found) or "no retired names")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
