from __future__ import annotations

import pytest

from couch_explorers.core import errors
from couch_explorers.core.errors import GenerationError, StorageError, shown

CLASSES = {
    "InvalidJobError": ("InvalidRequest", 400, False),
    "UnknownModelError": ("UnknownModel", 400, False),
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
def test_whether_a_storage_error_passes_is_said_where_it_is_raised(passing):
    error = StorageError("S3 is tired.", passing=passing)

    assert (error.reason, error.status, error.passing) == ("Storage", 502, passing)


def test_every_kind_of_error_is_told_apart_by_its_reason():
    # The handlers add kinds of their own; these are the core's.
    core = [kind for kind in GenerationError.__subclasses__() if kind.__module__ == GenerationError.__module__]
    reasons = [kind.reason for kind in core]

    assert len(reasons) == len(set(reasons)) == len(CLASSES) + 1


def test_a_long_value_is_shown_within_one_line_and_in_plain_characters():
    text = shown("🛋\n" * 1000)

    assert len(text) == 80
    assert text.startswith('"\\ud83d\\udecb\\n')
    assert text.endswith("…")
