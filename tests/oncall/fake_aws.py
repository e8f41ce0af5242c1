"""Queues, a bucket, logs and rights in memory, behind the session of a real Workspace."""

import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from PIL import Image

from couch_explorers.core import generation, image_models, jobs, png
from couch_explorers.workspace import Workspace
from tests.aws_fakes.services import Bucket, Failing, ModelCatalogue
from tests.aws_fakes.validated import RefusalError, checked

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/couch-explorers-42-jobs"
DEAD = f"{QUEUE}-dead-letter"
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
MODELS = tuple(
    image_models.get(name).arn for name in (image_models.DEFAULT_MODEL_ID, "amazon.titan-image-generator-v1")
)


class FakeSqs(Failing):
    """Two queues; a message that is received stays hidden until it is put back or deleted."""

    denial = ("AccessDeniedException", 400)  # SQS API reference, "Common errors"

    def __init__(self):
        super().__init__()
        self.queues = {QUEUE: [], DEAD: []}
        self.refused_bodies = set()
        self.undeletable = set()
        self.unmovable = set()
        self.elsewhere = 0
        self._numbers = itertools.count()

    def put(self, url, body, *, attributes=None, sent=NOW, message_id=None, receives=0, moved=False):
        number = next(self._numbers)
        message_id = message_id or f"00000000-0000-4000-8000-{number:012}"
        system = {"SentTimestamp": str(int(sent.timestamp() * 1000))}
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
            "Successful": [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": "0"} for entry in sent],
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


class PictureBucket(Bucket):
    """The bucket with what the worker stores."""

    def paint(self, job):
        """Store a job's picture as the worker does."""
        buffer = io.BytesIO()
        Image.new("RGB", (48, 32), (9, 9, 90)).save(buffer, "PNG")
        picture = png.add_parameters(buffer.getvalue(), generation.parameters_of(job, seed=job.seed, created=NOW))
        metadata = {
            generation.HASH_METADATA: job.request_hash,
            generation.MODEL_METADATA: job.model.id,
            generation.SEED_METADATA: str(job.seed),
        }
        self.put(job.key("42"), picture, **metadata)

    def note(self, job_id, reason="ContentFiltered", detail="The prompt was blocked.", **fields):
        """Store the note that the worker leaves."""
        text = json.dumps({"reason": reason, "detail": detail, "id": job_id, **fields})
        self.put(f"42/{job_id}.error.json", text.encode())


class FakeLogs(Failing):
    """Events by log group; `page` is how many an answer of FilterLogEvents holds at most."""

    denial = ("AccessDeniedException", 400)  # CloudWatch Logs API reference, "Common errors"

    def __init__(self):
        super().__init__()
        self.groups = {"/aws/lambda/worker": [], "/aws/lambda/api": []}
        self.page = 100
        self.asked = []

    def write(self, function, message, time=NOW):
        text = message if isinstance(message, str) else json.dumps(message)
        self.groups[f"/aws/lambda/{function}"].append((time, text))

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


class FakeIam(Failing):
    """Allows the actions in `allowed`."""

    def __init__(self):
        super().__init__()
        self.allowed = set()

    def simulate_principal_policy(self, *, PolicySourceArn, ActionNames, ResourceArns):  # noqa: N803
        self.called("simulate")
        decision = "allowed" if ActionNames[0] in self.allowed else "implicitDeny"
        return {"EvaluationResults": [{"EvalActionName": ActionNames[0], "EvalDecision": decision}]}


class FakeLambda(Failing):
    """Knows the worker's role."""

    denial = ("AccessDeniedException", 403)  # Lambda API reference, "Common errors"

    def get_function_configuration(self, FunctionName):  # noqa: N803
        self.called("configuration")
        return {"Role": "arn:aws:iam::1:role/worker"}


class Cloud:
    """What a session reaches: one client a service."""

    def __init__(self):
        self.sqs, self.s3, self.logs = FakeSqs(), PictureBucket("bucket", NOW, timedelta(0)), FakeLogs()
        self.iam, self.bedrock, self.functions = FakeIam(), ModelCatalogue(), FakeLambda()

    def client(self, service, **_):
        clients = vars(self) | {"lambda": self.functions}
        return checked(service, clients[service])

    def workspace(self, target="aws", **changes):
        usual = {
            "queue_url": QUEUE,
            "dead_letter_url": DEAD,
            "functions": {"worker": "worker", "api": "api"},
            "model_arns": MODELS,
            "endpoint": "http://127.0.0.1:1",
        }
        return Workspace(target, self, "42", "eu-west-1", "bucket", "42", **(usual | changes))

    def give_up(self, job_id, reason="Throttled", detail="Try again later.", *, body=None, minutes=0, **fields):
        """Put a dead-letter message as the worker writes it, that many minutes after the first."""
        text = body or jobs.message_body(fields.pop("prompt", "A fjord"), id=job_id, **fields)
        attributes = {"reason": reason, "detail": detail, "job_id": job_id}
        return self.sqs.put(DEAD, text, attributes=attributes, sent=NOW + timedelta(minutes=minutes))

    def line(self, message, *, function="worker", at_s=0, **fields):
        """Write a log line as the handlers do, that many seconds after now."""
        time = NOW + timedelta(seconds=at_s)
        stamp = f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03}+0000"
        self.logs.write(function, {"message": message, "timestamp": stamp, **fields}, time)
