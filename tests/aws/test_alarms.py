import botocore.session
import pytest

from couch_explorers.aws import alarms
from couch_explorers.aws.alarms import COMPARISONS
from tests.aws_fakes.services import Topics
from tests.aws_fakes.validated import checked


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, ComparisonOperator
@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        ("GreaterThanThreshold", {6}),
        ("GreaterThanOrEqualToThreshold", {5, 6}),
        ("LessThanThreshold", {4}),
        ("LessThanOrEqualToThreshold", {4, 5}),
    ],
)
def test_a_value_lies_beyond_a_threshold_by_the_operators_name(name, beyond):
    assert {value for value in (4, 5, 6) if COMPARISONS[name].is_beyond(value, 5)} == beyond


def test_every_operator_of_cloudwatch_is_known_but_those_of_anomaly_bands():
    model = botocore.session.get_session().get_service_model("cloudwatch")
    operators = set(model.shape_for("ComparisonOperator").enum)

    assert {name for name in operators if "Lower" not in name and "Upper" not in name} == set(COMPARISONS)


@pytest.mark.parametrize(
    ("arns", "found"),
    [
        (["arn:aws:sns:eu-west-1:1:topic:1"], alarms.Subscriptions(confirmed=("0@example.com",))),
        (["PendingConfirmation"], alarms.Subscriptions(pending=("0@example.com",))),
        # Its owner has ended it.
        (["Deleted"], alarms.Subscriptions()),
        (
            ["arn:aws:sns:eu-west-1:1:topic:1", "PendingConfirmation"],
            alarms.Subscriptions(confirmed=("0@example.com",), pending=("1@example.com",)),
        ),
    ],
)
def test_subscriptions_are_confirmed_or_pending(arns, found):
    listed = [{"Endpoint": f"{number}@example.com", "SubscriptionArn": arn} for number, arn in enumerate(arns)]
    sns = checked("sns", Topics({"arn:aws:sns:eu-west-1:1:topic": listed}))

    assert alarms.subscriptions(sns, "arn:aws:sns:eu-west-1:1:topic") == found
