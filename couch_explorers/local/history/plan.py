"""What a synthetic week is like: how much is asked for at which hour, what goes wrong and when, and when it is mended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from couch_explorers.local.settings import WORKER_TIMEOUT_S

TIME_ZONE = ZoneInfo("Europe/Oslo")
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400

# Jobs a minute around these hours of the local day: (hour, how wide in hours, jobs a minute at the top).
PEAKS = ((10.0, 1.7, 1.8), (14.5, 2.5, 0.7), (20.0, 1.9, 2.4))
NIGHT_JOBS_A_MINUTE = 0.02
WEEKEND_SHARE = 0.55
SATURDAY = 5

# The standup looks into the dead letters; nothing lies there for a second day.
STANDUP = clock_time(8, 45)

INCIDENT_BEFORE_NOW_S = 9 * HOUR_S
INCIDENT_LASTS_S = 50 * MINUTE_S
REDRIVE_AFTER_DEPLOY_S = 45 * MINUTE_S
# Without this much room behind the deploy the incident's backlog would not be worked off before the history ends.
ROOM_AFTER_DEPLOY_S = 2 * HOUR_S
EARLIER_INCIDENT_BEFORE_S = 6 * DAY_S
EARLIER_INCIDENT_LASTS_S = 20 * MINUTE_S
CLEARED_AFTER_EARLIER_S = 90 * MINUTE_S

# So that no job of the history is still on its way when the history is over.
LAST_JOB_BEFORE_END_S = 2 * MINUTE_S


@dataclass(frozen=True)
class Trouble:
    """A stretch in which the model serves less than it is asked for: a burst of jobs has used up its quota."""

    start_s: int
    end_s: int
    extra_jobs_a_minute: float
    pictures_a_minute: float  # the quota: what is asked for beyond it is throttled
    time_out_share: float  # of the throttled deliveries

    def jobs_a_minute(self, time_s: float) -> float:
        """How many jobs come on top; the burst itself is over after two thirds of the trouble."""
        burst_s = (self.end_s - self.start_s) * 2 / 3
        return self.extra_jobs_a_minute if self.start_s <= time_s < self.start_s + burst_s else 0.0


@dataclass(frozen=True)
class Plan:
    """A stretch of history, whole minutes of Unix time, and what happens in it."""

    start_s: int
    end_s: int
    troubles: tuple[Trouble, ...] = ()
    deploy_s: int | None = None  # ends the last trouble, and makes the pictures a little quicker
    cleared_s: tuple[int, ...] = ()  # when somebody looks into the dead letters: redrives some, deletes the others
    worker_timeout_s: float = WORKER_TIMEOUT_S

    def trouble_at(self, time_s: float) -> Trouble | None:
        """Give the trouble that there is at a time."""
        return next((each for each in self.troubles if each.start_s <= time_s < each.end_s), None)

    def deployed(self, time_s: float) -> bool:
        """Whether the better release runs."""
        return self.deploy_s is not None and time_s >= self.deploy_s

    def takes_jobs(self, time_s: float) -> bool:
        """Whether jobs still come: the last minutes only see the end of what is under way."""
        return time_s < self.end_s - LAST_JOB_BEFORE_END_S

    def takes_bad_jobs(self, time_s: float) -> bool:
        """Whether a job may fail for good: only while somebody will still look into the dead letters."""
        return any(cleared_s > time_s + 10 * MINUTE_S for cleared_s in self.cleared_s)


def make(*, now_s: float, days: float, until_s: float, worker_timeout_s: float = WORKER_TIMEOUT_S) -> Plan:
    """Plan the `days` before `now_s`, up to `until_s`; what does not fit in whole is left out."""
    now = int(now_s // MINUTE_S) * MINUTE_S
    start = now - int(days * DAY_S) // MINUTE_S * MINUTE_S
    end = max(start, min(now, int(until_s // MINUTE_S) * MINUTE_S))
    incident_s = now - INCIDENT_BEFORE_NOW_S
    deploy_s = incident_s + INCIDENT_LASTS_S
    earlier_s = incident_s - EARLIER_INCIDENT_BEFORE_S
    troubles: list[Trouble] = []
    cleared = _standups(start, end)
    if earlier_s >= start and earlier_s + EARLIER_INCIDENT_LASTS_S + ROOM_AFTER_DEPLOY_S <= end:
        troubles.append(Trouble(earlier_s, earlier_s + EARLIER_INCIDENT_LASTS_S, 13.0, 5.0, 0.0))
        cleared.append(earlier_s + EARLIER_INCIDENT_LASTS_S + CLEARED_AFTER_EARLIER_S)
    fits = incident_s >= start and deploy_s + ROOM_AFTER_DEPLOY_S <= end
    if fits:
        troubles.append(Trouble(incident_s, deploy_s, 14.0, 6.0, 0.01))
        cleared.append(deploy_s + REDRIVE_AFTER_DEPLOY_S)
    return Plan(
        start, end, tuple(troubles), deploy_s if fits else None, tuple(sorted(cleared)), worker_timeout_s
    )  # fmt: skip


def jobs_a_minute(time_s: float) -> float:
    """How many jobs are sent in an ordinary minute, by the local hour: quiet nights, peaks about 10:00 and 20:00."""
    local = datetime.fromtimestamp(time_s, TIME_ZONE)
    hour = local.hour + local.minute / 60
    rate = sum(top * math.exp(-0.5 * (_hours_between(hour, at) / width) ** 2) for at, width, top in PEAKS)
    return NIGHT_JOBS_A_MINUTE + rate * (WEEKEND_SHARE if local.weekday() >= SATURDAY else 1.0)


def _hours_between(one: float, other: float) -> float:
    """Around the clock: from 23:00 to 01:00 it is two hours."""
    apart = abs(one - other)
    return min(apart, 24 - apart)


def _standups(start_s: int, end_s: int) -> list[int]:
    """Every standup between two times; its wall clock keeps still when the clocks change."""
    day = datetime.fromtimestamp(start_s, TIME_ZONE).date()
    found: list[int] = []
    while True:
        standup_s = int(datetime.combine(day, STANDUP, TIME_ZONE).astimezone(UTC).timestamp())
        if standup_s >= end_s:
            return found
        if standup_s > start_s:
            found.append(standup_s)
        day += timedelta(days=1)
