"""Requests that schemathesis makes up from the API's OpenAPI document, and the checks that each answer has to pass."""

from __future__ import annotations

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# An answer's status, content type and body are as the document says, and none is a failure of the server.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
TIMEOUT_S = 40


def requests_of(document):
    """Make up requests: such as keep to the document, and such as break it in every way that schemathesis knows."""
    operation = schemathesis.openapi.from_dict(document)["/generate-image"]["POST"]
    good, bad = (operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)
    return good | bad


def send(case, base_url, session):
    """Send a request and check the answer against the document; give its status and body."""
    answer = case.call_and_validate(base_url=base_url, session=session, checks=CHECKS, timeout=TIMEOUT_S)
    return answer.status_code, answer.json()
