"""Time in tests: waiting for a condition, and a clock that stands still."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, within_s: float = 60.0, what: str = "the condition"):
    """The condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within {within_s:.0f} s")


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now
