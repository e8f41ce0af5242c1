"""How long metrics are kept, as on CloudWatch: the older they are, the coarser.

Source: "Metrics retention" in https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from couch_explorers.local.cloudwatch.metric import MINUTE_S

if TYPE_CHECKING:
    import sqlite3

DAY_S = 86_400

# Points of each period are kept this long; a period sees what its largest divisor in this table sees.
RETENTION_S = {1: 3 * 3600, 60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}

# "For metrics with high resolution, the period can be 1, 5, 10, 20, 30, 60, or any multiple of 60":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
SHORT_PERIODS_S = (1, 5, 10, 20, 30)

# By series, so that only the old rows are looked at. Like values are joined into one row seen more often, so that
# percentiles stay what they were.
JOIN = """
INSERT INTO samples (series, time, lowest, highest, count, total)
SELECT series, time - time % :step, lowest, highest, SUM(count), SUM(total) FROM samples
WHERE series IN (SELECT id FROM series) AND time < :before AND time % :step <> 0 GROUP BY 1, 2, 3, 4
ON CONFLICT DO UPDATE SET count = count + excluded.count, total = total + excluded.total
"""
DROP_JOINED = "DELETE FROM samples WHERE series IN (SELECT id FROM series) AND time < :before AND time % :step <> 0"
DROP = "DELETE FROM samples WHERE series IN (SELECT id FROM series) AND time < :before"


def retention_s(period_s: int) -> int:
    """How long CloudWatch keeps points of a period.

    Raises:
        ValueError: CloudWatch has no such period.

    """
    if period_s <= 0 or (period_s % MINUTE_S and period_s not in SHORT_PERIODS_S):
        raise ValueError(
            f"The period {period_s} s is not known: ask for 1, 5, 10, 20 or 30 s, or for a multiple of 60 s."
        )
    return max(kept for period, kept in RETENTION_S.items() if period_s % period == 0)


def expire(database: sqlite3.Connection, now_s: float) -> None:
    """Join what is too old to be asked for by a finer period, and delete what is too old for any."""
    periods = sorted(RETENTION_S)
    for kept, step in pairwise(periods):
        before = int((now_s - RETENTION_S[kept]) // step) * step
        database.execute(JOIN, {"step": step, "before": before})
        database.execute(DROP_JOINED, {"step": step, "before": before})
    database.execute(DROP, {"before": now_s - RETENTION_S[periods[-1]]})
