"""Texts that do harm where they are taken for more than text, and what shows that they were."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

TEXTS = {
    "script": "<script>alert(1)</script>",
    "element": "<img src=x onerror=alert(1)><svg/onload=alert(2)>",
    "attribute": """" onmouseover="alert(1)" x=' onfocus='alert(2)'""",
    "comment": "--><!-- <style>*{display:none}</style>",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7}",
    "markdown": "![x](javascript:alert(1)) [y](javascript:alert(2)) `code` **bold** | cell | # @everyone",
    "terminal": "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m \x9b31m",
    "overwriting": "a castle\rb\b\b\b\x7f",
    "bidirectional": "\u202egnp.eltsac\u202c \u2066x\u2069",
    "formula": "=cmd|'/C calc'!A0",
    "plus": "+1+1",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "path": "../../../etc/passwd",
    "log line": 'a castle\n{"level":"ERROR","message":"Job given up"}',
    "shell": "$(touch /tmp/owned) `id`; rm -rf . && ' \" \\",
}
HARMLESS = "A castle"

# Left-to-right and right-to-left marks, embeddings, overrides and isolates (Unicode Standard Annex 9).
BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def unprintable(text: str) -> set[str]:
    """The characters of a text that steer a terminal or turn the order of what is read; a line's end is none."""
    return {sign for sign in text if sign in BIDIRECTIONAL or (unicodedata.category(sign) == "Cc" and sign != "\n")}


class _Skeleton(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, ...]] = []

    def handle_starttag(self, tag, attrs):
        self.parts.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.parts.append((f"/{tag}",))

    def handle_comment(self, data):
        self.parts.append(("comment", data))


def skeleton(html: str) -> list[tuple[str, ...]]:
    """The elements of a page with the names of their attributes, and its comments: what a text must not add to."""
    parser = _Skeleton()
    parser.feed(html)
    parser.close()
    return parser.parts
