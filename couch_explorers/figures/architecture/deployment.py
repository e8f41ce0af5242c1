"""Read the deployment from all services at once: names and settings, None for a part that does not exist.

A setting is None where AWS did not answer; `Deployed.notes` then says why.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import errors
from couch_explorers.core.aws_errors import describe
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.core.image_models import parse_arn
from couch_explorers.metrics.context import GONE
from couch_explorers.metrics.series import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from couch_explorers.workspace import Workspace


@dataclass(frozen=True)
class Gateway:
    """The API: its stage, the path for prompts, and its throttling rate in requests per second."""

    name: str
    stage: str
    path: str
    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True)
class Function:
    """A Lambda function and its limits."""

    name: str
    timeout_s: int | None = None
    memory_mb: int | None = None
    runtime: str | None = None
    architecture: str | None = None


@dataclass(frozen=True)
class Mapping:
    """The event source mapping of the queue; `maximum_concurrency` is None if unlimited."""

    batch_size: int | None = None
    maximum_concurrency: int | None = None


@dataclass(frozen=True)
class Queue:
    """An SQS queue; `max_receives` is after how many receives a job goes to the dead-letter queue, None where it never does."""

    name: str
    visibility_s: int | None = None
    retention_s: int | None = None
    max_receives: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether its settings are known."""
        return self.visibility_s is not None


@dataclass(frozen=True)
class Bucket:
    """The bucket of the pictures."""

    name: str


@dataclass(frozen=True)
class AlarmRule:
    """An alarm's condition, and whether it notifies the topic.

    The comparison is CloudWatch's own name, such as GreaterThanThreshold.
    """

    short_name: str
    metric: str
    statistic: str
    period_s: int
    comparison: str
    threshold: float
    is_wired: bool = True


@dataclass(frozen=True)
class Topic:
    """The alarms' topic, with its numbers of confirmed and pending subscriptions, but no addresses."""

    name: str
    confirmed: int | None = None
    pending: int | None = None


@dataclass(frozen=True)
class Deployed:
    """The whole system. `models` are pairs of (region, id), the default first; `expected` has the names of missing parts.

    `alarms` is None where AWS did not answer, and empty where there are none.
    """

    target: str
    candidate: str
    region: str
    prefix: str
    models: tuple[tuple[str, str], ...]
    gateway: Gateway | None = None
    api_function: Function | None = None
    queue: Queue | None = None
    dead_letters: Queue | None = None
    mapping: Mapping | None = None
    worker: Function | None = None
    alarms: tuple[AlarmRule, ...] | None = ()
    topic: Topic | None = None
    bucket: Bucket | None = None
    expected: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def expected_name(self, part: str) -> str:
        """Return the name that a missing part would have."""
        return dict(self.expected).get(part, "")


T = TypeVar("T")

SERVICES = ("apigateway", "cloudwatch", "lambda", "s3", "sns", "sqs")
AT_A_TIME = 9
NOT_THERE = (*GONE, "NotFound", "NotFoundException", "NoSuchBucket")
# Both forms of an API's address: through an endpoint, and AWS's own.
ADDRESS = re.compile(
    r"https?://(?:[^/]+/_aws/execute-api/(?P<local>[^/]+)|(?P<aws>[^./]+)\.execute-api\.[^/]+)/(?P<stage>[^/]+)(?P<path>/.*)"
)
# The settings of a stage that hold for all methods of all paths.
ALL_METHODS = "*/*"


def read(workspace: Workspace) -> Deployed:
    """Read every part of a workspace; a part that is not in the workspace, or does not exist, is None."""
    names = Names.of(workspace)
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="architecture") as pool:
        return _Reading(pool, workspace, names).all()


class _Reading:
    """Reads a workspace once; `notes` collects, by IAM action, why there was no response."""

    def __init__(self, pool: ThreadPoolExecutor, workspace: Workspace, names: Names) -> None:
        self.pool, self.workspace, self.names = pool, workspace, names
        # In one thread: boto3's clients are thread-safe, creating them is not.
        self.clients = {service: workspace.client(service) for service in SERVICES}
        self.notes: dict[str, str] = {}

    def all(self) -> Deployed:
        """Start all calls, then combine their results."""
        there, names = self.workspace, self.names
        gateway = self._gateway(there.api_url)
        api_function, worker = self._function("api"), self._function("worker")
        queue = self._queue(there.queue_url, names.queue)
        dead_letters = self._queue(there.dead_letter_url, names.dead_letters)
        mapping = self._mapping() if "worker" in there.functions else None
        alarms = self.ask(self._alarms, None, "cloudwatch:DescribeAlarms", "read the alarms")
        topic = self._topic(there.topic_arn)
        bucket = self.ask(self._bucket, Bucket(there.bucket), "s3:ListBucket", "look into the bucket")
        stem = f"couch-explorers-{there.candidate}"
        return Deployed(
            target=there.target,
            candidate=there.candidate,
            region=there.region,
            prefix=there.prefix,
            models=tuple(_models(there.model_arns)),
            gateway=_answer(gateway),
            api_function=_answer(api_function),
            queue=_answer(queue),
            dead_letters=_answer(dead_letters),
            mapping=_answer(mapping),
            worker=_answer(worker),
            alarms=alarms.result(),
            topic=_answer(topic),
            bucket=bucket.result(),
            expected=(
                ("gateway", names.api), ("api_function", names.api_function), ("queue", names.queue),
                ("dead_letters", names.dead_letters), ("worker", names.worker), ("topic", f"{stem}-alarms"),
                ("bucket", there.bucket),
            ),
            notes=tuple(note for _, note in sorted(self.notes.items())),
        )  # fmt: skip

    def ask(self, question: Callable[[], T | None], otherwise: T | None, action: str, to: str) -> Future[T | None]:
        """Make a call: None if there is no such resource, `otherwise` if AWS returns nothing."""

        def put() -> T | None:
            try:
                return question()
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and describe(error)[0] in NOT_THERE:
                    return None
                self.notes[action] = errors.error_note(error, action=action, to=to)
                return otherwise

        return self.pool.submit(put)

    def _gateway(self, url: str | None) -> Future[Gateway | None] | None:
        address = ADDRESS.fullmatch(url or "")
        if address is None:
            return None
        api_id, stage, path = address["local"] or address["aws"], address["stage"], address["path"]

        def question() -> Gateway:
            client = self.clients["apigateway"]
            name = client.get_rest_api(restApiId=api_id)["name"]
            settings = client.get_stage(restApiId=api_id, stageName=stage).get("methodSettings", {})
            limits = settings.get(ALL_METHODS, {})
            return Gateway(name, stage, path, limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit"))

        return self.ask(question, Gateway(self.names.api, stage, path), "apigateway:GET", "read the API's stage")

    def _function(self, part: str) -> Future[Function | None] | None:
        name = self.workspace.functions.get(part)
        if name is None:
            return None

        def question() -> Function:
            found = self.clients["lambda"].get_function_configuration(FunctionName=name)
            # Lambda leaves the architecture out where it is the oldest.
            (architecture,) = found.get("Architectures") or ["x86_64"]
            return Function(name, int(found["Timeout"]), int(found["MemorySize"]), found.get("Runtime"), architecture)

        action = "lambda:GetFunctionConfiguration"
        return self.ask(question, Function(name), action, "read the functions' settings")

    def _mapping(self) -> Future[Mapping | None]:
        def question() -> Mapping | None:
            pages = self.clients["lambda"].get_paginator("list_event_source_mappings")
            found = [
                each for page in pages.paginate(FunctionName=self.names.worker) for each in page["EventSourceMappings"]
            ]
            if not found:
                return None
            first = found[0]
            return Mapping(int(first["BatchSize"]), first.get("ScalingConfig", {}).get("MaximumConcurrency"))

        return self.ask(question, Mapping(), "lambda:ListEventSourceMappings", "read how the worker takes jobs")

    def _queue(self, url: str | None, name: str) -> Future[Queue | None] | None:
        if url is None:
            return None

        def question() -> Queue:
            asked = ["VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy"]
            found = self.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=asked).get("Attributes", {})
            receives = json.loads(found.get("RedrivePolicy", "{}")).get("maxReceiveCount")
            return Queue(
                name,
                int(found["VisibilityTimeout"]),
                int(found["MessageRetentionPeriod"]),
                None if receives is None else int(receives),
            )

        return self.ask(question, Queue(name), "sqs:GetQueueAttributes", "read the queues' settings")

    def _alarms(self) -> tuple[AlarmRule, ...]:
        stem = f"couch-explorers-{self.workspace.candidate}-"
        pages = self.clients["cloudwatch"].get_paginator("describe_alarms")
        found = [
            AlarmRule(
                alarm["AlarmName"].removeprefix(stem),
                # An alarm of metric math has no metric, one of an anomaly band no threshold.
                alarm.get("MetricName", ""),
                alarm.get("Statistic") or alarm.get("ExtendedStatistic", ""),
                int(alarm.get("Period", 0)),
                alarm["ComparisonOperator"],
                float(alarm["Threshold"]),
                alarm.get("ActionsEnabled", True) and self.workspace.topic_arn in alarm.get("AlarmActions", ()),
            )
            for page in pages.paginate(AlarmNamePrefix=stem, AlarmTypes=["MetricAlarm"])
            for alarm in page["MetricAlarms"]
            if "Threshold" in alarm
        ]
        return tuple(sorted(found, key=lambda alarm: alarm.short_name))

    def _topic(self, arn: str | None) -> Future[Topic | None] | None:
        if arn is None:
            return None
        name = arn.rsplit(":", 1)[-1]

        def question() -> Topic:
            found = self.clients["sns"].get_topic_attributes(TopicArn=arn)["Attributes"]
            return Topic(name, int(found["SubscriptionsConfirmed"]), int(found["SubscriptionsPending"]))

        return self.ask(question, Topic(name), "sns:GetTopicAttributes", "count who hears the alarms")

    def _bucket(self) -> Bucket:
        there = self.workspace
        self.clients["s3"].list_objects_v2(Bucket=there.bucket, Prefix=f"{there.prefix}/", MaxKeys=1)
        return Bucket(there.bucket)


def _answer(future: Future[T | None] | None) -> T | None:
    return None if future is None else future.result()


def _models(arns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for arn in arns:
        try:
            yield parse_arn(arn)
        except UnknownModelError:
            # Not a foundation model's ARN: an inference profile, say. It has a name all the same.
            yield "", arn.rsplit("/", 1)[-1]
