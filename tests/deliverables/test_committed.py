"""What is committed is what the command prints, before any deploy or as a deployed copy has filled it in, and its links work."""

import json
import re
from dataclasses import replace

import pytest

from couch_explorers.deliverables import render
from couch_explorers.deliverables.model import NOTHING_DEPLOYED
from couch_explorers.deliverables.render import LANGUAGES, ORDER, POSTMAN_COLLECTION, anchor, in_language, markdown
from couch_explorers.paths import PROJECT_ROOT

PAGES = [words for words in map(in_language, LANGUAGES) if (PROJECT_ROOT / words.page).exists()]
every_page = pytest.mark.parametrize("words", PAGES, ids=lambda words: words.page)


def committed(words):
    return render.read_between((PROJECT_ROOT / words.page).read_text(encoding="utf-8"), words.page)


def deployed_beginning(words):
    """How a list of what is deployed on AWS begins, up to the region."""
    return words.say("introduction", replace(NOTHING_DEPLOYED, target="aws", region="«")).partition("«")[0]


def joined(text):
    return " ".join(text.split())


def test_the_readme_is_one_of_the_pages():
    assert "README.md" in [words.page for words in PAGES]


@every_page
def test_until_a_copy_is_deployed_the_list_is_what_the_command_prints_then(words):
    """After `couch deliverables --target aws --write` the list is a deployed copy's own, and begins with another sentence."""
    found = committed(words)
    filled_in = re.match(re.escape(deployed_beginning(words)), joined(found))

    assert filled_in or found == markdown(NOTHING_DEPLOYED, words), "write it again: couch deliverables --empty --write"


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

    assert re.search(rf"\n## {words.deliverables}\n\n{render.BEGIN}\n", page)
    assert page.endswith(f"\n{render.END}\n")


def test_the_collections_endpoint_is_the_one_in_the_list_or_empty():
    collection = json.loads((PROJECT_ROOT / POSTMAN_COLLECTION).read_text(encoding="utf-8"))
    [endpoint] = [variable["value"] for variable in collection["variable"] if variable["key"] == "endpoint"]
    english = next(words for words in PAGES if words.language == "en")
    listed = re.search(re.escape(english.labels["endpoint"]) + ": <([^>]+)>", joined(committed(english)))

    assert endpoint == (listed[1] if listed else "")


def headings(page):
    """The headings of a page of Markdown, without the comments in its blocks of code."""
    text = re.sub(r"^ *```.*?^ *```$", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#{1,6} +(.+?) *$", text, flags=re.MULTILINE)


def test_a_comment_in_code_is_no_heading():
    assert headings("# One\n\n```sh\n# no heading\n```\n\n## Two\n") == ["One", "Two"]


@every_page
def test_the_headings_that_the_list_knows_are_on_the_page_once(words):
    known = [*words.tasks.values(), words.tags, words.deliverables]

    found = headings((PROJECT_ROOT / words.page).read_text(encoding="utf-8"))
    assert {heading: found.count(heading) for heading in known} == dict.fromkeys(known, 1)


@every_page
def test_every_link_of_the_list_leads_to_one_heading_of_the_page(words):
    links = re.findall(r"\]\((#[^)]+)\)", committed(words))
    anchors = [anchor(heading) for heading in headings((PROJECT_ROOT / words.page).read_text(encoding="utf-8"))]

    assert len(links) >= len(words.tasks)
    assert {link: anchors.count(link) for link in links} == dict.fromkeys(links, 1)
