"""The API's OpenAPI document, as SAM makes it of the template: requests made up from it meet the function with its real core."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
import requests
from hypothesis import given
from jsonschema import Draft4Validator
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from couch_explorers.core import jobs
from couch_explorers.core.bodies import trimmed
from couch_explorers.core.errors import GenerationError
from couch_explorers.core.image_models import DEFAULT_SIZE, MODELS
from couch_explorers.core.model_families import with_plain_x
from tests import handlers, openapi, sam_template

DOCUMENT = sam_template.api_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
# The dialect of API Gateway's models:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
JOB = Draft4Validator(SCHEMAS["Job"])


class Gateway(BaseAdapter):
    """Hands HTTP requests to the function as API Gateway does, and its answers back."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def send(self, request, **_):
        body = request.body.encode() if isinstance(request.body, str) else request.body
        event = {
            # Bytes that are no text come as replacement characters, where the API has no binary media types.
            "body": None if body is None else body.decode(errors="replace"),
            "isBase64Encoded": False,
            "headers": dict(request.headers),
            "requestContext": {"requestId": "6f0c2f4e-2a0e-4b7d-9a55-0d6f3f1f8f11"},
        }
        context = handlers.context("couch-explorers-42-generate-image", memory_mb=1024)
        answer = self.module.lambda_handler(event, context)
        response = requests.Response()
        response.request, response.url = request, request.url
        response.status_code, response.reason = answer["statusCode"], ""
        response.headers.update(answer["headers"])
        response.raw = HTTPResponse(
            io.BytesIO(answer["body"].encode()), headers=answer["headers"], preload_content=False
        )
        return response

    def close(self):
        """Hold no connection."""


@pytest.fixture(scope="module")
def gateway(backed):
    session = requests.Session()
    session.mount("http://", Gateway(backed.module))
    return SimpleNamespace(session=session, backed=backed)


@given(openapi.requests_of(DOCUMENT))
def test_any_request_is_a_paid_picture_or_a_refusal_as_documented(gateway, case):
    gateway.backed.clear()

    status, answer = openapi.send(case, "http://api", gateway.session)

    gateway.backed.check(status, answer)
    if case.media_type == "application/json":
        check_acceptance(case.body, status)


def check_acceptance(body, status):
    """What is painted keeps to the document, but for ways of writing; a plain job that keeps to it is painted."""
    if status == 200:
        assert JOB.is_valid(tidied(body))
    elif JOB.is_valid(body) and body.keys() <= {"prompt", "id", "seed"}:
        # A minimal length counts what cannot be seen, too.
        assert trimmed(body["prompt"]) == ""


def tidied(body):
    """A job as the document has it: null is the same as nothing, and a size may be written as people do."""
    given = {name: value for name, value in body.items() if value is not None}
    return given | ({"size": with_plain_x(given["size"])} if "size" in given else {})


def test_document_has_the_fields_and_the_widest_limits_of_all_models():
    models = MODELS.values()
    job = SCHEMAS["Job"]["properties"]
    longest = max(model.prompt_limit for model in models)
    strengths = [model.cfg_scale_range for model in models if model.cfg_scale_range]

    assert tuple(job) == jobs.FIELDS
    for text in (SCHEMAS["Prompt"], job["prompt"], job["negative_prompt"]):
        assert (text["minLength"], text["maxLength"]) == (1, longest)
    assert job["id"]["pattern"] == f"^{jobs.ID_PATTERN.pattern}$"
    for schema in (job["seed"], SCHEMAS["Picture"]["properties"]["seed"]):
        assert schema["minimum"] == min(model.seed_range[0] for model in models)
        assert schema["maximum"] == max(model.seed_range[1] for model in models)
    assert job["cfg_scale"]["minimum"] == min(low for low, _ in strengths)
    assert job["cfg_scale"]["maximum"] == max(high for _, high in strengths)
    assert f"By default {DEFAULT_SIZE}." in job["size"]["description"]


def test_document_lists_every_status_that_the_function_and_the_gateway_answer():
    from_function = {kind.status for kind in kinds(GenerationError)} | {200, 500}
    # THROTTLED, REQUEST_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_API_KEY and INTEGRATION_TIMEOUT of the template.
    from_gateway = {429, 413, 415, 403, 504}

    found = DOCUMENT["paths"]["/generate-image"]["post"]["responses"]

    assert {int(status) for status in found} == from_function | from_gateway


def kinds(kind):
    for below in kind.__subclasses__():
        yield below
        yield from kinds(below)
