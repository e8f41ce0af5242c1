"""Signatures, made by botocore as any SDK makes them, and what becomes of them when something is changed on the way."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from couch_explorers.local.engine.authorization.signatures import (
    EMPTY_SHA256,
    Fault,
    ReceivedRequest,
    SignatureError,
    read_signature,
    signing_key,
    verify,
)

KEY, SECRET, TOKEN = "AKIAQAAAAAAAEXAMPLE1", "secret/key+of=somebody", "a token"
HOST = "127.0.0.1:4566"
LATER = timedelta(seconds=30)


def sign(
    auth: type[Any],
    *,
    method: str = "POST",
    url: str = "/",
    body: bytes = b"",
    service: str = "sqs",
    token: str | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> ReceivedRequest:
    """A request as it arrives, signed by botocore."""
    request = AWSRequest(method, f"http://{HOST}{url}", headers=headers or {}, data=body)
    credentials = Credentials(KEY, SECRET, token)
    signer = (
        auth(credentials, **options) if auth is HmacV1QueryAuth else auth(credentials, service, "eu-west-1", **options)
    )
    signer.add_auth(request)
    prepared = request.prepare()
    split = urlsplit(prepared.url)
    arrived = [("Host", HOST)] + [
        (name, value if isinstance(value, str) else value.decode()) for name, value in prepared.headers.items()
    ]
    return ReceivedRequest(method, split.path, split.query, arrived, lambda: body, is_s3=service == "s3")


class UnsignedPayload(S3SigV4Auth):
    """S3's signature of an upload whose body is not hashed."""

    def payload(self, request: AWSRequest) -> str:
        return "UNSIGNED-PAYLOAD"


class StreamedPayload(S3SigV4Auth):
    """S3's signature of an upload whose chunks are signed one by one."""

    def payload(self, request: AWSRequest) -> str:
        return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


def changed(request: ReceivedRequest, **changes: Any) -> ReceivedRequest:
    fields = {name: getattr(request, name) for name in ("method", "path", "query", "headers", "read_body", "is_s3")}
    return ReceivedRequest(**(fields | changes))


def fault(request: ReceivedRequest, *, secret: str | None = SECRET, after: timedelta = LATER) -> Fault | None:
    """What a server finds wrong with a request that arrives a while after it was signed."""
    try:
        signature = read_signature(request)
        assert signature is not None
        verify(request, signature, secret, datetime.now(UTC) + after)
    except SignatureError as error:
        return error.fault
    return None


REQUESTS: dict[str, Callable[[], ReceivedRequest]] = {
    "query protocol": lambda: sign(SigV4Auth, body=b"Action=ListQueues&Version=2012-11-05"),
    "JSON": lambda: sign(SigV4Auth, body=b'{"QueueName":"q"}', headers={"X-Amz-Target": "AmazonSQS.CreateQueue"}),
    "session": lambda: sign(SigV4Auth, body=b"{}", token=TOKEN),
    "path to be normalized": lambda: sign(SigV4Auth, url="/a//b/../c/%C3%A6%20x/"),
    "function ARN in the path": lambda: sign(
        SigV4Auth,
        url="/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af/invocations",
        service="lambda",
    ),
    "parameters": lambda: sign(
        SigV4Auth, method="GET", url="/x?b=2&a=1&a=0&empty=&sp=a%20b&star=%2A", service="lambda"
    ),
    "headers with blanks": lambda: sign(
        SigV4Auth, headers={"X-Amz-Meta-Note": "  two   blanks ", "Content-Type": "text/plain"}
    ),
    "presigned": lambda: sign(
        SigV4QueryAuth, method="GET", url="/?Action=GetCallerIdentity", service="sts", expires=60
    ),
    "presigned session": lambda: sign(
        SigV4QueryAuth, method="GET", url="/?Action=X", service="sts", token=TOKEN, expires=60
    ),
    "S3 object": lambda: sign(S3SigV4Auth, method="PUT", url="/b/a%20b//c%2B.png", body=b"picture", service="s3"),
    "S3 list": lambda: sign(S3SigV4Auth, method="GET", url="/b?list-type=2&prefix=42%2F", service="s3"),
    "S3 unsigned payload": lambda: sign(UnsignedPayload, method="PUT", url="/b/k", body=b"x", service="s3"),
    "S3 presigned": lambda: sign(S3SigV4QueryAuth, method="GET", url="/b/k?versionId=1", service="s3", expires=60),
    "S3 presigned session": lambda: sign(
        S3SigV4QueryAuth, method="GET", url="/b/k", service="s3", token=TOKEN, expires=60
    ),
    "S3 presigned, version 2": lambda: sign(
        HmacV1QueryAuth, method="GET", url="/b/k?versionId=1", service="s3", expires=60
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_signature_of_an_sdk_is_right(name: str):
    request = REQUESTS[name]()

    assert fault(request) is None


@pytest.mark.parametrize("name", REQUESTS)
def test_other_secret_does_not_match(name: str):
    request = REQUESTS[name]()

    assert fault(request, secret="another") == Fault.MISMATCH


@pytest.mark.parametrize("name", REQUESTS)
def test_changed_path_does_not_match(name: str):
    request = changed(REQUESTS[name](), path="/elsewhere")

    assert fault(request) == Fault.MISMATCH


def test_signature_names_key_region_and_service():
    signature = read_signature(REQUESTS["function ARN in the path"]())

    assert signature is not None
    assert (signature.access_key_id, signature.region, signature.service) == (KEY, "eu-west-1", "lambda")
    assert not signature.presigned


def test_changed_body_does_not_match():
    request = changed(REQUESTS["JSON"](), read_body=lambda: b'{"QueueName":"r"}')

    assert fault(request) == Fault.MISMATCH


def test_changed_header_does_not_match():
    request = REQUESTS["JSON"]()
    headers = [(name, "AmazonSQS.DeleteQueue" if name == "X-Amz-Target" else value) for name, value in request.headers]

    assert fault(changed(request, headers=headers)) == Fault.MISMATCH


def test_changed_parameter_does_not_match():
    request = REQUESTS["S3 list"]()

    assert fault(changed(request, query=request.query.replace("42", "43"))) == Fault.MISMATCH


def test_changed_object_is_detected_by_its_hash():
    request = changed(REQUESTS["S3 object"](), read_body=lambda: b"other picture")

    with pytest.raises(SignatureError) as error:
        verify(request, read_signature(request), SECRET, datetime.now(UTC))  # type: ignore[arg-type]

    assert error.value.fault == Fault.PAYLOAD
    assert error.value.details["S3ComputedContentSHA256"] == hashlib.sha256(b"other picture").hexdigest()


AGES = [
    ("JSON", timedelta(minutes=4), None),
    ("JSON", timedelta(minutes=6), Fault.EXPIRED),
    ("JSON", timedelta(minutes=-6), Fault.NOT_YET_CURRENT),
    ("S3 object", timedelta(minutes=14), None),
    ("S3 object", timedelta(minutes=16), Fault.EXPIRED),
    ("S3 presigned", timedelta(seconds=61), Fault.PRESIGNED_EXPIRED),
    ("S3 presigned, version 2", timedelta(seconds=61), Fault.PRESIGNED_EXPIRED),
    ("presigned", timedelta(seconds=61), Fault.PRESIGNED_EXPIRED),
]


@pytest.mark.parametrize(("name", "after", "expected"), AGES)
def test_age(name: str, after: timedelta, expected: Fault | None):
    assert fault(REQUESTS[name](), after=after) == expected


def test_expired_signature_error_has_both_times():
    request = REQUESTS["JSON"]()
    signature = read_signature(request)
    assert signature is not None
    now = datetime(2026, 11, 26, 12, tzinfo=UTC) + timedelta(days=365 * 100)

    with pytest.raises(
        SignatureError,
        match=rf"Signature expired: {signature.stamp} is now earlier than \d{{8}}T115500Z \(\d{{8}}T120000Z - 5 min\.\)",
    ):
        verify(request, signature, SECRET, now)


def test_any_secret_does_for_the_root_but_urls_grow_old():
    assert fault(REQUESTS["JSON"](), secret=None, after=timedelta(days=1)) is None
    assert fault(REQUESTS["S3 presigned"](), secret=None) is None
    assert fault(REQUESTS["S3 presigned"](), secret=None, after=timedelta(days=1)) == Fault.PRESIGNED_EXPIRED


def test_header_that_a_presigned_url_does_not_sign_is_refused():
    request = REQUESTS["S3 presigned"]()

    assert fault(changed(request, headers=[*request.headers, ("x-amz-acl", "public-read")])) == Fault.UNSIGNED_HEADERS


BROKEN = [
    ({"Authorization": "AWS4-HMAC-SHA256 Credential=K/20261126/eu-west-1/sqs/aws4_request"}, "", Fault.INCOMPLETE),
    ({"Authorization": "AWS4-HMAC-SHA256 Credential=K, SignedHeaders=host, Signature=1"}, "", Fault.INCOMPLETE),
    (
        {
            "Authorization": "AWS4-HMAC-SHA256 Credential=K/20261126/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=1"
        },
        "",
        Fault.INCOMPLETE,
    ),
    ({"Authorization": "Bearer abc"}, "", Fault.INCOMPLETE),
    ({"Authorization": "AWS4-ECDSA-P256-SHA256 Credential=K"}, "", Fault.UNSUPPORTED),
    ({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=1", Fault.QUERY_PARAMETERS),
]


@pytest.mark.parametrize(("headers", "query", "expected"), BROKEN)
def test_incomplete_signature(headers: dict[str, str], query: str, expected: Fault):
    with pytest.raises(SignatureError) as error:
        read_signature(ReceivedRequest("GET", "/", query, list(headers.items()), bytes))

    assert error.value.fault == expected


def test_unsigned_request_has_no_signature():
    assert read_signature(ReceivedRequest("GET", "/b/k", "list-type=2", [("Host", HOST)], bytes, is_s3=True)) is None


def streamed(*, change: Callable[[bytes], bytes] = lambda body: body) -> ReceivedRequest:
    """An upload whose chunks are signed one by one, as the Java SDK sends it over plain HTTP."""
    request = sign(StreamedPayload, method="PUT", url="/b/k", service="s3")
    signature = read_signature(request)
    assert signature is not None
    key = signing_key(SECRET, signature.date, signature.region, "s3")
    previous, body = signature.signature, b""
    for data in (b"a" * 65536, b"b" * 464, b""):
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                signature.stamp,
                signature.scope,
                previous,
                EMPTY_SHA256,
                hashlib.sha256(data).hexdigest(),
            )
        )
        previous = hmac.digest(key, text.encode(), "sha256").hex()
        body += f"{len(data):x};chunk-signature={previous}\r\n".encode() + data + b"\r\n"
    return changed(request, read_body=lambda: change(body))


def test_signed_chunks_are_right():
    assert fault(streamed()) is None


@pytest.mark.parametrize(
    "change", [lambda body: body.replace(b"bb", b"bc", 1), lambda body: body[: len(body) // 2], lambda _: b"plain"]
)
def test_changed_chunks_do_not_match(change: Callable[[bytes], bytes]):
    assert fault(streamed(change=change)) == Fault.MISMATCH
