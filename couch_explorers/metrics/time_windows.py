"""The time windows of a review and their periods: the window, and the same one a day and a week before."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from couch_explorers.metrics.model import MetricsParameterError, Window
from couch_explorers.objective import BUDGET_DAYS, BURN_ALERTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.metrics.model import WindowName

Compare = Literal["before", "week", "none"]
COMPARISONS: tuple[Compare, ...] = ("before", "week", "none")

# How long CloudWatch keeps points of a period, and how many it returns per response:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
RETENTION = {60: timedelta(days=15), 300: timedelta(days=63), 3600: timedelta(days=455)}
POINTS_PER_CALL = 100_800
LONGEST_PERIOD_S = 3600
LONGEST_AGO = RETENTION[LONGEST_PERIOD_S]

# Percentiles cannot be aggregated, so their periods must be long enough for the samples that they need.
PERCENTILE_PERIOD_S, SHORT_PERCENTILE_PERIOD_S = 3600, 300
SHORT_WINDOW = timedelta(hours=6)

# The window of the shortest burn rate.
BURN_PERIOD_S = 300

# From this length on, the window before would be the window a week before.
NEARLY_A_WEEK = timedelta(hours=144)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class WindowPlan:
    """The metrics to fetch: windows (the first is `now`), periods in seconds, the window to compare with, and notes on omissions.

    `compare` is None if nothing is compared.
    """

    windows: tuple[Window, ...]
    compare: WindowName | None
    period_s: int
    percentile_period_s: int
    notes: tuple[str, ...] = ()


def plan(
    start: datetime,
    end: datetime,
    *,
    timezone: str,
    compare: Compare,
    now: datetime,
    series: int,
    percentiles: int = 0,
) -> WindowPlan:
    """Plan the windows for an interval, and the finest period that CloudWatch still has for all of them.

    `series` and `percentiles` are the numbers of series without and with a period of their own. A time without a zone is in
    `timezone`. Raises MetricsParameterError for a window that is empty, in the future or older than CloudWatch keeps data,
    and for an unknown time zone or comparison.
    """
    zone = time_zone(timezone)
    _check_compare(compare)
    start, end, now = (_in_utc(time, zone) for time in (start, end, now))
    _check_interval(start, end, now, zone)

    notes: list[str] = []
    kept: list[Window] = []
    for window in _windows(start, end, zone, compare):
        if _is_kept(window.start, now):
            kept.append(window)
        else:
            notes.append(
                f"The window {window.name!r} is left out: it begins longer ago than the {LONGEST_AGO.days} days that CloudWatch keeps."
            )
    compared = _compared(compare, kept)

    oldest = now - min(window.start for window in kept)
    period_s = _period(oldest, end - start, series, percentiles)
    aligned = tuple(_aligned(window, period_s) for window in kept)
    if aligned[0].start >= aligned[0].end:
        raise MetricsParameterError(
            f"The window from {_format(start, zone)} to {_format(end, zone)} is shorter than the {period_s} s for which CloudWatch has "
            "one point then. Ask for more."
        )
    return WindowPlan(aligned, compared, period_s, _percentile_period(end - start, period_s), tuple(notes))


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by name; raises MetricsParameterError with similar names."""
    try:
        return ZoneInfo(name)
    # Which one depends on the name: unknown, a path outside the folder, a folder, or empty.
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        similar = _similar_zones(str(name))
        meant = f" Did you mean {' or '.join(similar)}?" if similar else " Names look like Europe/Oslo or UTC."
        raise MetricsParameterError(f"There is no time zone {name!r}.{meant}") from None


def last_hours(hours: float, now: datetime) -> tuple[datetime, datetime]:
    """Return the start and end of the last `hours`: whole minutes, up to the last complete one."""
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not math.isfinite(hours) or hours <= 0:
        raise MetricsParameterError(f"The window must be longer than zero hours, not {hours!r}. A day is 24.")
    if hours > LONGEST_AGO / timedelta(hours=1):
        raise MetricsParameterError(
            f"CloudWatch keeps metrics for {LONGEST_AGO.days} days: ask for at most {LONGEST_AGO // timedelta(hours=1):,} hours, not {hours:,}."
        )
    end = _floor(now, min(RETENTION))
    return end - timedelta(hours=hours), end


def objective_windows(end: datetime, now: datetime) -> dict[Window, int]:
    """Return the windows of the error budget and of its burn rates, each with its period in seconds.

    They end with the review's window. One that CloudWatch no longer keeps at that period is left out.
    """
    longest = max(alert.long_s for alert in BURN_ALERTS)
    windows = {
        Window("burn", end - timedelta(seconds=longest), end): BURN_PERIOD_S,
        Window("budget", end - timedelta(days=BUDGET_DAYS), end): LONGEST_PERIOD_S,
    }
    return {window: period_s for window, period_s in windows.items() if now - window.start <= RETENTION[period_s]}


def _similar_zones(name: str) -> list[str]:
    known = {zone.casefold(): zone for zone in sorted(available_timezones())}
    wanted = name.strip().replace(" ", "_").casefold()
    # "Oslo" means Europe/Oslo, and so does "europe/oslo", on case-sensitive file systems.
    exact = [zone for folded, zone in known.items() if wanted and wanted in (folded, folded.rpartition("/")[2])]
    return exact[:3] or [known[match] for match in difflib.get_close_matches(wanted, known, n=3, cutoff=0.7)]


def _check_compare(compare: str) -> None:
    if compare not in COMPARISONS:
        raise MetricsParameterError(f"Nothing can be compared with {compare!r}. Known: {', '.join(COMPARISONS)}.")


def _in_utc(time: datetime, zone: ZoneInfo) -> datetime:
    return (time if time.tzinfo is not None else time.replace(tzinfo=zone)).astimezone(UTC)


def _check_interval(start: datetime, end: datetime, now: datetime, zone: ZoneInfo) -> None:
    window = f"The window from {_format(start, zone)} to {_format(end, zone)}"
    if start >= end:
        what = "has no length" if start == end else "ends before it begins"
        raise MetricsParameterError(f"{window} {what}. Give an end after the start.")
    if start >= now:
        raise MetricsParameterError(
            f"{window} lies in the future: it is {_format(now, zone)} now. Nothing was measured yet."
        )
    if end > now:
        raise MetricsParameterError(f"{window} ends in the future: it is {_format(now, zone)} now. End it there.")
    if not _is_kept(start, now):
        earliest = _format(now - LONGEST_AGO, zone)
        raise MetricsParameterError(
            f"{window} begins longer ago than the {LONGEST_AGO.days} days that CloudWatch keeps metrics. Begin at {earliest} or later."
        )


def _is_kept(start: datetime, now: datetime) -> bool:
    """Check whether CloudWatch still has data of that time, with a tolerance of the current minute."""
    return now - start <= LONGEST_AGO + timedelta(minutes=1)


def _format(time: datetime, zone: ZoneInfo) -> str:
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _windows(start: datetime, end: datetime, zone: ZoneInfo, compare: Compare) -> Iterator[Window]:
    yield Window("now", start, end)
    if compare == "none":
        return
    length = end - start
    yield _earlier("before", end, length, math.ceil(length / DAY) * DAY, zone)
    if length <= NEARLY_A_WEEK:
        yield _earlier("week", end, length, WEEK, zone)


def _earlier(name: WindowName, end: datetime, length: timedelta, days: timedelta, zone: ZoneInfo) -> Window:
    """Return the window of the same length that ended whole days before, in local time.

    A local time that occurred twice that day means the first; one that was skipped is shifted forward.
    """
    ended = (end.astimezone(zone).replace(tzinfo=None) - days).replace(tzinfo=zone).astimezone(UTC)
    return Window(name, ended - length, ended)


def _compared(compare: Compare, kept: list[Window]) -> WindowName | None:
    names = {window.name for window in kept}
    if compare == "none":
        return None
    if compare == "week" and "week" not in names and kept[0].length > NEARLY_A_WEEK:
        # The window before is the week before, or longer.
        compare = "before"
    return compare if compare in names else None


def _period(oldest: timedelta, length: timedelta, series: int, percentiles: int) -> int:
    """Return the finest period that is kept for the oldest point and fits a window into one response."""
    for period_s, retention in RETENTION.items():
        points = series * _points(length, period_s)
        points += percentiles * _points(length, _percentile_period(length, period_s))
        if oldest <= retention and points <= POINTS_PER_CALL:
            return period_s
    return LONGEST_PERIOD_S


def _points(length: timedelta, period_s: int) -> int:
    return math.ceil(length / timedelta(seconds=period_s))


def _percentile_period(length: timedelta, period_s: int) -> int:
    return max(period_s, PERCENTILE_PERIOD_S if length >= SHORT_WINDOW else SHORT_PERCENTILE_PERIOD_S)


def _aligned(window: Window, period_s: int) -> Window:
    """Move both ends back to the start of a period: an incomplete period would look like a drop."""
    return Window(window.name, _floor(window.start, period_s), _floor(window.end, period_s))


def _floor(time: datetime, period_s: int) -> datetime:
    return datetime.fromtimestamp(time.timestamp() // period_s * period_s, UTC)
