"""The smoke test's check that a function's `TimeToPicture` arrives in CloudWatch, on which objective, alarm and dashboard rely."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import Check, Verdict, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.workspace import Workspace

# CloudWatch Logs turns a log line into a metric after a minute or two: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Troubleshooting.html
ARRIVES_WITHIN_S, ASK_EVERY_S = 240.0, {"aws": 10.0, "local": 0.25}
NAMESPACE, METRIC, MINUTE_S = "CouchExplorers", "TimeToPicture", 60
COMPLETE = "Complete"


@dataclass(frozen=True)
class Wait:
    """Settings for the wait for the metric of a part's pictures; `since` is the part's start."""

    since: datetime
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def check(
    part: str, workspace: Workspace, clients: Callable[..., Any], function: str, pictures: int, wait: Wait
) -> Check:
    """Wait until CloudWatch has the time to picture of as many pictures as were made; SKIPPED without any.

    Args:
        part: The part's name, the prefix of the check's name.
        workspace: The workspace under test.
        clients: Returns boto3 clients.
        function: The function that makes the pictures, "worker" or "api".
        pictures: The number of pictures made.
        wait: Since when, and how to wait.

    """
    name = f"{part}: the time to picture is measured"
    if not pictures:
        return Check(name, Verdict.SKIPPED, 0.0, "No picture came.")
    service = workspace.functions.get(function, function)
    return ask(name, lambda: _arrived(clients("cloudwatch"), workspace.target, service, pictures, wait))


def _arrived(cloudwatch: Any, target: str, service: str, pictures: int, wait: Wait) -> tuple[Verdict, str]:
    deadline = wait.clock() + ARRIVES_WITHIN_S
    while True:
        count, longest_ms, gaps = _measured(cloudwatch, service, wait.since)
        if count >= pictures:
            return (
                Verdict.OK,
                f"{count:g} in CloudWatch, the longest {longest_ms / 1000:.1f} s from asking to the picture.",
            )
        if wait.clock() >= deadline:
            return (
                Verdict.BAD,
                f"{count:g} of {pictures} after {ARRIVES_WITHIN_S:g} s: "
                + (gaps or f"look for {METRIC} in the log /aws/lambda/{service}."),
            )
        wait.sleep(ASK_EVERY_S.get(target, ASK_EVERY_S["aws"]))


def _measured(cloudwatch: Any, service: str, since: datetime) -> tuple[float, float, str]:
    """Return how many pictures were measured since then, the longest time in milliseconds, and why either may be incomplete.

    CloudWatch responds 200 even for data that it could not read, with a StatusCode and Messages:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataResult.html
    """
    metric = {"Namespace": NAMESPACE, "MetricName": METRIC, "Dimensions": [{"Name": "service", "Value": service}]}
    response = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": name, "MetricStat": {"Metric": metric, "Period": MINUTE_S, "Stat": statistic}}
            for name, statistic in (("count", "SampleCount"), ("longest", "Maximum"))
        ],
        StartTime=since.replace(second=0, microsecond=0),
        EndTime=datetime.now(UTC) + timedelta(seconds=MINUTE_S),
    )
    values = {result["Id"]: result["Values"] for result in response["MetricDataResults"]}
    incomplete = [result for result in response["MetricDataResults"] if result.get("StatusCode", COMPLETE) != COMPLETE]
    messages = [message.get("Value", "") for part in (response, *incomplete) for message in part.get("Messages", ())]
    gaps = ", ".join(dict.fromkeys(str(part) for part in (*(result["StatusCode"] for result in incomplete), *messages)))
    return (
        sum(values.get("count", ())),
        max(values.get("longest", ()), default=0.0),
        f"CloudWatch could not read all of it ({gaps})." if gaps else "",
    )
