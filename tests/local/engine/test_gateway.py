"""Throttling, the proxy format and gateway responses of REST APIs, without a server."""

import json

import pytest

from couch_explorers.local.engine import gateway
from couch_explorers.local.engine.gateway import GatewayError, Request, StageThrottle, TokenBucket
from tests.waiting import Clock

THROTTLED = GatewayError("THROTTLED", 429, "TooManyRequestsException", "Too Many Requests")
FAILED = GatewayError("INTEGRATION_FAILURE", 500, "InternalServerErrorException", "Internal server error")


@pytest.fixture
def clock():
    return Clock()


def request(**fields):
    values = {"context": {"requestId": "id-1"}, "stage_variables": {}, "headers": {}, "query": {}, "path": {}}
    return Request(**(values | fields))


def taken(bucket, attempts):
    return sum(bucket.take() for _ in range(attempts))


def test_bucket_gives_its_burst_and_then_its_rate(clock):
    bucket = TokenBucket(rate=5, burst=3, clock=clock)

    at_once = taken(bucket, 10)
    clock.now += 0.4
    later = taken(bucket, 10)
    clock.now += 3600
    rested = taken(bucket, 10)

    assert (at_once, later, rested) == (3, 2, 3)


def test_rate_of_zero_lets_nothing_through(clock):
    assert taken(TokenBucket(rate=0, burst=0, clock=clock), 5) == 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (10_000, 5_000)),
        ({"*/*": {"throttlingRateLimit": 5.0, "throttlingBurstLimit": 3}}, (5, 3)),
        ({"*/*": {"metricsEnabled": True}}, (10_000, 5_000)),
        ({"*/*": {"throttlingRateLimit": 5.0}, "~1pictures~1{id}/GET": {"throttlingRateLimit": 2.0}}, (2, 5_000)),
        ({"pictures/{id}/GET": {"throttlingBurstLimit": 0}}, (10_000, 0)),
        ({"~1pictures~1{id}/POST": {"throttlingRateLimit": 2.0}}, (10_000, 5_000)),
    ],
)
def test_limits_are_the_methods_own_or_the_stages_or_the_accounts(settings, expected):
    assert gateway.limits(settings, "/pictures/{id}/GET") == expected


def test_methods_and_stages_have_buckets_of_their_own(clock):
    throttle = StageThrottle(clock)
    settings = {"*/*": {"throttlingRateLimit": 1, "throttlingBurstLimit": 1}}

    answers = [
        throttle.allows("api", stage, method, settings)
        for stage, method in [("prod", "/GET"), ("prod", "/GET"), ("prod", "/POST"), ("dev", "/GET")]
    ]

    assert answers == [True, False, True, True]


def test_changed_limits_count_at_once(clock):
    throttle = StageThrottle(clock)
    settings = {"*/*": {"throttlingRateLimit": 1, "throttlingBurstLimit": 1}}
    before = [throttle.allows("api", "prod", "/GET", settings) for _ in range(2)]

    after = [throttle.allows("api", "prod", "/GET", {"*/*": {"throttlingBurstLimit": 2}}) for _ in range(3)]

    assert (before, after) == ([True, False], [True, True, False])


def test_unconfigured_error_has_awss_body():
    status, headers, body = gateway.gateway_response(THROTTLED, request(), {})

    assert (status, body) == (429, '{"message":"Too Many Requests"}')
    assert headers == {"Content-Type": "application/json", "x-amzn-ErrorType": "TooManyRequestsException"}


@pytest.mark.parametrize(("error", "expected"), [(THROTTLED, 429), (FAILED, 500)])
def test_default_of_the_family_stands_in(error, expected):
    template = '{"error":"$context.error.responseType","detail":$context.error.messageString,"id":"$context.requestId"}'
    configured = {
        "DEFAULT_4XX": {"responseTemplates": {"application/json": template}},
        "DEFAULT_5XX": {"responseTemplates": {"application/json": template}},
    }

    status, _, body = gateway.gateway_response(error, request(), configured)

    assert status == expected
    assert json.loads(body) == {"error": error.kind, "detail": error.message, "id": "id-1"}


def test_own_response_counts_before_the_familys():
    configured = {
        "THROTTLED": {"statusCode": "503", "responseTemplates": {"application/json": "{}"}},
        "DEFAULT_4XX": {"statusCode": "418", "responseTemplates": {"application/json": "[]"}},
    }

    assert gateway.gateway_response(THROTTLED, request(), configured)[::2] == (503, "{}")


def test_template_is_chosen_by_the_accept_header():
    configured = {"THROTTLED": {"responseTemplates": {"application/json": "{}", "text/plain": "slow down"}}}
    asked = request(headers={"accept": "text/html, text/plain;q=0.5, */*"})

    _, headers, body = gateway.gateway_response(THROTTLED, asked, configured)

    assert (headers["Content-Type"], body) == ("text/plain", "slow down")


def test_headers_take_texts_and_values_of_the_request():
    parameters = {
        "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
        "gatewayresponse.header.X-Origin": "method.request.header.Origin",
        "gatewayresponse.header.X-Stage": "stageVariables.colour",
        "gatewayresponse.header.X-Source": "context.identity.sourceIp",
        "gatewayresponse.header.X-Absent": "method.request.querystring.none",
    }
    asked = request(
        context={"identity": {"sourceIp": "127.0.0.1"}},
        stage_variables={"colour": "green"},
        headers={"origin": "https://example.com"},
    )

    _, headers, _ = gateway.gateway_response(THROTTLED, asked, {"THROTTLED": {"responseParameters": parameters}})

    assert {name: value for name, value in headers.items() if name.startswith(("X-", "Access"))} == {
        "Access-Control-Allow-Origin": "*",
        "X-Origin": "https://example.com",
        "X-Stage": "green",
        "X-Source": "127.0.0.1",
    }


def test_value_of_the_request_is_not_read_as_a_template():
    configured = {"THROTTLED": {"responseTemplates": {"application/json": '"$context.path"'}}}

    _, _, body = gateway.gateway_response(THROTTLED, request(context={"path": "/$context.requestId"}), configured)

    assert body == '"/$context.requestId"'


@pytest.mark.parametrize(
    ("answer", "sound"),
    [
        ({"statusCode": 200, "body": "x"}, True),
        ({"statusCode": "201"}, True),
        ({"body": None}, True),
        ({}, True),
        (None, False),
        ("text", False),
        ([{"statusCode": 200}], False),
        ({"statusCode": 200, "body": {"a": 1}}, False),
        ({"statusCode": 200, "body": 7}, False),
        ({"statusCode": "ok"}, False),
        ({"statusCode": [200]}, False),
        ({"statusCode": 99}, False),
        ({"statusCode": 600}, False),
    ],
)
def test_proxy_format_is_recognized(answer, sound):
    assert gateway.is_proxy_response(json.dumps(answer).encode()) is sound


@pytest.mark.parametrize("payload", [b"", b"not json", b"\xff"])
def test_payload_that_is_no_json_is_no_proxy_answer(payload):
    assert not gateway.is_proxy_response(payload)
