"""The documentation as its readers meet it: pages, their blocks of code, what they link to, and the anchors they offer.

Every Markdown file that git tracks, or would, is a page, but for those of `tests/`, which are what tests compare with.
"""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Block:
    """A block of code: its page, the number of its first line, its language ("" where none is named), and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Words:
    """Where a link leads, or what stands in backticks, and the line of its paragraph."""

    line: int
    text: str


@dataclass(frozen=True)
class Page:
    """What a page holds.

    `indented` are the lines at which a block of code begins that names no language and cannot; `prose` are the lines of
    paragraphs, in lists too.
    """

    name: str
    blocks: tuple[Block, ...]
    links: tuple[Words, ...]
    spans: tuple[Words, ...]
    anchors: frozenset[str]
    indented: tuple[int, ...]
    prose: tuple[int, ...]


def names(root: Path = ROOT) -> list[str]:
    """Name the pages there are, in alphabetical order."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in set(listed) if not name.startswith("tests/") and (root / name).is_file())


def read(name: str, root: Path = ROOT) -> Page:
    """Read a page of the project."""
    return parse(name, (root / name).read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Page:
    """Read a page's text, as GitHub reads it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [(child, line) for token, line in _placed(tokens) for child in token.children or ()]
    titles = [tokens[place + 1] for place, token in enumerate(tokens) if token.type == "heading_open"]
    targets = [(child.attrGet("href") or child.attrGet("src"), line) for child, line in inline]
    return Page(
        name,
        blocks=tuple(
            # The line behind the fence.
            Block(name, line + 1, token.info.strip().partition(" ")[0], token.content)
            for token, line in _placed(tokens)
            if token.type == "fence"
        ),
        links=tuple(Words(line, str(target)) for target, line in targets if target),
        spans=tuple(Words(line, child.content) for child, line in inline if child.type == "code_inline"),
        anchors=_anchors(titles),
        indented=tuple(line for token, line in _placed(tokens) if token.type == "code_block"),
        prose=tuple(
            line for token in tokens if token.type == "paragraph_open" and token.map for line in _lines(token.map)
        ),
    )


def _placed(tokens: list[Token]) -> list[tuple[Token, int]]:
    """Give each token with the line at which it begins."""
    return [(token, token.map[0] + 1) for token in tokens if token.map]


def _lines(span: list[int]) -> range:
    """Number the lines of a token from 1."""
    return range(span[0] + 1, span[1] + 1)


def _anchors(titles: list[Token]) -> frozenset[str]:
    """Make the anchors of headings as GitHub does: lower case, no punctuation, hyphens for spaces, a number for the second."""
    seen: Counter[str] = Counter()
    anchors = set()
    for title in titles:
        text = "".join(child.content for child in title.children or () if child.type in ("text", "code_inline"))
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return frozenset(anchors)
