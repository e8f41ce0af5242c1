"""The review's thresholds for checks without an alarm, each with its source. An alarm's threshold is read from the alarm.

Also the samples that a percentile needs, and how long API Gateway waits, which the figures use, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.metrics.model import Threshold

if TYPE_CHECKING:
    from collections.abc import Mapping

RECOMMENDED = (
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html"
)
SLIC_WATCH = "https://github.com/fourTheorem/slic-watch, core/inputs/default-config.ts"


@dataclass(frozen=True)
class ReviewThreshold:
    """A threshold of a check: WARN above `warn`, BAD above `bad` (None: never)."""

    name: str
    warn: float
    bad: float | None
    source: str

    @property
    def line(self) -> Threshold:
        """The threshold for WARN."""
        return Threshold(self.warn)


# Shares are from 0 to 1.
LONGEST_RUN = ReviewThreshold(
    "longest run, as share of the time-out", 0.95, 0.95, f"{SLIC_WATCH}: Lambda DurationPc, Maximum above 95 %"
)
SLOW_RUNS = ReviewThreshold(
    "p95 of the runs, as share of the time-out",
    0.75,
    None,
    "lambda_code/lambda_sqs.py: a model's answer is awaited for three quarters of the time-out; beyond, runs end by giving up",
)
LATENCY = ReviewThreshold(
    "p95 of the API's latency, as share of what API Gateway or its function waits",
    0.75,
    0.95,
    f"as for the runs behind it; {SLIC_WATCH}: Lambda DurationPc above 95 %",
)
SLOWER = ReviewThreshold(
    "p95 against the window before",
    1.5,
    None,
    "own choice: from day to day a model's time varies by some ten per cent; half as much again is another matter",
)
MEMORY = ReviewThreshold(
    "highest memory, as share of the function's",
    0.90,
    None,
    f"{RECOMMENDED}: LambdaInsights memory_utilization above 90 %",
)
FUNCTION_THROTTLES = ReviewThreshold("throttled calls of a function", 0, 0, f"{SLIC_WATCH}: Lambda ThrottlesPc above 0")
FUNCTION_ERRORS = ReviewThreshold("runs that ended in an error", 0, 0, f"{SLIC_WATCH}: Lambda Errors above 0")
# The alarm's default, used if the alarm is missing.
DEAD_LETTER_DEPTH = ReviewThreshold(
    "dead-letter queue", 0, 0, "infra/variables.tf: dead_letters_threshold; each is a job that was given up on"
)
FAILED_JOBS = ReviewThreshold("jobs a minute that failed for good", 0, 0, "infra/variables.tf: failed_jobs_threshold")
API_FAILURES = ReviewThreshold(
    "answers 5xx, as share of all",
    0,
    0.05,
    f"{SLIC_WATCH}: 5XXError above 0; {RECOMMENDED}: 5XXError Average above 0.05",
)
API_REFUSALS = ReviewThreshold(
    "answers 4xx, as share of all", 0.05, None, f"{RECOMMENDED}: 4XXError Average above 0.05"
)
POSTPONED = ReviewThreshold(
    "deliveries postponed, as share of all",
    0.10,
    None,
    "own choice: a job that is postponed once waits some seconds more; one in ten is where users begin to notice",
)
COST = ReviewThreshold(
    "cost against the window before", 2.0, None, "own choice: twice as much is worth knowing before the bill comes"
)
# A share of fewer says little: of three requests, one is a third.
MIN_COUNT = 5
# A previous window that cost less than this is not compared with.
MIN_COST_USD = 1.0

# "Now" is the last quarter of an hour of a window: an error is stamped with the start of its run (up to 15 minutes before it is
# known: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html), and a metric may be some minutes late.
RECENT_S = 900
# The drain time is computed over the last five minutes, the default period of cdk-monitoring-constructs.
DRAIN_S = 300
# A backlog persists if this many counts in a row found one.
MIN_BACKLOG_COUNTS = 3
# A queue that delivers its jobs within a minute has no backlog: SQS counts once a minute what is passing through.
PASSING_S = 60
# An alarm with insufficient data for this long is not a new one.
NEW_ALARM_S = 900


# The longest that API Gateway waits for a function, by default:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
API_GATEWAY_TIMEOUT_S = 29.0

# With fewer samples a percentile is only one of the highest values: of 20 runs one is above the p95, of 100 one above the p99.
# CloudWatch treats percentile alarms likewise: "low sample" is fewer than 10 / (1 - percentile), which is even stricter:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
MIN_SAMPLES: Mapping[str, int] = {"p95": 20, "p99": 100}
