"""Clients of boto3 whose calls end in a fake, between botocore's models: those check each parameter, answer and error.

A fake is an object with a method for each operation, named and called as the client's is. It returns what the operation
returns, or raises a RefusalError for an error of the service, or one of botocore's exceptions for a connection that failed.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.validate import ParamValidator

# Errors that the services document outside of their models, with their statuses.
# S3: API reference, "Error responses"; a HEAD has no body, so its code is the status (HeadObject).
# SQS: API reference, "Common Errors", and "Making Query API requests" for the throttle.
COMMON_ERRORS = {
    "s3": {
        "404": 404,
        "AccessDenied": 403,
        "ConditionalRequestConflict": 409,
        "InternalError": 500,
        "PreconditionFailed": 412,
        "ServiceUnavailable": 503,
        "SlowDown": 503,
    },
    "sqs": {"AccessDeniedException": 400, "InvalidParameterValue": 400, "ServiceUnavailable": 503},
    "bedrock-runtime": {},
}


class RefusalError(Exception):
    """An error that a service answers, with its code and HTTP status."""

    def __init__(self, code: str, status: int, message: str = "") -> None:
        super().__init__(code)
        self.code, self.status, self.message = code, status, message


class ModelMismatchError(AssertionError):
    """A fake answered what the service's model does not have."""


def client(service: str, fake: Any, region: str = "eu-west-1") -> Any:
    """Make a client of boto3 whose calls the fake answers; nothing leaves the process."""
    session = boto3.session.Session("000000000000", "fake", region_name=region)
    made = session.client(service, config=Config(retries={"total_max_attempts": 1}))
    # As botocore's Stubber hooks in: "before-call" comes once the parameters are checked, and its answer ends the call.
    made.meta.events.register_last("before-parameter-build.*.*", _keep_parameters)
    made.meta.events.register_last("before-call.*.*", lambda model, context, **_: _answer(fake, model, context))
    return made


def _keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["couch_parameters"] = dict(params)


def _answer(fake: Any, model: Any, context: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    parameters = context["couch_parameters"]
    try:
        answer = getattr(fake, xform_name(model.name))(**parameters)
    except RefusalError as refusal:
        _check_error(model, refusal)
        error = {"Code": refusal.code, "Message": refusal.message}
        return _response(refusal.status, {"Error": error})
    if model.output_shape is None:
        if answer:
            raise ModelMismatchError(f"{model.name} answers nothing, the fake {answer!r}.")
    elif errors := ParamValidator().validate(answer, model.output_shape).generate_report():
        raise ModelMismatchError(f"{model.name} does not answer this: {errors}")
    return _response(200, dict(answer or {}))


def _response(status: int, parsed: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return SimpleNamespace(status_code=status), {**parsed, "ResponseMetadata": {"HTTPStatusCode": status}}


def _check_error(model: Any, refusal: RefusalError) -> None:
    statuses = dict(COMMON_ERRORS[model.service_model.service_name])
    for shape in model.error_shapes:
        error = shape.metadata.get("error", {})
        statuses[error.get("code", shape.name)] = error.get("httpStatusCode", 400)
    if statuses.get(refusal.code) != refusal.status:
        raise ModelMismatchError(
            f"{model.name} does not answer {refusal.code} with {refusal.status}; it has {statuses}."
        )
