"""Requests that cannot be read, or lack what they must have: told in AWS's words, where LocalEmu answers 500 with Python's.

What every service checks before it looks at anything: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEAMS = {
    "localemu.aws.app:LocalemuAwsGateway.__init__": "5f74a78d1e56",
    "localemu.aws.handlers.service:ServiceExceptionSerializer.create_exception_response": "2e4d9754121a",
    "localemu.aws.protocol.parser:OperationNotFoundParserError": "e59d7a1d8b4e",
    "localemu.aws.protocol.parser:ProtocolParserError": "7917462e2e8a",
    "localemu.services.s3.utils:decode_continuation_token": "0f57ba5462b2",
}

# What a Python value is called when it should have been another, in the sentences of AWS's JSON protocol.
JSON_TYPES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", list: "START_ARRAY"}
NOT_AN_INTEGER = re.compile(r"'.*' cannot be parsed to integer", re.DOTALL)
LISTINGS = ("ListObjects", "ListObjectsV2", "ListObjectVersions")
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html: "returns up to 1,000 key names".
MOST_KEYS = 1000
LARGEST_MAX_KEYS = 2_147_483_647


def apply() -> None:
    """Check each request once it is read, and name what could not be read."""
    from localemu.aws import handlers  # noqa: PLC0415
    from localemu.aws.app import LocalemuAwsGateway  # noqa: PLC0415
    from localemu.aws.handlers.service import ServiceExceptionSerializer  # noqa: PLC0415

    original = LocalemuAwsGateway.__init__

    @wraps(original)
    def initialize(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        # After the rights: nobody learns of a request's mistakes who may not send it.
        self.request_handlers.insert(
            self.request_handlers.index(handlers.serve_custom_service_request_handlers), check_request
        )

    LocalemuAwsGateway.__init__ = initialize
    ServiceExceptionSerializer.create_exception_response = _named(ServiceExceptionSerializer.create_exception_response)


def check_request(_chain: Any, context: Any, _response: Any) -> None:
    """Raise the service's error for what a request lacks, has of another type, or has out of range."""
    if not context.service or not context.operation:
        return
    check = CHECKS.get(context.service.service_name)
    if check is not None:
        check(context, context.service_request or {})


def _error(code: str, message: str, status: int = 400) -> Exception:
    from localemu.aws.api import CommonServiceException  # noqa: PLC0415

    error: Exception = CommonServiceException(code, message, status, sender_fault=True)
    return error


def _sqs(context: Any, request: Mapping[str, Any]) -> None:
    from localemu.services.sqs.exceptions import MissingRequiredParameterException  # noqa: PLC0415

    shape = context.operation.input_shape
    for name in shape.required_members if shape else ():
        # Over the Query protocol the address of the request names the queue.
        if request.get(name) is None and not (name == "QueueUrl" and context.request.path != "/"):
            raise MissingRequiredParameterException(f"The request must contain the parameter {name}.")
    for name, value in request.items():
        member = shape.members.get(name)
        if member is not None and member.type_name == "string" and value is not None and not isinstance(value, str):
            found = JSON_TYPES.get(type(value), "START_OBJECT")
            raise _error("SerializationException", f"{found} can not be converted to a String")
    source = request.get("SourceArn")
    if source is not None and source.count(":") < 5:  # noqa: PLR2004 - the colons of an ARN
        from localemu.services.sqs.exceptions import InvalidParameterValueException  # noqa: PLC0415

        raise InvalidParameterValueException(
            "You must use this format to specify the SourceArn: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )


def _sns(context: Any, request: Mapping[str, Any]) -> None:
    if context.operation.name == "Publish" and not any(
        name in request for name in ("TopicArn", "TargetArn", "PhoneNumber")
    ):
        raise _error(
            "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
        )
    subject = request.get("Subject")
    if subject is not None and (len(subject) > LONGEST_SUBJECT or not subject.isprintable()):
        raise _error("InvalidParameter", "Invalid parameter: Subject")


# "Less than 100 characters long", and "no line breaks or control characters"; one of 100 is still taken:
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
LONGEST_SUBJECT = 100


def _s3(context: Any, request: Any) -> None:
    if context.operation.name not in LISTINGS:
        return
    most = request.get("MaxKeys")
    if most is not None and not 0 <= most <= LARGEST_MAX_KEYS:
        raise _error("InvalidArgument", f"Argument maxKeys must be an integer between 0 and {LARGEST_MAX_KEYS}")
    if most is not None and most > MOST_KEYS:
        request["MaxKeys"] = MOST_KEYS
    if token := request.get("ContinuationToken"):
        from localemu.services.s3.utils import decode_continuation_token  # noqa: PLC0415

        try:
            decode_continuation_token(token)
        except ValueError:
            raise _error("InvalidArgument", "The continuation token provided is incorrect") from None


CHECKS: dict[str, Callable[[Any, Any], None]] = {"s3": _s3, "sns": _sns, "sqs": _sqs}


def _named(create: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(create)
    def create_exception_response(self: Any, exception: Exception, context: Any) -> Any:
        unreadable = _unreadable(exception, context)
        if unreadable is None or context.operation is not None:
            return create(self, unreadable or exception, context)
        # Errors are written by an operation's protocol, and all operations of a service share one.
        context.operation = context.service.operation_model(context.service.operation_names[0])
        try:
            return create(self, unreadable, context)
        finally:
            context.operation = None

    return create_exception_response


def _unreadable(exception: Exception, context: Any) -> Exception | None:
    """The error of AWS for a request that LocalEmu's parser gave up on; None for any other error."""
    from localemu.aws.protocol.parser import OperationNotFoundParserError, ProtocolParserError  # noqa: PLC0415

    if not isinstance(exception, ProtocolParserError):
        return None
    protocol = str(context.protocol or context.service.protocol)
    if isinstance(exception, OperationNotFoundParserError):
        if protocol in {"query", "ec2"}:
            action = context.request.values.get("Action", "")
            version = context.request.values.get("Version", "")
            return _error("InvalidAction", f"Could not find operation {action} for version {version}")
        return None if protocol == "rest-xml" else _error("UnknownOperationException", "")
    if protocol == "rest-xml":
        return _error(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    if protocol in {"query", "ec2"}:
        return _error("MalformedInput", "")
    converted = NOT_AN_INTEGER.search(str(exception))
    return _error("SerializationException", "STRING_VALUE can not be converted to an Integer" if converted else "")
