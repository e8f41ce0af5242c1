"""The service level objective: the share of requests with a picture in time, and how much of the error budget is left.

One rule for what is measured, replayed and simulated: a request without a picture is a miss, however soon it failed.

Sources: "Implementing SLOs" and "Alerting on SLOs" in the Site Reliability Workbook, https://sre.google/workbook/alerting-on-slos/
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
# Four weeks: every one of them has the same weekends.
BUDGET_DAYS = 28


@dataclass(frozen=True)
class Objective:
    """A picture within so many seconds for this share of the valid requests (from 0 to 1)."""

    seconds: float = 60.0
    share: float = 0.95

    @property
    def error_budget(self) -> float:
        """The share of valid requests that may miss the objective."""
        return 1.0 - self.share

    def burn_rate(self, attained: float) -> float:
        """Return how many times faster than allowed the budget burns: 1 uses it up in exactly `BUDGET_DAYS`.

        Args:
            attained: Share within the objective, from 0 to 1; NaN for no requests, which gives NaN.

        """
        return (1.0 - attained) / self.error_budget

    def budget_left(self, attained: float) -> float:
        """Return the share of the error budget that is left after attaining this share; negative if overdrawn."""
        return 1.0 - self.burn_rate(attained)


# As the variables objective_s and objective_percent of infra/, and ObjectiveSeconds and ObjectivePercent of sam_lambda/. API
# Gateway ends a request after 29 s: an objective for the API has to be shorter.
QUEUE_OBJECTIVE = Objective(60.0, 0.95)
API_OBJECTIVE = Objective(20.0, 0.95)


@dataclass(frozen=True)
class Attainment:
    """The outcomes of the requests in an interval.

    Attributes:
        good: A picture within the objective.
        late: A picture, but later.
        failed: No picture: a permanent failure, a crash that ended in the dead-letter queue, or an error answer.
        overdue: Still waiting for longer than the objective.
        excluded: Blocked or invalid prompts, which no service can turn into a picture; not valid, so not counted.

    """

    good: float = 0.0
    late: float = 0.0
    failed: float = 0.0
    overdue: float = 0.0
    excluded: float = 0.0

    @property
    def valid(self) -> float:
        """All valid requests."""
        return self.good + self.missed

    @property
    def missed(self) -> float:
        """The valid requests without a picture in time."""
        return self.late + self.failed + self.overdue

    @property
    def share(self) -> float:
        """The share attained: good of all valid requests; NaN if there were none."""
        return self.good / self.valid if self.valid else math.nan


@dataclass(frozen=True)
class BurnAlert:
    """A burn rate alert: the rate is exceeded over `long_s` and still over `short_s`, a twelfth of it.

    `budget_share` is how much of the error budget is gone after `long_s` at that rate.
    """

    budget_share: float
    long_s: float
    short_s: float
    is_urgent: bool

    @property
    def rate(self) -> float:
        """The burn rate above which it alerts."""
        return self.budget_share * BUDGET_DAYS * DAY_S / self.long_s


# The workbook's table 5-8 ("multiwindow, multi-burn-rate alerts"), for a budget of four weeks: its own 30 days give 14.4, 6 and 1.
BURN_ALERTS = (
    BurnAlert(0.02, HOUR_S, 5 * MINUTE_S, is_urgent=True),
    BurnAlert(0.05, 6 * HOUR_S, 30 * MINUTE_S, is_urgent=True),
    BurnAlert(0.10, 3 * DAY_S, 6 * HOUR_S, is_urgent=False),
)


def time_to_picture(
    asked_s: NDArray[np.float64], there_s: NDArray[np.float64], succeeded: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the seconds from request to picture, waits and retries included, shape (n,); infinite without a picture."""
    return np.where(succeeded, there_s - asked_s, np.inf)


def judge(times_s: NDArray[np.floating[Any]], objective_s: float) -> Attainment:
    """Count requests by their time to picture in seconds, infinite for those without one."""
    good = int(np.count_nonzero(times_s <= objective_s))
    failed = int(np.count_nonzero(np.isinf(times_s)))
    return Attainment(good=good, late=len(times_s) - good - failed, failed=failed)
