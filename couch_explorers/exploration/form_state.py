"""The input of the exploration form, the sweep that it describes, and the same as notebook parameters."""

from __future__ import annotations

import json
import random
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models
from couch_explorers.core.errors import shown
from couch_explorers.core.image_models import COMMON_SEED_RANGE
from couch_explorers.exploration import prompt_templates
from couch_explorers.exploration.axes import MAX_CELLS, ExplorationError
from couch_explorers.exploration.sweep import Sweep

if TYPE_CHECKING:
    from couch_explorers.exploration.grid import CellView


NOTEBOOK = "prompt_exploration"
# Between a value's name and its text.
NAMED = " = "
_RANDOM = re.compile(r"\s*([0-9]+)\s+random\s*", re.IGNORECASE)
_SEED_RANGE = re.compile(r"([0-9]+)\s*-\s*([0-9]+)")


@dataclass(frozen=True)
class FormState:
    """The form's input, as plain text.

    `prompts` are separated by empty lines; `variables` have one value per line, `text` or `name = text`; `names` maps the
    texts of named prompts to their names. `models` are ids; the other axes are comma-separated, the negative prompts one per
    line. `run` is the folder of the last run.
    """

    prompts: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    seeds: str = "1"
    sizes: str = "1024x1024"
    cfg_scales: str = ""
    negative_prompts: str = ""
    title: str = ""
    purpose: str = ""
    via: str = "direct"
    concurrency: int = 8
    max_cost_usd: float = 1.0
    run: str = ""

    @classmethod
    def of(cls, sweep: Sweep, **more: Any) -> FormState:
        """Write a sweep as the user would type it.

        Args:
            sweep: its axes, title and purpose.
            more: further fields.

        Raises:
            ExplorationError: the form cannot represent a text: a prompt with an empty line in it, or a variable's value
                with a line break.

        """
        for name, text in sweep.prompts.items():
            if _paragraphs(text) != [text]:
                raise ExplorationError(
                    f"The form separates prompts by empty lines, and the prompt {shown(name)} has one in it."
                )
        variables = {
            name: "\n".join(map(_value_line, values, values.values())) for name, values in sweep.variables.items()
        }
        if any(_parse_values(variables[name]) != dict(values) for name, values in sweep.variables.items()):
            raise ExplorationError("The form has one line for each value of a variable, and here one has several.")
        return cls(
            prompts="\n\n".join(sweep.prompts.values()),
            variables=variables,
            names={text: name for name, text in sweep.prompts.items()},
            # By their ids: the workspace decides the region.
            models=tuple(image_models.get(name).id for name in sweep.models),
            seeds=", ".join(map(str, sweep.seeds)),
            sizes=", ".join(sweep.sizes),
            cfg_scales="" if sweep.cfg_scales == (None,) else ", ".join(map(_scale_text, sweep.cfg_scales)),
            negative_prompts="\n".join("none" if text is None else text for text in sweep.negative_prompts)
            if sweep.negative_prompts != (None,)
            else "",
            title=sweep.title,
            purpose=sweep.purpose,
            **more,
        )

    @property
    def used_variables(self) -> dict[str, str]:
        """The values of the variables that the prompts name, in order of appearance."""
        return {name: self.variables.get(name, "") for name in prompt_templates.named_variables(self.prompts)}

    def axes(self) -> dict[str, Any]:
        """Return the axes as `Sweep` takes them; raises ExplorationError for seeds or scales that are not numbers.

        Braces are left alone while no variable has a value.
        """
        prompts = _paragraphs(self.prompts)
        names = [self.names.get(text) for text in prompts]
        variables = {name: values for name, text in self.used_variables.items() if (values := _parse_values(text))}
        return {
            "prompts": dict(zip(names, prompts, strict=True)) if prompts and None not in names else prompts,
            "models": list(self.models),
            "seeds": parse_seeds(self.seeds),
            "sizes": _items(self.sizes),
            "cfg_scales": [_parse_scale(item) for item in _items(self.cfg_scales)] or [None],
            "negative_prompts": [None if line == "none" else line for line in _lines(self.negative_prompts)] or [None],
            "variables": variables,
        }

    def sweep(self) -> Sweep:
        """Create the sweep that the form describes; raises ExplorationError like `Sweep`."""
        return Sweep(**self.axes(), title=self.title, purpose=self.purpose)

    def varying(self, cell: CellView) -> FormState:
        """Return the form with the values of one cell; its template is kept, with the cell's value for each variable."""
        return replace(
            self,
            prompts=cell.prompt_or_template,
            names={cell.prompt_or_template: cell.prompt_name},
            variables=self.variables
            | {value.variable: _value_line(value.name, value.text) for value in cell.variables},
            models=(cell.model,),
            seeds=str(cell.seed),
            sizes=cell.size,
            cfg_scales="" if cell.cfg_scale is None else _scale_text(cell.cfg_scale),
            negative_prompts=cell.negative_prompt or "",
        )

    def parameters(self) -> dict[str, Any]:
        """Return the input as values of the notebook's parameters; raises ExplorationError like `Sweep`."""
        sweep = self.sweep()
        rest = {"title": sweep.title, "purpose": sweep.purpose, "via": self.via, "concurrency": self.concurrency}
        return sweep.axes() | rest | {"max_cost_usd": self.max_cost_usd}

    def yaml(self) -> str:
        """Write the parameters for `papermill -f`, one per line; each value is JSON, a subset of YAML."""
        values = self.parameters().items()
        return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values) + "\n"

    def command(self, target: str = "local") -> str:
        """Return the equivalent shell command."""
        words = ["couch", "run", NOTEBOOK, *([] if target == "local" else ["--target", target])]
        for name, value in self.parameters().items():
            words += ["-p", name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        return shlex.join(words)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n[ \t]*\n", text) if part.strip()]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _value_line(name: str, text: str) -> str:
    return name if name == text else f"{name}{NAMED}{text}"


def _parse_values(text: str) -> dict[str, str]:
    """Parse a variable's values; of duplicates, the last one counts."""
    values = {}
    for line in text.split("\n"):
        # The whitespace of a text is significant.
        name, named, value = line.partition(NAMED)
        if not named and line.rstrip().endswith(NAMED.rstrip()):
            name, named = line.rstrip().removesuffix(NAMED.rstrip()), NAMED
        if name := name.strip():
            values[name] = value if named else name
    return values


def _scale_text(scale: float | None) -> str:
    return "default" if scale is None else f"{scale:g}"


def _parse_scale(text: str) -> float | None:
    if text.lower() == "default":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise ExplorationError(
            f"The cfg scale {shown(text)} is no number: give numbers like 7.5, or default."
        ) from error


def parse_seeds(text: str) -> list[int]:
    """Parse seeds as typed: "7, 21" or "1-8"; raises ExplorationError for anything else."""
    seeds: list[int] = []
    for item in _items(text):
        if (found := _SEED_RANGE.fullmatch(item)) is not None:
            low, high = int(found[1]), int(found[2])
            if high - low >= MAX_CELLS:
                raise ExplorationError(
                    f"The seeds {item} are {high - low + 1:,}, and a sweep has at most {MAX_CELLS:,} cells."
                )
            seeds += range(low, high + 1)
        elif item.isdecimal():
            seeds.append(int(item))
        else:
            raise ExplorationError(
                f"The seed {shown(item)} is no whole number: give seeds like 7, 21 or 1-8, or “4 random”."
            )
    return seeds


def drawn_seeds(text: str) -> str:
    """Replace "4 random" by that many random seeds that every model accepts; return any other text unchanged.

    They are drawn once and then stay in the form, so that a run can be repeated.
    """
    wanted = _RANDOM.fullmatch(text)
    if wanted is None or not 1 <= int(wanted[1]) <= MAX_CELLS:
        return text
    low, high = COMMON_SEED_RANGE
    return ", ".join(map(str, sorted(random.sample(range(low, high + 1), int(wanted[1])))))
