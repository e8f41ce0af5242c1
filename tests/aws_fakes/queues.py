"""SQS in memory: for a worker, for an operator and for a sender; behind `validated.client` or `validated.checked`."""

from __future__ import annotations

import hashlib
import itertools
import threading
from dataclasses import dataclass
from types import SimpleNamespace

from tests.aws_fakes.services import STARTED, Failing
from tests.aws_fakes.validated import RefusalError

# SQS API reference, "Common errors".
DENIAL = ("AccessDeniedException", 400)


@dataclass(frozen=True)
class SentMessage:
    """A message as it was sent."""

    queue: str
    body: str
    attributes: dict[str, str]


class Queues(Failing):
    """SQS, as a worker uses it: what was sent, and what was postponed by receipt handle."""

    denial = DENIAL

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[SentMessage] = []
        self.visibility: list[tuple[str, str, int]] = []

    def send_message(self, *, QueueUrl, MessageBody, MessageAttributes):  # noqa: N803 - SQS's names
        self.called("send")
        # SQS takes Number and Binary, too; no message of a worker has one.
        if any(attribute["DataType"] != "String" for attribute in MessageAttributes.values()):
            raise RefusalError("InvalidParameterValue", 400)
        attributes = {name: attribute["StringValue"] for name, attribute in MessageAttributes.items()}
        self.sent.append(SentMessage(QueueUrl, MessageBody, attributes))
        number = len(self.sent)
        return {"MessageId": f"00000000-0000-4000-9000-{number:012}", "MD5OfMessageBody": _md5(MessageBody)}

    def change_message_visibility(self, *, QueueUrl, ReceiptHandle, VisibilityTimeout):  # noqa: N803
        self.called("postpone")
        self.visibility.append((QueueUrl, ReceiptHandle, VisibilityTimeout))


class MessageQueues(Failing):
    """Queues by URL; a message that is received stays hidden until it is put back or deleted."""

    denial = DENIAL

    def __init__(self, *urls, now=STARTED):
        super().__init__()
        self.now = now
        self.queues = {url: [] for url in urls}
        self.refused_bodies = set()
        self.undeletable = set()
        self.unmovable = set()
        self.elsewhere = 0
        self._numbers = itertools.count()

    def put(self, url, body, *, attributes=None, sent=None, message_id=None, receives=0, moved=False):
        number = next(self._numbers)
        message_id = message_id or f"00000000-0000-4000-8000-{number:012}"
        system = {"SentTimestamp": str(int((sent or self.now).timestamp() * 1000))}
        if moved:
            system["DeadLetterQueueSourceArn"] = "arn:aws:sqs:eu-west-1:1:couch-explorers-42-jobs"
        given = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
        self.queues[url].append(
            SimpleNamespace(
                id=message_id,
                body=body,
                attributes=given,
                system=system,
                receives=receives,
                hidden=False,
                handle=None,
            ),
        )
        return message_id

    def bodies(self, url):
        return [message.body for message in self.queues[url]]

    def visible(self, url):
        return [message for message in self.queues[url] if not message.hidden]

    def receive_message(self, *, QueueUrl, MaxNumberOfMessages, **_):  # noqa: N803
        self.called("receive")
        taken = self.visible(QueueUrl)[:MaxNumberOfMessages]
        for message in taken:
            message.hidden, message.handle = True, f"handle-{next(self._numbers)}"
            message.receives += 1
        return {
            "Messages": [
                {
                    "MessageId": message.id,
                    "ReceiptHandle": message.handle,
                    "Body": message.body,
                    "Attributes": message.system | {"ApproximateReceiveCount": str(message.receives)},
                    "MessageAttributes": message.attributes,
                }
                for message in taken
            ],
        }

    def change_message_visibility_batch(self, *, QueueUrl, Entries):  # noqa: N803
        self.called("put back")
        assert 1 <= len(Entries) <= 10
        handles = {entry["ReceiptHandle"] for entry in Entries if entry["Id"] not in self.unmovable}
        for message in self.queues[QueueUrl]:
            message.hidden = message.hidden and message.handle not in handles
        known = {message.handle for message in self.queues[QueueUrl]}
        failed = [(entry["Id"], "InternalError") for entry in Entries if entry["Id"] in self.unmovable]
        # As SQS says of a message that is deleted.
        failed += [(entry["Id"], "InvalidParameterValue") for entry in Entries if entry["ReceiptHandle"] not in known]
        done = {entry["Id"] for entry in Entries}.difference(name for name, _ in failed)
        return {
            "Successful": [{"Id": name} for name in sorted(done)],
            "Failed": [{"Id": name, "Code": code, "SenderFault": False} for name, code in failed],
        }

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        self.called("send")
        assert 1 <= len(Entries) <= 10
        failed = [entry for entry in Entries if entry["MessageBody"] in self.refused_bodies]
        for entry in Entries:
            if entry not in failed:
                self.put(QueueUrl, entry["MessageBody"])
        sent = [entry for entry in Entries if entry not in failed]
        return {
            "Successful": [_sent(entry) for entry in sent],
            "Failed": [{"Id": entry["Id"], "Code": "InvalidMessageContents", "SenderFault": True} for entry in failed],
        }

    def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        self.called("delete")
        assert 1 <= len(Entries) <= 10
        handles = {entry["ReceiptHandle"] for entry in Entries if entry["Id"] not in self.undeletable}
        self.queues[QueueUrl] = [message for message in self.queues[QueueUrl] if message.handle not in handles]
        ids = [entry["Id"] for entry in Entries]
        return {
            "Successful": [{"Id": each} for each in ids if each not in self.undeletable],
            "Failed": [
                {"Id": each, "Code": "InternalError", "SenderFault": False} for each in ids if each in self.undeletable
            ],
        }

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        self.called("attributes")
        counts = {"ApproximateNumberOfMessages": len(self.visible(QueueUrl))}
        counts["ApproximateNumberOfMessagesNotVisible"] = self.elsewhere
        return {"Attributes": {name: str(counts.get(name, 0)) for name in AttributeNames}}


class ServedQueue(Failing):
    """Hands each message at once to `serve`, its worker; `refuse(entry)` may give the failure of an entry of a batch.

    `depth` is the number of visible messages, or why it is not known; `attributes` holds the queue's other attributes.
    """

    denial = DENIAL

    def __init__(self, serve):
        super().__init__()
        self.serve = serve
        self.bodies = []
        self.batches = []
        self.refuse = lambda entry: None
        self.depth = 0
        self.attributes = {}
        self._lock = threading.Lock()

    def send_message(self, *, QueueUrl, MessageBody):  # noqa: N803 - SQS's names
        self.called("send")
        self._serve(MessageBody)
        return {"MessageId": f"00000000-0000-4000-8000-{len(self.bodies):012}", "MD5OfMessageBody": _md5(MessageBody)}

    def send_message_batch(self, *, QueueUrl, Entries):  # noqa: N803
        with self._lock:
            self.called("send")
            self.batches.append(Entries)
            failed = {entry["Id"]: failure for entry in Entries if (failure := self.refuse(entry))}
            sent = [entry for entry in Entries if entry["Id"] not in failed]
            for entry in sent:
                self._serve(entry["MessageBody"])
        return {
            "Successful": [_sent(entry) for entry in sent],
            "Failed": [{"Id": name, **failure} for name, failure in failed.items()],
        }

    def get_queue_attributes(self, *, QueueUrl, AttributeNames):  # noqa: N803
        if isinstance(self.depth, Exception):
            raise self.depth
        counts = {name: "0" for name in AttributeNames if name.startswith("ApproximateNumberOf")}
        counts["ApproximateNumberOfMessages"] = str(self.depth)
        return {
            "Attributes": counts | {name: self.attributes[name] for name in AttributeNames if name in self.attributes}
        }

    def _serve(self, body):
        self.bodies.append(body)
        self.serve(body)


def _sent(entry):
    return {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": _md5(entry["MessageBody"])}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(errors="replace")).hexdigest()
