"""From a job to a picture in S3: check for an existing one, call the model, embed the parameters, store it once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from couch_explorers.core import png as pictures
from couch_explorers.core.aws_errors import describe, model_error, storage_error
from couch_explorers.core.errors import (
    ConflictError,
    ModelAnswerError,
    ModelUnavailableError,
    OutOfTimeError,
    StorageError,
    ThrottledError,
)
from couch_explorers.core.retries import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.core.jobs import Job

# The object's metadata; S3 accepts only ASCII, so it does not include the prompt.
HASH_METADATA = "couch-request-hash"
MODEL_METADATA = "couch-model"
SEED_METADATA = "couch-seed"
ID_METADATA = "couch-id"

# Two concurrent writes of one key: the second client has to retry, and then finds the first one's picture.
STORE_ATTEMPTS = 3

# Errors that a retry may resolve. A timeout is not among them: it may have been billed.
REPEATABLE = (ThrottledError, ModelUnavailableError)
ONCE = Attempts()


@dataclass(frozen=True)
class Picture:
    """A picture in S3; `model` is a model's id, `milliseconds` is the whole time that `generate` took.

    `already_there` tells that the same request had been served before.
    """

    bucket: str
    key: str
    model: str
    seed: int
    milliseconds: int
    already_there: bool

    @property
    def uri(self) -> str:
        """The picture's URI, s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


def bedrock_client(
    region: str,
    *,
    attempts: int,
    read_timeout_s: float,
    connect_timeout_s: float = 5.0,
    time_left_s: Callable[[], float] | None = None,
    session: boto3.session.Session | None = None,
    max_pool_connections: int = 10,
) -> Any:
    """Create a client for the image models of a region, with at most `attempts` attempts per call.

    With more than one, the SDK repeats a call without a look for a picture that another delivery stored meanwhile: see
    `generate`, which repeats calls itself. `max_pool_connections` is how many threads may ask at once with a connection that stays open.

    botocore's standard mode retries throttles, 5xx and lost connections with backoff. A read time-out it would retry as
    well; here it is raised at once, because the picture that came too late may have been billed. For the same reason no
    attempt is begun that could outlive its caller: where `time_left_s` tells less than the read time-out, the call ends
    with an OutOfTimeError.
    """
    config = Config(
        region_name=region,
        retries={"mode": "standard", "total_max_attempts": attempts},
        read_timeout=read_timeout_s,
        connect_timeout=connect_timeout_s,
        max_pool_connections=max_pool_connections,
    )
    client = (session or boto3).client("bedrock-runtime", config=config)
    # First in the chain, so that the standard handler does not spend its quota on a retry that is not made.
    client.meta.events.register_first("needs-retry.bedrock-runtime", _never_retry_a_read_timeout)
    if time_left_s is not None:

        def begin_nothing_too_late(**_: Any) -> None:
            if (left := time_left_s()) < read_timeout_s:
                raise OutOfTimeError(
                    f"The model was not asked: {left:.1f} s are left, and an answer may take {read_timeout_s:.1f} s."
                )

        client.meta.events.register_first("before-send.bedrock-runtime.InvokeModel", begin_nothing_too_late)
    return client


def _never_retry_a_read_timeout(caught_exception: Exception | None = None, **_: Any) -> None:
    """Raise a read timeout instead of retrying.

    Raising works in every release of botocore, as its legacy retry handler does it; answering False means "no retry"
    only in recent ones and "retry at once" in older ones.
    """
    if isinstance(caught_exception, ReadTimeoutError):
        raise caught_exception


def invoke(bedrock: Any, job: Job) -> bytes:
    """Call the job's model for one picture and return its PNG.

    Every failure is a GenerationError: see `aws_errors.model_error` and `ImageModel.read_response`.
    """
    return ask(bedrock, job)[0]


def ask(bedrock: Any, job: Job) -> tuple[bytes, int]:
    """Call the job's model for one picture and return (PNG, the seed that was used); raises like `invoke`."""
    model = job.model
    body = model.build_request(
        job.prompt, seed=job.seed, size=job.size, cfg_scale=job.cfg_scale, negative_prompt=job.negative_prompt
    )
    try:
        response = bedrock.invoke_model(
            modelId=model.invoke_id, body=json.dumps(body), contentType="application/json", accept="application/json"
        )
        text = response["body"].read()
    except (BotoCoreError, ClientError) as error:
        raise model_error(model, error) from error
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise ModelAnswerError(f"{model.name} answered with something that is no JSON.") from error
    picture = model.read_response(answer)[0]
    try:
        for _ in pictures.chunks(picture):
            pass
    except ValueError as error:
        raise ModelAnswerError(f"{model.name} answered with a picture that cannot be read: {error}") from error
    return picture, model.read_seed(answer, job.seed)


def parameters_of(job: Job, *, seed: int, created: datetime) -> dict[str, Any]:
    """Return the parameters embedded in the job's picture; `created` is a time with a zone, `seed` the one used."""
    return {
        "created": created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": job.id,
        "model": job.model.id,
        "request": job.request,
        "seed": seed,
    }


def find(s3: Any, bucket: str, key: str) -> bool:
    """Check whether a key exists, with only the permission to list its prefix; raises StorageError.

    A HEAD would not do: without a right to list the whole bucket S3 answers 403 for a missing key.
    """
    try:
        listing = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        raise storage_error("list", bucket, error) from error
    # Keys are sorted by their bytes: the key itself comes before all that begin with it.
    return any(entry["Key"] == key for entry in listing.get("Contents", []))


def store(s3: Any, bucket: str, key: str, png: bytes, job: Job, *, seed: int | None = None) -> bool:
    """Write the picture unless its key exists; return whether it was written.

    False means that the same request's picture was there already; raises ConflictError when another request's is, and
    StorageError when S3 fails.
    """
    metadata = {
        HASH_METADATA: job.request_hash,
        MODEL_METADATA: job.model.id,
        SEED_METADATA: str(job.seed if seed is None else seed),
        ID_METADATA: job.id,
    }
    for attempt in count(1):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=png, ContentType="image/png", Metadata=metadata, IfNoneMatch="*")
        except ClientError as error:
            code, _, _ = describe(error)
            if code in ("PreconditionFailed", "412"):
                _metadata_of_same_request(s3, bucket, key, job)
                return False
            if code != "ConditionalRequestConflict" or attempt == STORE_ATTEMPTS:
                raise storage_error("write", bucket, error) from error
        except BotoCoreError as error:
            raise storage_error("write", bucket, error) from error
        else:
            break
    return True


def generate(
    job: Job,
    *,
    bedrock: Callable[[str], Any],
    s3: Any,
    bucket: str,
    prefix: str,
    attempts: Attempts = ONCE,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Picture:
    """Make the job's picture and store it; for an existing picture, the model is neither called nor paid for again.

    Args:
        job: What to make.
        bedrock: Gives the client of a region, which should make one attempt a call; called only when the model must be asked.
        s3: The client for the bucket.
        bucket: The bucket's name.
        prefix: The first part of the picture's key.
        attempts: How often a throttled or failed call is repeated; before each call the picture is looked for.
        now: Gives the time that is written into the picture.

    Raises:
        ConflictError: The key holds another request's picture.
        GenerationError: There is no picture for another reason.
    """
    started = time.perf_counter()
    key = job.key(prefix)
    answer = ask_unless_stored(job, bedrock, lambda: find(s3, bucket, key), attempts)
    if answer is None:
        metadata = _metadata_of_same_request(s3, bucket, key, job)
        seed, written = _seed_in(metadata, job), False
    else:
        picture, seed = answer
        picture = pictures.add_parameters(picture, parameters_of(job, seed=seed, created=now()))
        written = store(s3, bucket, key, picture, job, seed=seed)
        if not written:
            # Another worker was faster: its picture is kept, so its seed is reported.
            seed = _seed_in(_metadata_of_same_request(s3, bucket, key, job), job)
    return Picture(
        bucket=bucket,
        key=key,
        model=job.model.id,
        seed=seed,
        milliseconds=round((time.perf_counter() - started) * 1000),
        already_there=not written,
    )


def ask_unless_stored(
    job: Job, bedrock: Callable[[str], Any], is_stored: Callable[[], bool], attempts: Attempts
) -> tuple[bytes, int] | None:
    """Call the model as often as `attempts` allows; None, without another call, once the picture is stored."""
    made = 0
    while not is_stored():
        try:
            return ask(bedrock(job.model.region), job)
        except REPEATABLE:
            made += 1
            if not attempts.wait(made):
                raise
    return None


def _metadata_of_same_request(s3: Any, bucket: str, key: str, job: Job) -> dict[str, str]:
    """Read the metadata of the existing picture; raises ConflictError if it is from another request."""
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # A HEAD has no body, so its code is the status (S3 API reference, HeadObject).
        if describe(error)[0] == "404":
            raise StorageError(f"s3://{bucket}/{key} was there and is gone: try again.", passing=True) from error
        raise storage_error("read", bucket, error) from error
    except BotoCoreError as error:
        raise storage_error("read", bucket, error) from error
    metadata: dict[str, str] = head["Metadata"]
    if metadata.get(HASH_METADATA) != job.request_hash:
        raise ConflictError(f"The id {job.id} belongs to another request: choose another id.")
    return metadata


def _seed_in(metadata: dict[str, str], job: Job) -> int:
    text = metadata.get(SEED_METADATA)
    return int(text) if text and text.isdecimal() else job.seed
