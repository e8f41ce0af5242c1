"""Advice by simulation: the threshold of the age alarm, and the workers that a load needs, with the cost of each choice.

A threshold is judged by two numbers: how often it goes off on days on which nothing is wrong, and how many minutes it takes to
go off in each of a set of incidents. The defaults in infra/ are what `advise_alarm` and `advise_concurrency` recommend for
`System()`; a test keeps them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from couch_explorers.capacity.queue_metrics import oldest_ages
from couch_explorers.capacity.queue_model import (
    MINUTE_S,
    CapacityError,
    ColdStart,
    Disruption,
    Quota,
    Retry,
    simulate_jobs,
)
from couch_explorers.objective import Objective, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from couch_explorers.capacity.queue_model import JobTrace

HOUR_S, DAY_S, DAYS_A_WEEK, DAYS_A_MONTH = 3600.0, 86400.0, 7, 30
# An incident begins in the busiest hour and lasts for an hour and a half; the queue was at work for half an hour before.
LEAD_S, INCIDENT_S = 1800.0, 5400.0
# A crowd comes into an ordinary hour, and is worked off in this time; then nothing happens until no job is on its way.
CROWD_LEAD_S, CROWD_S, CROWD_GAP_S = 600.0, 2400.0, 7200.0

# Shape of a day: (hour, width in hours, share of the day's top), as a consumer service sees it: noon and evening.
_PEAKS = ((12.0, 2.0, 0.6), (20.0, 2.5, 1.0))
_NIGHT = 0.02


@dataclass(frozen=True)
class Load:
    """The load: how many pictures are requested, and how unevenly.

    Attributes:
        busiest_hour: Pictures in the busiest hour of a day; the others follow a day with a noon and an evening.
        group_size: Mean number of pictures requested at once: users send several prompts, and come in groups.
        crowds_a_week: How often a crowd comes, such as a class or the readers of a shared link, at any hour of the day that the
            others come at. It is over in minutes, and nobody need get up for it.
        crowd_size: Mean pictures of a crowd, all requested within a minute; sizes are geometrically distributed.

    """

    busiest_hour: float = 1000.0
    group_size: float = 2.0
    crowds_a_week: float = 3.0
    crowd_size: float = 50.0

    def day(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the arrivals of a day: seconds from midnight, ascending."""
        per_minute = self.per_minute(np.arange(int(DAY_S / MINUTE_S)) / MINUTE_S)
        arrivals = [self.arrivals(per_minute, rng)]
        for _ in range(rng.poisson(self.crowds_a_week / DAYS_A_WEEK)):
            begin_s = MINUTE_S * rng.choice(len(per_minute), p=per_minute / per_minute.sum())
            arrivals.append(begin_s + rng.uniform(0, MINUTE_S, rng.geometric(1 / self.crowd_size)))
        return np.sort(np.concatenate(arrivals))

    def busy(self, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the arrivals of this many seconds at the rate of the busiest hour, ascending."""
        minutes = math.ceil(seconds / MINUTE_S)
        return self.arrivals(np.full(minutes, self.busiest_hour / MINUTE_S), rng)

    def per_minute(self, hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pictures per minute at these hours of the day."""
        apart = np.abs(hours[:, None] - [hour for hour, _, _ in _PEAKS])
        apart = np.minimum(apart, 24 - apart)
        widths, tops = [width for _, width, _ in _PEAKS], [top for _, _, top in _PEAKS]
        shape = _NIGHT + (np.exp(-0.5 * (apart / widths) ** 2) * tops).sum(axis=1)
        rates: NDArray[np.float64] = self.busiest_hour / MINUTE_S * shape / (_NIGHT + 1.0)
        return rates

    def arrivals(self, per_minute: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw arrivals from rates in pictures per minute, one per minute; seconds, ascending."""
        if not (self.busiest_hour > 0 and self.group_size >= 1 and self.crowd_size >= 1):
            raise CapacityError(f"{self}: give a busiest_hour above 0, and a group_size and crowd_size of at least 1.")
        groups = rng.poisson(per_minute / self.group_size)
        starts = np.repeat(np.arange(len(per_minute)) * MINUTE_S, groups) + rng.uniform(0, MINUTE_S, groups.sum())
        # A group's pictures come within seconds of each other.
        sizes = rng.geometric(1 / self.group_size, len(starts))
        return np.sort(np.repeat(starts, sizes) + rng.exponential(2.0, sizes.sum()))


@dataclass(frozen=True)
class System:
    """The system that serves the load.

    Attributes:
        concurrency: The event source mapping's maximum_concurrency.
        picture_s: Median seconds that a picture takes.
        spread: Spread of that time: the standard deviation of its logarithm.
        failure_rate: Share of attempts with a transient failure on an ordinary day.
        quota: Images a minute that the model's account quota allows; infinite where another limit comes first.
        function_timeout_s: Time-out of the worker: a picture may take three quarters of it, and visibility is six of it.
        cold_start_s: What a new worker takes in addition.

    """

    concurrency: int = 5
    picture_s: float = 10.0
    spread: float = 0.25
    failure_rate: float = 0.01
    quota: float = math.inf
    function_timeout_s: float = 60.0
    cold_start_s: float = 1.0

    def service_s(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the durations of n pictures, in seconds."""
        return rng.lognormal(math.log(self.picture_s), self.spread, n)

    def run(
        self,
        arrivals: NDArray[np.float64],
        rng: np.random.Generator,
        disruptions: Sequence[Disruption] = (),
        *,
        service_s: NDArray[np.float64] | None = None,
    ) -> JobTrace:
        """Simulate arrivals with this system's failures, retries, quota and cold starts; `service_s` replaces its durations."""
        return simulate_jobs(
            arrivals,
            self.service_s(len(arrivals), rng) if service_s is None else service_s,
            self.concurrency,
            cold_start=ColdStart(self.cold_start_s),
            retry=Retry(
                failure_rate=self.failure_rate,
                visibility_timeout_s=6 * self.function_timeout_s,
                timeout_s=0.75 * self.function_timeout_s,
            ),
            quota=None if math.isinf(self.quota) else Quota(self.quota),
            disruptions=disruptions,
            rng=rng,
        )


@dataclass(frozen=True)
class AlarmRule:
    """An alarm on the age of the oldest message: above `threshold_s` in `datapoints` of the last `periods` minutes."""

    threshold_s: float
    periods: int = 1
    datapoints: int = 1

    def in_alarm(self, ages_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether the alarm is in ALARM after each minute, given the age at the end of each; minutes are the last axis."""
        counted = np.cumsum((ages_s > self.threshold_s).astype(np.int64), axis=-1)
        counted[..., self.periods :] -= counted[..., : -self.periods].copy()
        within: NDArray[np.bool_] = counted >= self.datapoints
        return within

    def __str__(self) -> str:
        return f"> {self.threshold_s:.0f} s in {self.datapoints} of {self.periods} min"


RULES = tuple(
    AlarmRule(threshold_s, periods, datapoints)
    for threshold_s in (90, 120, 180, 240, 300, 420, 600)
    for periods, datapoints in ((1, 1), (2, 2), (3, 2), (3, 3), (5, 3))
)

INCIDENTS: dict[str, Disruption | float] = {
    # How long the model takes, or what goes wrong; a number multiplies the load for ten minutes.
    "model slow (3 times)": Disruption(0, 1, service_factor=3.0),
    "quota halved": Disruption(0, 1, quota_factor=0.5),
    "burst (10 times)": 10.0,
    "worker crashes": Disruption(0, 1, crash_rate=1.0, failure_s=1.0),
    "model down": Disruption(0, 1, failure_rate=1.0, failure_s=2.0),
}
BURST_S = 600.0
# The simulation cannot distinguish smaller differences.
EQUALLY_QUICK_MIN, EQUALLY_RARE = 0.5, 1.1


@dataclass(frozen=True)
class AlarmAdvice:
    """The costs and benefits of each rule, and the recommended one.

    `table` has a row a rule: `rule`, `false_alarms` a month, and for each incident the mean minutes from its start to the
    alarm, infinite where most runs end without one; `mean_minutes` averages the incidents in `judged`: those that miss the
    objective and that some rule shows sooner than the first dead-letter message does, whose minute is in `dead_letter_minutes`. `missed`
    gives for each incident the share of pictures that came too late or never. `normal_attained` is the share within the
    objective on ordinary days. `kept` is False where no rule has so few false alarms, or none shows any incident: the system is
    too small then, and the chosen rule only has the fewest false alarms.
    """

    system: System
    objective: Objective
    table: pd.DataFrame
    chosen: AlarmRule
    kept: bool
    most_false_alarms: float
    missed: dict[str, float]
    dead_letter_minutes: dict[str, float]
    judged: tuple[str, ...]
    normal_attained: float
    rules: tuple[AlarmRule, ...] = field(repr=False)

    @property
    def row(self) -> pd.Series:
        """The chosen rule's row of the table."""
        return self.table.iloc[self.rules.index(self.chosen)]

    @property
    def undetected(self) -> tuple[str, ...]:
        """The incidents that miss the objective but that the chosen rule does not detect."""
        short = 1 - self.objective.share
        return tuple(name for name in self.missed if self.missed[name] > short and not np.isfinite(self.row[name]))

    @property
    def terraform(self) -> str:
        """The variables of infra/ that set the chosen rule."""
        return (
            f"oldest_message_age_threshold_s = {self.chosen.threshold_s:.0f}\n"
            f"oldest_message_age_periods     = {self.chosen.periods}\n"
            f"oldest_message_age_datapoints  = {self.chosen.datapoints}\n"
        )


def advise_alarm(
    system: System | None = None,
    load: Load | None = None,
    objective: Objective | None = None,
    *,
    days: int = 20,
    crowds: int = 3000,
    runs: int = 31,
    most_false_alarms: float = 1.0,
    rules: Sequence[AlarmRule] = RULES,
    rng: np.random.Generator,
) -> AlarmAdvice:
    """Recommend threshold, periods and datapoints of the age alarm.

    The rule that detects the incidents soonest on average, among those with at most `most_false_alarms` a month; of those that
    are equally quick, to the half minute, the one with the fewest false alarms; of those that are equally rare, to a tenth, the one with the fewest
    periods.

    Args:
        system: What serves the load; the defaults of infra/ by default.
        load: The load on it.
        objective: What people are promised.
        days: Ordinary days to simulate.
        crowds: Crowds to simulate.
        runs: How often each incident is simulated.
        most_false_alarms: What the team puts up with, a month.
        rules: Among which to choose. A threshold must lie above the worker's time-out, which infra/ demands.
        rng: Draws days and incidents.

    Raises:
        CapacityError: Where no threshold lies above the worker's time-out.

    """
    system, load, objective = system or System(), load or Load(), objective or Objective()
    rules = tuple(rule for rule in rules if rule.threshold_s > system.function_timeout_s)
    if not rules:
        raise CapacityError(f"Every threshold lies within the worker's time-out of {system.function_timeout_s:g} s.")
    false_alarms = _false_alarms(system, load, rules, days, crowds, rng)
    table = pd.DataFrame({"rule": [str(rule) for rule in rules], "false_alarms": false_alarms})
    missed, dead_letters = {}, {}
    for name in INCIDENTS:
        table[name], missed[name], dead_letters[name] = _incident(system, load, objective, name, rules, runs, rng)
    judged = tuple(
        name
        for name in INCIDENTS
        if missed[name] > 1 - objective.share and table[name].min() < min(np.inf, dead_letters[name])
    )
    attained = float(np.mean([system.run(load.day(rng), rng).attained(objective.seconds) for _ in range(days)]))
    table["mean_minutes"] = table[list(judged)].mean(axis=1)
    quiet = table[table["false_alarms"] <= most_false_alarms]
    kept = bool(len(quiet) and judged)
    if kept:
        quick = quiet[quiet["mean_minutes"] <= quiet["mean_minutes"].min() + EQUALLY_QUICK_MIN]
        rare = quick[quick["false_alarms"] <= quick["false_alarms"].min() * EQUALLY_RARE]
        best = min(rare.index, key=lambda place: (rules[place].periods, rare["false_alarms"][place]))
    else:
        best = table["false_alarms"].idxmin()
    return AlarmAdvice(
        system, objective, table, rules[best], kept, most_false_alarms, missed, dead_letters, judged, attained, rules
    )


@dataclass(frozen=True)
class ConcurrencyAdvice:
    """The share within the objective for each concurrency in the busiest hour, and the recommended one.

    `table` has the columns concurrency, attained (at the load), with_headroom (at the load times `headroom`). `quota_bound` is
    the concurrency above which more workers only collect the quota's refusals; `chosen` is None where no concurrency up to it
    keeps the objective.
    """

    table: pd.DataFrame
    chosen: int | None
    quota_bound: float
    headroom: float


def advise_concurrency(
    system: System | None = None,
    load: Load | None = None,
    objective: Objective | None = None,
    *,
    headroom: float = 1.25,
    runs: int = 10,
    candidates: Sequence[int] | None = None,
    rng: np.random.Generator,
) -> ConcurrencyAdvice:
    """Recommend maximum_concurrency: the fewest workers that keep the objective in the busiest hour at `headroom` times the load.

    Args:
        system: What serves the load; its concurrency plays no part.
        load: The load on it.
        objective: What people are promised.
        headroom: By how much the load may exceed what was expected.
        runs: Busiest hours to simulate for each concurrency.
        candidates: Concurrencies to try; by default around the work that arrives.
        rng: Draws the hours.

    """
    system, load, objective = system or System(), load or Load(), objective or Objective()
    offered = load.busiest_hour / HOUR_S * system.picture_s * math.exp(system.spread**2 / 2)
    # An event source mapping takes 2 to 1,000: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    fewest = max(2, math.floor(0.7 * offered))
    tried = candidates or sorted({fewest + max(1, round(offered * 0.12)) * step for step in range(9)})
    rows = []
    for workers in tried:
        shares = {}
        for name, factor in (("attained", 1.0), ("with_headroom", headroom)):
            one = replace(system, concurrency=workers)
            scaled_load = replace(load, busiest_hour=load.busiest_hour * factor)
            shares[name] = float(
                np.mean([one.run(scaled_load.busy(HOUR_S, rng), rng).attained(objective.seconds) for _ in range(runs)])
            )
        rows.append({"concurrency": workers} | shares)
    table = pd.DataFrame(rows)
    bound = system.quota / MINUTE_S * system.picture_s
    enough = table[table["with_headroom"] >= objective.share]
    chosen = int(enough["concurrency"].iloc[0]) if len(enough) else None
    return ConcurrencyAdvice(table, chosen, bound, headroom)


def _false_alarms(
    system: System, load: Load, rules: Sequence[AlarmRule], days: int, crowds: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return how often each rule triggers in a month without incidents: on days without a crowd, and for crowds.

    A crowd is rare, and its size decides. So crowds are simulated one after the other, each with the others' load of some hour
    around it; sizes and hours are evenly spaced quantiles, which needs a hundredth of the days that a random draw does.
    """
    per_minute = load.per_minute(np.arange(int(DAY_S / MINUTE_S)) / MINUTE_S)
    ordinary = system.run(load.arrivals(np.tile(per_minute, days), rng), rng)
    alone = _alarms(ordinary, MINUTE_S * np.arange(1, days * len(per_minute) + 1).reshape(1, -1), rules)

    quantiles = (np.arange(crowds) + 0.5) / crowds
    sizes = np.ceil(np.log1p(-quantiles) / math.log1p(-1 / load.crowd_size)).astype(int)
    hours = per_minute[np.searchsorted(np.cumsum(per_minute) / per_minute.sum(), rng.permutation(quantiles))]
    window_s = CROWD_LEAD_S + CROWD_S
    begins = (window_s + CROWD_GAP_S) * np.arange(crowds)
    others = load.arrivals(np.repeat(hours, int(window_s / MINUTE_S)), rng)
    others = others % window_s + begins[np.minimum(crowds - 1, (others // window_s).astype(int))]
    come = np.repeat(begins + CROWD_LEAD_S, sizes) + rng.uniform(0, MINUTE_S, sizes.sum())
    trace = system.run(np.sort(np.concatenate([others, come])), rng)
    minutes = begins[:, None] + CROWD_LEAD_S + MINUTE_S * np.arange(1, int(CROWD_S / MINUTE_S) + 1)
    return DAYS_A_MONTH * (alone / days + load.crowds_a_week / DAYS_A_WEEK * _alarms(trace, minutes, rules) / crowds)


def _alarms(trace: JobTrace, times_s: NDArray[np.floating[Any]], rules: Sequence[AlarmRule]) -> NDArray[np.float64]:
    """Return how often each rule triggers in all rows of minutes, which are separated by gaps."""
    ages = oldest_ages(trace, times_s.ravel()).reshape(times_s.shape)
    return np.array([np.sum(np.diff(rule.in_alarm(ages).astype(int), prepend=0) == 1) for rule in rules], dtype=float)


def _incident(
    system: System,
    load: Load,
    objective: Objective,
    name: str,
    rules: Sequence[AlarmRule],
    runs: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], float, float]:
    """Return the minutes from the incident's start until each rule triggers, the share of missed pictures, and the minutes to a dead-letter message."""
    minutes, missed, dead = np.full((runs, len(rules)), np.inf), [], np.full(runs, np.inf)
    for run in range(runs):
        trace = incident_trace(system, load, name, rng)
        ends = LEAD_S + MINUTE_S * np.arange(1, int(INCIDENT_S / MINUTE_S) + 1)
        ages = oldest_ages(trace, ends)
        for place, rule in enumerate(rules):
            fired = np.flatnonzero(rule.in_alarm(ages))
            if len(fired):
                minutes[run, place] = fired[0] + 1
        hit = (trace.arrival_s >= LEAD_S) & (trace.arrival_s < LEAD_S + INCIDENT_S)
        missed.append(1.0 - judge(trace.time_to_picture_s[hit], objective.seconds).share)
        given_up = trace.left_s[~trace.succeeded & (trace.left_s >= LEAD_S)]
        if len(given_up) and given_up.min() < LEAD_S + INCIDENT_S:
            dead[run] = math.ceil((given_up.min() - LEAD_S) / MINUTE_S)
    return _mean_of_most(minutes), float(np.mean(missed)), float(_mean_of_most(dead[:, None])[0])


def _mean_of_most(minutes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each column's finite values; infinite if most are not finite."""
    there = np.isfinite(minutes)
    means = np.where(there, minutes, 0.0).sum(axis=0) / np.maximum(1, there.sum(axis=0))
    return np.where(there.mean(axis=0) > 1 / 2, means, np.inf)


def incident_trace(system: System, load: Load, name: str, rng: np.random.Generator) -> JobTrace:
    """Simulate the busiest hour's load for half an hour, and then for the duration of an incident, with that incident.

    The incident is one of INCIDENTS; it begins at LEAD_S and lasts for INCIDENT_S. A quota that is halved is taken to have been
    what the workers can just use, where the system names none.

    Raises:
        CapacityError: For an incident that is not known.

    """
    if name not in INCIDENTS:
        raise CapacityError(f"There is no incident {name!r}: choose among {', '.join(INCIDENTS)}.")
    arrivals = load.busy(LEAD_S + INCIDENT_S, rng)
    incident = INCIDENTS[name]
    if not isinstance(incident, Disruption):
        more = replace(load, busiest_hour=load.busiest_hour * (incident - 1))
        return system.run(np.sort(np.concatenate([arrivals, LEAD_S + more.busy(BURST_S, rng)])), rng)
    if incident.quota_factor < 1 and math.isinf(system.quota):
        system = replace(system, quota=system.concurrency * MINUTE_S / system.picture_s)
    return system.run(arrivals, rng, [replace(incident, start_s=LEAD_S, end_s=LEAD_S + INCIDENT_S)])
