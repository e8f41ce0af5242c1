"""Kills a cloud while messages are sent to it and worked off, and counts what is there afterwards.

`python -m tests.local.engine.kills ROUNDS` is the long form, `make kills`; the short one is a test.
"""

import io
import json
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.local.engine.conftest import serve

# What a kill may take: what was acknowledged so shortly before it.
LAST_S = 1.0
# Seconds after which a message that a killed function had is seen again: as few as Lambda takes for such a function.
VISIBILITY_S = 10
SENDERS = 4
NO_RETRY = Config(retries={"max_attempts": 0}, read_timeout=30)
# Seconds until a mapping has worked off everything, on a machine however busy.
PATIENCE_S = 240
UNREACHABLE = (BotoCoreError, ClientError)


@dataclass
class Ledger:
    """What clients know: messages by body, with the time at which the cloud acknowledged them or their deletion."""

    sent: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)
    # Asked for, and not answered before the kill: may have happened or not.
    doubtful: set[str] = field(default_factory=set)

    def must_be_there(self, before: float) -> set[str]:
        """The messages that a restart has to bring back."""
        kept = {body for body, moment in self.sent.items() if moment < before}
        return kept - self.deleted.keys() - self.doubtful

    def must_be_gone(self, before: float) -> set[str]:
        """The messages that a restart must not bring back."""
        return {body for body, moment in self.deleted.items() if moment < before}


def send(sqs, url, ledger, name, stop):
    """Send until the cloud is gone."""
    for number in range(10**9):
        if stop.is_set():
            return
        body = f"{name}-{number}"
        try:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        except UNREACHABLE:
            return
        ledger.sent[body] = time.monotonic()


def work_off(sqs, url, ledger, stop):
    """Receive and delete every second message, until the cloud is gone; the others stay in flight."""
    while not stop.is_set():
        try:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=2).get(
                "Messages", []
            )
            for message in messages[::2]:
                ledger.doubtful.add(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                ledger.deleted[message["Body"]] = time.monotonic()
                ledger.doubtful.discard(message["Body"])
        except UNREACHABLE:
            return


def drain(sqs, url):
    """Every message of the queue, as a list of bodies; those in flight are waited for."""
    bodies = []
    while True:
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        if messages:
            bodies += [message["Body"] for message in messages]
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            assert not sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed")
        elif not int(counts["ApproximateNumberOfMessagesNotVisible"]):
            return bodies


def kill_while_sending(home, port, random, last_s=LAST_S):
    """Send and work off, kill at a random moment, come back and count; returns the port and how many were sent."""
    ledger, stop = Ledger(), threading.Event()
    with serve(home, port=port) as cloud:
        sqs = cloud.client("sqs", config=NO_RETRY)
        url = sqs.create_queue(QueueName="kills")["QueueUrl"]
        name = f"{random.random():.12f}"
        threads = [
            threading.Thread(target=send, args=[sqs, url, ledger, f"{name}-{sender}", stop])
            for sender in range(SENDERS)
        ]
        threads.append(threading.Thread(target=work_off, args=[sqs, url, ledger, stop]))
        for thread in threads:
            thread.start()
        stop.wait(last_s + random.uniform(0.5, 2.5))
        before = time.monotonic() - last_s
        cloud.process.kill()
        stop.set()
        for thread in threads:
            thread.join()
    with serve(home, port=cloud.port) as cloud:
        found = drain(cloud.client("sqs"), url)
    counted = set(found)
    assert len(found) == len(counted), f"twice there: {sorted(body for body in counted if found.count(body) > 1)}"
    missing = ledger.must_be_there(before) - counted
    assert not missing, f"{len(missing)} acknowledged messages are gone, as {min(missing)}"
    back = ledger.must_be_gone(before) & counted
    assert not back, f"{len(back)} deleted messages are back, as {min(back)}"
    return cloud.port, len(ledger.sent)


WORKER = """
import boto3, time
s3 = boto3.client("s3")
def handler(event, context):
    for record in event["Records"]:
        time.sleep(0.05)
        s3.put_object(Bucket="kills-done", Key=record["body"], Body=b"done")
"""


def deploy_worker(cloud):
    """A queue, and a function that a mapping gives its messages to; for each it puts an object into a bucket."""
    iam, sqs, functions = map(cloud.client, ("iam", "sqs", "lambda"))
    allow = {"Effect": "Allow", "Action": ["sqs:*", "s3:*", "logs:*"], "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="kills", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="kills", PolicyName="all", PolicyDocument=policy(allow))
    cloud.client("s3").create_bucket(Bucket="kills-done", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    visibility = {"VisibilityTimeout": str(VISIBILITY_S)}
    url = sqs.create_queue(QueueName="kills-mapped", Attributes=visibility)["QueueUrl"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("worker.py", WORKER)
    functions.create_function(
        FunctionName="kills", Runtime="python3.12", Handler="worker.handler", Role=role, Timeout=VISIBILITY_S,
        Code={"ZipFile": archive.getvalue()},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="kills")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(FunctionName="kills", EventSourceArn=arn, BatchSize=5)
    return url


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def kill_while_working(home, port, random, url=None, last_s=LAST_S):
    """Kill while a mapping has messages in flight; the next life has to work off every one. Returns port and queue."""
    ledger = Ledger()
    name = f"{random.random():.12f}"
    with serve(home, port=port) as cloud:
        url = url or deploy_worker(cloud)
        sqs = cloud.client("sqs", config=NO_RETRY)
        began = time.monotonic()
        for number in range(60):
            sqs.send_message(QueueUrl=url, MessageBody=f"{name}-{number}")
            # When it was acknowledged, not when it was sent: on a busy machine a call takes a good part of the last second.
            ledger.sent[f"{name}-{number}"] = time.monotonic()
        # The kill takes none of the messages, so that all of them have to be worked off.
        threading.Event().wait(max(0.0, began + last_s - time.monotonic()) + random.uniform(0, 1))
        before = time.monotonic() - last_s
        cloud.process.kill()
    with serve(home, port=cloud.port) as cloud:
        wait_until_enabled(cloud.client("lambda"))
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=f"{name}-last")
        wanted = ledger.must_be_there(before) | {f"{name}-last"}
        deadline = time.monotonic() + PATIENCE_S
        while missing := wanted - worked_off(cloud.client("s3"), name):
            assert time.monotonic() < deadline, (
                f"never worked off, by the seconds from acknowledgement to kill: {ages(ledger, missing, before + last_s)}; "
                f"worked off: {ages(ledger, wanted - missing, before + last_s)}"
            )
            threading.Event().wait(0.2)
        assert cloud.ask("POST", "/_couch/save")[0] == 200
    return cloud.port, url


def ages(ledger, bodies, kill):
    """How long before the kill each message was acknowledged, by its number."""
    known = sorted((ledger.sent[body], body) for body in bodies if body in ledger.sent)
    return {int(body.rpartition("-")[2]): round(kill - moment, 2) for moment, body in known}


def wait_until_enabled(functions):
    """Wait for the only mapping: one that was killed while it was created is still `Creating` in the next life."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
        if mapping["State"] == "Enabled":
            return
        assert time.monotonic() < deadline, f"the mapping was never enabled: {mapping}"
        threading.Event().wait(0.2)


def worked_off(s3, name):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="kills-done", Prefix=name)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def main(rounds: int) -> None:
    """Kill so many times in either way, always in the same folder."""
    random = Random(1)
    with tempfile.TemporaryDirectory(prefix="couch-kills-") as folder:
        port = url = None
        for number in range(1, rounds + 1):
            port, url = kill_while_working(Path(folder), port, random, url)
            port, sent = kill_while_sending(Path(folder), port, random)
            say(f"{number} of {rounds}: the mapping was alive; of {sent} messages none was lost, none there twice")


def say(sentence):
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
