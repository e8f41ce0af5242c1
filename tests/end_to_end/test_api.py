"""What callers of the API meet: every answer is JSON with the same three fields, or a picture."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest


def post(url, body, content_type="application/json", method="POST"):
    data = body.encode() if isinstance(body, str) else body
    request = Request(url, data=data, headers={"Content-Type": content_type}, method=method)
    try:
        with urlopen(request, timeout=40) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_a_plain_text_prompt_gives_a_picture(workspace):
    status, answer = post(workspace.api_url, "A café in Paris, polaroid", "text/plain")

    assert status == 200
    assert answer["uri"] == f"s3://{workspace.bucket}/{answer['key']}"
    assert {"bucket", "key", "uri", "model", "seed", "milliseconds"} <= answer.keys()
    assert isinstance(answer["milliseconds"], int)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("   ", 400),
        ("{}", 400),
        ('{"prompt": ""}', 400),
        ('{"prompt": 7}', 400),
        ('{"prompt": "a broken', 400),
        (json.dumps({"prompt": "x" * 10_001}), 400),
        ('{"prompt": "a fjord", "id": "../42"}', 400),
        ('{"prompt": "a fjord", "model": "no.such-model"}', 400),
        ('{"prompt": "a fjord", "seed": "seven"}', 400),
        (json.dumps({"prompt": "a" * 70_000}), 413),
        ("a" * 1024 * 1024, 413),
    ],
)
def test_a_bad_request_is_answered_in_json_and_stores_nothing(workspace, keys, body, status):
    before = keys()

    answered, answer = post(workspace.api_url, body)

    assert answered == status, answer
    assert answer.keys() == {"error", "detail", "request_id"}
    assert all(isinstance(value, str) and value for value in answer.values())
    assert "Traceback" not in json.dumps(answer)
    assert keys() == before


def test_the_same_id_for_another_request_is_a_conflict(workspace):
    first, _ = post(workspace.api_url, '{"prompt": "a fjord", "id": "conflict", "seed": 1}')
    again, _ = post(workspace.api_url, '{"prompt": "a fjord", "id": "conflict", "seed": 1}')
    other, answer = post(workspace.api_url, '{"prompt": "a lion", "id": "conflict", "seed": 1}')

    assert (first, again, other) == (200, 200, 409)
    assert answer["error"] == "Conflict"


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("throttle=1", 429, "Throttled"),
        ("error=1", 502, "ModelUnavailable"),
        ("filter=1", 400, "ContentFiltered"),
        ("retired=stability.stable-image-core-v1:1", 502, "ModelRetired"),
    ],
)
def test_what_the_model_refuses_is_reported_in_the_apis_own_words(workspace, faults, fault, status, error):
    faults(fault)

    answered, answer = post(workspace.api_url, "A fjord", "text/plain")

    assert (answered, answer["error"]) == (status, error)


def test_a_model_that_takes_too_long_is_a_gateway_timeout(workspace, faults):
    faults("latency=25")

    answered, answer = post(workspace.api_url, "A fjord", "text/plain")

    assert (answered, answer["error"]) == (504, "ModelTimeout")


def test_a_retired_model_is_reported_with_one_that_works(workspace, faults):
    retired = "amazon.titan-image-generator-v2:0"
    faults(f"retired={retired}")

    _, answer = post(workspace.api_url, json.dumps({"prompt": "A fjord", "model": retired}))

    assert retired in answer["detail"]
    assert "stability.stable-image-core-v1:1" in answer["detail"]


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/elsewhere")])
def test_the_gateways_own_errors_have_the_same_shape(workspace, method, suffix):
    status, answer = post(workspace.api_url + suffix, "A fjord" if method == "POST" else None, "text/plain", method)

    assert status in (403, 404, 405)
    assert answer.keys() == {"error", "detail", "request_id"}


def test_more_requests_than_the_stage_allows_are_throttled_in_json(workspace, faults):
    faults("latency=0")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(workspace.api_url, "{}"), range(48)))

    throttled = [answer for status, answer in answers if status == 429]
    assert throttled
    assert all(answer.keys() == {"error", "detail", "request_id"} for answer in throttled)


def test_a_burst_of_hostile_requests_costs_nothing(workspace, keys, local_cloud):
    before, billed = keys(), local_cloud.stats.images
    bad = [
        '{"prompt": 7}',
        "{",
        "[1]",
        "prompt=x",
        '{"prompt": "x", "id": "../1"}',
        "\u202e\u200b",
        "\x1b",
        "x" * 70_000,
    ]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: post(workspace.api_url, bad[number % len(bad)]), range(64)))

    assert {status for status, _ in answers} <= {400, 413, 429}
    assert all(answer.keys() == {"error", "detail", "request_id"} for _, answer in answers)
    assert (keys(), local_cloud.stats.images) == (before, billed)
