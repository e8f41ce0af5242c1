"""The time left to a Lambda invocation, so that it pays for nothing that it cannot finish; and how long a client has waited."""

import math
import time
from typing import Any


class Clock:
    """The time left to an invocation; infinite until one has started."""

    def __init__(self) -> None:
        self._ends = math.inf

    def start(self, context: Any) -> None:
        """Read the time left to this invocation from Lambda's context."""
        self._ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def left_s(self) -> float:
        """Return the seconds until Lambda ends the invocation."""
        return self._ends - time.monotonic()


def milliseconds_since(asked_ms: float) -> int:
    """Return the whole milliseconds since a Unix time in milliseconds, such as SQS's SentTimestamp or API Gateway's requestTimeEpoch.

    Never negative: the two clocks are not the same, and CloudWatch gives no percentiles of a metric with negative values
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).
    """
    return max(0, round(time.time() * 1000 - asked_ms))
