"""A notebook's parameters, read from its `parameters` cell, and the conversion of given values.

papermill's own inspection does not suffice: it only warns of an unknown name, and drops `Literal` and
`list[float | None]`. Types are read from the annotation's syntax tree, without executing the notebook.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import math
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import shown
from couch_explorers.files import reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The notebook format that papermill runs, which is the latest (nbformat's documentation).
FORMAT = 4


class NotebookError(Exception):
    """A notebook does not exist or cannot be run; the message says which ones exist."""


class ParameterError(NotebookError):
    """The notebook does not accept a parameter or a value; the message lists what it accepts."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: name, annotation as written, default and the comment that explains it."""

    name: str
    annotation: str
    default: Any
    comment: str = ""

    def __str__(self) -> str:
        default = repr(self.default)
        shown = default if len(default) <= 48 else default[:45] + "…"  # noqa: PLR2004 - fits a terminal's line
        return f"{self.name}: {self.annotation} = {shown}" + (f"  # {self.comment}" if self.comment else "")


def load(path: Path) -> dict[str, Any]:
    """Read a notebook file as JSON.

    Raises:
        NotebookError: the file cannot be read, is not a notebook, or has a format that papermill does not run.

    """
    try:
        notebook = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise NotebookError(f"{path.name} cannot be read: {reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise _no_notebook(path, str(error).rstrip(".")) from error
    if not isinstance(notebook, dict):
        raise _no_notebook(path, f"it holds a {type(notebook).__name__} instead of an object")
    form = notebook.get("nbformat", FORMAT)
    if not isinstance(form, int) or form > FORMAT:
        raise _no_notebook(path, f"its nbformat is {shown(form)}, and {FORMAT} is the newest that is known")
    if form < FORMAT:
        raise NotebookError(
            f"{path.name} is of nbformat {form}, which is not run any more. "
            f"Rewrite it in nbformat {FORMAT}: jupyter nbconvert --to notebook --inplace {path}"
        )
    if not isinstance(notebook.get("cells"), list) or not all(map(_is_cell, notebook["cells"])):
        raise _no_notebook(path, "its cells are no list of cells")
    return notebook


def _is_cell(cell: object) -> bool:
    """Check that this is a valid cell as far as parameters are concerned: type, source and tags."""
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata", {}), dict):
        return False
    source, tags = cell.get("source"), cell.get("metadata", {}).get("tags", [])
    lines = [source] if isinstance(source, str) else source
    return (
        isinstance(cell.get("cell_type"), str)
        and isinstance(lines, list)
        and all(isinstance(line, str) for line in lines)
        and isinstance(tags, list)
    )


def _no_notebook(path: Path, why: str) -> NotebookError:
    return NotebookError(f"{path.name} is not a notebook: {why}. Restore it from git.")


def read(notebook: Mapping[str, Any], name: str) -> tuple[Parameter, ...]:
    """Read the parameters from the one cell tagged `parameters`.

    Raises NotebookError for a second such cell, and for a line that is no `name: type = literal`.
    A notebook without such a cell takes no parameters.
    """
    tagged = [cell for cell in notebook["cells"] if "parameters" in cell.get("metadata", {}).get("tags", ())]
    if len(tagged) > 1:
        raise NotebookError(f"{name} has {len(tagged)} cells tagged `parameters`; keep one.")
    source = "".join(tagged[0]["source"]) if tagged else ""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(f"The parameters cell of {name} is not Python: {error}.") from error
    comments = _comments(source)
    return tuple(_parameter(statement, comments, name) for statement in statements)


def convert(parameters: Sequence[Parameter], given: Mapping[str, Any], notebook: str) -> dict[str, Any]:
    """Turn what a person gave (text, or values already) into values of the annotated types.

    Raises ParameterError for an unknown name or a value of another type; the message lists the parameters.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ParameterError(f"{notebook} has no parameter {name!r}.{hint} {describe(parameters)}")
        annotation = ast.parse(known[name].annotation, mode="eval").body
        try:
            converted = from_text(value, annotation) if isinstance(value, str) else value
            if not fits(converted, annotation):
                raise ValueError(value)  # noqa: TRY301 - both kinds of misfit end in the same sentence
        except ValueError as error:
            raise ParameterError(
                f"{notebook}: {name} takes {known[name].annotation}, not {value!r}. {describe(parameters)}"
            ) from error
        values[name] = converted
    return values


def describe(parameters: Sequence[Parameter]) -> str:
    """List the parameters, one a line, as their notebook writes them."""
    if not parameters:
        return "It takes no parameters."
    return "It takes:\n" + "\n".join(f"  {parameter}" for parameter in parameters)


def _parameter(statement: ast.stmt, comments: Mapping[int, str], notebook: str) -> Parameter:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            written = ast.unparse(annotation)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            written = ""
        case _:
            raise NotebookError(_line_problem(notebook, statement, "a parameter is written `name: type = literal`"))
    try:
        default = ast.literal_eval(value)
    except ValueError as error:
        raise NotebookError(_line_problem(notebook, statement, "a default is a literal")) from error
    if isinstance(default, float) and not math.isfinite(default):
        raise NotebookError(_line_problem(notebook, statement, "a default is finite"))
    written = written or ("str | None" if default is None else type(default).__name__)
    try:
        accepted = fits(default, ast.parse(written, mode="eval").body)
    except ValueError as error:
        raise NotebookError(_line_problem(notebook, statement, str(error))) from error
    if not accepted:
        raise NotebookError(_line_problem(notebook, statement, "the default is not of the annotated type"))
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    trailing = [comments[line] for line in lines if line in comments]
    return Parameter(name, written, default, " ".join(trailing))


def _line_problem(notebook: str, statement: ast.stmt, rule: str) -> str:
    first = ast.unparse(statement).splitlines()[0]
    return f"The parameters cell of {notebook}, line {statement.lineno}, {first!r}: {rule}."


def _comments(source: str) -> dict[int, str]:
    """Find the comments, by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
PLAIN = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def fits(value: Any, annotation: ast.expr) -> bool:  # noqa: PLR0911 - one answer for each kind of type
    """Check whether a value has the annotated type; an int is also a float, a bool is not a number.

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
