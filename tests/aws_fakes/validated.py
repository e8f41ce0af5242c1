"""Clients whose calls end in a fake, between botocore's models: those check each parameter, answer and error.

A fake is an object with a method for each operation, named and called as the client's is. It returns what the operation
returns, or raises a RefusalError or a ClientError for an error of the service, or one of botocore's exceptions for a connection
that failed. It may also yield the pages of its answer: a call gives the first of them, a paginator of `checked` all.

`client` makes a whole client of boto3, with its retries, paginators and events. `checked` puts the same checks around a fake and
nothing else: it is for the many tests of what a client's answers mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from inspect import isgeneratorfunction
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.paginate import Paginator
from botocore.validate import ParamValidator

# Errors that the services document outside of their models, with their statuses.
# S3: API reference, "Error responses"; a HEAD has no body, so its code is the status (HeadObject).
# SQS: API reference, "Common Errors", and "Making Query API requests" for the throttle and internal errors.
# The others: "Common Errors" of each API reference; CloudWatch, IAM, SNS, STS and CloudFormation have the Query protocol's codes.
_QUERY_ERRORS = {
    "ExpiredToken": 403,
    "InternalFailure": 500,
    "InvalidClientTokenId": 403,
    "OptInRequired": 403,
    "ServiceUnavailable": 503,
    "Throttling": 400,
    "ValidationError": 400,
}
_JSON_ERRORS = {
    "InternalFailure": 500,
    "ThrottlingException": 400,
    "ValidationException": 400,
}
_REST_ERRORS = {"ExpiredTokenException": 403, "ThrottlingException": 429}
COMMON_ERRORS = {
    "s3": {
        "404": 404,
        "ConditionalRequestConflict": 409,
        "InternalError": 500,
        "PreconditionFailed": 412,
        "ServiceUnavailable": 503,
        "SlowDown": 503,
    },
    "sqs": {
        # The code of the Query protocol, which SQS keeps for old clients: "AWS JSON protocol", in its developer guide.
        "AWS.SimpleQueueService.NonExistentQueue": 400,
        "InternalError": 500,
        "InvalidParameterValue": 400,
        "ServiceUnavailable": 503,
    },
    "apigateway": _REST_ERRORS,
    "bedrock": _REST_ERRORS,
    "bedrock-runtime": {},
    "cloudformation": _QUERY_ERRORS,
    "cloudwatch": _QUERY_ERRORS,
    "iam": _QUERY_ERRORS,
    "lambda": _REST_ERRORS,
    "logs": _JSON_ERRORS,
    "sns": _QUERY_ERRORS,
    "sts": _QUERY_ERRORS,
}


class RefusalError(Exception):
    """An error that a service answers, with its code and HTTP status."""

    def __init__(self, code: str, status: int | None, message: str = "") -> None:
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
    check_answer(model, answer)
    return _response(200, dict(answer or {}))


def _response(status: int, parsed: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return SimpleNamespace(status_code=status), {**parsed, "ResponseMetadata": {"HTTPStatusCode": status}}


def check_answer(model: Any, answer: dict[str, Any] | None) -> None:
    """Raise ModelMismatchError for an answer that the operation does not give; the response's metadata is nobody's."""
    given = {name: value for name, value in (answer or {}).items() if name != "ResponseMetadata"}
    if model.output_shape is None:
        if given:
            raise ModelMismatchError(f"{model.name} answers nothing, the fake {given!r}.")
    elif errors := ParamValidator().validate(given, model.output_shape).generate_report():
        raise ModelMismatchError(f"{model.name} does not answer this: {errors}")


def check_parameters(model: Any, parameters: dict[str, Any]) -> None:
    """Raise ModelMismatchError for parameters that the operation does not take."""
    if model.input_shape is None:
        errors = f"takes no parameters, not {parameters}" if parameters else ""
    else:
        errors = ParamValidator().validate(parameters, model.input_shape).generate_report()
    if errors:
        raise ModelMismatchError(f"{model.name} does not take this: {errors}")


def checked(service: str, fake: Any) -> Any:
    """Put botocore's checks of parameters, answers and errors around a fake's operations; all else is the fake's own."""
    return _Checked(service, fake)


class _Checked:
    def __init__(self, service: str, fake: Any) -> None:
        vars(self).update(_service=service, _fake=fake)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._fake, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fake, name)
        model = operations(self._service).get(name)
        return found if model is None else partial(_call, model, found)

    def get_paginator(self, name: str) -> Any:
        operation, model = getattr(self._fake, name), operations(self._service)[name]
        if isgeneratorfunction(operation):
            return SimpleNamespace(paginate=partial(_pages, model, operation))
        tokens = _SESSION.get_paginator_model(self._service).get_paginator(model.name)
        return Paginator(partial(_call, model, operation), tokens, model)


def _call(model: Any, operation: Any, /, **parameters: Any) -> Any:
    return next(_pages(model, operation, **parameters), {})


def _pages(model: Any, operation: Any, /, **parameters: Any) -> Iterator[Any]:
    check_parameters(model, parameters)
    try:
        answer = operation(**parameters)
        for page in answer if isinstance(answer, Iterator) else [answer]:
            check_answer(model, page)
            yield page or {}
    except RefusalError as error:
        _check_error(model, error)
        raise refusal(error.code, error.status, error.message, model.name) from error
    except ClientError as error:
        check_error(model, error)
        raise


@cache
def operations(service: str) -> dict[str, Any]:
    """Give the models of a service's operations by the names of a client's methods."""
    model = _SESSION.get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


_SESSION = botocore.session.get_session()


def check_error(model: Any, error: ClientError) -> None:
    """Raise ModelMismatchError for an error that the service does not answer, or not with this status, where it says one."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    _check_error(model, RefusalError(error.response["Error"]["Code"], status))


def refusal(code: str, status: int | None = None, message: str = "", operation: str = "Operation") -> ClientError:
    """Make the error that botocore raises where a service refuses; without a status it says none."""
    metadata = {"ResponseMetadata": {"HTTPStatusCode": status}} if status else {}
    return ClientError({"Error": {"Code": code, "Message": message}, **metadata}, operation)


def _check_error(model: Any, refusal: RefusalError) -> None:
    statuses = _statuses(model)
    # What IAM denies has one code or the other, and either status, depending on the service's protocol.
    if refusal.code in ("AccessDenied", "AccessDeniedException") and refusal.status in (None, 400, 403):
        return
    if refusal.code not in statuses or refusal.status not in (None, statuses[refusal.code]):
        raise ModelMismatchError(
            f"{model.name} does not answer {refusal.code} with {refusal.status}; it has {statuses}."
        )


def _statuses(model: Any) -> dict[str, int]:
    """Give the HTTP status of each error of an operation by its code."""
    service = model.service_model.service_name
    shapes = _SESSION.get_service_data(service)["shapes"]
    statuses = dict(COMMON_ERRORS.get(service, {}))
    for shape in model.error_shapes:
        error = shape.metadata.get("error", {})
        # Where the model states no status: https://smithy.io/2.0/spec/http-bindings.html#httperror-trait
        usual = 500 if shapes[shape.name].get("fault") else 400
        statuses[error.get("code", shape.name)] = error.get("httpStatusCode", usual)
    return statuses
