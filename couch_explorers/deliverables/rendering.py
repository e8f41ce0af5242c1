"""The list as Markdown for people, wrapped so that it reads well on a terminal too, and as plain values for programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from couch_explorers.deliverables.rows import Row, tasks
from couch_explorers.deliverables.words import anchor
from couch_explorers.oncall.wording import wrapped

if TYPE_CHECKING:
    from couch_explorers.deliverables.facts import Facts
    from couch_explorers.deliverables.words import Words

# Stands in for a blank that no line may be broken at.
UNBREAKABLE = "\0"


def markdown(facts: Facts, words: Words) -> str:
    """Write the list: one sentence on where it comes from, then a list of tasks, each with the list of its deliverables."""
    lines = [*_lines(introduction(facts, words)), ""]
    for task in tasks(facts, words):
        lines += _lines(f"[{task.heading}]({anchor(task.heading)})", "- ")
        for row in task.rows:
            lines += _row_lines(row)
    return "\n".join(lines) + "\n"


def introduction(facts: Facts, words: Words) -> str:
    """Say what the list was read from."""
    if facts.target is None:
        return words.before_any_deploy
    text = words.on_aws if facts.target == "aws" else words.on_local
    said = text.format(candidate=facts.candidate, region=facts.region, day=facts.read_on)
    if facts.target == "aws" and facts.endpoint:
        said += words.through.format(endpoint=facts.endpoint)
    return said


def as_json(facts: Facts, words: Words) -> dict[str, Any]:
    """Give the list as plain values; of an empty row `empty` says why."""
    return {
        "target": facts.target,
        "candidate": facts.candidate,
        "region": facts.region,
        "language": words.language,
        "tasks": [
            {"task": task.number, "heading": task.heading, "deliverables": [_json(row) for row in task.rows]}
            for task in tasks(facts, words)
        ],
    }


def _json(row: Row) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "text"}


def _row_lines(row: Row) -> list[str]:
    lines = _lines(f"{row.label}: {row.text}", "  - ")
    if row.command:
        # Right under the text: an empty line would set the whole list apart.
        lines += [f"    {line}" for line in ("```sh", *row.command.splitlines(), "```")]
    return lines


def _lines(text: str, first: str = "") -> list[str]:
    """Wrap a text of Markdown; code and links stay in one piece, so that they can be copied."""
    kept = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", lambda match: match[0].replace(" ", UNBREAKABLE), text)
    return [line.replace(UNBREAKABLE, " ") for line in wrapped(kept, first)]
