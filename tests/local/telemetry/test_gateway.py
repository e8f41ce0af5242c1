"""Each request to a stage of a REST API is measured once, by whichever address it came.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

import asyncio
import json

import pytest

from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import gateway

NAME = "couch-explorers-42-api"
BY_NAME, BY_STAGE = {"ApiName": NAME}, {"ApiName": NAME, "Stage": "prod"}
FUNCTION = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/generate-image/invocations"


@pytest.fixture
def answers():
    """What the function behind the API answers, in turn."""
    return []


@pytest.fixture
def app(monkeypatch, noted, clock, answers):
    from ministack import app  # noqa: PLC0415 - only these tests need it
    from ministack.core.responses import AccountRegionScopedDict, request_scope  # noqa: PLC0415 - likewise
    from ministack.services import apigateway_v1  # noqa: PLC0415 - likewise

    for name in ("_handle_execute_api_request", "_enforce_execute_api"):
        monkeypatch.setattr(app, name, getattr(app, name))
    for name in ("_rest_apis", "_resources", "_stages_v1", "_deployments_v1"):
        monkeypatch.setattr(apigateway_v1, name, AccountRegionScopedDict())

    async def function(*_, **__):
        answer = answers.pop(0)
        clock.passes(2)
        if isinstance(answer, Exception):
            raise answer
        return {"body": answer}, None

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", function)
    gateway.mend(noted, clock)
    with request_scope(ACCOUNT_ID, REGION):
        yield app


@pytest.fixture
def api(app):
    """A deployed API with POST /generate-image on the stage prod; its id."""
    from ministack.services import apigateway_v1  # noqa: PLC0415 - only these tests need it

    def call(method, path, **data):
        answered = asyncio.run(apigateway_v1.handle_request(method, path, {}, json.dumps(data).encode(), {}))
        assert answered[0] < 300, answered
        return json.loads(answered[2] or b"{}")

    made = call("POST", "/restapis", name=NAME)["id"]
    root = call("GET", f"/restapis/{made}/resources")["item"][0]["id"]
    resource = call("POST", f"/restapis/{made}/resources/{root}", pathPart="generate-image")["id"]
    method = f"/restapis/{made}/resources/{resource}/methods/POST"
    call("PUT", method, authorizationType="NONE")
    call("PUT", f"{method}/integration", type="AWS_PROXY", httpMethod="POST", uri=FUNCTION)
    call("POST", f"/restapis/{made}/deployments", stageName="prod")
    return made


@pytest.fixture
def ask(app, api):
    """Send a request as MiniStack's application would hand it on; its status."""

    def asked(path="/prod/generate-image", *, host=None, method="POST"):
        host, path = (host, path) if host else ("127.0.0.1:4566", f"/_aws/execute-api/{api}{path}")
        answer = asyncio.run(
            app._handle_execute_api_request(host, path, method, {"host": host}, b"{}", {}, raw_path=path)
        )
        return answer and answer[0]

    return asked


def ok(status=200):
    return {"statusCode": status, "body": "{}"}


def test_a_request_counts_once_by_api_and_once_by_stage(ask, answers, noted, clock):
    answers.append(ok())
    received_s = clock.now_s

    assert ask() == 200

    for dimensions in (BY_NAME, BY_STAGE):
        assert noted.values("Count", **dimensions) == [1]
        assert noted.values("4XXError", **dimensions) == [0]
        assert noted.values("5XXError", **dimensions) == [0]
        assert len(noted.values("Latency", **dimensions)) == 1
        assert len(noted.values("IntegrationLatency", **dimensions)) == 1
    assert len(noted.samples) == 10
    assert {each.time_s for each in noted.samples} == {received_s}
    assert {each.unit for each in noted.samples if "Latency" in each.metric} == {"Milliseconds"}


def test_the_address_by_host_counts_as_the_address_by_path_does(ask, api, answers, noted):
    answers += [ok(), ok()]

    ask()
    ask("/prod/generate-image", host=f"{api}.execute-api.localhost:4566")

    assert noted.values("Count", **BY_STAGE) == [1, 1]


def test_the_average_of_the_errors_is_their_rate(ask, answers, noted):
    answers += [ok(), ok(400), ok(502), ok(409)]

    for _ in range(4):
        ask()

    assert noted.values("4XXError", **BY_NAME) == [0, 1, 0, 1]
    assert noted.values("5XXError", **BY_NAME) == [0, 0, 1, 0]


def test_what_the_gateway_refuses_by_itself_counts_and_has_no_integration_latency(ask, noted):
    # "API Gateway counts modified gateway response status codes as 4XXError errors."
    assert ask("/prod/nowhere") == 403

    assert noted.values("4XXError", **BY_STAGE) == [1]
    assert len(noted.values("Latency", **BY_STAGE)) == 1
    assert noted.values("IntegrationLatency", **BY_STAGE) == []


def test_an_integration_that_breaks_is_a_server_error(ask, answers, noted):
    answers.append(RuntimeError("no such function"))

    assert ask() == 500

    assert noted.values("5XXError", **BY_STAGE) == [1]


def test_a_stage_that_does_not_exist_counts_for_nobody(ask, noted):
    ask("/test/generate-image")

    assert noted.samples == []


def test_a_request_to_another_service_is_none_of_an_api(app, noted):
    answer = asyncio.run(app._handle_execute_api_request("127.0.0.1:4566", "/bucket/key", "GET", {}, b"", {}))

    assert answer is None
    assert noted.samples == []


def test_measuring_that_fails_breaks_no_request(ask, answers, noted, monkeypatch, caplog):
    def fails(*_):
        raise OSError("no room")

    monkeypatch.setattr(noted, "record", fails)
    answers.append(ok())

    assert ask() == 200
    assert "could not be measured" in caplog.text


def test_a_latency_is_in_whole_milliseconds_and_holds_the_integrations():
    samples = gateway.request(NAME, "prod", 200, time_s=0, latency_s=1.6394, integration_s=1.6291)

    assert {each.metric: each.total for each in samples if "Latency" in each.metric} == {
        "Latency": 1639,
        "IntegrationLatency": 1629,
    }


def test_a_name_loses_what_is_not_ascii_and_becomes_the_id_where_nothing_is_left():
    assert gateway.api_name("café-api", "abc123") == "caf-api"
    assert gateway.api_name("沙发", "abc123") == "abc123"
