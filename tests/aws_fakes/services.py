"""S3, SNS, CloudWatch Logs, IAM and Lambda in memory; behind `validated.client` or `validated.checked`."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.aws_fakes.validated import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)


# In `failures`: the service denies access, each in its own words.
DENIED = object()


class Failing:
    """Raises what stands in `failures` under the short name of an operation, of a list one a call; notes each call in `calls`."""

    # Code and status of a caller without the permission: S3 and IAM API references, "Error responses" and "Common errors".
    denial = ("AccessDenied", 403)

    def __init__(self) -> None:
        self.failures: dict[str, Any] = {}
        self.calls: list[str] = []

    def called(self, name: str) -> None:
        self.calls.append(name)
        failure = self.failures.get(name)
        if isinstance(failure, list):
            failure = failure.pop(0) if failure else None
        if failure is not None:
            raise RefusalError(*self.denial) if failure is DENIED else failure


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


class Topics(Failing):
    """SNS: the subscriptions of each topic by its ARN, and those that wait for their token by it."""

    denial = ("AuthorizationError", 403)

    def __init__(self, subscriptions: dict[str, list[dict[str, str]]] | None = None, **pending: str) -> None:
        super().__init__()
        self.subscriptions = subscriptions or {}
        self.pending = pending
        self.confirmed: list[tuple[str, str]] = []

    def list_subscriptions_by_topic(self, *, TopicArn):  # noqa: N803 - SNS's names
        self.called("subscriptions")
        waiting = [{"Endpoint": each, "SubscriptionArn": "PendingConfirmation"} for each in self.pending.values()]
        # A page each, so that anyone who reads only the first is found out.
        for each in self.subscriptions.get(TopicArn, []) + waiting:
            yield {"Subscriptions": [each]}

    def confirm_subscription(self, *, TopicArn, Token):  # noqa: N803
        self.called("confirm")
        if Token not in self.pending:
            raise RefusalError("InvalidParameter", 400, "Invalid token")
        self.confirmed.append((TopicArn, self.pending.pop(Token)))
        return {"SubscriptionArn": f"{TopicArn}:1"}


class Logs(Failing):
    """Events by log group; `page` is how many an answer of FilterLogEvents holds at most."""

    denial = ("AccessDeniedException", 400)  # CloudWatch Logs API reference, "Common errors"

    def __init__(self, now=STARTED):
        super().__init__()
        self.now = now
        self.groups = {"/aws/lambda/worker": [], "/aws/lambda/api": []}
        self.page = 100
        self.asked = []

    def write(self, function, message, time=None):
        text = message if isinstance(message, str) else json.dumps(message)
        self.groups[f"/aws/lambda/{function}"].append((time or self.now, text))

    def filter_log_events(self, *, logGroupName, filterPattern, startTime, endTime, nextToken="0"):  # noqa: N803
        self.called("filter")
        self.asked.append((logGroupName, startTime, endTime))
        if logGroupName not in self.groups:
            raise RefusalError("ResourceNotFoundException", 400)
        phrase = filterPattern.strip('"')
        stamped = sorted((int(time.timestamp() * 1000), text) for time, text in self.groups[logGroupName])
        events = [
            {"timestamp": stamp, "message": text}
            for stamp, text in stamped
            if startTime <= stamp <= endTime and phrase in text
        ]
        start = int(nextToken)
        answer = {"events": events[start : start + self.page]}
        return answer | ({"nextToken": str(start + self.page)} if start + self.page < len(events) else {})


class Iam(Failing):
    """Allows the actions in `allowed`."""

    def __init__(self):
        super().__init__()
        self.allowed = set()

    def simulate_principal_policy(self, *, PolicySourceArn, ActionNames, ResourceArns):  # noqa: N803
        self.called("simulate")
        decision = "allowed" if ActionNames[0] in self.allowed else "implicitDeny"
        return {"EvaluationResults": [{"EvalActionName": ActionNames[0], "EvalDecision": decision}]}


class Functions(Failing):
    """Knows the worker's role."""

    denial = ("AccessDeniedException", 403)  # Lambda API reference, "Common errors"

    def get_function_configuration(self, FunctionName):  # noqa: N803
        self.called("configuration")
        return {"Role": "arn:aws:iam::1:role/worker"}
