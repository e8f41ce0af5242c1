import pytest

from couch_explorers.figures.architecture import deployment
from couch_explorers.figures.architecture.deployment import AlarmRule, Bucket, Function, Gateway, Mapping, Queue, Topic
from tests.aws_fakes.deployed import workspace_of
from tests.aws_fakes.monitored import client_error
from tests.metrics.believable import CORE, NAMES


def test_every_part_is_read_with_its_name_and_settings(workspace):
    deployed = deployment.read(workspace)

    assert deployed.gateway == Gateway(NAMES.api, "prod", "/generate-image", 5.0, 10)
    assert deployed.api_function == Function(NAMES.api_function, 28, 1024, "python3.12", "arm64")
    assert deployed.worker == Function(NAMES.worker, 60, 512, "python3.12", "arm64")
    assert deployed.mapping == Mapping(1, 5)
    assert deployed.queue == Queue(NAMES.queue, 360, 345_600, 10)
    assert deployed.dead_letters == Queue(NAMES.dead_letters, 30, 1_209_600)
    assert deployed.topic == Topic("couch-explorers-42-alarms", 1, 0)
    assert deployed.bucket == Bucket("pictures")
    assert deployed.models[0] == ("us-west-2", CORE)
    assert deployed.notes == ()


def test_alarms_are_read_with_their_rules_by_name(workspace):
    first, second = deployment.read(workspace).alarms

    assert first.short_name == "dead-letters"
    assert second == AlarmRule(
        "oldest-message-age", "ApproximateAgeOfOldestMessage", "Maximum", 60, "GreaterThanThreshold", 300.0
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://abc.execute-api.eu-west-1.amazonaws.com/prod/generate-image",
        "http://127.0.0.1:4566/_aws/execute-api/abc/prod/generate-image",
    ],
)
def test_the_api_is_found_by_either_form_of_its_address(aws, address):
    deployed = deployment.read(workspace_of(aws, api_url=address))

    assert deployed.gateway.path == "/generate-image"
    assert aws.calls("GetStage") == [{"restApiId": "abc", "stageName": "prod"}]


def test_what_the_workspace_does_not_name_is_not_there_and_has_the_name_that_it_would_have(aws):
    workspace = workspace_of(
        aws, queue_url=None, dead_letter_url=None, functions={"api": NAMES.api_function}, topic_arn=None
    )

    deployed = deployment.read(workspace)

    assert (deployed.queue, deployed.dead_letters, deployed.worker, deployed.topic) == (None, None, None, None)
    assert deployed.expected_name("queue") == NAMES.queue
    assert deployed.notes == ()


def test_what_is_gone_though_it_is_named_is_not_there(aws, workspace):
    del aws.limits[NAMES.worker], aws.settings[NAMES.dead_letters]
    aws.buckets.clear()

    deployed = deployment.read(workspace)

    assert (deployed.worker, deployed.dead_letters, deployed.bucket) == (None, None, None)


def test_a_worker_that_nothing_feeds_has_no_mapping(aws, workspace):
    aws.mappings = []

    assert deployment.read(workspace).mapping is None


@pytest.mark.parametrize(
    ("operation", "part", "action"),
    [
        ("GetStage", "gateway", "apigateway:GET"),
        ("GetFunctionConfiguration", "worker", "lambda:GetFunctionConfiguration"),
        ("GetQueueAttributes", "queue", "sqs:GetQueueAttributes"),
        ("GetTopicAttributes", "topic", "sns:GetTopicAttributes"),
        ("ListEventSourceMappings", "mapping", "lambda:ListEventSourceMappings"),
        ("ListObjectsV2", "bucket", "s3:ListBucket"),
    ],
)
def test_what_may_not_be_read_is_there_without_its_settings_and_the_right_is_named(
    aws, workspace, operation, part, action
):
    aws.errors[operation] = client_error("AccessDenied")

    deployed = deployment.read(workspace)

    assert getattr(deployed, part) is not None
    assert len(deployed.notes) == 1
    assert action in deployed.notes[0]


def test_alarms_that_may_not_be_read_are_not_known_which_is_not_the_same_as_none(aws, workspace):
    aws.errors["DescribeAlarms"] = client_error("AccessDenied")
    unknown = deployment.read(workspace).alarms
    aws.errors.clear()
    aws.alarms = []

    assert unknown is None
    assert deployment.read(workspace).alarms == ()


@pytest.mark.parametrize("change", [{"AlarmActions": []}, {"ActionsEnabled": False}])
def test_an_alarm_that_tells_nobody_is_not_wired(aws, workspace, change):
    aws.alarms[0] |= change

    assert sorted(alarm.is_wired for alarm in deployment.read(workspace).alarms) == [False, True]


def test_no_address_of_a_subscriber_is_asked_for(aws, workspace):
    deployment.read(workspace)

    assert not any("Subscriptions" in operation for operation, _ in aws.asked)


def test_a_model_that_is_no_foundation_model_keeps_its_name(aws):
    deployed = deployment.read(
        workspace_of(aws, model_arns=("arn:aws:bedrock:eu-west-1:0:inference-profile/eu.painter",))
    )

    assert deployed.models == (("", "eu.painter"),)
