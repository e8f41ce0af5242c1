"""How long metrics are kept, as on CloudWatch: the older they are, the coarser.

Source: "Metrics retention" in https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

MINUTE_S = 60
DAY_S = 86_400

# Points of each period are kept this long; a period sees what its largest divisor in this table sees.
RETENTION_S = {60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}

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
    """How long CloudWatch keeps points of a period; ValueError for one that is no multiple of a minute."""
    if period_s <= 0 or period_s % MINUTE_S:
        raise ValueError(
            f"The period {period_s} s is not known: metrics are kept by the minute, so ask for 60, 120, … s."
        )
    return max(kept for period, kept in RETENTION_S.items() if period_s % period == 0)


def expire(database: sqlite3.Connection, now_s: float) -> None:
    """Join what is too old to be asked for by a finer period, and delete what is too old for any."""
    finest, middle, coarsest = sorted(RETENTION_S)
    for kept, step in ((finest, middle), (middle, coarsest)):
        before = int((now_s - RETENTION_S[kept]) // step) * step
        database.execute(JOIN, {"step": step, "before": before})
        database.execute(DROP_JOINED, {"step": step, "before": before})
    database.execute(DROP, {"before": now_s - RETENTION_S[coarsest]})
