"""CloudWatch's three protocols, by botocore's own model of the service: any request read, any answer written.

boto3 speaks CBOR (Smithy RPC v2), older SDKs JSON, Terraform's provider the Query protocol:
https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html
"""

from __future__ import annotations

import functools
import json
import re
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from couch_explorers.local.cloudwatch.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Response = tuple[int, dict[str, str], bytes]

NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
NUMBERS = ("integer", "long", "float", "double")

LARGEST_INTEGER = 2**31 - 1
LATEST_S = 253_402_300_800  # the end of the year 9999; a number beyond it is likely to be milliseconds


class Protocol(Enum):
    """How a request came, and how its answer goes."""

    CBOR = "cbor"
    JSON = "json"
    QUERY = "query"


@functools.cache
def operation(name: str) -> Any:
    """Give botocore's model of one of CloudWatch's operations."""
    return botocore.session.get_session().get_service_model("cloudwatch").operation_model(name)


def read(name: str, params: Mapping[str, Any], data: Any, protocol: Protocol) -> dict[str, Any]:
    """Read an operation's input, the same from each protocol: times as Unix time, numbers as numbers.

    RefusedError for what the service's model does not allow: a missing field, an unknown value, a wrong length.
    """
    shape = operation(name).input_shape
    request: dict[str, Any] = _typed(from_query(params, shape) if protocol is Protocol.QUERY else data, shape, "")
    return request


def answer(name: str, result: Mapping[str, Any], protocol: Protocol) -> Response:
    """Write an operation's output, in which times are Unix time."""
    shape = operation(name).output_shape
    if protocol is Protocol.QUERY:
        return 200, {"Content-Type": "text/xml"}, xml_document(name, result).encode()
    if protocol is Protocol.JSON:
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(dict(result)).encode()
    import cbor2  # noqa: PLC0415 - only the server speaks it

    body = cbor2.dumps(_with_tagged_times(result, shape) if shape else {})
    return 200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body


def xml_document(name: str, result: Mapping[str, Any]) -> str:
    """Write an operation's whole answer in the Query protocol."""
    shape = operation(name).output_shape
    inner = f"<{name}Result>{as_xml(result, shape)}</{name}Result>" if shape else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{name}Response xmlns="{NAMESPACE}">{inner}'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{name}Response>"
    )


def as_xml(value: Any, shape: Shape) -> str:
    """A JSON answer written as the Query protocol's XML, by the fields and types of the service's own model."""
    if isinstance(shape, StructureShape):
        return "".join(
            f"<{name}>{as_xml(value[name], member)}</{name}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if isinstance(shape, ListShape):
        return "".join(f"<member>{as_xml(item, shape.member)}</member>" for item in value)
    if isinstance(shape, MapShape):
        return "".join(
            f"<entry><key>{as_xml(key, shape.key)}</key><value>{as_xml(item, shape.value)}</value></entry>"
            for key, item in value.items()
        )
    if shape.type_name == "timestamp":
        moment = value if isinstance(value, str) else datetime.fromtimestamp(float(value), UTC).isoformat()
        return escape(moment)
    if shape.type_name == "boolean":
        return "true" if value in (True, "true") else "false"
    return escape(str(value))


def from_query(params: Mapping[str, Any], shape: StructureShape) -> dict[str, Any]:
    """The Query protocol's flat parameters as an operation's JSON input; every scalar is still text."""
    tree: dict[str, Any] = {}
    for name, value in params.items():
        *path, last = name.split(".")
        node = tree
        for step in path:
            inner = node.get(step)
            if not isinstance(inner, dict):
                inner = node[step] = {}
            node = inner
        node.setdefault(last, value[0] if isinstance(value, list) else value)
    nested: dict[str, Any] = _nested(tree, shape)
    return nested


def _nested(node: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape) and isinstance(node, dict):
        return {name: _nested(node[name], member) for name, member in shape.members.items() if name in node}
    if isinstance(shape, ListShape):
        members = node.get("member") if isinstance(node, dict) else None
        numbered = members.items() if isinstance(members, dict) else ()
        ordered = sorted((int(number), item) for number, item in numbered if number.isdigit())
        return [_nested(item, shape.member) for _, item in ordered if item != ""]
    return node


def _typed(value: Any, shape: Shape, path: str) -> Any:
    """A value as its shape says, or RefusedError that names its place in the request."""
    try:
        if isinstance(shape, StructureShape) and isinstance(value, dict):
            return _structure(value, shape, path)
        if isinstance(shape, ListShape) and isinstance(value, list):
            items = [_typed(item, shape.member, f"{path}.member.{n}") for n, item in enumerate(value, 1)]
            _check_length(items, shape, path)
            return items
        return _scalar(value, shape, path)
    except (TypeError, ValueError, OverflowError):
        raise RefusedError("MalformedInput", f"The value of {path or 'the request'} is no {shape.type_name}.") from None


def _scalar(value: Any, shape: Shape, path: str) -> Any:
    match shape.type_name:
        case "timestamp":
            value = unix_time(value)
        case "integer" | "long":
            value = _within(int(value), shape, path)
        case "float" | "double":
            value = float(value)
        case "boolean":
            value = value in (True, "true")
        case "string":
            value = _text(value, shape, path)
        case "structure" | "list":
            raise TypeError
    return value


def _structure(value: Any, shape: StructureShape, path: str) -> dict[str, Any]:
    given = {name: item for name, item in value.items() if item is not None}
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in given:
            raise RefusedError("MissingParameter", f"The parameter {prefix}{name} is required.")
    return {
        name: _typed(given[name], member, f"{prefix}{name}") for name, member in shape.members.items() if name in given
    }


def _text(value: Any, shape: Shape, path: str) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a character pair is no text
    allowed = getattr(shape, "enum", ())
    if allowed and value not in allowed:
        raise RefusedError(
            "InvalidParameterValue", f"The parameter {path} must be a value in the set [ {', '.join(allowed)} ]."
        )
    _check_length(value, shape, path)
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value, re.DOTALL):
        raise RefusedError("InvalidParameterValue", f"The value {value} for parameter {path} is invalid.")
    return value


def _check_length(value: Any, shape: Shape, path: str) -> None:
    lowest, highest = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    if not lowest <= len(value) <= highest:
        raise RefusedError(
            "InvalidParameterValue", f"The length of {path} is {len(value)}: it must be {lowest} to {highest}."
        )


def _within(value: int, shape: Shape, path: str) -> int:
    if not shape.metadata.get("min", -LARGEST_INTEGER) <= value <= LARGEST_INTEGER:
        raise RefusedError("InvalidParameterValue", f"The value {value} for parameter {path} is invalid.")
    return value


def unix_time(value: Any) -> float:
    """A moment in any protocol's form as Unix time; without a zone it is UTC. ValueError for what is no moment."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = datetime.fromisoformat(value.strip())
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if not abs(float(value)) <= LATEST_S:  # asked this way round, NaN is refused too
        raise ValueError(f"{value} is no Unix time in seconds.")
    return float(value)


def _with_tagged_times(value: Any, shape: Shape) -> Any:
    """A result as CBOR takes it: times as tag 1, absent fields left out."""
    import cbor2  # noqa: PLC0415 - only the server speaks it

    if isinstance(shape, StructureShape):
        return {
            name: _with_tagged_times(value[name], member)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        # Pages have 100,800 times and values: numbers need no step of their own.
        if shape.member.type_name in NUMBERS:
            return list(value)
        if shape.member.type_name == "timestamp":
            return [cbor2.CBORTag(1, float(item)) for item in value]
        return [_with_tagged_times(item, shape.member) for item in value]
    if shape.type_name == "timestamp":
        return cbor2.CBORTag(1, float(value))
    return value
