"""Prompt templates: `A {medium} of a cow in {place}` becomes one prompt for each combination of the variables' values.

Braces have a meaning only if variables are given; `{{` and `}}` are then literal braces. Templates are expanded first:
everything after that sees ordinary prompts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from couch_explorers.core import png as pictures
from couch_explorers.core.errors import shown
from couch_explorers.exploration.axes import ExplorationError, axis_values, is_plain, parse_label, reject_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterator


# A cell's other fields.
RESERVED_NAMES = ("prompt", "prompt_name", "model", "seed", "size", "cfg_scale", "negative_prompt")
# The key of the template in a picture's parameters; outside the request, from which the picture's id is derived.
TEMPLATE_KEY = "template"
# A doubled brace, a variable in braces, or a brace that is neither.
_MARK = re.compile(r"(?P<doubled>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<single>[{}])")

# Each variable's values by their names, as `SweepSpec` keeps them.
Variables = Mapping[str, Mapping[str, str]]


class VariableValue(NamedTuple):
    """A cell's value of a variable: its name, used as the label, and its text in the prompt."""

    variable: str
    name: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """One prompt as it is sent; without a template, `template` is None and `values` is empty."""

    name: str
    text: str
    template: str | None = None
    values: tuple[VariableValue, ...] = ()


def parse_variables(given: Any) -> dict[str, dict[str, str]]:
    """Parse the variables of a sweep's templates.

    Args:
        given: a mapping from each variable's name to its values: a mapping from name to text, texts, which are their own
            names, or a single text. Only a named text may be empty. None means no variables.

    Returns:
        Each variable's texts by name, in the given order.

    Raises:
        ExplorationError: for a variable whose name cannot be used in braces, or is that of another axis, for one without
            values, and for a value that is not a text, has no name, or is a duplicate.

    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ExplorationError(
            f'The variables are {shown(given)}: give their values by their names, like {{"medium": ["photo", "sketch"]}}.',
        )
    return {_parse_name(name): _parse_values(name, values) for name, values in given.items()}


def _parse_name(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise ExplorationError(
            f"The variable {shown(name)} cannot be named in braces: use letters, digits and _, like {{medium}}.",
        )
    if name in RESERVED_NAMES:
        raise ExplorationError(f"The variable {name} has the name of another axis: give it another one, like {name}_1.")
    return name


def _parse_values(variable: str, given: Any) -> dict[str, str]:
    axis = f"{variable} (a variable)"
    if isinstance(given, Mapping):
        if not given:
            raise ExplorationError(f"The variable {variable} has no values: give it at least one.")
        pairs = list(given.items())
    else:
        pairs = [(text, text) for text in axis_values(axis, given)]
    for _, text in pairs:
        if not isinstance(text, str) or not is_plain(text):
            raise ExplorationError(f"The variable {variable} has the value {shown(text)}: give plain Unicode texts.")
    names = [parse_label(f"value's name of {variable}", name) for name, _ in pairs]
    if "" in names:
        raise ExplorationError(
            f"The variable {variable} has a value without a name: "
            f'give names and texts, like {{"none": "", "fog": " in fog"}}.',
        )
    reject_duplicates(axis, names)
    reject_duplicates(axis, [text for _, text in pairs])
    return dict(zip(names, (text for _, text in pairs), strict=True))


def named_variables(text: str) -> list[str]:
    """List the names in a text's braces, each once, whether there is such a variable or not."""
    names = (mark["name"] for mark in _MARK.finditer(text) if mark["name"] is not None)
    return list(dict.fromkeys(name for name in names if name.isidentifier() and name not in RESERVED_NAMES))


def count_prompts(prompts: Mapping[str, str], variables: Variables) -> int:
    """Count the prompts of these templates without building them; raises ExplorationError like `expand`."""
    if not variables:
        return len(prompts)
    return sum(
        prod(len(variables[name]) for name in names) for names in _names_by_template(prompts, variables).values()
    )


def expand(prompts: Mapping[str, str], variables: Variables) -> Iterator[Prompt]:
    """Yield all prompts of the templates, in order; the value of the last variable changes fastest.

    Args:
        prompts: templates by name, or plain prompts if there are no variables.
        variables: what `parse_variables` returned. A template has a prompt for each combination of the variables that it
            names; one that names none is a prompt itself.

    Yields:
        The prompts, without surrounding whitespace.

    Raises:
        ExplorationError: for a template that names an unknown variable or has a single brace, and for a variable that no
            template names.

    """
    if not variables:
        yield from (Prompt(name, text) for name, text in prompts.items())
        return
    for name, used in _names_by_template(prompts, variables).items():
        template = prompts[name]
        parts = _parse_template(name, template, variables)
        for values in product(*([VariableValue(one, *value) for value in variables[one].items()] for one in used)):
            texts = {value.variable: value.text for value in values}
            text = "".join(part if literal else texts[part] for part, literal in parts)
            yield Prompt(name, text.strip(), template, values)


def _names_by_template(prompts: Mapping[str, str], variables: Variables) -> dict[str, list[str]]:
    """Return the variables that each template names, in the variables' order; raises ExplorationError like `expand`."""
    used = {}
    for name, template in prompts.items():
        named = {part for part, literal in _parse_template(name, template, variables) if not literal}
        used[name] = [variable for variable in variables if variable in named]
    if unused := [name for name in variables if not any(name in names for names in used.values())]:
        what = f"variable {unused[0]}" if len(unused) == 1 else f"variables {', '.join(unused)}"
        raise ExplorationError(f"No prompt names the {what}: write {{{unused[0]}}} into one, or leave it out.")
    return used


def _parse_template(name: str, template: str, variables: Variables) -> list[tuple[str, bool]]:
    """Split a template into (text, True) for literal text and (variable, False) for variables."""
    parts: list[tuple[str, bool]] = []
    choices = " or ".join(f"{{{variable}}}" for variable in variables)
    end = 0
    for mark in _MARK.finditer(template):
        parts.append((template[end : mark.start()], True))
        end = mark.end()
        if mark["doubled"]:
            parts.append((mark["doubled"][0], True))
        elif mark["single"]:
            brace = mark["single"]
            raise ExplorationError(
                f"The prompt {shown(name)} has a single {brace} at character {mark.start() + 1}: "
                f"name a variable, {choices}, or write {brace}{brace} for the brace itself.",
            )
        elif mark["name"] not in variables:
            wrong = shown(mark["name"])[1:-1]
            raise ExplorationError(
                f"The prompt {shown(name)} names {{{wrong}}}, and there is no such variable: "
                f"use {choices}, or write {{{{{wrong}}}}} for the braces themselves.",
            )
        else:
            parts.append((mark["name"], False))
    parts.append((template[end:], True))
    return parts


def template_parameters(template: str | None, values: tuple[VariableValue, ...]) -> dict[str, Any]:
    """Return the template's part of a picture's parameters: empty for a prompt without one.

    Returns:
        {"template": {"text": …, "values": {variable: {"name": …, "text": …}}}}, ready for JSON.

    """
    if template is None:
        return {}
    by_variable = {value.variable: {"name": value.name, "text": value.text} for value in values}
    return {TEMPLATE_KEY: {"text": template, "values": by_variable}}


def with_template(png: bytes, template: str | None, values: tuple[VariableValue, ...]) -> bytes:
    """Add the template to a picture that was made from the prompt only, as the queue's are.

    Args:
        png: a picture with its `couch` parameters.
        template: the template, or None.
        values: the values filled in.

    Returns:
        The picture; unchanged if there is no template, or it has one already.

    Raises:
        ValueError: the picture was not made by this project, or is damaged.

    """
    if template is None or TEMPLATE_KEY in (parameters := pictures.read_parameters(png)):
        return png
    return pictures.add_parameters(png, parameters | template_parameters(template, values))
