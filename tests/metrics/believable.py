"""Frames as `metrics.fetch` gives them, made without CloudWatch: a believable day, and whatever a test changes in it."""

import functools
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from couch_explorers.metrics import model, series, time_windows
from couch_explorers.metrics.model import (
    API_FUNCTION,
    WORKER,
    Alarm,
    Context,
    Deploy,
    FunctionConfiguration,
    LogSummary,
    SeriesState,
    Window,
)

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
CORE = "stability.stable-image-core-v1:1"
STEM = "couch-explorers-42"
NAMES = series.Names(
    f"{STEM}-jobs", f"{STEM}-jobs-dead-letter", f"{STEM}-worker", f"{STEM}-generate-image", f"{STEM}-api", "42", frozenset()
)  # fmt: skip
REASONS = ("ContentFiltered", "ModelUnavailable", "Throttled")
INCIDENT_BEFORE_END, INCIDENT_LASTS, DEPLOY_AFTER = timedelta(hours=9), timedelta(minutes=50), timedelta(minutes=50)
FUNCTION_FACTS = (
    FunctionConfiguration(WORKER, NAMES.worker, 60.0, 512, maximum_concurrency=8),
    FunctionConfiguration(API_FUNCTION, NAMES.api_function, 28.0, 1024),
)
LOG_FACTS = (
    LogSummary(WORKER, 420, complete=True, cold_starts=9, longest_init_ms=612.0, highest_memory_mb=131.0, billed_ms=4.1e6),
    LogSummary(
        API_FUNCTION, 160, complete=True, cold_starts=4, longest_init_ms=587.0, highest_memory_mb=128.0, billed_ms=1.5e6
    ),
)  # fmt: skip


def alarms_of(threshold_s=300.0, alarm_intervals=None, states=None):
    """Make the five deployed alarms; `rang` gives the stretches of each by short name, `states` how each stands (OK)."""
    thresholds = {"oldest-message-age": threshold_s, "time-to-picture": 60_000.0}
    thresholds |= {"dead-letters": 0.0, "worker-errors": 0.0, "failed-jobs": 0.0}
    return tuple(
        Alarm(
            f"{STEM}-{name}", name, threshold, (states or {}).get(name, "OK"), "Threshold Crossed.", None, 60,
            alarm_intervals=tuple((alarm_intervals or {}).get(name, ())),
        )
        for name, threshold in thresholds.items()
    )  # fmt: skip


def frame_of(
    now=None,
    before=None,
    week=None,
    *,
    calm=True,
    incident=False,
    end=END,
    hours=24,
    period_s=60,
    percentile_period_s=None,
    timezone="Europe/Oslo",
    compare="before",
    alarms=None,
    functions=FUNCTION_FACTS,
    logs=LOG_FACTS,
    deploys=None,
    synthetic=(),
    states=None,
    notes=(),
    target="local",
    reasons=REASONS,
    models=(CORE,),
    longer=None,
    objectives=series.OBJECTIVES,
):
    """Make a frame with its facts.

    `now`, `before` and `week` change single series of their window: key → a number (for each period), a list from the
    window's start (None is a gap), {number of the period: value}, or None (nothing measured: IDLE). With `calm`, a series
    that is not named has a believable day; without, it is IDLE. `incident` throttles the model for 50 minutes, 9 hours
    before the end; a deploy ends it. `longer` gives the series of the windows that the objectives have beside them, by
    name ("burn" of three days, "budget" of four weeks) and key, with a number for each of their periods. `states` overrides how a series answered, by key (window now) or (window, key).
    """
    changes = {"now": now or {}, "before": before or {}, "week": week or {}}
    length = timedelta(hours=hours)
    days = {"now": 0, "before": max(1, -(-hours // 24)), "week": 7}
    kept = ["now"] if compare is None else ["now", "before"] if hours > 144 else list(days)
    windows = tuple(
        Window(name, end - timedelta(days=days[name]) - length, end - timedelta(days=days[name])) for name in kept
    )
    percentile_period_s = percentile_period_s or (3600 if hours >= 6 else 300)
    lines = series.build(
        NAMES, period_s=period_s, percentile_period_s=percentile_period_s, reasons=reasons,
        models={WORKER: models, API_FUNCTION: models}, objectives=objectives,
    )  # fmt: skip
    overridden = {key if key[0] in kept else ("now", key): state for key, state in (states or {}).items()}
    began = end - INCIDENT_BEFORE_END if incident else None
    points, answered = [], {}
    for window in windows:
        lived = {}
        if calm:
            lived = _live(window, period_s, percentile_period_s, timezone, began if window.name == "now" else None)
        for line in lines:
            times, values = _placed(changes[window.name].get(line.key, lived.get(line.key)), line, window)
            state = overridden.get((window.name, line.key), SeriesState.COMPLETE if len(times) else SeriesState.IDLE)
            answered[window.name, line.key] = state
            if state in (SeriesState.COMPLETE, SeriesState.PARTIAL):
                points.append(model.Points(window.name, line, times, values))
    budgets = time_windows.objective_windows(end, end) if longer else {}
    for window, its_period_s in budgets.items():
        for line in lines:
            coarse = replace(line, period_s=its_period_s)
            times, values = _placed(longer.get(window.name, {}).get(line.key), coarse, window)
            points.append(model.Points(window.name, coarse, times, values))
    if incident:
        rang = {
            "oldest-message-age": [(began + timedelta(minutes=7), began + timedelta(minutes=58))],
            "failed-jobs": [(began + timedelta(minutes=21), began + timedelta(minutes=24))],
            "dead-letters": [(began + timedelta(minutes=21), began + timedelta(minutes=80))],
        }
        alarms = alarms_of(alarm_intervals=rang) if alarms is None else alarms
        deploys = (Deploy(began + DEPLOY_AFTER, (WORKER,), "ab12cd3"),) if deploys is None else deploys
    facts = Context(
        target, "42", timezone, end, windows, compare if compare in kept else None, period_s, percentile_period_s,
        series=lines, states=answered, alarms=alarms_of() if alarms is None else tuple(alarms), functions=tuple(functions),
        logs=tuple(logs), deploys=tuple(deploys or ()), synthetic=tuple(synthetic), metrics_requested=31 * len(windows),
        calls=len(windows), cost_usd=31 * len(windows) * 1e-5, notes=tuple(notes), objectives=dict(objectives),
        objective_windows=tuple(budgets),
    )  # fmt: skip
    return model.build_frame(points, facts)


def _placed(given, line, window):
    """Give times and values for what a test, or a believable day, says of a series."""
    start, count = window.start.timestamp(), int(window.length.total_seconds() // line.period_s)
    if given is None:
        return [], []
    if isinstance(given, (int, float)):
        given = [given] * count
    if isinstance(given, dict):
        numbers, given = list(given), list(given.values())
    else:
        numbers = range(len(given))
    numbers, values = np.array(numbers, float), np.array(given, float)
    measured = ~np.isnan(values)
    return (start + numbers * line.period_s)[measured].tolist(), values[measured].tolist()


@functools.cache
def _live(*day):
    """Give the values of every series of a day; they depend on its arguments alone, and many tests have the same day."""
    return Day(*day).live()


class Day:
    """One window of the service: jobs come by the hour of the day, eight workers paint them, and all series follow."""

    def __init__(self, window, period_s, percentile_period_s, timezone, incident):
        self.count = int(window.length.total_seconds() // period_s)
        self.period_s, self.percentile_period_s = period_s, percentile_period_s
        self.random = np.random.default_rng(int(window.start.timestamp()))
        zone = ZoneInfo(timezone)
        starts = [window.start + timedelta(seconds=period_s * number) for number in range(self.count)]
        self.hours = np.array([(local := start.astimezone(zone)).hour + local.minute / 60 for start in starts])
        self.struck = np.array(
            [incident is not None and incident <= start < incident + INCIDENT_LASTS for start in starts]
        )

    def live(self):
        """Give the values of every series, by key; NaN where nothing was measured."""
        peaks = np.exp(-(((self.hours - 10) / 2) ** 2)) + np.exp(-(((self.hours - 20) / 2) ** 2))
        minutes = self.period_s / 60
        sent = self.random.poisson((0.3 + 2.5 * peaks) * minutes)
        done, visible, age = self._queue(sent, np.where(self.struck, 0.05, 48) * minutes)
        failed = np.where(self.struck & (self.random.random(self.count) < 0.12), 1.0, np.nan)
        dead = np.nan_to_num(failed).cumsum()
        over = np.flatnonzero(self.struck)[-1] + int(30 * 60 / self.period_s) if self.struck.any() else 0
        dead[over:] = 0
        postponed = np.where(self.struck, self.random.poisson(2.0, self.count) * 1.0, np.nan)
        asked = self.random.poisson((0.1 + 1.0 * peaks) * minutes) * 1.0
        broken = np.where(self.struck, np.minimum(asked, self.random.poisson(0.4, self.count)), 0)
        measured = np.where(asked > 0, 1.0, np.nan)
        return {
            series.SENT: sent, series.DELETED: done, series.VISIBLE: visible, series.AGE: age,
            series.IN_FLIGHT: np.minimum(done + np.nan_to_num(postponed), 8), series.DEAD_LETTERS_VISIBLE: dead,
            series.FAILED_JOBS: failed, series.failed_jobs("Throttled"): failed, series.POSTPONED_JOBS: postponed,
            series.API_COUNT: asked * measured, series.API_4XX: 0 * measured, series.API_5XX: broken * measured,
            **self._times(WORKER, done, np.where(age > 45, 0.0, 100.0), 10_400),
            **self._times(API_FUNCTION, asked - broken, np.full(self.count, 100.0), 9_300),
            **self._function(WORKER, done + np.nan_to_num(postponed), done, 0 * done),
            **self._function(API_FUNCTION, asked, asked - broken, 0 * asked),
            **{series.api_latency(statistic): self._percentile(asked, statistic, 9_350) for statistic in ("p50", "p95")},
        }  # fmt: skip

    def _queue(self, sent, capacity):
        """Serve what was sent, first come, first served: jobs done, waiting and the age of the oldest at each period's end."""
        waiting, done, visible, age = deque(), [], [], []
        room = 0.0
        for number, (came, able) in enumerate(zip(sent, capacity, strict=True)):
            waiting.extend([number] * int(came))
            room = min(room, 1) + able
            served = min(len(waiting), int(room))
            room -= served
            for _ in range(served):
                waiting.popleft()
            done.append(served)
            visible.append(len(waiting))
            age.append((number - waiting[0] + 1) * self.period_s if waiting else min(5.0 * came, 30.0))
        return np.array(done, float), np.array(visible, float), np.array(age, float)

    def _function(self, resource, runs, made, errors):
        ran = np.where(runs > 0, 1.0, np.nan)
        typical = 9_200 + self.random.normal(0, 400, self.count)
        durations = {"Average": typical * ran, "Maximum": typical * ran * np.where(self.struck, 2.1, 1.25)}
        return {
            series.invocations(resource): runs * ran,
            series.errors(resource): errors * ran,
            series.throttles(resource): 0 * ran,
            series.concurrency(resource): np.minimum(np.ceil(runs / 4), 8) * ran,
            series.pictures(resource): np.where(made > 0, made, np.nan),
            series.pictures(resource, CORE): np.where(made > 0, made, np.nan),
            **{series.duration(resource, statistic): values for statistic, values in durations.items()},
            **{
                series.duration(resource, statistic): self._percentile(runs, statistic, 9_200)
                for statistic in ("p50", "p95", "p99")
            },
        }

    def _times(self, resource, made, in_time, typical):
        """Give how long people waited: percentiles, how many pictures there were, and which percentage came in time."""
        objective = series.OBJECTIVES[resource]
        return {
            series.time_to_picture(resource, "SampleCount"): np.where(made > 0, made, np.nan),
            series.within_objective(resource, objective): np.where(made > 0, in_time, np.nan),
            **{
                series.time_to_picture(resource, statistic): self._percentile(made, statistic, typical)
                for statistic in series.TIME_PERCENTILES
            },
        }

    def _percentile(self, runs, statistic, typical):
        """Give a percentile for each of its own, longer periods in which anything ran."""
        each = max(1, self.percentile_period_s // self.period_s)
        factor = {"p50": 1.0, "p95": 1.15, "p99": 1.3}[statistic]
        starts = range(0, self.count, each)
        slow = [1.9 if self.struck[start : start + each].any() else 1.0 for start in starts]
        jitter = self.random.normal(0, 150, len(slow))
        return [
            typical * factor * (slow[place] if statistic != "p50" else 1.0) + jitter[place]
            if np.nansum(runs[start : start + each]) > 0
            else None
            for place, start in enumerate(starts)
        ]
