"""How long a Lambda invocation may still run, so that nothing is paid for that it cannot finish; how long somebody has waited."""

import math
import time
from typing import Any


class Clock:
    """The time that is left to an invocation; without end until one has started."""

    def __init__(self) -> None:
        self._ends = math.inf

    def start(self, context: Any) -> None:
        """Read what Lambda gives this invocation from its context."""
        self._ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def left_s(self) -> float:
        """Seconds until Lambda ends the invocation."""
        return self._ends - time.monotonic()


def milliseconds_since(asked_ms: float) -> int:
    """Give the whole milliseconds since a Unix time in milliseconds, such as SQS's SentTimestamp or API Gateway's requestTimeEpoch.

    Never negative: the two clocks are not the same, and CloudWatch gives no percentiles of a metric with negative values
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html).
    """
    return max(0, round(time.time() * 1000 - asked_ms))
