"""One picture from a prompt, by either path: what `couch paint` does."""

import json
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError

from couch_explorers.api import Answer, Api
from couch_explorers.core.errors import GenerationError
from couch_explorers.core.jobs import message_body, parse
from couch_explorers.files import check_writable, reason, write_whole
from couch_explorers.workspace import Workspace, WorkspaceError, not_deployed

QUEUE_DEADLINE_S = 120.0
POLL_S = 0.1


class PaintingError(Exception):
    """There is no picture; the message is the reason, and what to do, if anything."""


@dataclass(frozen=True)
class Painted:
    """A picture in S3 and its local copy."""

    uri: str
    file: Path
    model: str
    seed: int
    seconds: float


def paint(
    workspace: Workspace,
    prompt: str,
    *,
    folder: Path,
    via: Literal["api", "queue"] = "api",
    model: str | None = None,
    seed: int | None = None,
    size: str | None = None,
    cfg_scale: float | None = None,
    negative_prompt: str | None = None,
    deadline_s: float = QUEUE_DEADLINE_S,
) -> Painted:
    """Generate one picture and save a copy as `folder/<id>.png`.

    What breaks a model's limit, and a folder that cannot be written into, is refused before anything is sent. Raises
    PaintingError with the reason, and OutputError for the folder.
    """
    job_id = f"paint-{uuid.uuid4().hex[:12]}"
    body = message_body(
        prompt, id=job_id, model=model, seed=seed, size=size, cfg_scale=cfg_scale, negative_prompt=negative_prompt
    )
    try:
        job = parse(body, fallback_id=job_id, model_arns=workspace.model_arns)
    except GenerationError as error:
        raise PaintingError(error.detail) from error
    check_writable(folder, what="The picture", how="choose another home by COUCH_HOME, or make room there")
    started = time.monotonic()
    if via == "api":
        key = _by_api(workspace, body)
    else:
        key = _by_queue(workspace, body, job.key(workspace.prefix), job.error_key(workspace.prefix), deadline_s)
    picture = workspace.client("s3").get_object(Bucket=workspace.bucket, Key=key)["Body"].read()
    uri = f"s3://{workspace.bucket}/{key}"
    try:
        file = write_whole(folder / f"{job_id}.png", picture)
    except OSError as error:
        raise PaintingError(
            f"The picture was made and lies at {uri}; no copy could be written into {folder}: {reason(error)}."
        ) from error
    return Painted(uri, file, job.model.id, job.seed, time.monotonic() - started)


def _by_api(workspace: Workspace, body: str) -> str:
    try:
        answer = Api.of(workspace).post(body)
    except WorkspaceError as error:
        raise PaintingError(str(error)) from error
    except OSError as error:
        raise PaintingError(f"The API at {workspace.api_url} does not answer: {error}") from error
    if answer.status != HTTPStatus.OK:
        raise PaintingError(_sentence_of(answer))
    return str(answer.body["key"])


def _sentence_of(answer: Answer) -> str:
    """Return the API's error as text."""
    body = answer.body
    if {"error", "detail", "request_id"} <= body.keys():
        return f"{body['error']}: {body['detail']} (HTTP {answer.status}, request {body['request_id']})"
    return f"The API answered HTTP {answer.status}: {answer.text[:300]}"


def _by_queue(workspace: Workspace, body: str, key: str, error_key: str, deadline_s: float) -> str:
    if workspace.queue_url is None:
        raise PaintingError(f"{not_deployed('queue', workspace.target)}.")
    workspace.client("sqs").send_message(QueueUrl=workspace.queue_url, MessageBody=body)
    s3 = workspace.client("s3")
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if _exists(s3, workspace.bucket, key):
            return key
        if _exists(s3, workspace.bucket, error_key):
            note = json.load(s3.get_object(Bucket=workspace.bucket, Key=error_key)["Body"])
            raise PaintingError(f"{note['reason']}: {note['detail']}")
        time.sleep(POLL_S)
    raise PaintingError(
        f"No picture after {deadline_s:.0f} s. The job is still in the queue and is not lost; look for s3://{workspace.bucket}/{key} later."
    )


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # S3 returns 403 for a missing key to a caller that may not list.
        if error.response["Error"]["Code"] in ("404", "403", "NoSuchKey"):
            return False
        raise
    return True
