import re
import string

import pytest

from couch_explorers.deliverables.facts import Reason
from couch_explorers.deliverables.rows import ORDER
from couch_explorers.deliverables.words import anchor, every_language, in_language

languages = pytest.mark.parametrize("words", every_language(), ids=lambda words: words.language)


def braces(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_english_and_norwegian_are_known():
    assert [words.page for words in (in_language("en"), in_language("nb"))] == ["README.md", "docs/besvarelse.md"]


@languages
def test_every_reason_has_its_sentence(words):
    assert set(words.reasons) == set(Reason)
    assert all(re.fullmatch(r".+\.", sentence) for sentence in words.reasons.values())


@languages
def test_every_row_has_its_label_and_every_task_its_heading(words):
    assert set(words.labels) == {name for names in ORDER.values() for name in names}
    assert set(words.tasks) == set(ORDER) == {1, 2, 3, 4, 5}


def test_every_language_fills_in_the_same_facts():
    english, norwegian = in_language("en"), in_language("nb")

    for reason in Reason:
        assert braces(english.reasons[reason]) == braces(norwegian.reasons[reason]), reason
    for name in ("on_local", "on_aws", "through", "run", "postman", "alarm", "tells", "alarm_code"):
        assert braces(getattr(english, name)) == braces(getattr(norwegian, name)), name
    assert english.operators.keys() == norwegian.operators.keys()


@languages
def test_no_word_of_a_text_begins_a_list_when_it_comes_first_on_a_line(words):
    texts = [*words.reasons.values(), *words.labels.values(), words.before_any_deploy, words.on_local, words.on_aws,
             words.through, words.postman, words.alarm, words.tells, words.pending, words.tells_nobody]  # fmt: skip

    assert not [text for text in texts if re.search(r"(^|\s)([-+*#>]+|\d+[.)])(\s|$)", text)]


# Headings of this README and the fragments by which GitHub links to them.
@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Which tag for whom", "#which-tag-for-whom"),
        ("Task 5: Serverless or containers", "#task-5-serverless-or-containers"),
        ("Oppgave 2: Kø med Terraform", "#oppgave-2-kø-med-terraform"),
        ("An alarm, from end to end", "#an-alarm-from-end-to-end"),
        ("`couch up` & co_workers, re-run", "#couch-up--co_workers-re-run"),
    ],
)
def test_a_heading_is_linked_to_as_github_does(heading, expected):
    assert anchor(heading) == expected
