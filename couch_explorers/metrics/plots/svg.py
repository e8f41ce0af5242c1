"""A figure's SVG made fit to stand inside a page: ids of its own, no styles that leak, no date, few digits."""

from __future__ import annotations

import hashlib
import itertools
import re
from html import escape

_PROLOGUE = re.compile(r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<!--.*?-->\s*|<metadata>.*?</metadata>\s*", re.DOTALL)
# matplotlib styles every element of the page it stands in; on the root both properties are inherited.
_STYLE = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL)
_INHERITED = "stroke-linejoin:round;stroke-linecap:butt"
_ROOT = re.compile(r"<svg\b(?P<attributes>[^>]*)>")
_SIZE = re.compile(r'\s(?:width|height|version)="[^"]*"')
_NAMED = re.compile(r'(?P<before>\bid="|href="#|url\(#)(?P<id>[^")]+)')
# A scale keeps all its digits: two of 0.015625 would be a quarter too much.
_NUMBER = re.compile(r"(?P<kept>(?:scale|matrix)\([^)]*\))|-?\d+\.\d{3,}")
_BETWEEN = re.compile(r">\s+<")
_LINE_END = re.compile(r"\s*\n\s*")
# Of a point, which is 4/3 of a pixel on the page; glyphs have their own, larger units.
DIGITS = 2

_shown = itertools.count(1)


def inline(text: str, *, name: str, label: str) -> str:
    """Make SVG for the inside of an HTML page. Each call gives other ids, so that one page may hold it twice."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return _fitted(text, f"{name}-{digest}-{next(_shown)}-", label, ' style="display:block;width:100%;height:auto;{}"')


def standing_alone(text: str, *, name: str, label: str) -> str:
    """Make SVG for a file of its own: the same for the same figure."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _fitted(text, f"{name}-", label, ' style="{}"', sized=True)


def _fitted(text: str, prefix: str, label: str, styled: str, *, sized: bool = False) -> str:
    text = _STYLE.sub("", _PROLOGUE.sub("", text))
    text = _NAMED.sub(lambda found: f"{found['before']}{prefix}{found['id']}", text)
    text = _NUMBER.sub(_shortened, text)
    text = _LINE_END.sub(" ", _BETWEEN.sub("><", text))

    def root(found: re.Match[str]) -> str:
        attributes = found["attributes"] if sized else _SIZE.sub("", found["attributes"])
        return f'<svg{attributes} role="img" aria-label="{escape(label)}"{styled.format(_INHERITED)}>'

    return _ROOT.sub(root, text, count=1).strip() + "\n"


def _shortened(found: re.Match[str]) -> str:
    if found["kept"]:
        return found["kept"]
    return f"{float(found[0]):.{DIGITS}f}".rstrip("0").rstrip(".") or "0"
