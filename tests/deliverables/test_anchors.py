"""What the list links to on its own page is there, once."""

import re

import pytest

from couch_explorers.deliverables import writing
from couch_explorers.deliverables.words import anchor, every_language
from couch_explorers.paths import PROJECT_ROOT

every_page = pytest.mark.parametrize("words", every_language(), ids=lambda words: words.page)


def headings(page):
    """The headings of a page of Markdown, without the comments in its blocks of code."""
    text = re.sub(r"^ *```.*?^ *```$", "", page, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#{1,6} +(.+?) *$", text, flags=re.MULTILINE)


def read(words):
    return (PROJECT_ROOT / words.page).read_text(encoding="utf-8")


def test_a_comment_in_code_is_no_heading():
    assert headings("# One\n\n```sh\n# no heading\n```\n\n## Two\n") == ["One", "Two"]


@every_page
def test_the_headings_that_the_list_knows_are_on_the_page_once(words):
    known = [*words.tasks.values(), words.tags, words.deliverables]

    found = headings(read(words))
    assert {heading: found.count(heading) for heading in known} == dict.fromkeys(known, 1)


@every_page
def test_every_link_of_the_list_leads_to_one_heading_of_the_page(words):
    links = re.findall(r"\]\((#[^)]+)\)", writing.read_between(read(words), words.page))
    anchors = [anchor(heading) for heading in headings(read(words))]

    assert len(links) >= len(words.tasks)
    assert {link: anchors.count(link) for link in links} == dict.fromkeys(links, 1)
