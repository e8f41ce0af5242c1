"""The types a notebook's parameters may be annotated with, and how text becomes a value of one.

`str`, `int`, `float`, `bool`, `list[…]`, `dict[…, …]`, `None`, `X | None`, `Optional[X]` and `Literal[…]`, read from the
annotation's syntax tree: nothing of the notebook is executed.
"""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
PLAIN = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def fits(value: Any, annotation: ast.expr) -> bool:  # noqa: PLR0911 - one answer for each kind of type
    """Tell whether a value is of the annotated type; a whole number is also a float, a bool is no number.

    Raises ValueError for an annotation that is not among the types of this module.
    """
    match annotation:
        case ast.Name(id="float"):
            return type(value) in (int, float) and math.isfinite(value)
        case ast.Name(id=name) if name in PLAIN:
            return type(value) is PLAIN[name]
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(text)):
            return fits(value, ast.parse(text, mode="eval").body)
        case ast.BinOp(op=ast.BitOr()) | ast.Subscript(value=ast.Name(id="Optional" | "Union")):
            return any(fits(value, option) for option in _options(annotation))
        case ast.Subscript(value=ast.Name(id="Literal")):
            return any(type(value) is type(literal) and value == literal for literal in _literals(annotation))
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return isinstance(value, list) and all(fits(part, item) for part in value)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
            return isinstance(value, dict) and all(fits(k, key) and fits(v, item) for k, v in value.items())
    raise ValueError(f"the type {ast.unparse(annotation)} is not among {', '.join(PLAIN)}, Literal[…] and X | None")


def from_text(text: str, annotation: ast.expr) -> Any:
    """Read a value of the annotated type from text; raises ValueError when the text is none."""
    for option in _options(annotation):
        value = _read(text, option)
        if value is not _NOTHING and fits(value, option):
            return value
    raise ValueError(f"{text!r} is no {ast.unparse(annotation)}")


_NOTHING = object()


def _read(text: str, annotation: ast.expr) -> Any:  # noqa: PLR0911 - one way to read each type
    word = text.strip().lower()
    match annotation:
        case ast.Name(id="str"):
            return text
        case ast.Name(id="bool"):
            return True if word in TRUE else False if word in FALSE else _NOTHING
        case ast.Name(id="int"):
            return int(word) if re.fullmatch(r"[+-]?[0-9]{1,18}", word) else _NOTHING
        case ast.Name(id="float"):
            return float(word) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", word) else _NOTHING
        case ast.Constant(value=None):
            return None if word in ("none", "null") else _NOTHING
        case ast.Subscript(value=ast.Name(id="Literal")):
            return next((literal for literal in _literals(annotation) if str(literal) == text), _NOTHING)
        case _:
            return _structure(text)


def _structure(text: str) -> Any:
    """Read a list or a mapping, written in JSON or in Python."""
    try:
        return json.loads(text)
    except ValueError:
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            return _NOTHING


def _options(annotation: ast.expr) -> list[ast.expr]:
    """Take `X | Y | None` apart; text is tried last, because every text is a text."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            options = [*_options(left), *_options(right)]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            options = [*_options(inner), ast.Constant(value=None)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=inners)):
            options = [option for inner in inners for option in _options(inner)]
        case ast.Constant(value=str(text)):
            options = _options(ast.parse(text, mode="eval").body)
        case _:
            options = [annotation]
    return sorted(options, key=lambda option: isinstance(option, ast.Name) and option.id == "str")


def _literals(annotation: ast.Subscript) -> list[Any]:
    inner = annotation.slice
    return [ast.literal_eval(item) for item in (inner.elts if isinstance(inner, ast.Tuple) else [inner])]
