"""The services that the architecture is read from, in memory, beside those that metrics are fetched from."""

import json

from tests.aws_fakes import monitored
from tests.aws_fakes.monitored import FakeAws, client_error
from tests.metrics.believable import CORE, NAMES, STEM

TOPIC_ARN = f"arn:aws:sns:eu-west-1:000000000000:{STEM}-alarms"
ULTRA = "stability.stable-image-ultra-v1:1"
MODEL_ARNS = tuple(f"arn:aws:bedrock:us-west-2::foundation-model/{model}" for model in (CORE, ULTRA))
ALARMS = {
    "oldest-message-age": ("ApproximateAgeOfOldestMessage", "Maximum", 300.0),
    "dead-letters": ("ApproximateNumberOfMessagesVisible", "Maximum", 0.0),
}


class DeployedAws(FakeAws):
    """Everything deployed as infra/ and sam_lambda/ do it on AWS."""

    def __init__(self):
        super().__init__()
        self.alarms = [alarm(name, *settings) for name, settings in ALARMS.items()]
        self.limits = {
            NAMES.worker: {"Timeout": 60, "MemorySize": 512, "Runtime": "python3.12", "Architectures": ["arm64"]},
            NAMES.api_function: {
                "Timeout": 28,
                "MemorySize": 1024,
                "Runtime": "python3.12",
                "Architectures": ["arm64"],
            },
        }
        self.mappings = [
            {"UUID": "00000000-0000-4000-8000-000000000001", "BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": 5}}
        ]
        self.settings = {
            NAMES.queue: {
                "VisibilityTimeout": "360",
                "MessageRetentionPeriod": "345600",
                "RedrivePolicy": json.dumps({"maxReceiveCount": 10}),
            },
            NAMES.dead_letters: {"VisibilityTimeout": "30", "MessageRetentionPeriod": "1209600"},
        }
        self.stage = {"*/*": {"throttlingRateLimit": 5.0, "throttlingBurstLimit": 10}}
        self.heard = {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}
        self.buckets = {"pictures"}

    def get_rest_api(self, restApiId):  # noqa: N803 - boto3's names
        yield {"id": restApiId, "name": NAMES.api}

    def get_stage(self, restApiId, stageName):  # noqa: N803
        yield {"stageName": stageName, "methodSettings": self.stage}

    def get_function_configuration(self, FunctionName):  # noqa: N803
        if FunctionName not in self.limits:
            raise client_error("ResourceNotFoundException", "Function not found")
        yield {"FunctionName": FunctionName} | self.limits[FunctionName]

    def get_queue_attributes(self, QueueUrl, AttributeNames):  # noqa: N803
        name = QueueUrl.rsplit("/", 1)[-1]
        if name not in self.settings:
            raise client_error("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        yield {"Attributes": self.settings[name]}

    def get_topic_attributes(self, TopicArn):  # noqa: N803
        yield {"Attributes": self.heard}

    def list_objects_v2(self, Bucket, Prefix, MaxKeys):  # noqa: N803
        if Bucket not in self.buckets:
            raise client_error("NoSuchBucket", "The specified bucket does not exist")
        yield {"Contents": []}


def alarm(short_name, metric, statistic, threshold):
    """Describe an alarm with its rule, as CloudWatch does."""
    rule = {"MetricName": metric, "Statistic": statistic, "ComparisonOperator": "GreaterThanThreshold"}
    return monitored.alarm(short_name, threshold=threshold) | rule | {"AlarmActions": [TOPIC_ARN]}


def workspace_of(aws, **changes):
    """Make a workspace in which everything is deployed; `changes` replace fields."""
    fields = {
        "region": "eu-west-1",
        "bucket": "pictures",
        "prefix": "42",
        "topic_arn": TOPIC_ARN,
        "model_arns": MODEL_ARNS,
    }
    return monitored.workspace_of(aws, **fields | changes)
