"""The errors with which each service refuses a request: code, status and message.

They differ by family: services with the Query protocol
(https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html), those with JSON
(https://docs.aws.amazon.com/lambda/latest/dg/CommonErrors.html) and S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from couch_explorers.local.engine.authorization.signatures import Fault

if TYPE_CHECKING:
    from couch_explorers.local.engine.authorization.policies import AccessRequest, Decision, Principal
    from couch_explorers.local.engine.authorization.signatures import Signature, SignatureError

FORBIDDEN = 403
BAD_REQUEST = 400

_QUERY = frozenset({"sqs", "sns", "iam", "sts", "cloudformation", "cloudwatch"})
# JSON 1.x answers every error with 400, REST with the error's own status.
_JSON_1 = frozenset({"logs", "ssm", "kms", "secretsmanager", "resourcegroupstaggingapi"})

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details."
)
_S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


@dataclass(frozen=True)
class Refusal:
    """An error response; `details` are S3's further fields besides code and message."""

    code: str
    message: str
    status: int = FORBIDDEN
    details: dict[str, str] = field(default_factory=dict)


def access_denied(
    service: str, principal: Principal, request: AccessRequest, decision: Decision, *, foreign: bool = False
) -> Refusal:
    """Return the refusal of a request that no policy allows. For another account's resource, S3 gives no reason."""
    if principal.kind == "Anonymous":
        return missing_token(service)
    action, resource, reason = request.action, request.resource, decision.reason
    if service == "sqs":
        action, reason = action.lower(), reason.replace(request.action, request.action.lower())
    if service == "s3":
        if foreign:
            return Refusal("AccessDenied", "Access Denied")
        resource = f'"{resource}"'
    if service == "lambda" and action == "s3:GetObject":
        key = resource.removeprefix("arn:aws:s3:::")
        message = (
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
            f"{key}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
        )
        return Refusal("AccessDeniedException", message)
    if service == "execute-api":
        # A refused caller does not learn the account: https://repost.aws/knowledge-center/api-gateway-authorization-errors
        resource = re.sub(r":\d{8}(\d{4}):", r":********\1:", resource)
    on = "" if resource in ("*", '"*"') else f" on resource: {resource}"
    message = f"User: {principal.arn} is not authorized to perform: {action}{on} {reason}"
    if service == "sns":
        return Refusal("AuthorizationError", message)
    if service in _QUERY or service == "s3":
        return Refusal("AccessDenied", message)
    return Refusal("AccessDeniedException", message, _status(service))


def missing_token(service: str) -> Refusal:
    """Return the refusal of an unsigned request."""
    if service in ("s3", "sqs"):
        return Refusal("AccessDenied", "Access Denied")
    message = "Request is missing Authentication Token" if service in _QUERY else "Missing Authentication Token"
    return Refusal(_code(service, "MissingAuthenticationToken"), message, _status(service))


def unknown_key(service: str, access_key_id: str) -> Refusal:
    """Return the refusal of an unknown access key."""
    if service == "s3":
        details = {"AWSAccessKeyId": access_key_id}
        return Refusal(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            FORBIDDEN,
            details,
        )
    return invalid_token(service)


def invalid_token(service: str) -> Refusal:
    """Return the refusal of a session token that does not belong to the access key."""
    if service == "s3":
        return Refusal("InvalidToken", "The provided token is malformed or otherwise invalid.", BAD_REQUEST)
    code = "InvalidClientTokenId" if service in _QUERY else "UnrecognizedClientException"
    return Refusal(code, "The security token included in the request is invalid.", _status(service))


def expired_token(service: str) -> Refusal:
    """Return the refusal of an expired session."""
    if service == "s3":
        return Refusal("ExpiredToken", "The provided token has expired.", BAD_REQUEST)
    return Refusal(
        _code(service, "ExpiredToken"), "The security token included in the request is expired", _status(service)
    )


def bad_signature(service: str, signature: Signature | None, error: SignatureError) -> Refusal:
    """Return the refusal of an invalid signature."""
    if service == "s3":
        return _s3_signature(signature, error)
    if error.fault in (Fault.INCOMPLETE, Fault.QUERY_PARAMETERS, Fault.UNSUPPORTED):
        return Refusal(_code(service, "IncompleteSignature"), error.message, BAD_REQUEST)
    message = (
        "Signature expired: the presigned request is over." if error.fault == Fault.PRESIGNED_EXPIRED else error.message
    )
    code = "SignatureDoesNotMatch" if service in _QUERY else "InvalidSignatureException"
    return Refusal(code, message or _MISMATCH, _status(service))


_S3_FAULTS = {
    Fault.INCOMPLETE: ("AuthorizationHeaderMalformed", BAD_REQUEST),
    Fault.EXPIRED: ("RequestTimeTooSkewed", FORBIDDEN),
    Fault.NOT_YET_CURRENT: ("RequestTimeTooSkewed", FORBIDDEN),
    Fault.PRESIGNED_EXPIRED: ("AccessDenied", FORBIDDEN),
    Fault.QUERY_PARAMETERS: ("AuthorizationQueryParametersError", BAD_REQUEST),
    Fault.UNSIGNED_HEADERS: ("AccessDenied", FORBIDDEN),
    Fault.PAYLOAD: ("XAmzContentSHA256Mismatch", BAD_REQUEST),
    Fault.UNSUPPORTED: ("InvalidRequest", BAD_REQUEST),
    Fault.MISMATCH: ("SignatureDoesNotMatch", FORBIDDEN),
}
_S3_MESSAGES = {
    Fault.EXPIRED: "The difference between the request time and the current time is too large.",
    Fault.NOT_YET_CURRENT: "The difference between the request time and the current time is too large.",
    Fault.PRESIGNED_EXPIRED: "Request has expired",
    Fault.MISMATCH: _S3_MISMATCH,
}


def _s3_signature(signature: Signature | None, error: SignatureError) -> Refusal:
    code, status = _S3_FAULTS[error.fault]
    details = dict(error.details)
    if error.fault == Fault.MISMATCH and signature is not None:
        details |= {"AWSAccessKeyId": signature.access_key_id, "SignatureProvided": signature.signature}
        for name in ("StringToSign", "CanonicalRequest"):
            if name in error.details:
                details[f"{name}Bytes"] = error.details[name].encode().hex(" ").upper()
    return Refusal(code, _S3_MESSAGES.get(error.fault, error.message), status, details)


def _status(service: str) -> int:
    return BAD_REQUEST if service in _JSON_1 else FORBIDDEN


def _code(service: str, name: str) -> str:
    return name if service in _QUERY else f"{name}Exception"
