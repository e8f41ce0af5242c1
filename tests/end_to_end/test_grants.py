"""Every grant of both stacks is needed: each is taken away in turn, by the API that gave it, and something named breaks.

The grants are read from what is deployed, so that a new one fails here until a row says what it is for. `make test` tries the sample
named below, `make rights` all. The policies of the people and the pipeline who deploy, judge and operate: test_account.py.
"""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import botocore.session
import pytest
from botocore.exceptions import ClientError

from couch_explorers.aws import bootstrap
from couch_explorers.local import mailbox
from couch_explorers.local.engine.authorization.conditions import ConditionContext
from couch_explorers.local.engine.authorization.policies import (
    AccessRequest,
    Principal,
    PrincipalPolicies,
    decide,
    parse_policy,
)
from couch_explorers.local.settings import ACCOUNT_ID
from couch_explorers.paths import Home
from tests.waiting import wait_until

from .conftest import connected, deployed_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Seconds. Six times that is how long a message stays hidden that nobody deletes.
WORKER_TIMEOUT_S = 5
API, WORKER = "generate-image", "worker"
FUNCTIONS = {API: "couch-explorers-42-generate-image", WORKER: "couch-explorers-42-worker"}
ALARM = "couch-explorers-42-failed-jobs"
ACCOUNT = bootstrap.Account(ACCOUNT_ID, "42")


class Grant:
    """One action that somebody may do, and how to take it away: `replace` puts other statements in the place of all."""

    def __init__(
        self,
        holder: str,
        action: str,
        statements: list[dict[str, Any]],
        index: int,
        replace: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self.holder, self.action = holder, action
        self._statements, self._index, self._replace = statements, index, replace
        self._is_there = True

    def take_away(self) -> None:
        """Leave the action out of its statement, and the statement out that has no other."""
        statement = self._statements[self._index]
        left = [action for action in actions_of(statement) if action != self.action]
        replaced = [{**statement, "Action": left}] if left else []
        self._replace([*self._statements[: self._index], *replaced, *self._statements[self._index + 1 :]])
        self._is_there = False

    def give_back(self) -> None:
        """Put all statements as they were deployed, unless they are."""
        if not self._is_there:
            self._replace(self._statements)
            self._is_there = True


def actions_of(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else list(action)


def allowed(statements: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for index, statement in enumerate(statements):
        if statement["Effect"] == "Allow":
            yield from ((index, action) for action in actions_of(statement))


def read_grants(owner, queues) -> list[Grant]:
    """Every grant of roles, their trust policies, functions, topics and queues."""
    return [*role_grants(owner), *function_grants(owner), *topic_grants(owner), *queue_grants(owner, queues)]


def document(statements: list[dict[str, Any]]) -> str:
    # A policy must have a statement: this one gives nothing.
    nothing = {"Sid": "Nothing", "Effect": "Deny", "Action": "none:Nothing", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": statements or [nothing]})


def role_grants(owner) -> Iterator[Grant]:
    iam = owner.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if not name.startswith("couch-explorers-42"):
            continue
        assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            held = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]

            def put(statements, name=name, policy=policy):
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document(statements))

            yield from (Grant(policy, action, held, index, put) for index, action in allowed(held))

            def trust(statements, name=name):
                # A trust policy must have a principal: this one never comes.
                other = [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
                iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(statements or other))

            trusted = role["AssumeRolePolicyDocument"]["Statement"]
            yield from (Grant(policy, action, trusted, index, trust) for index, action in allowed(trusted))


def function_grants(owner) -> Iterator[Grant]:
    functions = owner.client("lambda")
    for function in FUNCTIONS.values():
        try:
            policy = json.loads(functions.get_policy(FunctionName=function)["Policy"])
        except functions.exceptions.ResourceNotFoundException:
            continue
        for statement in policy["Statement"]:

            def put(statements, function=function, statement=statement):
                if not statements:
                    functions.remove_permission(FunctionName=function, StatementId=statement["Sid"])
                    return
                functions.add_permission(
                    FunctionName=function,
                    StatementId=statement["Sid"],
                    Action=statement["Action"],
                    Principal=statement["Principal"]["Service"],
                    SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
                )

            yield Grant(statement["Principal"]["Service"], statement["Action"], [statement], 0, put)


def topic_grants(owner) -> Iterator[Grant]:
    sns = owner.client("sns")
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        held = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])["Statement"]

        def put(statements, arn=arn):
            nobody = [{"Effect": "Deny", "Principal": "*", "Action": "sns:DeleteTopic", "Resource": arn}]
            policy = document(statements or nobody)
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)

        for index, action in allowed(held):
            yield Grant(held[index]["Principal"]["Service"], action, held, index, put)


def queue_grants(owner, queues) -> Iterator[Grant]:
    """None, as long as the queues' policies only deny."""
    sqs = owner.client("sqs")
    for url in queues:
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        held = json.loads(policy)["Statement"]
        for index, action in allowed(held):
            yield Grant(f"queue {url}", action, held, index, lambda _: None)


class Stage:
    """What a row needs to show that something breaks."""

    def __init__(self, cloud, workspace, dead_letters):
        self.cloud, self.workspace, self.dead_letters = cloud, workspace, dead_letters
        self.owner = cloud.as_owner()
        self.patience_s = 6 * cloud.worker_timeout_s + 90
        self.id = f"grant-{uuid4().hex[:12]}"

    def client(self, name):
        """A client of the operator's."""
        return self.workspace.client(name)

    def post(self, **fields):
        """Ask the API for a picture; its status and answer."""
        body = json.dumps({"prompt": "A jeep on the savanna", "id": self.id, "seed": 7, "size": "512x512"} | fields)
        request = Request(self.workspace.api_url, body.encode(), {"Content-Type": "application/json"}, method="POST")
        try:
            with urlopen(request, timeout=60) as answer:
                return SimpleNamespace(status=answer.status, **json.load(answer))
        except HTTPError as error:
            return SimpleNamespace(status=error.code, **json.load(error))

    def send(self, prompt="A jeep on the savanna", **fields):
        """Put a job on the queue."""
        self.cloud.send(self.workspace, prompt, **({"id": self.id, "seed": 7, "size": "512x512"} | fields))

    @property
    def paid(self):
        return self.cloud.stats.images

    def is_stored(self, job_id=""):
        listed = self.client("s3").list_objects_v2(Bucket=self.workspace.bucket, Prefix=f"42/{job_id or self.id}.png")
        return listed["KeyCount"] == 1

    def picture(self, job_id=""):
        wait_until(lambda: self.is_stored(job_id), within_s=self.patience_s, what=f"the picture {job_id or self.id}")

    def dead_letter(self):
        return wait_until(lambda: self.dead_letters(self.id), within_s=self.patience_s, what="the dead letter")

    def logged(self, function, text):
        """The log events of a function that hold a text."""
        pages = self.client("logs").get_paginator("filter_log_events")
        events = (
            event["message"]
            for page in pages.paginate(logGroupName=f"/aws/lambda/{FUNCTIONS[function]}")
            for event in page["events"]
        )
        return [message for message in events if text in message]

    def log_says(self, function, *texts):
        """Wait for a log event that holds all the texts."""

        def found():
            return [message for message in self.logged(function, texts[0]) if all(text in message for text in texts)]

        return wait_until(found, within_s=self.patience_s, what=f"{texts} in the log of {function}")

    def waiting(self):
        """Messages in the queue: to be received, and hidden."""
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=self.workspace.queue_url, AttributeNames=["All"])[
            "Attributes"
        ]
        return int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])

    def wait_for_delivered_logs(self, other):
        """Wait until what was logged so far was taken to CloudWatch Logs, which is done in its order: another function's log tells.

        Two of its events, for the first may go with what is waited for.
        """
        for number in range(2):
            marker = f"{self.id}-{number}"
            self.post(id=marker) if other == API else self.send(id=marker)
            self.log_says(other, f"42/{marker}.png")

    def new_environment(self, function):
        """Let the next invocation start an execution environment of its own, with a log stream of its own."""
        functions = self.owner.client("lambda")
        functions.update_function_configuration(FunctionName=FUNCTIONS[function], Description=self.id)
        functions.get_waiter("function_updated_v2").wait(FunctionName=FUNCTIONS[function])

    def mapping(self):
        mappings = self.client("lambda").list_event_source_mappings(FunctionName=FUNCTIONS[WORKER])
        return mappings["EventSourceMappings"][0]


# What breaks. Each gets the stage and the grant, which is taken away.


def api_may_not_ask_the_model(stage, _):
    answer = stage.post()

    assert (answer.status, answer.error) == (502, "AccessDenied")


def api_may_not_store(stage, _):
    answer = stage.post()

    assert (answer.status, answer.error) == (502, "Storage")
    assert "No right to write" in answer.detail
    assert not stage.is_stored()


def api_does_not_know_its_own_picture(stage, grant):
    grant.give_back()
    assert stage.post().status == 200
    grant.take_away()

    answer = stage.post()

    assert (answer.status, answer.error) == (502, "Storage")


def api_pays_nothing_unseen(stage, _):
    paid = stage.paid

    answer = stage.post()

    assert (answer.status, answer.error) == (502, "Storage")
    assert "No right to list" in answer.detail
    assert stage.paid == paid


def api_cannot_start(stage, _):
    paid = stage.paid

    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed by Lambda"):
        stage.client("lambda").invoke(FunctionName=FUNCTIONS[API], Payload=b"{}")

    assert stage.post().status == 500
    assert stage.paid == paid


def gateway_may_not_invoke(stage, _):
    paid = stage.paid

    assert stage.post().status == 500
    assert stage.paid == paid


def api_keeps_no_log(stage, grant):
    stage.new_environment(API)
    assert stage.post().status == 200
    stage.wait_for_delivered_logs(WORKER)
    grant.give_back()

    later = stage.id + "-later"
    assert stage.post(id=later).status == 200
    stage.log_says(API, f"42/{later}.png")
    assert not stage.logged(API, f"42/{stage.id}.png")


def worker_may_not_ask_the_model(stage, _):
    stage.send()

    assert stage.dead_letter()["attributes"]["reason"] == "AccessDenied"


def worker_may_not_store(stage, _):
    stage.send()

    letter = stage.dead_letter()
    assert letter["attributes"]["reason"] == "Storage"
    assert "No right to write" in letter["attributes"]["detail"]
    assert not stage.is_stored()


def worker_does_not_know_its_own_picture(stage, grant):
    grant.give_back()
    stage.send()
    stage.picture()
    grant.take_away()
    paid = stage.paid

    stage.send()

    assert stage.dead_letter()["attributes"]["reason"] == "Storage"
    assert stage.paid == paid


def worker_pays_nothing_unseen(stage, _):
    paid = stage.paid

    stage.send()

    letter = stage.dead_letter()
    assert letter["attributes"]["reason"] == "Storage"
    assert "No right to list" in letter["attributes"]["detail"]
    assert stage.paid == paid


def queue_is_not_read(stage, grant):
    mapping = stage.mapping()
    action = grant.action.removeprefix("sqs:")
    with pytest.raises(ClientError, match=f"does not have permissions to call {action} on SQS"):
        stage.owner.client("lambda").create_event_source_mapping(
            FunctionName=FUNCTIONS[WORKER], EventSourceArn=mapping["EventSourceArn"]
        )

    stage.send()

    def problem():
        return action in (stage.mapping().get("LastProcessingResult") or "")

    wait_until(problem, what="what the mapping says")
    assert stage.waiting() == (1, 0)
    assert not stage.is_stored()
    grant.give_back()
    stage.picture()


def job_comes_back_after_it_is_done(stage, grant):
    stage.send()
    stage.picture()

    stage.log_says(WORKER, f"42/{stage.id}.png", '"already_there":true')
    grant.give_back()


def postponed_job_stays_hidden(stage, grant):
    stage.cloud.set_faults("throttle=1.0")
    stage.send()

    stage.log_says(WORKER, stage.id, "The visibility could not be changed")
    stage.cloud.set_faults("clear")
    grant.give_back()
    stage.picture()


def failed_job_stays_in_the_queue(stage, grant):
    stage.send("blocked-word on a beach")

    stage.log_says(WORKER, stage.id, "The dead-letter message could not be sent")
    assert stage.dead_letters(stage.id) is None
    assert sum(stage.waiting()) == 1
    grant.give_back()
    assert stage.dead_letter()["attributes"]["reason"] == "ContentFiltered"


def worker_keeps_no_log(stage, grant):
    stage.new_environment(WORKER)
    stage.send()
    stage.picture()
    stage.wait_for_delivered_logs(API)
    grant.give_back()

    later = stage.id + "-later"
    stage.send(id=later)
    stage.log_says(WORKER, f"42/{later}.png")
    assert not stage.logged(WORKER, f"42/{stage.id}.png")


def worker_cannot_start(stage, grant):
    paid = stage.paid
    with pytest.raises(ClientError, match="The role defined for the function cannot be assumed by Lambda"):
        stage.client("lambda").invoke(FunctionName=FUNCTIONS[WORKER], Payload=b'{"Records": []}')

    stage.send()

    wait_until(lambda: stage.waiting() == (0, 1), what="a received message")
    assert stage.paid == paid
    grant.give_back()
    stage.picture()


def alarm_tells_nobody(stage, grant):
    cloudwatch, home = stage.owner.client("cloudwatch"), Home(stage.cloud.home)

    def mails(state):
        return [mail for mail in mailbox.read_mails(home) if mail.subject.startswith(state) and stage.id in mail.body]

    def failed_actions():
        items = cloudwatch.describe_alarm_history(AlarmName=ALARM, HistoryItemType="Action")["AlarmHistoryItems"]
        return [item for item in items if "authorized to perform: SNS:Publish" in item["HistorySummary"]]

    before = len(failed_actions())
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="INSUFFICIENT_DATA", StateReason="before")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason=stage.id)
    wait_until(lambda: len(failed_actions()) > before, what="the failed action in the alarm's history")
    assert not mails("ALARM")

    grant.give_back()
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="INSUFFICIENT_DATA", StateReason="between")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason=stage.id)
    wait_until(lambda: mails("ALARM"), what="the e-mail")


BREAKS = {
    (API, "sts:AssumeRole"): api_cannot_start,
    (API, "bedrock:InvokeModel"): api_may_not_ask_the_model,
    (API, "s3:PutObject"): api_may_not_store,
    (API, "s3:GetObject"): api_does_not_know_its_own_picture,
    (API, "s3:ListBucket"): api_pays_nothing_unseen,
    (API, "logs:CreateLogStream"): api_keeps_no_log,
    (API, "logs:PutLogEvents"): api_keeps_no_log,
    ("apigateway.amazonaws.com", "lambda:InvokeFunction"): gateway_may_not_invoke,
    (WORKER, "sts:AssumeRole"): worker_cannot_start,
    (WORKER, "bedrock:InvokeModel"): worker_may_not_ask_the_model,
    (WORKER, "s3:PutObject"): worker_may_not_store,
    (WORKER, "s3:GetObject"): worker_does_not_know_its_own_picture,
    (WORKER, "s3:ListBucket"): worker_pays_nothing_unseen,
    (WORKER, "sqs:ReceiveMessage"): queue_is_not_read,
    (WORKER, "sqs:GetQueueAttributes"): queue_is_not_read,
    (WORKER, "sqs:DeleteMessage"): job_comes_back_after_it_is_done,
    (WORKER, "sqs:ChangeMessageVisibility"): postponed_job_stays_hidden,
    (WORKER, "sqs:SendMessage"): failed_job_stays_in_the_queue,
    (WORKER, "logs:CreateLogStream"): worker_keeps_no_log,
    (WORKER, "logs:PutLogEvents"): worker_keeps_no_log,
    ("cloudwatch.amazonaws.com", "sns:Publish"): alarm_tells_nobody,
}
# One of each kind of holder, none that waits for a message to come back.
SAMPLE = {
    (API, "s3:PutObject"),
    (WORKER, "bedrock:InvokeModel"),
    (WORKER, "s3:ListBucket"),
    ("apigateway.amazonaws.com", "lambda:InvokeFunction"),
    ("cloudwatch.amazonaws.com", "sns:Publish"),
}


@pytest.fixture(scope="module")
def cloud(request, tmp_path_factory):
    """For the sample the cloud that other modules use; for all, one on which what nobody deletes comes back soon."""
    if not any(item.get_closest_marker("rights") for item in request.session.items):
        yield request.getfixturevalue("local_cloud")
        return
    with deployed_cloud(tmp_path_factory, worker_timeout_s=WORKER_TIMEOUT_S) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def workspace(cloud):
    with connected(cloud) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def grants(cloud, workspace):
    held = read_grants(cloud.as_owner(), (workspace.queue_url, workspace.dead_letter_url))
    return {(grant.holder, grant.action): grant for grant in held}


def test_every_grant_is_for_something(grants):
    assert grants.keys() == BREAKS.keys()
    assert grants.keys() >= SAMPLE


def test_boundary_allows_what_the_execution_roles_are_granted_and_no_more():
    allowed_within = {action for _, action in allowed(bootstrap.render("boundary", ACCOUNT)["Statement"])}
    needed = {action for holder, action in BREAKS if holder in FUNCTIONS and action != "sts:AssumeRole"}

    assert allowed_within == needed


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_is_allowed_nothing_else(cloud, workspace, function):
    """Every action of every service that the system uses, on the system's own resources and on others."""
    iam, name = cloud.as_owner().client("iam"), function_role(workspace, function)
    policies = PrincipalPolicies(
        tuple(
            parse_policy(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ),
        parse_policy(bootstrap.render("boundary", ACCOUNT)),
    )
    principal = Principal("AssumedRole", ACCOUNT_ID, f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/x")
    bucket, mine = f"arn:aws:s3:::{workspace.bucket}", f"couch-explorers-{workspace.candidate}"
    picture, model = f"{bucket}/{workspace.candidate}/a.png", workspace.model_arns[0]
    queue, dead_letters = (regional("sqs", f"{mine}-jobs{end}") for end in ("", "-dead-letter"))
    streams = {part: regional("logs", f"log-group:/aws/lambda/{full}:log-stream:x") for part, full in FUNCTIONS.items()}
    needed = {
        ("bedrock:InvokeModel", model),
        ("s3:GetObject", picture),
        ("s3:PutObject", picture),
        ("s3:ListBucket", bucket),
        ("logs:CreateLogStream", streams[function]),
        ("logs:PutLogEvents", streams[function]),
    }
    if function == WORKER:
        received = ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
        needed |= {*((f"sqs:{action}", queue) for action in received), ("sqs:SendMessage", dead_letters)}
    others = [
        *(
            "*",
            f"{bucket}/{workspace.candidate}1/a.png",
            f"{bucket}/a.png",
            "arn:aws:s3:::another",
            "arn:aws:s3:::another/42/a.png",
        ),
        *(
            regional("sqs", "couch-explorers-421-jobs"),
            regional("logs", "log-group:/aws/lambda/couch-explorers-421-worker:log-stream:x"),
        ),
        *(regional("lambda", f"function:{full}") for full in FUNCTIONS.values()),
        *(regional("sns", f"{mine}-alarms"), regional("cloudwatch", f"alarm:{ALARM}")),
        *("arn:aws:bedrock:us-west-2::foundation-model/another", f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"),
        f"arn:aws:cloudformation:eu-west-1:{ACCOUNT_ID}:stack/{mine}-api/x",
    ]

    def allowed_with(**keys):
        context = ConditionContext({key.replace("_", ":"): value for key, value in keys.items()})
        return {
            (action, resource)
            for action in known_actions()
            for resource in {*others, picture, bucket, model, queue, dead_letters, *streams.values()}
            if decide(AccessRequest(action, (resource,), context), principal, policies, None, ACCOUNT_ID).allowed
        }

    assert allowed_with(s3_prefix=f"{workspace.candidate}/") == needed
    for elsewhere in (
        {},
        {"s3_prefix": ""},
        {"s3_prefix": workspace.candidate},
        {"s3_prefix": f"{workspace.candidate}1/"},
    ):
        assert allowed_with(**elsewhere) == needed - {("s3:ListBucket", bucket)}


def regional(service, resource):
    return f"arn:aws:{service}:eu-west-1:{ACCOUNT_ID}:{resource}"


def function_role(workspace, function):
    found = workspace.client("lambda").get_function_configuration(FunctionName=FUNCTIONS[function])
    return found["Role"].rpartition("/")[2]


@cache
def known_actions():
    """The actions of the services that the system uses: AWS's operations, and the permissions that have another name."""
    session = botocore.session.get_session()
    services = {
        "bedrock-runtime": "bedrock",
        "s3": "s3",
        "sqs": "sqs",
        "logs": "logs",
        "lambda": "lambda",
        "sns": "sns",
    }
    services |= {
        "cloudwatch": "cloudwatch",
        "cloudformation": "cloudformation",
        "iam": "iam",
        "bedrock": "bedrock",
        "sts": "sts",
    }
    operations = {
        f"{prefix}:{operation}"
        for service, prefix in services.items()
        for operation in session.get_service_model(service).operation_names
    }
    return (
        operations
        | {action for _, action in BREAKS}
        | {"s3:GetObjectVersion", "s3:PutObjectAcl", "s3:ListBucketVersions"}
    )


@pytest.mark.parametrize(
    ("key", "breaks"),
    [
        pytest.param(
            key,
            breaks,
            id=f"{' '.join(key)}: {breaks.__name__}",
            marks=() if key in SAMPLE else pytest.mark.rights,
        )
        for key, breaks in BREAKS.items()
    ],
)
def test_without_the_grant(cloud, workspace, grants, dead_letters, key, breaks):
    stage, grant = Stage(cloud, workspace, dead_letters), grants[key]

    grant.take_away()
    try:
        breaks(stage, grant)
    finally:
        grant.give_back()

    wait_until(lambda: stage.waiting() == (0, 0), within_s=stage.patience_s, what="an empty queue")


def test_with_all_grants_both_ways_work(cloud, workspace, dead_letters):
    stage = Stage(cloud, workspace, dead_letters)

    assert stage.post().status == 200
    stage.send(id=stage.id + "-queue")
    stage.picture(stage.id + "-queue")
