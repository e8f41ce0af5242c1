"""Converts botocore's errors to this project's: one sentence, permanent or transient.

The sentences leave the account (the API answers with them), so AWS's own text is quoted only where it can name neither
a role nor an account.
"""

from __future__ import annotations

from typing import Protocol

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from couch_explorers.core import image_models
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    GenerationError,
    ModelAnswerError,
    ModelTimeoutError,
    ModelUnavailableError,
    PaymentMethodError,
    RetiredModelError,
    StorageError,
    SubscriptionPendingError,
    ThrottledError,
    shown,
)
from couch_explorers.core.model_families import is_content_filter


class CalledModel(Protocol):
    """The properties of a model that an error message needs."""

    @property
    def id(self) -> str:
        """The foundation model's id."""

    @property
    def name(self) -> str:
        """Its display name."""

    @property
    def region(self) -> str:
        """The region of the call."""

    @property
    def arn(self) -> str:
        """The foundation model's ARN there."""


# ServiceQuotaExceededException means that the account's quota is used up for now; ModelNotReadyException that a model is
# being loaded (Bedrock API reference, InvokeModel errors).
THROTTLING_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ServiceQuotaExceededException",
        "ModelNotReadyException",
        "SlowDown",
    }
)
_TIMEOUTS = {"ModelTimeoutException", "RequestTimeout", "RequestTimeoutException"}
_UNAVAILABLE = {"ServiceUnavailableException", "ServiceUnavailable", "InternalServerException", "ModelErrorException"}
_NO_RIGHT_STATUSES = (401, 403)
_TOO_MANY = 429
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500
_WEB_PAGE = "a web page came in place of AWS's answer"

_CREDENTIALS_MISSING = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_NETWORK = (BotoConnectionError, HTTPClientError, IncompleteReadError)


def model_error(model: CalledModel, error: Exception, instead: str | None = None) -> GenerationError:
    """Return the error for a failed call of this model.

    Args:
        model: the model that was called.
        error: what botocore raised.
        instead: the id of a model that works, to be named where this one is retired; by default an image model's.

    """
    if isinstance(error, ClientError):
        return _model_answer(model, error, instead)
    if isinstance(error, ReadTimeoutError):
        return ModelTimeoutError(f"{model.name} did not answer in time: try again later.")
    if isinstance(error, _CREDENTIALS_MISSING):
        return AccessDeniedError(f"No AWS credentials to ask {model.name}: sign in, or give the function a role.")
    if isinstance(error, _NETWORK):
        return ModelUnavailableError(f"{model.name} in {model.region} cannot be reached: try again later.")
    return ModelAnswerError(f"The call to {model.name} failed ({type(error).__name__}): look into the log.")


def storage_error(action: str, bucket: str, error: Exception) -> StorageError:
    """Return the error for a failed call of S3; `action` is a verb such as "read" or "write"."""
    if isinstance(error, ClientError):
        code, status, _ = describe(error)
        passing = (
            status >= _SERVER_ERROR or status in (_REQUEST_TIMEOUT, _TOO_MANY) or code in THROTTLING_CODES | _TIMEOUTS
        )
        # Two conditional writes at once: S3 tells the second client to retry (S3 user guide, conditional-writes).
        passing = passing or code == "ConditionalRequestConflict"
        if status in _NO_RIGHT_STATUSES:
            return StorageError(f"No right to {action} the bucket {bucket}: grant it to the caller.", passing=False)
        advice = "try again later" if passing else "check the bucket's name and region"
        return StorageError(f"S3 would not {action} the bucket {bucket} ({code}): {advice}.", passing=passing)
    if isinstance(error, _CREDENTIALS_MISSING):
        return StorageError(f"No AWS credentials to {action} the bucket {bucket}: sign in.", passing=False)
    passing = isinstance(error, _NETWORK)
    advice = "try again later" if passing else "look into the log"
    return StorageError(f"Could not {action} the bucket {bucket} ({type(error).__name__}): {advice}.", passing=passing)


def describe(error: ClientError) -> tuple[str, int, str]:
    """Return (code, HTTP status, message) of AWS's error response.

    botocore gives a page of a proxy or a load balancer as the whole message: that it was one is said in its place.
    """
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(details.get("Message", ""))
    return str(details.get("Code", "")), int(status), _WEB_PAGE if message.lstrip().startswith("<") else message


def _model_answer(model: CalledModel, error: ClientError, instead: str | None) -> GenerationError:
    code, status, message = describe(error)
    if _is_retired(message):
        # Before the permissions: a legacy model that an account has not used lately returns "Access denied".
        works = instead or image_models.alternative(model.id).id
        return RetiredModelError(f"{model.name} ({model.id}) is retired: use {works}, which works.")
    passing = _passing_answer(model, code, status)
    if passing is not None:
        return passing
    if code == "ValidationException" and is_content_filter(message):
        return BlockedError(f"The content filter of {model.name} refused the prompt: change the prompt.")
    if status in _NO_RIGHT_STATUSES or code == "AccessDeniedException":
        return _access_denied(model, message)
    return ModelAnswerError(f"{model.name} refused the request ({code}): {shown(message, 300)}.")


def _access_denied(model: CalledModel, message: str) -> GenerationError:
    """Distinguish a missing permission from a missing subscription: Bedrock returns AccessDeniedException for both.

    Only the text of the message tells them apart. Of a missing or unfinished subscription:
    https://repost.aws/knowledge-center/bedrock-resolve-marketplace-permission and
    https://github.com/aws-samples/sample-host-openclaw-on-amazon-bedrock-agentcore/issues/41; of a missing payment method:
    https://github.com/Tracer-Cloud/opensre/pull/1812.
    """
    text = message.casefold()
    if "payment_instrument" in text or "payment instrument" in text:
        return PaymentMethodError(
            f"AWS Marketplace takes no payment method of this account for {model.name}: add a valid one under AWS Billing."
        )
    if "aws-marketplace:" in text or "aws marketplace" in text or "marketplace subscription" in text:
        return SubscriptionPendingError(
            f"This account's AWS Marketplace subscription to {model.name} is missing or not in force yet, which takes up to "
            f"15 minutes: agree to {model.id} once (CONTRIBUTING, first use of a model), then try again."
        )
    return AccessDeniedError(f"No right to use {model.id}: allow bedrock:InvokeModel on {model.arn}.")


def _passing_answer(model: CalledModel, code: str, status: int) -> GenerationError | None:
    if code in THROTTLING_CODES or status == _TOO_MANY:
        return ThrottledError(f"{model.name} is asked too often just now: try again later.")
    if code in _TIMEOUTS or status == _REQUEST_TIMEOUT:
        return ModelTimeoutError(f"{model.name} did not finish in time: try again later.")
    if code in _UNAVAILABLE or status >= _SERVER_ERROR:
        return ModelUnavailableError(f"{model.name} failed ({code}): try again later.")
    return None


def _is_retired(message: str) -> bool:
    text = message.casefold()
    return "end of its life" in text or "marked by provider as legacy" in text
