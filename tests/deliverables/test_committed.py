"""What is committed is what the command prints: before any deploy, or as a deployed copy has filled it in."""

import json
import re

import pytest

from couch_explorers.deliverables import writing
from couch_explorers.deliverables.facts import NOTHING_DEPLOYED
from couch_explorers.deliverables.rendering import markdown
from couch_explorers.deliverables.rows import ORDER, POSTMAN_COLLECTION
from couch_explorers.deliverables.words import every_language
from couch_explorers.paths import PROJECT_ROOT

PAGES = [words for words in every_language() if (PROJECT_ROOT / words.page).exists()]
every_page = pytest.mark.parametrize("words", PAGES, ids=lambda words: words.page)


def committed(words):
    return writing.read_between((PROJECT_ROOT / words.page).read_text(encoding="utf-8"), words.page)


def joined(text):
    return " ".join(text.split())


def test_the_readme_is_one_of_the_pages():
    assert "README.md" in [words.page for words in PAGES]


@every_page
def test_until_a_copy_is_deployed_the_list_is_what_the_command_prints_then(words):
    """After `couch deliverables --target aws --write` the list is a deployed copy's own, and begins with another sentence."""
    found = committed(words)
    filled_in = re.match(re.escape(words.on_aws.partition("{")[0]), joined(found))

    assert filled_in or found == markdown(NOTHING_DEPLOYED, words), "write it anew: couch deliverables --empty --write"


@every_page
def test_filled_in_or_not_the_list_has_every_row_in_the_exams_order(words):
    expected = [
        part
        for number, names in ORDER.items()
        for part in (f"- [{words.tasks[number]}](", *(f"- {words.labels[name]}: " for name in names))
    ]
    found = joined(committed(words))

    assert [part for part in expected if part not in found] == []
    assert expected == sorted(expected, key=found.index)


@every_page
def test_the_list_stands_under_its_heading_at_the_end_of_the_page(words):
    page = (PROJECT_ROOT / words.page).read_text(encoding="utf-8")

    assert re.search(rf"\n## {words.deliverables}\n\n{writing.BEGIN}\n", page)
    assert page.endswith(f"\n{writing.END}\n")


def test_the_collections_endpoint_is_the_one_in_the_list_or_empty():
    collection = json.loads((PROJECT_ROOT / POSTMAN_COLLECTION).read_text(encoding="utf-8"))
    [endpoint] = [variable["value"] for variable in collection["variable"] if variable["key"] == "endpoint"]
    english = next(words for words in PAGES if words.language == "en")
    listed = re.search(re.escape(english.labels["endpoint"]) + ": <([^>]+)>", joined(committed(english)))

    assert endpoint == (listed[1] if listed else "")
