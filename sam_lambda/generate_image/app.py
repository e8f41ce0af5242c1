"""POST /generate-image: the prompt in an HTTP body becomes a picture in S3."""

from __future__ import annotations

import base64
import json
import os
import re
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
from botocore.config import Config

from couch_explorers.core import bodies, generation, jobs, sdk
from couch_explorers.core.clients import ImageModelClients
from couch_explorers.core.clock import Clock, milliseconds_since
from couch_explorers.core.errors import UNEXPECTED, BodyTooLargeError, GenerationError, InvalidJobError, shown
from couch_explorers.core.retries import Attempts

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

BUCKET_NAME = os.environ["BUCKET_NAME"]
CANDIDATE = os.environ["CANDIDATE"]
MODEL_ARNS = os.environ["MODEL_ARNS"].split(",")
OBJECTIVE_S = float(os.environ["OBJECTIVE_S"])
OBJECTIVE_PERCENT = float(os.environ["OBJECTIVE_PERCENT"])

# A job is at most a prompt and a negative prompt of 10,000 characters each, four bytes a character.
BODY_LIMIT_BYTES = 64 * 1024

HOW_TO_SEND = 'send the prompt as text/plain, or {"prompt": "…"} as application/json'
FORM = "application/x-www-form-urlencoded"
FORM_FIELD = re.compile(r"[\w.-]+=")
PERCENT_ENCODED = re.compile(r"\A\S*%[0-9A-Fa-f]{2}\S*\Z")
# Content types that are not the text of one prompt, whatever they contain.
OTHER_CONTENT = ("multipart/", "image/", "audio/", "video/", "text/html", "message/")

# API Gateway waits 29 s (API Gateway quotas) and the function runs 28 s: a second attempt after a throttle fits, a second
# wait for a slow picture does not.
BEDROCK_ATTEMPTS = 2
BEDROCK_READ_TIMEOUT_S = 20
S3_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})

logger = Logger(service=os.environ["POWERTOOLS_SERVICE_NAME"])
metrics = Metrics(service=logger.service, namespace=os.environ["POWERTOOLS_METRICS_NAMESPACE"])
# The metric review reads the objective from this function's environment; the log says what `late` went by.
logger.info("Cold start", extra={**sdk.require(), "objective_s": OBJECTIVE_S, "objective_percent": OBJECTIVE_PERCENT})

session = boto3.session.Session()
s3 = session.client("s3", config=S3_CONFIG)


clock = Clock()
bedrock = ImageModelClients(MODEL_ARNS[0], read_timeout_s=BEDROCK_READ_TIMEOUT_S, clock=clock, session=session)
attempts = Attempts(BEDROCK_ATTEMPTS, BEDROCK_READ_TIMEOUT_S, clock.left_s)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an API Gateway proxy event: 200 with the picture's location, or {"error", "detail", "request_id"}.

    An event with `sdk.PROBE`, which the gateway never sends, is answered by the releases of the SDK.
    """
    if (releases := sdk.answer_probe(event)) is not None:
        return releases
    clock.start(context)
    request_id = (event.get("requestContext") or {}).get("requestId") or context.aws_request_id
    logger.append_keys(api_request_id=request_id)
    try:
        job = jobs.parse(read_body(event), fallback_id=request_id, model_arns=MODEL_ARNS)
        logger.append_keys(job_id=job.id, model=job.model.id)
        picture = generation.generate(
            job, bedrock=bedrock, s3=s3, bucket=BUCKET_NAME, prefix=CANDIDATE, attempts=attempts
        )
    except GenerationError as error:
        log = logger.info if error.status < 500 else logger.warning  # noqa: PLR2004 - the server's own failures start there
        log("No picture", reason=error.reason, detail=error.detail, status=error.status)
        count_failure(error.reason)
        return refusal(error.status, error.reason, error.detail, request_id)
    except Exception:
        # The caller gets a sentence, the log the traceback.
        logger.exception("The request failed in a way nobody foresaw")
        detail = "Something failed here that should not; try again, and name the request id if it stays so."
        count_failure(UNEXPECTED)
        return refusal(500, UNEXPECTED, detail, request_id)

    report(picture, waited_ms(event))
    answer = {
        "bucket": picture.bucket,
        "key": picture.key,
        "uri": picture.uri,
        "model": picture.model,
        "seed": picture.seed,
        "milliseconds": picture.milliseconds,
        "already_there": picture.already_there,
    }
    return response(200, answer)


def waited_ms(event: dict[str, Any]) -> int | None:
    """Return the milliseconds since API Gateway received the request; None for an event that it did not send."""
    asked_ms = (event.get("requestContext") or {}).get("requestTimeEpoch")
    return None if asked_ms is None else milliseconds_since(asked_ms)


def report(picture: generation.Picture, waited_ms: int | None) -> None:
    """Log and count a picture; for an existing one, only the time that its client waited."""
    logger.info(
        "Picture stored",
        key=picture.key,
        milliseconds=picture.milliseconds,
        time_to_picture=waited_ms,
        late=None if waited_ms is None else waited_ms > OBJECTIVE_S * 1000,
        already_there=picture.already_there,
    )
    if not picture.already_there:
        metrics.add_metric(name="PicturesMade", unit="Count", value=1)
        metrics.add_metric(name="GenerationTime", unit="Milliseconds", value=picture.milliseconds)
    elif waited_ms is None:
        return
    if waited_ms is not None:
        metrics.add_metric(name="TimeToPicture", unit="Milliseconds", value=waited_ms)
    # By model too: that is what a picture's price goes by.
    metrics.add_dimensions(service=logger.service, model=picture.model)
    metrics.flush_metrics()


def count_failure(reason: str) -> None:
    """Count a request that ended without a picture, by reason: API Gateway's own metrics only know 4XX and 5XX."""
    metrics.add_metric(name="FailedRequests", unit="Count", value=1)
    metrics.add_dimensions(service=logger.service, reason=reason)
    metrics.flush_metrics()


def read_body(event: dict[str, Any]) -> str:
    """Read the body's text from an API Gateway proxy event.

    Raises BodyTooLargeError, and InvalidJobError for a body that is no text, or whose content type says that it is neither
    a prompt nor a job.
    """
    body = event.get("body") or ""
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        if len(raw) > BODY_LIMIT_BYTES:
            raise BodyTooLargeError(f"The body has {len(raw):,} bytes: a job has at most {BODY_LIMIT_BYTES:,}.")
        text = raw.decode()
    except ValueError as error:  # no base64, or no UTF-8
        raise InvalidJobError("The body is no text in UTF-8: send the prompt as UTF-8.") from error
    if "\ufffd" in text:
        # A gateway that passes text on replaces invalid bytes by this: the prompt is already corrupted.
        raise InvalidJobError("The body held bytes that are no UTF-8: send the prompt as UTF-8.")
    refuse_other_content(media_type(event), bodies.trimmed(text))
    return text


def refuse_other_content(kind: str, text: str) -> None:
    """Raise InvalidJobError if the content type says that the body is neither a prompt nor a job.

    `curl -d` calls whatever it sends a form, so a form is one only where it looks like one.
    """
    if kind.startswith(OTHER_CONTENT) or kind.endswith(("+xml", "/xml")):
        raise InvalidJobError(f"The content type {shown(kind)} is not taken: {HOW_TO_SEND}.")
    if kind == FORM and (FORM_FIELD.match(text) or (PERCENT_ENCODED.search(text) and not text.startswith("{"))):
        raise InvalidJobError(f"The body is a form, not a job: {HOW_TO_SEND}.")
    if text and not text.startswith("{") and (kind == "application/json" or kind.endswith("+json")):
        raise InvalidJobError(
            'The content type says JSON, but the body is no JSON object: send {"prompt": "…"}, or the prompt as text/plain.'
        )


def media_type(event: dict[str, Any]) -> str:
    """Return the content type in lower case and without parameters; header names are case-insensitive."""
    named = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return (named.get("content-type") or "").partition(";")[0].strip().lower()


def refusal(status: int, error: str, detail: str, request_id: str) -> dict[str, Any]:
    """Return the response for a failed request; the gateway's own errors have the same format."""
    return response(status, {"error": error, "detail": detail, "request_id": request_id})


def response(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return a response for API Gateway's proxy integration."""
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
