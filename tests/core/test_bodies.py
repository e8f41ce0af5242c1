import json
import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from couch_explorers.core import bodies, jobs
from couch_explorers.core.errors import InvalidJobError, shown
from couch_explorers.core.image_models import MODELS

ARNS = [model.arn for model in MODELS.values()]

# Blanks, control and format characters, fillers, variation selectors: none of them leaves a mark.
INVISIBLE = [
    *" \t\n\r\v\f\u0000\u0007\u001b\u007f\u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180e\u2000\u2003",
    *"\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u202f\u205f\u2060\u2063\u2066\u2069\u2800\u3000\u3164",
    *"\ufe00\ufe0f\ufeff\uffa0\U000e0001\U000e0020\U000e007f\U000e0100\U000e01ef\U0001d159\U0001d173",
]
VISIBLE = [*"aÅ東हि€🛋1.-_'\"(", "\u0301", "\ue000", "\U0001fa88"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
blanks = st.text(st.sampled_from(INVISIBLE), max_size=5)

SNS = {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "A castle"}
EVENTS = {
    "S3": {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "s3": {"object": {"key": "a.png"}}}]},
    "SQS": {"Records": [{"messageId": "1", "body": "A castle", "eventSource": "aws:sqs"}]},
    "EventBridge": {
        "version": "0",
        "id": "1",
        "detail-type": "Order",
        "source": "shop",
        "detail": {"prompt": "A castle"},
    },
    "CloudWatch (an alarm)": {"AlarmName": "age", "NewStateValue": "ALARM", "OldStateValue": "OK"},
    "API Gateway": {"httpMethod": "POST", "requestContext": {}, "body": "A castle"},
    "CloudEvents": {"specversion": "1.0", "type": "order", "source": "shop", "id": "1", "data": {}},
}
OTHERS = {
    "SNS": [{"Records": [{"EventSource": "aws:sns"}]}],
    "S3": [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026", "Bucket": "b"},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
    ],
    "API Gateway": [{"version": "2.0", "rawPath": "/", "requestContext": {}}],
    "AWS": [
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [{}]},
        {"Records": [{"eventSource": 7}]},
        {"Records": [{"eventSource": ["aws:sqs"]}]},
    ],
}


def parse(body):
    return jobs.parse(body, fallback_id="message-1", model_arns=ARNS)


def refusal(body):
    with pytest.raises(InvalidJobError) as caught:
        parse(body)
    assert "\n" not in caught.value.detail
    return caught.value.detail


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda character: f"U+{ord(character):04X}")
def test_a_character_without_a_glyph_is_not_visible(character):
    assert not bodies.is_visible(character)


@pytest.mark.parametrize("character", VISIBLE, ids=lambda character: f"U+{ord(character):04X}")
def test_a_character_with_a_glyph_is_visible(character):
    assert bodies.is_visible(character[0])


@given(text=st.text(st.sampled_from(INVISIBLE)))
def test_a_prompt_that_cannot_be_seen_is_none_in_every_form(text):
    assert bodies.trimmed(text) == ""
    for body in (text, json.dumps({"prompt": text}), json.dumps({"prompt": text}, ensure_ascii=False)):
        assert "prompt" in refusal(body)


@given(before=blanks, prompt=st.text(st.sampled_from(VISIBLE), min_size=1), after=st.text(" \t\n\r\u00a0\u3000"))
def test_a_prompt_is_the_same_with_and_without_what_cannot_be_seen_around_it(before, prompt, after):
    expected = parse(json.dumps({"prompt": prompt})).prompt

    assert parse(json.dumps({"prompt": before + prompt + after})).prompt == expected == prompt


def test_an_emoji_keeps_its_variation_selector():
    assert parse("A heart ❤\ufe0f").prompt == "A heart ❤\ufe0f"
    assert parse("👩\u200d👧 at home ").prompt == "👩\u200d👧 at home"


@given(before=blanks)
def test_a_job_is_read_as_json_after_whatever_cannot_be_seen(before):
    assert parse(before + '{"prompt": "A castle", "seed": 7}').seed == 7


@given(value=json_values, before=blanks)
def test_json_that_is_no_job_is_never_painted(value, before):
    assume(not isinstance(value, dict) or "prompt" not in value)

    refusal(before + json.dumps(value))
    refusal(before + json.dumps(value, ensure_ascii=False, indent=2))


@pytest.mark.parametrize(
    "body", ["null", "true", "false", "7", "-1.5e3", '"A castle"', "[]", '["A castle"]', "[1, 2]", " null\n"]
)
def test_json_that_is_no_object_is_refused_with_the_two_forms(body):
    assert bodies.TWO_FORMS in refusal(body)


@pytest.mark.parametrize(
    ("body", "example"),
    [
        ("null", '{"prompt": "null"}'),
        ('"Ålesund"', '{"prompt": "\\"Ålesund\\""}'),
        (f'"{"x" * 38}"', f'{{"prompt": "\\"{"x" * 38}\\""}}'),
        (f'"{"x" * 39}"', f'{{"prompt": "\\"{"x" * 38}…"}}'),
    ],
)
def test_single_value_is_refused_with_the_job_that_paints_it(body, example):
    assert refusal(body) == (
        f"The body {shown(body)} is JSON, but no job: {bodies.TWO_FORMS}. To paint just these characters: {example}."
    )


@given(value=st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=30))
def test_the_advice_for_a_single_value_paints_its_characters(value):
    body = json.dumps(value, ensure_ascii=False)
    advice = refusal(body).rpartition("To paint just these characters: ")[2].removesuffix(".")

    assert parse(advice).prompt == body or len(body) > 40


@pytest.mark.parametrize(
    "body",
    ["NaN", "Infinity", "-Infinity", "007", "Null", "[cat]", "[cat, dog]", "'null'", "null and void", "[", "]", '"'],
)
def test_words_that_are_no_json_are_prompts(body):
    assert parse(body).prompt == body


@pytest.mark.parametrize(
    "body", ['[{"prompt": "A castle"}', '[ {"prompt": "A castle",}]', '[{"prompt": "A"}] and more']
)
def test_a_list_of_jobs_with_a_slip_is_refused(body):
    assert "a job is one object" in refusal(body)


@pytest.mark.parametrize(
    "body", ["[" * 100_000, "9" * 10_000, '"' + "x" * 100_000 + '"'], ids=["deep", "long number", "long text"]
)
def test_huge_values_are_no_defect(body):
    with pytest.raises(InvalidJobError):
        parse(body)


@pytest.mark.parametrize(
    ("service", "event"),
    [*EVENTS.items(), *((service, event) for service, events in OTHERS.items() for event in events)],
)
def test_event_is_refused_with_its_service(service, event):
    assert refusal(json.dumps(event)) == f"The body is an event of {service}, not a job: {bodies.TWO_FORMS}."


@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_envelope_of_sns_is_refused_with_the_setting_that_takes_it_off(kind):
    assert refusal(json.dumps(SNS | {"Type": kind})) == (
        f"The body is the envelope of SNS around a message (Type {kind}), not a job: set RawMessageDelivery to true on the "
        "topic's subscription, or send the message itself."
    )


@pytest.mark.parametrize("fields", [SNS | {"prompt": "A"}, {"Records": []}, {"Records": ["a"]}, {"Records": "all"}])
def test_fields_that_are_no_envelope_are_unknown_fields(fields):
    assert refusal(json.dumps(fields)).startswith("A job has no field ")


@given(
    fields=st.dictionaries(
        st.sampled_from([*jobs.FIELDS, "Type", "Records", "detail", "detail-type", "Message"]), json_values
    )
)
def test_no_object_is_a_defect(fields):
    try:
        job = parse(json.dumps(fields))
    except (InvalidJobError, jobs.UnknownModelError):
        return
    assert set(fields) <= set(jobs.FIELDS)
    assert bodies.is_visible(job.prompt[0])


def multipart(name="prompt", boundary="------------------------d74496d66958873e", newline="\r\n"):
    part = f'--{boundary}{newline}Content-Disposition: form-data; name="{name}"{newline}{newline}A castle{newline}'
    return f"{part}--{boundary}--{newline}"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("name", ["prompt", "file", "seed"])
def test_a_multipart_form_is_refused(name, newline):
    assert "multipart form" in refusal(multipart(name, newline=newline))


@given(boundary=st.text(st.characters(codec="ascii", categories=["L", "N", "Pd"]), min_size=1, max_size=70))
def test_a_multipart_form_is_refused_whatever_its_boundary(boundary):
    assert "multipart form" in refusal(multipart(boundary=boundary))


@pytest.mark.parametrize("body", ["prompt=A castle", "prompt=A%20castle&seed=7", "Prompt=A+castle", "prompt="])
def test_a_form_is_refused(body):
    assert "form" in refusal(body)


@pytest.mark.parametrize(
    "body", ["-- a castle --", "--style raw castle", "a prompt=castle", "the prompt: castle", "E=mc²", "50% castle"]
)
def test_prompts_that_only_resemble_a_form_are_painted(body):
    assert parse(body).prompt == body


@given(prompt=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200))
def test_a_bare_prompt_is_painted_as_in_json_or_refused(prompt):
    try:
        bare = parse(prompt).prompt
    except InvalidJobError:
        text = bodies.trimmed(prompt)
        is_json = True
        try:
            json.loads(text)
        except ValueError:
            is_json = False
        assert not text or text[0] == "{" or is_json or re.match(r"(?i)prompt=|\[\s*\{", text)
    else:
        assert bare == parse(json.dumps({"prompt": prompt})).prompt
        assert unicodedata.category(bare[0]) not in ("Zs", "Cf")


@given(text=st.text())
def test_a_body_with_its_id_written_in_is_the_same_job(text):
    try:
        before = parse(text)
    except (InvalidJobError, jobs.UnknownModelError):
        return
    after = jobs.parse(jobs.with_id(text, "message-1"), fallback_id="other", model_arns=ARNS)

    assert (after.request, after.id) == (before.request, before.id)
