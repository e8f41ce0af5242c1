"""Patches for every request: the handler chain, errors common to all services, and how responses are written.

- A request that cannot be parsed, or lacks a required parameter, is refused in AWS's words, where LocalEmu answers 500 with those of a
  Python exception: https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and the other services' pages of that name.
- Services that are off and operations that LocalEmu does not implement are refused in the name of the local cloud, where LocalEmu
  refers to its own settings: an error in the service's protocol, with status 501.
- LocalEmu's handlers that have no effect with this system's settings are left out: its own usage metrics, the validation of its own
  URLs, simulated throttling, and two log lines for each request. Only what the engine itself fails at is logged.
- Long lists of numbers and times are serialized at once: a page of metric data has 100,800 of each. LocalEmu looks up the shape of
  every item, which takes seconds; the bytes are the same. https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html and
  https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
- Status lines have reason phrases, which hypercorn leaves empty: botocore before 1.42 takes "HTTP/1.1 100 " for no response, and breaks
  off an upload with `Expect: 100-continue`: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonRequestHeaders.html
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np

from couch_explorers.local.engine import settings
from couch_explorers.local.engine.patches import s3, service_error, sns, sqs, when_gateway_is_created, wrap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SEAMS = {
    "hypercorn.protocol.h11:H11Protocol._send_h11_event": "5e40283daa30",
    "localemu.aws.handlers.logging:ResponseLogger._log": "71ad0e4cd772",
    "localemu.aws.handlers.service:ServiceExceptionSerializer.create_exception_response": "2e4d9754121a",
    "localemu.aws.handlers.service:ServiceRequestRouter.create_not_implemented_response": "436067b461a9",
    "localemu.aws.handlers.service_plugin:ServiceLoader.require_service": "89a34903167f",
    "localemu.aws.protocol.parser:OperationNotFoundParserError": "e59d7a1d8b4e",
    "localemu.aws.protocol.parser:ProtocolParserError": "7917462e2e8a",
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_double": "7e743809a73f",
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_list": "bfa331eda6de",
    "localemu.aws.protocol.serializer:BaseCBORResponseSerializer._serialize_type_timestamp": "37becfb56ab0",
    "localemu.aws.protocol.serializer:JSONResponseSerializer._serialize_type_list": "a281d8044459",
    "localemu.aws.protocol.serializer:JSONResponseSerializer._serialize_type_timestamp": "614376c305b5",
    "localemu.aws.protocol.serializer:ResponseSerializer._get_mime_type": "7cc52e546495",
    "localemu.aws.protocol.serializer:ResponseSerializer._timestamp_unixtimestamp": "adfaaf9eaef9",
    "localemu.aws.skeleton:Skeleton.on_not_implemented_error": "de4cffda9c1e",
}

logger = logging.getLogger("couch.local")

# By LocalEmu's name of the service: raises the service's error for what a request lacks, has of another type, or has out of range.
CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "s3": s3.check_request,
    "sns": sns.check_request,
    "sqs": sqs.check_request,
}
README_SECTION = "README.md, Differences from AWS"
NOT_AN_INTEGER = re.compile(r"'.*' cannot be parsed to integer", re.DOTALL)


def apply() -> None:
    """Change the handler chain, the refusals and the serializers."""
    when_gateway_is_created(_change_handlers)
    _refuse_what_is_not_offered()
    _word_exceptions()
    _remember_mime_types()
    serialize_long_lists_at_once()
    _send_reason_phrases()


# --- handlers ---------------------------------------------------------------------------------------------------------


def _change_handlers(gateway: Any) -> None:
    """Add the checks of requests to a gateway's chains, and leave out the handlers that have no effect here."""
    from localemu.aws import handlers
    from localemu.aws.handlers.metric_handler import MetricHandler
    from localemu.aws.handlers.throttling import ThrottlingHandler
    from localemu.aws.handlers.validation import OpenAPIValidator

    unused = (MetricHandler, OpenAPIValidator, ThrottlingHandler)
    left_out = (handlers.log_response, handlers.serve_localemu_resources)

    def is_used(handler: Any) -> bool:
        owner = getattr(handler, "__self__", handler)
        return not isinstance(owner, unused) and handler not in left_out

    requests, responses = gateway.request_handlers, gateway.response_handlers
    # After the check of permissions: a caller without permission does not learn what is wrong with its request.
    requests.insert(requests.index(handlers.serve_custom_service_request_handlers), check_request)
    requests[:] = filter(is_used, requests)
    responses[:] = filter(is_used, responses)
    responses.append(log_failure)


def check_request(_chain: Any, context: Any, _response: Any) -> None:
    """Raise the service's error for a request that it refuses before it looks at anything."""
    if not context.service or not context.operation:
        return
    check = CHECKS.get(context.service.service_name)
    if check is not None:
        check(context, context.service_request or {})


def log_failure(_: Any, context: Any, response: Any) -> None:
    """Log a request that failed by the engine's fault; callers see their own mistakes in the response."""
    if response.status_code < 500:  # noqa: PLR2004
        return
    error = context.service_exception
    what = f"{context.service.service_name}.{context.operation.name}" if context.operation else context.request.path
    logger.warning("%s failed with %s: %s", what, response.status_code, error)


# --- refusals ---------------------------------------------------------------------------------------------------------


def service_sentence(service: str) -> str:
    """Return the refusal of a service that is off."""
    return f"The local cloud does not offer the service {service} ({README_SECTION})."


def operation_sentence(service: str, operation: str) -> str:
    """Return the refusal of an operation that is not implemented."""
    return f"The local cloud does not offer {operation} of the service {service} ({README_SECTION})."


def _operation_error(context: Any) -> Exception:
    sentence = operation_sentence(context.service.service_name, context.operation.name)
    return _not_offered(sentence)


def _not_offered(sentence: str) -> Exception:
    from localemu.aws.api import CommonServiceException

    error: Exception = CommonServiceException("InternalFailure", sentence, status_code=501)
    return error


def _refuse_what_is_not_offered() -> None:
    from localemu.aws.handlers.service import ServiceRequestRouter
    from localemu.aws.handlers.service_plugin import ServiceLoader
    from localemu.aws.protocol.serializer import create_serializer
    from localemu.aws.skeleton import Skeleton

    def require_service(require: Callable[..., Any], self: Any, chain: Any, context: Any, response: Any) -> Any:
        if context.service and context.service.service_name not in settings.SERVICES:
            raise _not_offered(service_sentence(context.service.service_name))
        return require(self, chain, context, response)

    def create_not_implemented_response(_self: Any, context: Any) -> Any:
        return refuse(create_serializer(context.service, context.protocol), context)

    def on_not_implemented_error(_self: Any, serializer: Any, context: Any, _exception: Exception) -> Any:
        return refuse(serializer, context)

    def refuse(serializer: Any, context: Any) -> Any:
        context.service_exception = error = _operation_error(context)
        return serializer.serialize_error_to_response(
            error, context.operation, context.request.headers, context.request_id
        )

    wrap(ServiceLoader, "require_service", require_service)
    ServiceRequestRouter.create_not_implemented_response = create_not_implemented_response
    Skeleton.on_not_implemented_error = on_not_implemented_error


def _word_exceptions() -> None:
    """Turn the exceptions of LocalEmu's parser, and those of operations that are not implemented, into AWS's errors."""
    from localemu.aws.handlers.service import ServiceExceptionSerializer

    def create_exception_response(create: Callable[..., Any], self: Any, exception: Exception, context: Any) -> Any:
        parser_error = _parser_error(exception, context)
        if parser_error is None:
            if context.operation and isinstance(exception, NotImplementedError):
                exception = _operation_error(context)
            return create(self, exception, context)
        if context.operation is not None:
            return create(self, parser_error, context)
        # Errors are serialized in the protocol of an operation, and all operations of a service share one.
        context.operation = context.service.operation_model(context.service.operation_names[0])
        try:
            return create(self, parser_error, context)
        finally:
            context.operation = None

    wrap(ServiceExceptionSerializer, "create_exception_response", create_exception_response)


def _parser_error(exception: Exception, context: Any) -> Exception | None:
    """Return AWS's error for a request that LocalEmu's parser could not read; None for any other exception."""
    from localemu.aws.protocol.parser import OperationNotFoundParserError, ProtocolParserError

    if not isinstance(exception, ProtocolParserError):
        return None
    protocol = str(context.protocol or context.service.protocol)
    if isinstance(exception, OperationNotFoundParserError):
        if protocol in {"query", "ec2"}:
            action = context.request.values.get("Action", "")
            version = context.request.values.get("Version", "")
            return service_error("InvalidAction", f"Could not find operation {action} for version {version}")
        return None if protocol == "rest-xml" else service_error("UnknownOperationException", "")
    if protocol == "rest-xml":
        return service_error(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    if protocol in {"query", "ec2"}:
        return service_error("MalformedInput", "")
    converted = NOT_AN_INTEGER.search(str(exception))
    return service_error(
        "SerializationException", "STRING_VALUE can not be converted to an Integer" if converted else ""
    )


# --- serializers ------------------------------------------------------------------------------------------------------


def _remember_mime_types() -> None:
    """Parse each pair of Accept and Content-Type headers once: the result depends on nothing else."""
    from localemu.aws.protocol.serializer import ResponseSerializer

    known: dict[tuple[type, str | None, str | None], str] = {}

    def mime_type(original: Callable[..., str], self: Any, headers: Any) -> str:
        key = (type(self), *((headers.get("Accept"), headers.get("Content-Type")) if headers else (None, None)))
        if key not in known:
            if len(known) > 1000:  # noqa: PLR2004 - callers may send any headers
                known.clear()
            known[key] = original(self, headers)
        return known[key]

    wrap(ResponseSerializer, "_get_mime_type", mime_type)


# The length from which on a list is serialized at once.
FEWEST = 16
DOUBLE = 0xFB  # major type 7, a double follows
EPOCH_TIME = 0xC1  # tag 1, a time in seconds follows
# The layout of an item in CBOR, by the type of the list.
LAYOUTS: dict[str, Any] = {
    "double": np.dtype([("mark", "u1"), ("value", ">f8")]),
    "timestamp": np.dtype([("tag", "u1"), ("mark", "u1"), ("value", ">f8")]),
}


def serialize_long_lists_at_once() -> None:
    """Let both serializers write long lists of numbers and times (as Unix time) at once."""
    from localemu.aws.protocol.serializer import BaseCBORResponseSerializer, JSONResponseSerializer

    def serialize_cbor(
        as_cbor: Callable[..., None],
        self: Any,
        serialized: bytearray,
        value: Any,
        shape: Any,
        name: str | None = None,
    ) -> None:
        numbers = plain_numbers(value, shape)
        if numbers is None:
            as_cbor(self, serialized, value, shape, name)
            return
        opening, closing = self._get_bytes_for_data_structure(value, self.LIST_MAJOR_TYPE)
        serialized.extend(opening)
        serialized.extend(packed(numbers, shape.member.type_name))
        if closing is not None:
            serialized.extend(closing)

    def serialize_json(
        as_json: Callable[..., None],
        self: Any,
        body: dict[str, Any],
        value: Any,
        shape: Any,
        key: str,
        mime_type: str,
    ) -> None:
        numbers = None if mime_type in self.CBOR_TYPES else plain_numbers(value, shape)
        if numbers is None or "timestampFormat" in shape.member.serialization:
            as_json(self, body, value, shape, key, mime_type)
        else:
            body[key] = numbers.tolist()

    wrap(BaseCBORResponseSerializer, "_serialize_type_list", serialize_cbor)
    wrap(JSONResponseSerializer, "_serialize_type_list", serialize_json)


def plain_numbers(values: Any, shape: Any) -> Any:
    """Return a long list of doubles or times as an array; None for any other list, and for one with a value that is not finite."""
    if not values or len(values) < FEWEST or shape is None or shape.member.type_name not in LAYOUTS:
        return None
    if not all(type(value) in (int, float) for value in values):
        return None
    numbers = np.array(values, dtype=np.float64)
    return numbers if np.isfinite(numbers).all() else None


def packed(numbers: Any, kind: str) -> bytes:
    """Return the items of a list of doubles or times in CBOR."""
    items = np.empty(len(numbers), dtype=LAYOUTS[kind])
    items["mark"] = DOUBLE
    items["value"] = numbers
    if kind == "timestamp":
        items["tag"] = EPOCH_TIME
    return items.tobytes()


def _send_reason_phrases() -> None:
    """Send each status with its reason phrase, and "100 Continue" without headers."""
    import h11  # not in the project's own environment
    from hypercorn.protocol.h11 import H11Protocol

    async def send_with_reason(send: Callable[..., Awaitable[None]], self: Any, event: Any) -> None:
        if isinstance(event, h11.InformationalResponse) and event.status_code == HTTPStatus.CONTINUE:
            event = h11.InformationalResponse(status_code=event.status_code, headers=[], reason=b"Continue")
        elif isinstance(event, h11.Response) and not event.reason:
            event = h11.Response(
                status_code=event.status_code, headers=event.headers, reason=_reason(event.status_code)
            )
        await send(self, event)

    wrap(H11Protocol, "_send_h11_event", send_with_reason)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
