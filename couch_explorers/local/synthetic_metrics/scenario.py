"""The scenario of a synthetic week: how many jobs arrive at which hour, which incidents happen, and when a deploy ends them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

from couch_explorers.local.cloudwatch.store import DAY_S, MINUTE_S
from couch_explorers.local.settings import WORKER_TIMEOUT_S

TIME_ZONE = ZoneInfo("Europe/Oslo")
HOUR_S = 3600

# Peaks of the local day: (hour, width in hours, jobs a minute at the top).
PEAKS = ((10.0, 1.7, 1.8), (14.5, 2.5, 0.7), (20.0, 1.9, 2.4))
NIGHT_JOBS_A_MINUTE = 0.02
WEEKEND_SHARE = 0.55
SATURDAY = 5

# At the standup the dead-letter queue is emptied, so that nothing stays there for a second day.
STANDUP = clock_time(8, 45)

INCIDENT_BEFORE_NOW_S = 9 * HOUR_S
INCIDENT_LASTS_S = 50 * MINUTE_S
REDRIVE_AFTER_DEPLOY_S = 45 * MINUTE_S
# The backlog of the incident needs this much time after the deploy; without it the incident is left out.
ROOM_AFTER_DEPLOY_S = 2 * HOUR_S
EARLIER_INCIDENT_BEFORE_S = 6 * DAY_S
EARLIER_INCIDENT_LASTS_S = 20 * MINUTE_S
REDRIVE_AFTER_EARLIER_S = 90 * MINUTE_S

# So that no job is in flight at the end.
LAST_JOB_BEFORE_END_S = 2 * MINUTE_S


@dataclass(frozen=True)
class Incident:
    """A burst of jobs that exceeds the quota of the model."""

    start_s: int
    end_s: int
    extra_jobs_a_minute: float
    pictures_a_minute: float  # the quota; calls beyond it are throttled
    time_out_share: float  # of the throttled deliveries

    def jobs_a_minute(self, time_s: float) -> float:
        """The additional jobs a minute; the burst ends after two thirds of the incident."""
        burst_s = (self.end_s - self.start_s) * 2 / 3
        return self.extra_jobs_a_minute if self.start_s <= time_s < self.start_s + burst_s else 0.0


@dataclass(frozen=True)
class Scenario:
    """A time range, whole minutes of Unix time, and what happens in it."""

    start_s: int
    end_s: int
    incidents: tuple[Incident, ...] = ()
    deploy_s: int | None = None  # ends the last incident, and makes generation a little faster
    redrives_s: tuple[int, ...] = ()  # when the dead-letter queue is redriven; permanent failures are deleted
    worker_timeout_s: float = WORKER_TIMEOUT_S

    def incident_at(self, time_s: float) -> Incident | None:
        """The incident at a time, None where there is none."""
        return next((each for each in self.incidents if each.start_s <= time_s < each.end_s), None)

    def deployed(self, time_s: float) -> bool:
        """Whether the new release is deployed."""
        return self.deploy_s is not None and time_s >= self.deploy_s

    def accepts_jobs(self, time_s: float) -> bool:
        """Whether jobs still arrive; the last minutes only finish those in flight."""
        return time_s < self.end_s - LAST_JOB_BEFORE_END_S

    def accepts_bad_jobs(self, time_s: float) -> bool:
        """Whether a job may fail permanently: only while a redrive is still to come."""
        return any(redrive_s > time_s + 10 * MINUTE_S for redrive_s in self.redrives_s)


def make_scenario(*, now_s: float, days: float, until_s: float, worker_timeout_s: float = WORKER_TIMEOUT_S) -> Scenario:
    """Make the scenario of the `days` before `now_s`, up to `until_s`; an incident that does not fit as a whole is left out."""
    now = int(now_s // MINUTE_S) * MINUTE_S
    start = now - int(days * DAY_S) // MINUTE_S * MINUTE_S
    end = max(start, min(now, int(until_s // MINUTE_S) * MINUTE_S))
    incident_s = now - INCIDENT_BEFORE_NOW_S
    deploy_s = incident_s + INCIDENT_LASTS_S
    earlier_s = incident_s - EARLIER_INCIDENT_BEFORE_S
    incidents: list[Incident] = []
    redrives = _standups(start, end)
    if earlier_s >= start and earlier_s + EARLIER_INCIDENT_LASTS_S + ROOM_AFTER_DEPLOY_S <= end:
        incidents.append(Incident(earlier_s, earlier_s + EARLIER_INCIDENT_LASTS_S, 13.0, 5.0, 0.0))
        redrives.append(earlier_s + EARLIER_INCIDENT_LASTS_S + REDRIVE_AFTER_EARLIER_S)
    fits = incident_s >= start and deploy_s + ROOM_AFTER_DEPLOY_S <= end
    if fits:
        incidents.append(Incident(incident_s, deploy_s, 14.0, 6.0, 0.01))
        redrives.append(deploy_s + REDRIVE_AFTER_DEPLOY_S)
    return Scenario(
        start, end, tuple(incidents), deploy_s if fits else None, tuple(sorted(redrives)), worker_timeout_s
    )  # fmt: skip


def jobs_a_minute(time_s: float) -> float:
    """The expected number of jobs in an ordinary minute: quiet nights, peaks about 10:00 and 20:00 local time."""
    local = datetime.fromtimestamp(time_s, TIME_ZONE)
    hour = local.hour + local.minute / 60
    rate = sum(top * math.exp(-0.5 * (_hours_between(hour, at) / width) ** 2) for at, width, top in PEAKS)
    return NIGHT_JOBS_A_MINUTE + rate * (WEEKEND_SHARE if local.weekday() >= SATURDAY else 1.0)


def _hours_between(one: float, other: float) -> float:
    """The hours between two times of day, around the clock: from 23:00 to 01:00 it is two."""
    difference = abs(one - other)
    return min(difference, 24 - difference)


def _standups(start_s: int, end_s: int) -> list[int]:
    """Every standup between two times, at the same local time in summer and winter."""
    day = datetime.fromtimestamp(start_s, TIME_ZONE).date()
    found: list[int] = []
    while True:
        standup_s = int(datetime.combine(day, STANDUP, TIME_ZONE).astimezone(UTC).timestamp())
        if standup_s >= end_s:
            return found
        if standup_s > start_s:
            found.append(standup_s)
        day += timedelta(days=1)
