"""Put the list where it belongs: between two marks in each page, and the API's address into the Postman collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from couch_explorers.deliverables.errors import DeliverablesError
from couch_explorers.deliverables.facts import Missing
from couch_explorers.deliverables.rendering import markdown
from couch_explorers.deliverables.rows import POSTMAN_COLLECTION
from couch_explorers.deliverables.words import every_language
from couch_explorers.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from couch_explorers.deliverables.facts import Facts

BEGIN, END = "<!-- deliverables -->", "<!-- /deliverables -->"
ENDPOINT = "endpoint"


def write(facts: Facts, folder: Path) -> tuple[list[str], list[str]]:
    """Write the list into the pages of a project's folder and the endpoint into its Postman collection.

    Returns the files that changed and those that stayed as they were. A page in another language than English may be
    missing. Raises DeliverablesError, before anything is written, where a file cannot take it.
    """
    made = {
        words.page: between_marks(_read(folder, words.page), markdown(facts, words), words.page)
        for words in every_language()
        if words.language == "en" or (folder / words.page).exists()
    }
    address = "" if isinstance(facts.api_url, Missing) else facts.api_url
    made[POSTMAN_COLLECTION] = with_endpoint(_read(folder, POSTMAN_COLLECTION), address)

    changed = [name for name, text in made.items() if text != _read(folder, name)]
    for name in changed:
        write_whole(folder / name, made[name])
    return changed, [name for name in made if name not in changed]


def between_marks(page: str, content: str, name: str) -> str:
    """Put a content in place of what stands between the marks of a page; raises DeliverablesError where they are not as they should be."""
    lines = page.split("\n")
    begin, end = _marks(lines, name)
    return "\n".join([*lines[: begin + 1], *content.splitlines(), *lines[end:]])


def read_between(page: str, name: str) -> str:
    """Read what stands between the marks of a page; raises DeliverablesError where they are not as they should be."""
    lines = page.split("\n")
    begin, end = _marks(lines, name)
    return "".join(f"{line}\n" for line in lines[begin + 1 : end])


def with_endpoint(collection: str, address: str) -> str:
    """Set the variable `endpoint` of a Postman collection; everything else stays as it is."""
    try:
        value = json.loads(collection)
        [variable] = [variable for variable in value["variable"] if variable["key"] == ENDPOINT]
    except (ValueError, KeyError, TypeError) as error:
        raise DeliverablesError(
            f"{POSTMAN_COLLECTION} is no Postman collection with one variable {ENDPOINT!r}: take it from git again, "
            f"with `git checkout {POSTMAN_COLLECTION}`."
        ) from error
    variable["value"] = address
    return as_text(value)


def as_text(collection: dict[str, Any]) -> str:
    """Write a Postman collection as it stands in git: in its own order, indented by two."""
    return json.dumps(collection, indent=2, ensure_ascii=False) + "\n"


def _marks(lines: list[str], name: str) -> tuple[int, int]:
    """Where the marks stand. Only as lines of their own: a sentence may speak of them."""
    for mark in (BEGIN, END):
        if (count := lines.count(mark)) != 1:
            raise DeliverablesError(
                f"{name} has {count or 'no'} line{'s' if count > 1 else ''} `{mark}`: put `{BEGIN}` and `{END}` where the list "
                "belongs, each once, on a line of its own."
            )
    begin, end = lines.index(BEGIN), lines.index(END)
    if begin > end:
        raise DeliverablesError(f"{name} has `{END}` before `{BEGIN}`: turn them round.")
    return begin, end


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeliverablesError(f"{name} could not be read ({error}): take it from git again.") from error
