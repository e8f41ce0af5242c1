"""How long a Lambda invocation may still run, so that nothing is paid for that it cannot finish."""

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
