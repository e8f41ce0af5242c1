"""S3, SQS and Bedrock in memory, as far as the functions call them; behind `validated.client`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.aws_fakes.validated import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)


# In `failures`: the service denies access, each in its own words.
DENIED = object()


class Failing:
    """Raises what stands in `failures` under the short name of an operation, and notes each call in `calls`."""

    # Code and status of a caller without the permission: S3 and IAM API references, "Error responses" and "Common errors".
    denial = ("AccessDenied", 403)

    def __init__(self) -> None:
        self.failures: dict[str, Any] = {}
        self.calls: list[str] = []

    def called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failures:
            raise RefusalError(*self.denial) if self.failures[name] is DENIED else self.failures[name]


@dataclass(frozen=True)
class StoredObject:
    """What a key of the bucket holds."""

    body: bytes
    content_type: str
    metadata: dict[str, str]
    modified: datetime = STARTED

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'


class Bucket(Failing):
    """S3 with one bucket, keys in the order of their bytes, and conditional writes; it notes each write.

    The first write is at `started`, each other `step` after the one before. Without `may_remove` the caller may not delete; nor may
    it delete the keys in `undeletable`.
    """

    def __init__(
        self, name: str = "pictures", started: datetime = STARTED, step: timedelta = timedelta(seconds=1)
    ) -> None:
        super().__init__()
        self.name = name
        self._now, self._step = started, step
        self.objects: dict[str, StoredObject] = {}
        self.writes: list[str] = []
        self.lists: list[tuple[str, str, int]] = []
        self.may_remove = True
        self.undeletable: set[str] = set()

    def put(self, key: str, body: bytes, **metadata: str) -> None:
        """Store an object without a call."""
        self._store(key, body, "image/png" if key.endswith(".png") else "application/json", metadata)

    def list_objects_v2(self, *, Bucket, Prefix="", StartAfter="", MaxKeys=1000, **_):  # noqa: N803 - S3's names
        self._called("list", Bucket)
        self.lists.append((Prefix, StartAfter, MaxKeys))
        found = {key: each for key, each in self.objects.copy().items() if key.startswith(Prefix) and key > StartAfter}
        keys = sorted(found, key=str.encode)
        listed = [
            {"Key": key, "Size": len(each.body), "ETag": each.etag, "LastModified": each.modified}
            for key in keys[:MaxKeys]
            for each in [found[key]]
        ]
        return {"KeyCount": len(listed), "IsTruncated": len(keys) > MaxKeys} | ({"Contents": listed} if listed else {})

    def head_object(self, *, Bucket, Key):  # noqa: N803
        self._called("head", Bucket)
        if Key not in self.objects:
            raise RefusalError("404", 404, "Not Found")
        found = self.objects[Key]
        return {"ContentLength": len(found.body), "ContentType": found.content_type, "Metadata": found.metadata}

    def get_object(self, *, Bucket, Key, Range="bytes=0-"):  # noqa: N803
        self._called("get", Bucket)
        if Key not in self.objects:
            raise RefusalError("NoSuchKey", 404, "The specified key does not exist.")
        found, end = self.objects[Key], Range.removeprefix("bytes=0-")
        body = found.body[: int(end) + 1] if end else found.body
        return {"Body": io.BytesIO(body), "ContentType": found.content_type, "Metadata": found.metadata}

    def put_object(self, *, Bucket, Key, Body, ContentType="binary/octet-stream", Metadata=None, IfNoneMatch=None):  # noqa: N803
        self._called("put", Bucket)
        if IfNoneMatch == "*" and Key in self.objects:
            raise RefusalError("PreconditionFailed", 412)
        self._store(Key, Body.encode() if isinstance(Body, str) else bytes(Body), ContentType, Metadata or {})
        self.writes.append(Key)
        return {"ETag": self.objects[Key].etag}

    def delete_objects(self, *, Bucket, Delete):  # noqa: N803
        self._called("delete", Bucket)
        kept = [entry for entry in Delete["Objects"] if not self.may_remove or entry["Key"] in self.undeletable]
        gone = [entry for entry in Delete["Objects"] if entry not in kept]
        for entry in gone:
            self.objects.pop(entry["Key"], None)
        return {"Deleted": gone, "Errors": [entry | {"Code": "AccessDenied"} for entry in kept]}

    def _called(self, name: str, bucket: str) -> None:
        self.called(name)
        if bucket != self.name:
            raise RefusalError("AccessDenied", 403)

    def _store(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        self.objects[key] = StoredObject(body, content_type, dict(metadata), self._now)
        self._now += self._step


@dataclass(frozen=True)
class SentMessage:
    """A message as it was sent."""

    queue: str
    body: str
    attributes: dict[str, str]


@dataclass
class Queues:
    """SQS, as a worker uses it: what was sent, and what was postponed by receipt handle."""

    sent: list[SentMessage] = field(default_factory=list)
    visibility: list[tuple[str, str, int]] = field(default_factory=list)

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803 - SQS's names
        attributes = {name: attribute["StringValue"] for name, attribute in MessageAttributes.items()}
        self.sent.append(SentMessage(QueueUrl, MessageBody, attributes))
        number = len(self.sent)
        return {"MessageId": f"00000000-0000-4000-9000-{number:012}", "MD5OfMessageBody": _md5(MessageBody)}

    def change_message_visibility(self, *, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803
        self.visibility.append((QueueUrl, ReceiptHandle, VisibilityTimeout))


class ImageModels:
    """Bedrock's image models; each call is noted and would be billed, and each picture differs from all before."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def invoke_model(self, *, body, modelId, contentType, accept):  # noqa: N803 - Bedrock's names
        assert (contentType, accept) == ("application/json", "application/json")
        request = json.loads(body)
        self.requests.append(request | {"modelId": modelId})
        picture = base64.b64encode(_picture(len(self.requests) % 256)).decode()
        answer = {"images": [picture], "finish_reasons": [None], "seeds": [request.get("seed", 0)], "error": None}
        return {"body": io.BytesIO(json.dumps(answer).encode()), "contentType": "application/json"}


class ModelCatalogue(Failing):
    """Bedrock's catalogue: each model is ACTIVE but for those in `lifecycles`, by id: a status, a lifecycle or an exception."""

    denial = ("AccessDeniedException", 403)

    def __init__(self, **lifecycles: Any) -> None:
        super().__init__()
        self.lifecycles: dict[str, Any] = lifecycles
        self.asked: list[str] = []

    def get_foundation_model(self, *, modelIdentifier):  # noqa: N803 - Bedrock's names
        self.called("lifecycle")
        self.asked.append(modelIdentifier)
        found = self.lifecycles.get(modelIdentifier, "ACTIVE")
        if isinstance(found, Exception):
            raise found
        lifecycle = {"status": found} if isinstance(found, str) else found
        arn = f"arn:aws:bedrock:us-west-2::foundation-model/{modelIdentifier}"
        return {"modelDetails": {"modelArn": arn, "modelId": modelIdentifier, "modelLifecycle": lifecycle}}

    def close(self) -> None:
        """Hold no connection."""


@cache
def _picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 90, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(errors="replace")).hexdigest()
