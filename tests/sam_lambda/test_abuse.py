"""What nobody who means well would send: the API answers it in its own words, stores nothing and pays nothing."""

from __future__ import annotations

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers.core.bodies import trimmed
from tests import handlers, hostile

FIELDS = ("prompt", "id", "model", "seed", "size", "cfg_scale", "negative_prompt")
MODELS = [arn.rsplit("/", 1)[1] for arn in handlers.ENVIRONMENT["MODEL_ARNS"].split(",")]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([*hostile.TEXTS.values(), *MODELS, "1024x1024", "1024 \u00d7 1024", "0x0", "A fjord", "a/b", ""])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
names = st.sampled_from([*FIELDS, "Prompt", "promt", "__proto__", "Records", "Type", "requestContext", "httpMethod"])
# Near a job: most get past the first checks.
jobs_or_nearly = st.dictionaries(names, values, max_size=7) | st.fixed_dictionaries(
    {"prompt": st.sampled_from([*hostile.TEXTS.values(), "A fjord"]) | st.text(min_size=1)},
    optional={
        "id": st.text(string.ascii_letters + string.digits + "_-./", min_size=1, max_size=70),
        "model": st.sampled_from([*MODELS, "no.such-model"]) | scalars,
        "seed": st.integers(-2, 2**33) | scalars,
        "size": st.sampled_from(["1024x1024", "512x512", "7x7", "99999x1"]) | scalars,
        "cfg_scale": st.floats(0, 20) | scalars,
        "negative_prompt": scalars,
    },
)
texts = (
    st.text()
    | st.sampled_from(list(hostile.TEXTS.values()))
    | jobs_or_nearly.map(json.dumps)
    | jobs_or_nearly.map(lambda fields: json.dumps(fields, ensure_ascii=False))
    # Cut off, doubled, or with something before it.
    | st.builds(lambda fields, at: json.dumps(fields)[:at], jobs_or_nearly, st.integers(0, 60))
    | st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(1, 900))
    | st.integers(1, 2000).map(lambda depth: '{"prompt":' * depth)
    | st.integers(1, 2000).map("[".__mul__)
)
bodies = (
    st.none().map(lambda body: (body, False))
    | texts.map(lambda text: (text, False))
    | st.binary().map(lambda raw: (base64.b64encode(raw).decode(), True))
    | st.text().map(lambda text: (text, True))
)
content_types = st.none() | st.sampled_from(
    [
        "application/json", "text/plain", "text/plain; charset=utf-16", "application/x-www-form-urlencoded", "text/html",
        "multipart/form-data; boundary=x", "application/vnd.couch+json", "image/png", "; ;", "APPLICATION/JSON",
    ]
)  # fmt: skip


def post(backed, body, is_base64, content_type):
    backed.clear()
    event = {
        "body": body,
        "isBase64Encoded": is_base64,
        "headers": None if content_type is None else {"Content-Type": content_type},
        "requestContext": {"requestId": "6f0c2f4e-2a0e-4b7d-9a55-0d6f3f1f8f11"},
    }
    answer = backed.module.lambda_handler(event, handlers.context("couch-explorers-42-generate-image", memory_mb=1024))
    return answer["statusCode"], json.loads(answer["body"])


@given(bodies, content_types)
def test_any_body_is_a_paid_picture_or_a_refusal_that_costs_nothing(backed, body, content_type):
    backed.check(*post(backed, *body, content_type))


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
@pytest.mark.parametrize("field", [None, "prompt", "negative_prompt", "id", "model", "size", "promt"])
def test_a_hostile_text_is_painted_as_it_is_or_refused(backed, text, field):
    body = text if field is None else json.dumps({"prompt": "A fjord"} | {field: text})

    status, answer = post(backed, body, is_base64=False, content_type=None)

    backed.check(status, answer)
    if status == 200:
        sent = backed.models.requests[0]
        assert trimmed(text) in (sent["prompt"], sent.get("negative_prompt"))
    else:
        assert status == 400


@pytest.mark.parametrize("sign", ["a", "\u202e", "\x1b", "\U0001f6cb", " "])
def test_a_mebibyte_is_refused_before_it_is_read(backed, sign):
    status, answer = post(
        backed, sign * (1024 * 1024 // len(sign.encode())), is_base64=False, content_type="text/plain"
    )

    backed.check(status, answer)
    assert (status, answer["error"]) == (413, "TooLarge")
