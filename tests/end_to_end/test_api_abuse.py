"""Requests made up from the API's own export, as many as the stage's throttle lets through: none costs anything that is not a picture."""

import json
import time
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import Phase, given, seed, settings

from tests import openapi

SECONDS = 60


@pytest.fixture
def document(workspace, deployer):
    """The OpenAPI document as `aws apigateway get-export` writes it into a file."""
    gateway = deployer.client("apigateway")
    apis = {api["name"]: api["id"] for api in gateway.get_rest_apis()["items"]}
    exported = gateway.get_export(
        restApiId=apis[f"couch-explorers-{workspace.candidate}-api"], stageName="prod", exportType="oas30"
    )
    return json.load(exported["body"])


def test_made_up_requests_are_answered_as_documented_and_bad_ones_cost_nothing(
    document, workspace, keys, local_cloud, faults
):
    faults("latency=0")
    before, billed = set(keys()), local_cloud.stats.images
    base_url = workspace.api_url.removesuffix("/generate-image")
    session, ends, answers = requests.Session(), time.monotonic() + SECONDS, []

    @seed(18)
    @settings(max_examples=2000, deadline=None, database=None, phases=[Phase.generate])
    @given(openapi.requests_of(document))
    def ask(case):
        if time.monotonic() < ends:
            answers.append(openapi.send(case, base_url, session))

    ask()

    pictures = [answer["key"] for status, answer in answers if status == 200]
    statuses = {status for status, _ in answers}
    # The stage lets five a second through; how many come within the time is the machine's speed.
    assert len([status for status, _ in answers if status != 429]) > SECONDS / 2
    assert {200, 400} <= statuses <= {200, 400, 409, 413, 415, 429}
    assert set(keys()) - before == set(pictures)
    assert local_cloud.stats.images - billed == len(set(pictures))


def test_the_export_is_the_document_of_the_template(document, workspace):
    post = document["paths"]["/generate-image"]["post"]
    [server] = document["servers"]

    assert post["requestBody"]["content"].keys() == {"application/json", "text/plain"}
    assert {"200", "400", "409", "413", "429", "502", "504"} <= post["responses"].keys()
    assert document["components"]["schemas"].keys() >= {"Job", "Prompt", "Picture", "Problem"}
    assert urlsplit(server["url"]).hostname.endswith(".execute-api.eu-west-1.amazonaws.com")
    assert server["variables"]["basePath"]["default"] == "prod"
