from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies

from couch_explorers.core import errors
from couch_explorers.core.errors import GenerationError, StorageError, shown
from tests import hostile

CLASSES = {
    "InvalidJobError": ("InvalidRequest", 400, False),
    "UnknownModelError": ("UnknownModel", 400, False),
    "BodyTooLargeError": ("TooLarge", 413, False),
    "BlockedError": ("ContentFiltered", 400, False),
    "ConflictError": ("Conflict", 409, False),
    "RetiredModelError": ("ModelRetired", 502, False),
    "AccessDeniedError": ("AccessDenied", 502, False),
    "SubscriptionPendingError": ("SubscriptionPending", 502, True),
    "PaymentMethodError": ("PaymentMethod", 502, False),
    "ModelAnswerError": ("ModelAnswer", 502, False),
    "ThrottledError": ("Throttled", 429, True),
    "ModelUnavailableError": ("ModelUnavailable", 502, True),
    "ModelTimeoutError": ("ModelTimeout", 504, True),
}


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_carries_its_reason_its_sentence_and_whether_it_passes(name):
    error = getattr(errors, name)("It rains.")

    assert isinstance(error, GenerationError)
    assert (error.reason, error.status, error.passing) == CLASSES[name]
    assert (error.detail, str(error)) == ("It rains.", "It rains.")


@pytest.mark.parametrize("passing", [True, False])
def test_whether_a_storage_error_passes_is_stated_where_it_is_raised(passing):
    error = StorageError("S3 is tired.", passing=passing)

    assert (error.reason, error.status, error.passing) == ("Storage", 502, passing)
    assert (error.detail, str(error)) == ("S3 is tired.", "S3 is tired.")


def test_every_kind_of_error_is_told_apart_by_its_reason():
    # The handlers add kinds of their own; these are the core's.
    core = [kind for kind in GenerationError.__subclasses__() if kind.__module__ == GenerationError.__module__]
    reasons = [kind.reason for kind in core]

    assert len(reasons) == len(set(reasons)) == len(CLASSES) + 1


def test_reasons_are_those_of_every_failure_and_of_the_one_nobody_foresaw():
    assert {errors.BlockedError.reason, errors.StorageError.reason, "Unexpected"} <= errors.reasons()
    assert GenerationError.reason not in errors.reasons()


def test_client_reasons_are_answered_with_4xx_and_a_throttle_is_none_of_them():
    assert errors.client_reasons() == {"InvalidRequest", "UnknownModel", "TooLarge", "ContentFiltered", "Conflict"}


def test_a_long_value_is_shown_within_one_line():
    text = shown("\U0001f6cb\n" * 1000)

    assert len(text) == 80
    assert text.startswith('"\U0001f6cb\\n\U0001f6cb')
    assert text.endswith("…")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1024\u00d71024", '"1024\u00d71024"'),
        ("s\u00f8k", '"s\u00f8k"'),
        ("\u6771\u4eac\u306e\u591c", '"\u6771\u4eac\u306e\u591c"'),
        # A family is four emoji and three joiners.
        ("\U0001f469\u200d\U0001f467", '"\U0001f469\u200d\U0001f467"'),
        # What cannot be seen must not pass for what can.
        ("a\u202eb\x7f\u00a0\ufeff", '"a\\u202eb\\u007f\\u00a0\\ufeff"'),
        ("half a pair \ud800", '"half a pair \\ud800"'),
        ({"s\u00f8k": ["\u00e5"]}, '{"s\u00f8k": ["\u00e5"]}'),
        # What JSON does not have, as Python writes it.
        ({1.5: complex(1, 2)}, '{"1.5": "(1+2j)"}'),
    ],
)
def test_characters_are_shown_as_themselves_where_they_can_be_seen(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # With its two quotes as long as the limit.
        ("12345678", '"12345678"'),
        ("123456789", '"12345678…'),
        # A joiner is not left without what it would join.
        ("1234567\u200d9abc", '"1234567…'),
        ("1234567 9abc", '"1234567 …'),
        ("12345\n789", '"12345\\n7…'),
        ("1234567\n9", '"1234567…'),
    ],
)
def test_shown_text_takes_what_fits_into_the_limit(value, text):
    assert shown(value, limit=10) == text


ANY_TEXT = strategies.text(strategies.characters(codec=None, categories=None))


@given(ANY_TEXT)
def test_shown_text_has_no_escape_for_a_printable_character(text):
    found = shown(text, limit=10_000)

    assert json.loads(found) == text
    assert all(character in found for character in text if character.isprintable() and character not in '"\\')


@given(ANY_TEXT, strategies.integers(min_value=5, max_value=60))
def test_shown_text_is_cut_between_characters_and_can_be_written(text, limit):
    found = shown(text, limit)

    assert len(found) <= limit
    found.encode()
    if found.endswith("…") and len(shown(text, 10_000)) > limit:
        # Whole escapes only: with the quote that was cut off it is JSON again.
        assert text.startswith(json.loads(f'{found[:-1]}"').rstrip("\u200c\u200d"))


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_nothing_is_hidden_in_what_an_error_shows(text):
    assert hostile.unprintable(shown(text)) == set()
