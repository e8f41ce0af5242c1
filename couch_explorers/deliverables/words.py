"""What a language must say so that the list can be written in it, and which page is written in which language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.deliverables.facts import Reason


@dataclass(frozen=True)
class Words:
    """A page of the hand-in and its language.

    `page` is the file's path in the project; `tasks`, `tags` and `deliverables` are headings on that page, which the list
    links to; `labels` has one entry a row. Braces in a text are filled in.
    """

    language: str
    page: str
    # Headings.
    tasks: Mapping[int, str]
    tags: str
    deliverables: str
    # Rows.
    labels: Mapping[str, str]
    empty: str
    reasons: Mapping[Reason, str]
    # Above the list.
    before_any_deploy: str
    on_local: str
    on_aws: str
    through: str
    # Values.
    run: str
    postman: str
    alarm: str
    operators: Mapping[str, str]
    tells: str
    pending: str
    tells_nobody: str
    alarm_code: str


def anchor(heading: str) -> str:
    """The fragment by which GitHub links to a heading: lower case, a hyphen for each space, no other punctuation."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return "#" + kept.replace(" ", "-")


def in_language(language: str) -> Words:
    """The words of a language: "en" or "nb"."""
    return next(words for words in every_language() if words.language == language)


def every_language() -> tuple[Words, ...]:
    """The words of every language that the hand-in has a page in."""
    from couch_explorers.deliverables import english, norwegian  # noqa: PLC0415 - they are made of this module's class

    return english.WORDS, norwegian.WORDS
