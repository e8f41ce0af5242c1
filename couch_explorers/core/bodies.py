"""Classify the body of a request or message before it is parsed: a prompt, a job in JSON, or something that must not be painted."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import InvalidJobError, shown, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

TWO_FORMS = 'send the bare prompt, or {"prompt": "…"}'

# Categories without a glyph: control characters, format characters, lone surrogates, separators.
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}
# Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt) outside of these categories: fillers, variation selectors,
# and what is reserved; and the empty Braille cell and the empty note head, which are drawn as blanks.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U0001d159\U000e0000-\U000e0fff]"
)

# `curl -F prompt="A castle"`: a boundary, then the header of the first part (RFC 7578).
_MULTIPART = re.compile(r"--[^\r\n]{1,72}\r?\ncontent-disposition:\s*form-data", re.IGNORECASE)
# `curl -d prompt="A castle"`.
_FORM = re.compile(r"prompt=", re.IGNORECASE)
# The beginning of a list of objects that is cut off or has a slip in it.
_BEGINS_LIKE_A_LIST = re.compile(r'\[\s*\{\s*"')

# The services' names of themselves in the records of an event.
_SOURCES = {"aws:s3": "S3", "aws:sqs": "SQS", "aws:sns": "SNS"}
# The fields by which an event is known: S3's test event, EventBridge, an alarm, a request to an API, CloudEvents.
_EVENTS = (
    ("S3", {"Service", "Event", "Bucket"}),
    ("EventBridge", {"detail-type", "detail"}),
    ("CloudWatch (an alarm)", {"AlarmName", "NewStateValue"}),
    ("API Gateway", {"requestContext", "httpMethod"}),
    ("API Gateway", {"requestContext", "rawPath"}),
    ("CloudEvents", {"specversion", "type", "source"}),
)


def is_visible(character: str) -> bool:
    """Whether a character has a glyph: no blank, control or format character, filler or variation selector."""
    return unicodedata.category(character) not in _INVISIBLE_CATEGORIES and not _IGNORABLE.match(character)


def trimmed(text: str) -> str:
    """A text from its first visible character on, without the blanks after it; empty where nothing can be seen.

    A byte order mark, which Windows tools put before a file's first character, goes as well. At the end only blanks go: an
    emoji may end in a variation selector.
    """
    start = next((place for place, character in enumerate(text) if is_visible(character)), len(text))
    return text[start:].rstrip()


def refuse_what_is_no_prompt(text: str) -> None:
    """Raise InvalidJobError for a text that is a form, or JSON other than an object: it was meant to be read, not painted."""
    if _MULTIPART.match(text):
        raise InvalidJobError(f"The body is a multipart form, not a job: {TWO_FORMS}.")
    if _FORM.match(text):
        raise InvalidJobError(f"The body is a form, not a job: {TWO_FORMS}.")
    if _BEGINS_LIKE_A_LIST.match(text):
        raise InvalidJobError(f"The body is a list in JSON, but a job is one object: {TWO_FORMS} for each.")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_int=str)
    except (ValueError, RecursionError):
        return
    if isinstance(value, list):
        raise InvalidJobError(f"The body is a list in JSON, but a job is one object: {TWO_FORMS} for each.")
    raise InvalidJobError(
        f"The body {shown(text)} is JSON, but no job: {TWO_FORMS}. To paint just these characters: {example_job(text)}."
    )


def refuse_envelope(fields: Mapping[str, Any]) -> None:
    """Raise InvalidJobError, which names the service, for an event or for the envelope that a service puts around a message."""
    if "prompt" in fields:
        return
    if fields.get("Type") in ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"):
        raise InvalidJobError(
            f"The body is the envelope of SNS around a message (Type {fields['Type']}), not a job: "
            "set RawMessageDelivery to true on the topic's subscription, or send the message itself."
        )
    if (service := _event_of(fields)) is not None:
        raise InvalidJobError(f"The body is an event of {service}, not a job: {TWO_FORMS}.")


def _event_of(fields: Mapping[str, Any]) -> str | None:
    """The service that sent an event; None for fields that are no known event."""
    records = fields.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], dict):
        source = records[0].get("eventSource") or records[0].get("EventSource")
        return _SOURCES.get(source, "AWS") if isinstance(source, str) else "AWS"
    return next((service for service, names in _EVENTS if names <= fields.keys()), None)


def example_job(text: str, longest: int = 40) -> str:
    """Write a job whose prompt is a text, cut to so many characters, as an example in an error message.

    Invisible characters are escaped: the text comes from outside, and the message is read in a terminal.
    """
    prompt = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return visible(json.dumps({"prompt": prompt}, ensure_ascii=False))


def _no_constant(_name: str) -> None:
    """NaN and the infinities are words, not JSON."""
    raise ValueError
