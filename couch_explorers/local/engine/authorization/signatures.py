"""Signatures of AWS requests: Signature Version 4 in headers and presigned URLs, with S3's payload hashes, and S3's Version 2.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
TIMESTAMP_FORMAT = "%Y%m%dT%H%M%SZ"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-"
SIGNED_STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
# How far a client's clock may be off: S3's RequestTimeTooSkewed, and the five minutes in every other service's error message.
S3_SKEW = timedelta(minutes=15)
SKEW = timedelta(minutes=5)
# Seconds; the longest life of a presigned URL: seven days.
MAX_EXPIRES_S = 604_800

# Query parameters that belong to the resource in Signature Version 2.
_V2_PARAMETERS = frozenset(
    [
        "accelerate",
        "acl",
        "cors",
        "defaultObjectAcl",
        "delete",
        "lifecycle",
        "location",
        "logging",
        "notification",
        "partNumber",
        "policy",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "replication",
        "inventory",
        "analytics",
        "metrics",
    ]
)
_V4_QUERY = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


class Fault(StrEnum):
    """The defect of a signature; each service has its own error for it."""

    INCOMPLETE = "incomplete"
    MISMATCH = "mismatch"
    EXPIRED = "expired"
    NOT_YET_CURRENT = "not yet current"
    PRESIGNED_EXPIRED = "presigned request expired"
    QUERY_PARAMETERS = "query parameters"
    UNSIGNED_HEADERS = "unsigned headers"
    PAYLOAD = "payload"
    UNSUPPORTED = "unsupported"


class SignatureError(Exception):
    """A signature that AWS refuses."""

    def __init__(self, fault: Fault, message: str = "", **details: str) -> None:
        super().__init__(message or fault.value)
        self.fault = fault
        self.message = message
        self.details = details


@dataclass(frozen=True)
class Signature:
    """A request's signature, with its access key and its parameters."""

    version: int
    access_key_id: str
    signature: str
    presigned: bool
    timestamp: datetime | None = None
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: tuple[str, ...] = ()
    expires_s: int = 0

    @property
    def scope(self) -> str:
        """The credential scope: date, region and service of the signing key."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def stamp(self) -> str:
        """The time of the request as it was signed."""
        return self.timestamp.strftime(TIMESTAMP_FORMAT) if self.timestamp else ""


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it came over the wire: path and query still encoded. `read_body` may be called several times."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    read_body: Callable[[], bytes]
    is_s3: bool = False

    def header(self, name: str) -> str:
        """Return a header's value, or several joined by commas; "" where there is none."""
        return ",".join(value for key, value in self.headers if key.lower() == name.lower())

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The decoded parameters of the query."""
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        return [(unquote(name), unquote(value)) for name, _, value in pairs]

    def parameter(self, name: str) -> str:
        """Return a query parameter's value; "" where there is none."""
        return next((value for key, value in self.parameters if key == name), "")

    @property
    def token(self) -> str:
        """The session token of the request."""
        return self.header("x-amz-security-token") or self.parameter("X-Amz-Security-Token")


def read_signature(request: ReceivedRequest) -> Signature | None:
    """Read the signature in a request's header or query; None where it is unsigned.

    Raises:
        SignatureError: The signature is incomplete.

    """
    authorization = request.header("authorization")
    if authorization.startswith(ALGORITHM):
        return _read_header(request, authorization)
    if authorization.startswith("AWS4-ECDSA-P256-SHA256"):
        raise SignatureError(
            Fault.UNSUPPORTED, "Signature Version 4A is not supported here: sign with Signature Version 4."
        )
    if request.is_s3 and authorization.startswith("AWS "):
        key, _, signature = authorization.removeprefix("AWS ").partition(":")
        return Signature(2, key.strip(), signature.strip(), presigned=False)
    if request.parameter("X-Amz-Algorithm") or request.parameter("X-Amz-Signature"):
        return _read_query(request)
    if request.is_s3 and (request.parameter("AWSAccessKeyId") or request.parameter("Signature")):
        return _read_query_v2(request)
    if authorization and not request.is_s3:
        raise SignatureError(Fault.INCOMPLETE, _lacking("Authorization", authorization))
    return None


def _lacking(what: str, authorization: str) -> str:
    return f"Authorization header requires '{what}' parameter. Authorization={authorization.split(' ', maxsplit=1)[0]}"


def _read_header(request: ReceivedRequest, authorization: str) -> Signature:
    parts = {
        name.strip(): value.strip()
        for name, _, value in (part.partition("=") for part in authorization.removeprefix(ALGORITHM).split(","))
    }
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise SignatureError(Fault.INCOMPLETE, _lacking(name, authorization))
    stamp = request.header("x-amz-date")
    return _version_4(parts["Credential"], parts["SignedHeaders"], parts["Signature"], stamp or request.header("date"))


def _read_query(request: ReceivedRequest) -> Signature:
    values = {name: request.parameter(name) for name in _V4_QUERY}
    if not all(values[name] for name in _V4_QUERY if name != "X-Amz-Expires" or request.is_s3):
        raise SignatureError(
            Fault.QUERY_PARAMETERS,
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    try:
        expires_s = int(values["X-Amz-Expires"] or 900)
    except ValueError:
        raise SignatureError(Fault.QUERY_PARAMETERS, "X-Amz-Expires should be a number") from None
    if not 0 <= expires_s <= MAX_EXPIRES_S:
        few = "X-Amz-Expires must be non-negative"
        many = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        raise SignatureError(Fault.QUERY_PARAMETERS, few if expires_s < 0 else many)
    credential, headers, signature, stamp = (
        values[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature", "Date")
    )
    return _version_4(credential, headers, signature, stamp, expires_s)


def _version_4(
    credential: str, signed_headers: str, signature: str, stamp: str, expires_s: int | None = None
) -> Signature:
    # An access key may have slashes only in other clouds; AWS requires five parts.
    key, *scope = credential.split("/")
    if len(scope) != 4 or scope[3] != "aws4_request":  # noqa: PLR2004 - date, region, service and the constant
        raise SignatureError(
            Fault.INCOMPLETE, f"Credential must have exactly 5 slash-delimited elements, got {credential!r}"
        )
    try:
        timestamp = datetime.strptime(stamp, TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise SignatureError(Fault.INCOMPLETE, f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.") from None
    return Signature(
        version=4,
        access_key_id=key,
        signature=signature,
        presigned=expires_s is not None,
        timestamp=timestamp,
        date=scope[0],
        region=scope[1],
        service=scope[2],
        signed_headers=tuple(signed_headers.lower().split(";")),
        expires_s=expires_s or 0,
    )


def _read_query_v2(request: ReceivedRequest) -> Signature:
    key, signature, expires = (request.parameter(name) for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not (key and signature and expires.isdigit()):
        raise SignatureError(
            Fault.UNSIGNED_HEADERS,
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    return Signature(2, key, signature, presigned=True, expires_s=int(expires))


def verify(request: ReceivedRequest, signature: Signature, secret: str | None, now: datetime) -> None:
    """Check a signature, its age and, where it was hashed, the body.

    Args:
        request: The request as received.
        signature: The result of `read_signature`.
        secret: The secret of its access key; None for a key with any secret, whose presigned URLs expire all the same.
        now: The server's time.

    Raises:
        SignatureError: AWS would refuse the signature.

    """
    if secret is None and not signature.presigned:
        return
    _check_age(request, signature, now)
    if secret is None:
        return
    if signature.version == 2:  # noqa: PLR2004 - the two versions are called so
        _verify_v2(request, signature, secret)
        return
    payload_hash = _payload_hash(request, signature)
    canonical = canonical_request(request, signature, payload_hash)
    string_to_sign = (
        f"{ALGORITHM}\n{signature.stamp}\n{signature.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    key = signing_key(secret, signature.date, signature.region, signature.service)
    expected = _hex_mac(key, string_to_sign)
    if not hmac.compare_digest(expected, signature.signature):
        raise SignatureError(Fault.MISMATCH, StringToSign=string_to_sign, CanonicalRequest=canonical)
    if signature.presigned and request.is_s3:
        _check_unsigned_headers(request, signature)
    if request.is_s3:
        _check_payload(request, signature, payload_hash, key)


def _check_age(request: ReceivedRequest, signature: Signature, now: datetime) -> None:
    if signature.presigned:
        start = signature.timestamp or datetime.fromtimestamp(0, UTC)  # Version 2 has the time of its expiry itself
        expiry = start + timedelta(seconds=signature.expires_s)
        if now > expiry:
            raise SignatureError(Fault.PRESIGNED_EXPIRED, Expires=_iso(expiry), ServerTime=_iso(now))
        return
    if signature.timestamp is None:
        return
    skew = S3_SKEW if request.is_s3 else SKEW
    oldest, newest = now - skew, now + skew
    minutes = f"{now.strftime(TIMESTAMP_FORMAT)} {{}} {skew.seconds // 60} min."
    times = {"RequestTime": signature.stamp, "ServerTime": _iso(now)}
    if signature.timestamp < oldest:
        message = f"Signature expired: {signature.stamp} is now earlier than {oldest.strftime(TIMESTAMP_FORMAT)} ({minutes.format('-')})"
        raise SignatureError(Fault.EXPIRED, message, **times)
    if signature.timestamp > newest:
        message = f"Signature not yet current: {signature.stamp} is still later than {newest.strftime(TIMESTAMP_FORMAT)} ({minutes.format('+')})"
        raise SignatureError(Fault.NOT_YET_CURRENT, message, **times)


def _check_unsigned_headers(request: ReceivedRequest, signature: Signature) -> None:
    """Refuse unsigned S3 headers, which S3 does for presigned URLs: they could change what was signed."""
    names = {name.lower() for name, _ in request.headers}
    unsigned = sorted(
        name
        for name in names
        if name.startswith("x-amz-")
        and name not in signature.signed_headers
        and name not in ("x-amz-content-sha256", "x-amz-user-agent")
    )
    if unsigned:
        raise SignatureError(
            Fault.UNSIGNED_HEADERS,
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(unsigned),
        )


def _payload_hash(request: ReceivedRequest, signature: Signature) -> str:
    given = request.header("x-amz-content-sha256")
    if given and (not signature.presigned or "x-amz-content-sha256" in signature.signed_headers):
        return given
    if request.is_s3 and signature.presigned:
        return request.parameter("X-Amz-Content-Sha256") or UNSIGNED_PAYLOAD
    return hashlib.sha256(request.read_body()).hexdigest()


def canonical_request(request: ReceivedRequest, signature: Signature, payload_hash: str) -> str:
    """Return the canonical request, whose hash is signed."""
    path = request.path or "/"
    if not request.is_s3:
        path = quote(_normalized(path), safe="/~")
    # AWS sorts by name and value after encoding.
    query = "&".join(
        f"{name}={value}"
        for name, value in sorted(
            (_encoded(name), _encoded(value)) for name, value in request.parameters if name != "X-Amz-Signature"
        )
    )
    headers = "".join(f"{name}:{_trimmed(request.header(name))}\n" for name in signature.signed_headers)
    return "\n".join((request.method, path, query, headers, ";".join(signature.signed_headers), payload_hash))


def _normalized(path: str) -> str:
    normalized = re.sub("/+", "/", posixpath.normpath(path))
    return normalized + "/" if path.endswith("/") and normalized != "/" else normalized


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _trimmed(value: str) -> str:
    return " ".join(value.split())


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the signing key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _hex_mac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _check_payload(request: ReceivedRequest, signature: Signature, payload_hash: str, key: bytes) -> None:
    """Compare the body with the hash that was signed, chunk by chunk where each is signed."""
    if payload_hash == UNSIGNED_PAYLOAD:
        return
    if payload_hash.startswith(SIGNED_STREAMING):
        _check_chunks(request.read_body(), signature, key)
        return
    if payload_hash.startswith(STREAMING):
        return
    actual = hashlib.sha256(request.read_body()).hexdigest()
    if actual != payload_hash:
        raise SignatureError(
            Fault.PAYLOAD,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ClientComputedContentSHA256=payload_hash,
            S3ComputedContentSHA256=actual,
        )


def _check_chunks(body: bytes, signature: Signature, key: bytes) -> None:
    previous = signature.signature
    for data, given, is_trailer in _signed_chunks(body):
        kind, parts = ("TRAILER", ()) if is_trailer else ("PAYLOAD", (EMPTY_SHA256,))
        lines = (
            f"{ALGORITHM}-{kind}",
            signature.stamp,
            signature.scope,
            previous,
            *parts,
            hashlib.sha256(data).hexdigest(),
        )
        expected = _hex_mac(key, "\n".join(lines))
        if not hmac.compare_digest(expected, given):
            raise SignatureError(Fault.MISMATCH, StringToSign="\n".join(lines))
        previous = given


def _signed_chunks(body: bytes) -> Iterator[tuple[bytes, str, bool]]:
    """Yield data, signature and whether it is the trailer, for every chunk of an `aws-chunked` body and its trailing headers.

    Raises:
        SignatureError: The body does not consist of signed chunks.

    """
    position = 0
    try:
        while True:
            end = body.index(b"\r\n", position)
            size, _, extension = body[position:end].partition(b";")
            start, length = end + 2, int(size, 16)
            yield body[start : start + length], extension.decode("latin-1").removeprefix("chunk-signature="), False
            if not length:
                break
            position = start + length + 2
    except ValueError:
        raise SignatureError(Fault.MISMATCH) from None
    trailer = [line for line in body[start:].split(b"\r\n") if line]
    given = [line.partition(b":")[2] for line in trailer if line.lower().startswith(b"x-amz-trailer-signature:")]
    if given:
        signed = b"".join(line + b"\n" for line in trailer if not line.lower().startswith(b"x-amz-trailer-signature:"))
        yield signed, given[0].decode("latin-1").strip(), True


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _verify_v2(request: ReceivedRequest, signature: Signature, secret: str) -> None:
    if signature.presigned:
        date = str(signature.expires_s)
    else:
        date = "" if request.header("x-amz-date") else request.header("date")
    amazon = {
        name.lower(): _trimmed(request.header(name)) for name, _ in request.headers if name.lower().startswith("x-amz-")
    }
    if token := request.parameter("x-amz-security-token"):
        amazon["x-amz-security-token"] = token
    resource = sorted((name, value) for name, value in request.parameters if name in _V2_PARAMETERS)
    query = "&".join(f"{name}={value}" if value else name for name, value in resource)
    string_to_sign = "\n".join(
        (
            request.method,
            request.header("content-md5"),
            request.header("content-type"),
            date,
            *(f"{name}:{value}" for name, value in sorted(amazon.items())),
            request.path + ("?" + query if query else ""),
        )
    )
    expected = base64.b64encode(hmac.digest(secret.encode(), string_to_sign.encode(), "sha1")).decode()
    if not hmac.compare_digest(expected, signature.signature):
        raise SignatureError(Fault.MISMATCH, StringToSign=string_to_sign)
