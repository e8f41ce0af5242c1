"""The queue's worker: each message is a job that becomes a picture in S3, or a dead-letter message with the reason."""

from __future__ import annotations

import functools
import math
import os
import random
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config

from couch_explorers.core import errors, generation, jobs, retries, sdk
from couch_explorers.core.clients import ImageModelClients
from couch_explorers.core.clock import Clock, milliseconds_since
from couch_explorers.core.errors import GenerationError, ModelTimeoutError, OutOfTimeError, UnknownModelError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

BUCKET_NAME = os.environ["BUCKET_NAME"]
CANDIDATE = os.environ["CANDIDATE"]
MODEL_ARNS = os.environ["MODEL_ARNS"].split(",")
QUEUE_URL = os.environ["QUEUE_URL"]
DEAD_LETTER_URL = os.environ["DEAD_LETTER_URL"]
MAX_RECEIVE_COUNT = int(os.environ["MAX_RECEIVE_COUNT"])
FUNCTION_TIMEOUT_S = float(os.environ["FUNCTION_TIMEOUT_S"])
OBJECTIVE_S = float(os.environ["OBJECTIVE_S"])
OBJECTIVE_PERCENT = float(os.environ["OBJECTIVE_PERCENT"])

# Throttles are over in seconds: a few attempts here cost less than a delivery. A read time-out is never tried again, and
# leaves a quarter of the function's time to store the picture or to put the job off.
BEDROCK_ATTEMPTS = 4
BEDROCK_READ_TIMEOUT_S = FUNCTION_TIMEOUT_S * 0.75
AWS_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

# What both queues take, body and attributes together, names and types of the attributes included: SQS allows 1 MiB, but
# version 5 of the Terraform provider makes queues of 256 KiB and knows no more.
MESSAGE_LIMIT_BYTES = 256 * 1024
# A body to which the id is added leaves the other half to the attributes of a dead-letter message.
NAMED_BODY_LIMIT_BYTES = MESSAGE_LIMIT_BYTES // 2
DETAIL_LIMIT_CHARACTERS = 1000
# The characters that SQS accepts in a text (SendMessage): those of XML 1.0.
NOT_FOR_SQS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

logger = Logger(service=os.environ["POWERTOOLS_SERVICE_NAME"])
metrics = Metrics(service=logger.service, namespace=os.environ["POWERTOOLS_METRICS_NAMESPACE"])
# The metric review reads the objective from this function's environment; the log says what `late` went by.
logger.info("Cold start", extra={**sdk.require(), "objective_s": OBJECTIVE_S, "objective_percent": OBJECTIVE_PERCENT})
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

session = boto3.session.Session()
s3 = session.client("s3", config=AWS_CONFIG)


class UnexpectedError(GenerationError):
    """An unexpected failure: it may be transient, and if not, the job must not be lost."""

    reason = errors.UNEXPECTED
    passing = True


class TooSlowError(ModelTimeoutError):
    """The model has timed out so often that no further call is made."""

    passing = False


class PostponedError(Exception):
    """The job stays in the queue and is delivered again."""


clock = Clock()
bedrock = ImageModelClients(MODEL_ARNS[0], read_timeout_s=BEDROCK_READ_TIMEOUT_S, clock=clock, session=session)
attempts = retries.Attempts(BEDROCK_ATTEMPTS, BEDROCK_READ_TIMEOUT_S, clock.left_s)


@functools.cache
def sqs() -> Any:
    """Return the client for the queues, created at the first failure, so that a worker starts sooner."""
    return session.client("sqs", config=AWS_CONFIG)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Process an SQS batch; return the messages that stay in the queue as {"batchItemFailures": […]}.

    An event with `sdk.PROBE` is answered by the releases of the SDK.
    """
    if (releases := sdk.answer_probe(event)) is not None:
        return releases
    clock.start(context)
    return process_partial_response(event=event, record_handler=serve, processor=processor, context=context)


def serve(record: SQSRecord) -> None:
    """Turn one message into a picture or a dead-letter message; raises if the message must stay in the queue."""
    receives = int(record.attributes.approximate_receive_count)
    job_id = jobs.id_of(record.body, record.message_id)
    logger.append_keys(job_id=job_id, message_id=record.message_id, receives=receives)
    job = None
    try:
        job = jobs.parse(record.body, fallback_id=record.message_id, model_arns=MODEL_ARNS)
        picture = generation.generate(
            job, bedrock=bedrock, s3=s3, bucket=BUCKET_NAME, prefix=CANDIDATE, attempts=attempts
        )
    except Exception as error:
        failure = with_timeouts_limited(record, job_id, as_failure(error))
        if failure.passing and receives < MAX_RECEIVE_COUNT and not is_overdue(record, failure):
            postpone(record, receives, failure)
            raise PostponedError from error
        # Only a valid job gets its id added to its body: an invalid one is kept unchanged.
        readable = job is not None or isinstance(error, UnknownModelError)
        body = body_with_id(record.body, job_id) if readable else record.body
        give_up(record, body, job_id, job, failure)
    else:
        report(picture, milliseconds_since(int(record.attributes.sent_timestamp)))


def as_failure(error: Exception) -> GenerationError:
    """Return a failure as an error of this project; an unexpected one is logged with its traceback."""
    if isinstance(error, GenerationError):
        return error
    logger.error("The job failed in a way nobody foresaw", exc_info=error)
    return UnexpectedError(f"The worker failed with {type(error).__name__}; its log tells where, under the job's id.")


def is_overdue(record: SQSRecord, failure: GenerationError) -> bool:
    """Check whether a job has been retried for the time limit of its failure; most failures have none."""
    if failure.patience_s is None:
        return False
    first_s = int(record.attributes.approximate_first_receive_timestamp) / 1000
    return time.time() - first_s >= failure.patience_s


def with_timeouts_limited(record: SQSRecord, job_id: str, failure: GenerationError) -> GenerationError:
    """Return a TooSlowError in place of a timeout once the model has timed out in MAX_MODEL_TIMEOUTS deliveries of a message.

    Each of them leaves an empty object that names the delivery, and those are counted: SQS tells how often a message was
    received, but not how that ended. While the bucket fails, only the number of receives limits them.
    """
    if not isinstance(failure, ModelTimeoutError) or isinstance(failure, OutOfTimeError):
        return failure
    folder = f"{jobs.timeouts_prefix(CANDIDATE, job_id)}{record.message_id}/"
    try:
        s3.put_object(Bucket=BUCKET_NAME, Key=f"{folder}{record.attributes.approximate_receive_count}", Body=b"")
        timeouts = s3.list_objects_v2(Bucket=BUCKET_NAME, Prefix=folder)["KeyCount"]
    except Exception:
        logger.exception("The time-outs of the model could not be counted")
        return failure
    if timeouts < retries.MAX_MODEL_TIMEOUTS:
        return failure
    return TooSlowError(f"{failure.detail} It timed out in {timeouts} deliveries, each of which may have been billed.")


def report(picture: generation.Picture, waited_ms: int) -> None:
    """Log a picture and count it, unless an earlier delivery had made it.

    `waited_ms` is what its client feels: from sending the message to the stored picture, waits and retries included.
    """
    logger.info(
        "Picture stored",
        key=picture.key,
        model=picture.model,
        seed=picture.seed,
        milliseconds=picture.milliseconds,
        time_to_picture=waited_ms,
        late=waited_ms > OBJECTIVE_S * 1000,
        already_there=picture.already_there,
    )
    if not picture.already_there:
        metrics.add_metric(name="PicturesMade", unit="Count", value=1)
        metrics.add_metric(name="GenerationTime", unit="Milliseconds", value=picture.milliseconds)
        metrics.add_metric(name="TimeToPicture", unit="Milliseconds", value=waited_ms)
        # By model too: that is what a picture's price goes by.
        metrics.add_dimensions(service=logger.service, model=picture.model)
        metrics.flush_metrics()


def postpone(record: SQSRecord, receives: int, failure: GenerationError) -> None:
    """Postpone the next delivery; if SQS rejects the change, the queue's own visibility timeout applies."""
    seconds = backoff_s(receives)
    logger.warning("Job postponed", reason=failure.reason, detail=failure.detail, seconds=seconds)
    count_jobs("PostponedJobs", failure.reason)
    try:
        sqs().change_message_visibility(
            QueueUrl=QUEUE_URL, ReceiptHandle=record.receipt_handle, VisibilityTimeout=seconds
        )
    except Exception:
        logger.exception("The visibility could not be changed")


def backoff_s(receives: int) -> int:
    """Draw the whole seconds until the next delivery; at least one, so that this delivery is over by then."""
    return max(1, math.ceil(random.uniform(0, retries.backoff_ceiling_s(receives))))  # noqa: S311 - spreads load, guards nothing


def give_up(record: SQSRecord, body: str, job_id: str, job: jobs.Job | None, failure: GenerationError) -> None:
    """Move a job to the dead-letter queue, and leave an error note for a client that waits for its picture.

    The dead-letter message is sent first: if that fails, the job stays in the queue, and nothing is lost. The note is
    optional: without it the job is still in the dead-letter queue, and another delivery would send it there twice.
    """
    try:
        sqs().send_message(QueueUrl=DEAD_LETTER_URL, **dead_letter(body, job_id, failure))
    except Exception as error:
        logger.exception("The dead-letter message could not be sent", reason=failure.reason)
        postpone(record, int(record.attributes.approximate_receive_count), failure)
        raise PostponedError from error
    logger.error("Job given up", reason=failure.reason, detail=failure.detail)
    count_jobs("FailedJobs", failure.reason)

    note: dict[str, Any] = {"detail": failure.detail, "id": job_id, "reason": failure.reason}
    note |= {"time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if job is not None:
        note |= {"request": job.request}
    key = f"{CANDIDATE}/{job_id}.error.json"
    try:
        s3.put_object(Bucket=BUCKET_NAME, Key=key, Body=jobs.canonical_json(note), ContentType="application/json")
    except Exception:
        logger.exception("The note could not be written", key=key)


def body_with_id(body: str, job_id: str) -> str:
    """Add the id to a job without one, unless the body would then leave no room for the dead-letter message's attributes.

    No job that can be served gets that long; the attribute has the id all the same.
    """
    named = jobs.with_id(body, job_id)
    return named if len(named.encode()) <= NAMED_BODY_LIMIT_BYTES else body


def dead_letter(body: str, job_id: str, failure: GenerationError) -> dict[str, Any]:
    """Return the arguments of SendMessage: the body, with the reason, the detail and the job's id as attributes.

    A body that leaves no room for them is longer than any job that can be served: its end is cut off.
    """
    detail = NOT_FOR_SQS.sub("\ufffd", failure.detail)[:DETAIL_LIMIT_CHARACTERS] or failure.reason
    attributes = {"reason": failure.reason, "detail": detail, "job_id": job_id}
    taken = sum(len(name) + len("String") + len(value.encode()) for name, value in attributes.items())
    room = MESSAGE_LIMIT_BYTES - taken
    raw = body.encode()
    if len(raw) > room:
        logger.error("The body of the dead-letter message is truncated", bytes=len(raw), left=room)
        body = raw[:room].decode(errors="ignore")
    return {
        "MessageBody": body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }


def count_jobs(metric: str, reason: str) -> None:
    """Count a job by service (for the alarm), and by service and reason (for the metric review)."""
    metrics.add_metric(name=metric, unit="Count", value=1)
    metrics.add_dimensions(service=logger.service, reason=reason)
    metrics.flush_metrics()
