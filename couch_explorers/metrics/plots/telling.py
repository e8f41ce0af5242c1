"""Clauses that the sentences of several figures share: the highest and when, the end, the window before, an alarm."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.metrics import model
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import absent, resampling
from couch_explorers.metrics.plots.annotations import still_rings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from couch_explorers.metrics.model import Context, SeriesKey
    from couch_explorers.metrics.plots.resampling import Curve

# SQS and Lambda publish each minute, and a point may be some minutes late; what is older than this is not the end.
END = timedelta(minutes=5)
MINUTE_S = 60
# From here on a share is a multiple.
TIMES = 1.5
# More stretches than these are counted, not listed.
MOST_LISTED = 2


def peak(curve: Curve, facts: Context) -> str:
    """Say when the highest value was: a minute by its beginning, a longer period from when to when."""
    start, end = curve.highest_at
    return facts.format_time(start) if curve.period_s <= MINUTE_S else facts.format_interval(start, end)


def end(curve: Curve, facts: Context, told: Callable[[float], str] = formatting.number) -> str:
    """Say the last value: "3 at the end", or when it was measured where that is not the end."""
    last = curve.latest_until
    if curve.window.end - last <= max(END, timedelta(seconds=curve.period_s)):
        return f"{told(curve.latest)} at the end"
    return f"{told(curve.latest)} when last measured, {facts.format_time(last)}"


def before(curve: Curve | None, facts: Context, told: Callable[[float], str] = formatting.number) -> str:
    """Say the highest value of the window compared with; empty without one."""
    if curve is None:
        return ""
    return f"{facts.previous_name} " + (f"at most {told(curve.highest)}" if curve.highest else "none")


def against(value: float, limit: float, name: str) -> str:
    """Compare with a limit: "12 % of its time-out of 60 s", "7.4 times its alarm's 300 s"."""
    share = value / limit if limit else float("inf")
    if not limit:
        return f"above {name}" if value else f"not above {name}"
    return (
        f"{formatting.percent(share)} of {name}"
        if share < TIMES
        else f"{formatting.number(round(share, 1))} times {name}"
    )


def depth(curve: Curve, facts: Context) -> str:
    """Say how many lay somewhere: "none", "at most 3, 0 at the end"."""
    if curve.highest == 0:
        return "none"
    return f"at most {formatting.number(curve.highest)} ({peak(curve, facts)}), {end(curve, facts)}"


def alarm(facts: Context, short_name: str, name: str = "its alarm") -> str:
    """Say when an alarm rang in the window; empty where it did not, or where there is none."""
    found = facts.alarm(short_name)
    if found is None or not found.rang:
        return ""
    start, until = found.rang[-1]
    if still_rings(facts, found, until):
        earlier = len(found.rang) - 1
        return f"{name} rings since {facts.format_time(start)}" + (
            f" and rang {formatting.count(earlier, 'time')} before" if earlier else ""
        )
    if len(found.rang) > MOST_LISTED:
        return f"{name} rang {formatting.count(len(found.rang), 'time')}, last {facts.format_interval(start, until)}"
    return f"{name} rang {formatting.join(facts.format_interval(*stretch) for stretch in found.rang)}"


def counted(frame: pd.DataFrame, key: SeriesKey, one: str, many: str, *, none: str = "no", detail: str = "") -> str:
    """Say how many, when most of them, and how many in the window before: "7 jobs failed (most 03:30-03:40, the day before none)"."""
    facts = model.context_of(frame)
    now = resampling.resample(frame, key, period_s=resampling.coarser_period_s(facts, resampling.MOST_STEPS))
    if unknown(facts, now, key):
        return f"{many}: {absent.why(facts, key)}"
    earlier = resampling.resample_counts_before(frame, key)
    beside = [
        _most(now, facts),
        f"{facts.previous_name} {formatting.number(earlier.total) if earlier.total else 'none'}" if earlier else "",
    ]
    told = "; ".join(filter(None, (detail, ", ".join(filter(None, beside)))))
    shown = told and (now.total or (earlier and earlier.total))
    number = formatting.number(now.total) if now.total else none
    return f"{number} {one if now.total == 1 else many}{f' ({told})' if shown else ''}"


def unknown(facts: Context, curve: Curve, key: SeriesKey, window: str = "now") -> bool:
    """Whether nothing is there because it was not told, and not because there was nothing."""
    return curve.empty and facts.state(key, window) not in {SeriesState.IDLE, SeriesState.COMPLETE}


def _most(curve: Curve, facts: Context) -> str:
    """Say when most of what was counted fell; nothing where it came one at a time."""
    if curve.highest == curve.total:
        return peak(curve, facts) if curve.total else ""
    return f"most {peak(curve, facts)}" if curve.highest > 1 else ""
