"""S3, SQS and Bedrock in memory, as far as the functions call them; behind `validated.client`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from PIL import Image

from tests.aws_fakes.validated import RefusalError


@dataclass(frozen=True)
class StoredObject:
    """What a key of the bucket holds."""

    body: bytes
    content_type: str
    metadata: dict[str, str]


class Bucket:
    """S3 with one bucket, keys in the order of their bytes, and conditional writes; it notes each write."""

    def __init__(self, name: str = "pictures") -> None:
        self.name = name
        self.objects: dict[str, StoredObject] = {}
        self.writes: list[str] = []

    def list_objects_v2(self, *, Bucket, Prefix="", MaxKeys=1000, **_):  # noqa: N803 - S3's names
        self._check(Bucket)
        keys = sorted((key for key in self.objects if key.startswith(Prefix)), key=str.encode)
        listed = [{"Key": key, "Size": len(self.objects[key].body)} for key in keys[:MaxKeys]]
        return {"KeyCount": len(listed), "IsTruncated": len(keys) > MaxKeys} | ({"Contents": listed} if listed else {})

    def head_object(self, *, Bucket, Key):  # noqa: N803
        self._check(Bucket)
        if Key not in self.objects:
            raise RefusalError("404", 404, "Not Found")
        found = self.objects[Key]
        return {"ContentLength": len(found.body), "ContentType": found.content_type, "Metadata": found.metadata}

    def put_object(self, *, Bucket, Key, Body, ContentType="binary/octet-stream", Metadata=None, IfNoneMatch=None):  # noqa: N803
        self._check(Bucket)
        if IfNoneMatch == "*" and Key in self.objects:
            raise RefusalError("PreconditionFailed", 412)
        body = Body.encode() if isinstance(Body, str) else bytes(Body)
        self.objects[Key] = StoredObject(body, ContentType, dict(Metadata or {}))
        self.writes.append(Key)
        return {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}

    def _check(self, bucket: str) -> None:
        if bucket != self.name:
            raise RefusalError("AccessDenied", 403)


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


@cache
def _picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 90, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(errors="replace")).hexdigest()
