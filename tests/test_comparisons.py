"""By https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, ComparisonOperator."""

import botocore.session
import pytest

from couch_explorers.comparisons import COMPARISONS


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
