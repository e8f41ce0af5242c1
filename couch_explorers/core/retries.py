"""When a model is called again within an invocation, when a job is delivered again, and when the worker gives up."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Full jitter over 5 s · 2^(receives - 1): the first wait is about as long as a throttle lasts, ten receives outlast an
# outage of half an hour.
BACKOFF_BASE_S = 5
BACKOFF_CAP_S = 900
# As `max_receive_count` in infra/queue.tf.
MAX_RECEIVES = 10

# Deliveries of one message in which the model timed out: each may have been billed without a picture, so a
# model that is always slower than the worker waits would otherwise be paid at every delivery.
MAX_MODEL_TIMEOUTS = 3

# As botocore's standard mode waits: full jitter over 2^(attempts - 1) seconds, at most 20 s
# (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html).
PAUSE_CAP_S = 20


def backoff_ceiling_s(receives: int) -> int:
    """Return the longest wait, in seconds, before the delivery after this many receives; the wait is drawn from 0 to it."""
    return min(BACKOFF_CAP_S, int(BACKOFF_BASE_S * 2 ** (receives - 1)))


def pause_ceiling_s(attempts: int) -> int:
    """Return the longest wait, in seconds, before the attempt after this many within one invocation."""
    return min(PAUSE_CAP_S, int(2 ** (attempts - 1)))


@dataclass(frozen=True)
class Attempts:
    """Limits on how often a model is called for one picture within an invocation.

    The caller repeats a call itself, with a client that makes a single attempt, because it has to look for the picture in
    between: another delivery of the same job may have stored it meanwhile.

    Attributes:
        limit: Calls at most, the first included.
        answer_s: Seconds that a call may take: none is begun when fewer are left.
        time_left_s: Gives the seconds that are left to the invocation.
        sleep: Waits for so many seconds.
    """

    limit: int = 1
    answer_s: float = 0.0
    time_left_s: Callable[[], float] = lambda: math.inf
    sleep: Callable[[float], object] = time.sleep

    def wait(self, made: int) -> bool:
        """Wait until the call after this many may be made; False, at once, if none may follow."""
        seconds = random.uniform(0, pause_ceiling_s(made))  # noqa: S311 - spreads load, guards nothing
        if made >= self.limit or self.time_left_s() - seconds < self.answer_s:
            return False
        self.sleep(seconds)
        return True
