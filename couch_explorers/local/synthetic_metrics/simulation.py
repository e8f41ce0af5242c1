"""Simulates queue, worker and API of a scenario event by event, so that all of their metrics agree with each other.

The rules are those of the deployed system: batches of one, `maximum_concurrency`, throttled jobs postponed with full jitter, given
up at the last receive, and an age that ends at the third receive (ApproximateAgeOfOldestMessage in
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.core.retries import MAX_RECEIVES, backoff_ceiling_s
from couch_explorers.local.cloudwatch.store import MINUTE_S, MetricId, Row
from couch_explorers.local.settings import StackSettings
from couch_explorers.local.synthetic_metrics.scenario import Scenario, jobs_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    Event = Callable[[float], None]


class MetricSeries:
    """The values of one metric by minute, and how often each occurred."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._counts: defaultdict[tuple[int, float], int] = defaultdict(int)

    def add(self, time_s: float, value: float, times: int = 1) -> None:
        """Add a value to the minute of that time."""
        self._counts[int(time_s // MINUTE_S) * MINUTE_S, value] += times

    def rows(self) -> list[Row]:
        """All values in the order of time, as `MetricStore.add_rows` takes them."""
        return [(time_s, times, value * times, value, value) for (time_s, value), times in sorted(self._counts.items())]

    def sums(self) -> dict[int, float]:
        """The sum of each minute that has a value."""
        found: defaultdict[int, float] = defaultdict(float)
        for (time_s, value), times in self._counts.items():
            found[time_s] += value * times
        return found

    def maxima(self) -> dict[int, float]:
        """The largest value of each minute that has one."""
        found: dict[int, float] = {}
        for time_s, value in self._counts:
            found[time_s] = max(value, found.get(time_s, value))
        return found


class SeriesRecorder:
    """The series of all metrics."""

    def __init__(self) -> None:
        self._series: dict[MetricId, MetricSeries] = {}

    def metric(self, namespace: str, metric: str, dimensions: Mapping[str, str], unit: str = "Count") -> MetricSeries:
        """The series of a metric, made at the first call, whose unit it keeps."""
        return self._series.setdefault(
            MetricId(namespace, metric, tuple(sorted(dimensions.items()))), MetricSeries(unit)
        )

    def series(self) -> Iterator[tuple[MetricId, str, list[Row]]]:
        """Yield all metrics, as `MetricStore.add_rows` takes them."""
        for metric, series in self._series.items():
            yield metric, series.unit, series.rows()


class InFlight:
    """The largest number of concurrent invocations in each minute."""

    def __init__(self) -> None:
        self._changes: list[tuple[float, int]] = []

    def add(self, start_s: float, seconds: float) -> None:
        """Add one invocation."""
        self._changes += [(start_s, 1), (start_s + seconds, -1)]

    def write(self, series: MetricSeries) -> None:
        """Add the peak of each minute with an invocation to a series."""
        running = 0
        minute = -1
        peak = 0
        for time_s, change in sorted(self._changes):
            now = int(time_s // MINUTE_S)
            if now != minute:
                # An invocation that runs through whole minutes counts in each of them.
                for each in range(minute, now) if peak else ():
                    series.add(each * MINUTE_S, peak if each == minute else running)
                    if not running:
                        break
                minute, peak = now, running
            running += change
            peak = max(peak, running)
        if peak:
            series.add(minute * MINUTE_S, peak)


MEDIAN_S = 8.4
SPREAD = 0.2  # of the logarithm
STORING_S = 0.15  # of an invocation, after the model has responded
SLOWER_IN_INCIDENT = 1.5
FASTER_AFTER_DEPLOY = 0.93

# Most jobs name no model; the more expensive models take longer.
OTHER_MODELS = tuple(
    model.id for model in MODELS.values() if model.lifecycle == "ACTIVE" and model.id != DEFAULT_MODEL_ID
)
OTHER_MODEL_SHARE = 0.12
OTHER_MODEL_SLOWER = 1.25


class ImageModelSimulation:
    """The image model: generation times, and the quota during an incident."""

    def __init__(self, scenario: Scenario, random: Random) -> None:
        self._scenario = scenario
        self._random = random
        self._tokens = 0.0
        self._updated_s = float(scenario.start_s)

    def throttled(self, time_s: float) -> bool:
        """Whether the quota throttles a call now; never outside of an incident."""
        incident = self._scenario.incident_at(time_s)
        if incident is None:
            return False
        most = incident.pictures_a_minute
        self._tokens = min(most, self._tokens + (time_s - max(self._updated_s, incident.start_s)) * most / MINUTE_S)
        self._updated_s = time_s
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def next(self, time_s: float) -> tuple[str, float]:
        """Draw the model of a job and its generation time in seconds."""
        other = OTHER_MODELS and self._random.random() < OTHER_MODEL_SHARE
        model = self._random.choice(OTHER_MODELS) if other else DEFAULT_MODEL_ID
        seconds = self._random.lognormvariate(math.log(MEDIAN_S), SPREAD) * (OTHER_MODEL_SLOWER if other else 1.0)
        if self._scenario.incident_at(time_s):
            seconds *= SLOWER_IN_INCIDENT
        elif self._scenario.deployed(time_s):
            seconds *= FASTER_AFTER_DEPLOY
        return model, seconds


class PictureMetrics:
    """The custom metrics of generated pictures, by service, and by service and model."""

    def __init__(self, recorder: SeriesRecorder, service: str) -> None:
        self._recorder = recorder
        self._service = service

    def add(self, time_s: float, model: str, seconds: float, asked_s: float) -> None:
        """Add a picture that was stored at this time, and asked for at `asked_s`."""
        for dimensions in ({"service": self._service}, {"service": self._service, "model": model}):
            self._recorder.metric("CouchExplorers", "PicturesMade", dimensions).add(time_s, 1)
            times = self._recorder.metric("CouchExplorers", "GenerationTime", dimensions, "Milliseconds")
            times.add(time_s, round(max(seconds - STORING_S, 0.0) * 1000))
            waited = self._recorder.metric("CouchExplorers", "TimeToPicture", dimensions, "Milliseconds")
            waited.add(time_s, round(max(time_s - asked_s, 0.0) * 1000))


class FunctionMetrics:
    """The metrics of one Lambda function, at the start of each invocation, as Lambda has them."""

    def __init__(self, recorder: SeriesRecorder, name: str) -> None:
        dimensions = {"FunctionName": name}
        self._invocations = recorder.metric("AWS/Lambda", "Invocations", dimensions)
        self._errors = recorder.metric("AWS/Lambda", "Errors", dimensions)
        self._throttles = recorder.metric("AWS/Lambda", "Throttles", dimensions)
        self._duration = recorder.metric("AWS/Lambda", "Duration", dimensions, "Milliseconds")
        self._concurrent = recorder.metric("AWS/Lambda", "ConcurrentExecutions", dimensions)
        self._in_flight = InFlight()

    def invoked(self, start_s: float, seconds: float, *, error: bool = False) -> None:
        """Add one invocation."""
        self._invocations.add(start_s, 1)
        self._errors.add(start_s, int(error))
        self._throttles.add(start_s, 0)
        self._duration.add(start_s, round(seconds * 1000))
        self._in_flight.add(start_s, seconds)

    def finish(self) -> None:
        """Write the concurrency, which is known only at the end."""
        self._in_flight.write(self._concurrent)


def poisson(random: Random, mean: float) -> int:
    """Draw a Poisson-distributed number (Knuth's algorithm, for small means)."""
    limit = math.exp(-mean)
    drawn = random.random()
    events = 0
    while drawn > limit:
        drawn *= random.random()
        events += 1
    return events


CONCURRENCY = StackSettings.worker_concurrency
VISIBILITY_TIMEOUTS = 6  # infra/queue.tf: the visibility time-out in time-outs of the worker
# As telemetry/sqs.py measures; a test compares them, because telemetry writes these metrics and cannot be imported here.
AGE_ENDS_AT_RECEIVES = 3
ACTIVE_S = 6 * 3600
EMPTY_RECEIVES_A_MINUTE = 15

LONGEST_SHARE = 0.93  # of the time-out: a slower call would have ended by its read time-out

BAD_JOB_SHARE = 0.0003
BAD_JOB_REASONS = ("ContentFiltered", "ContentFiltered", "InvalidRequest")
THROTTLED_REASONS = ("Throttled",) * 9 + ("ModelTimeout",)
BODY_BYTES = (90, 460)


@dataclass(eq=False, slots=True)
class Job:
    """One message: when it was sent, its size in bytes and receives, and the reason why it fails permanently, if it does."""

    sent_s: float
    size: int
    bad: str = ""
    receives: int = 0


class QueueMetrics:
    """The metrics of one queue."""

    def __init__(self, recorder: SeriesRecorder, name: str) -> None:
        def series(metric: str, unit: str = "Count") -> MetricSeries:
            return recorder.metric("AWS/SQS", metric, {"QueueName": name}, unit)

        self.sent, self.received, self.deleted = map(
            series, ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted")
        )
        self.empty_receives = series("NumberOfEmptyReceives")
        self.size = series("SentMessageSize", "Bytes")
        self.visible, self.in_flight, self.delayed = map(
            series,
            (
                "ApproximateNumberOfMessagesVisible",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ),
        )
        self.age = series("ApproximateAgeOfOldestMessage", "Seconds")

    def at_end_of_minute(self, minute_s: int, *, visible: int, in_flight: int, age_s: float) -> None:
        """Add the depth and the age at the end of a minute, and a zero to each counter."""
        self.visible.add(minute_s, visible)
        self.in_flight.add(minute_s, in_flight)
        self.delayed.add(minute_s, 0)
        self.age.add(minute_s, int(age_s))
        for series in (self.sent, self.received, self.deleted):
            series.add(minute_s, 0)


class QueueSimulation:
    """A queue, its dead-letter queue and its worker in a scenario."""

    def __init__(self, scenario: Scenario, recorder: SeriesRecorder, stem: str, random: Random) -> None:
        self._scenario = scenario
        self._random = random
        self._queue = QueueMetrics(recorder, f"{stem}-jobs")
        self._dead_letter_queue = QueueMetrics(recorder, f"{stem}-jobs-dead-letter")
        self._recorder = recorder
        self._service = f"{stem}-worker"
        self._worker = FunctionMetrics(recorder, self._service)
        self._made = PictureMetrics(recorder, self._service)
        self._pictures = ImageModelSimulation(scenario, random)
        self._waiting: deque[Job] = deque()
        self._live: set[Job] = set()
        self._dead: list[tuple[float, Job, str]] = []
        self._dead_active_s = float("-inf")
        self._running = 0
        self._order = count()
        self._events: list[tuple[float, int, Event]] = []
        self.jobs = 0

    def run(self) -> None:
        """Simulate the whole scenario."""
        for redrive_s in self._scenario.redrives_s:
            self._at(redrive_s, self._redrive)
        for minute_s in range(self._scenario.start_s, self._scenario.end_s, MINUTE_S):
            self._send_jobs(minute_s)
            received = 0
            while self._events and self._events[0][0] < minute_s + MINUTE_S:
                time_s, _, event = heapq.heappop(self._events)
                event(time_s)
                received += self._deliver(time_s)
            self._measure(minute_s, received)
        self._worker.finish()

    def _at(self, time_s: float, event: Event) -> None:
        heapq.heappush(self._events, (time_s, next(self._order), event))

    def _send_jobs(self, minute_s: int) -> None:
        if not self._scenario.accepts_jobs(minute_s):
            return
        incident = self._scenario.incident_at(minute_s)
        rate = jobs_a_minute(minute_s) + (incident.jobs_a_minute(minute_s) if incident else 0.0)
        for _ in range(poisson(self._random, rate)):
            bad = self._scenario.accepts_bad_jobs(minute_s) and self._random.random() < BAD_JOB_SHARE
            reason = self._random.choice(BAD_JOB_REASONS) if bad else ""
            sent_s = minute_s + self._random.uniform(0, MINUTE_S)
            job = Job(sent_s, self._random.randint(*BODY_BYTES), reason)
            self._at(sent_s, partial(self._arrive, job))

    def _arrive(self, job: Job, time_s: float) -> None:
        self.jobs += 1
        self._queue.sent.add(time_s, 1)
        self._queue.size.add(time_s, job.size)
        self._live.add(job)
        self._waiting.append(job)

    def _visible_again(self, job: Job, _time_s: float) -> None:
        self._waiting.append(job)

    def _deliver(self, time_s: float) -> int:
        """Deliver waiting jobs to free workers; return how many."""
        delivered = 0
        while self._waiting and self._running < CONCURRENCY:
            job = self._waiting.popleft()
            job.receives += 1
            delivered += 1
            self._running += 1
            self._queue.received.add(time_s, 1)
            self._invoke(time_s, job)
        return delivered

    def _invoke(self, time_s: float, job: Job) -> None:
        """Start an invocation of the worker, whose outcome is an event at its end."""
        incident = self._scenario.incident_at(time_s)
        timeout_s = self._scenario.worker_timeout_s
        timed_out = False
        ends: Event
        if job.bad:
            seconds = self._random.uniform(0.3, 1.2)
            ends = partial(self._give_up, job, job.bad)
        elif incident and self._pictures.throttled(time_s):
            timed_out = self._random.random() < incident.time_out_share
            seconds = timeout_s if timed_out else self._random.uniform(0.5, 0.85) * timeout_s
            reason = self._random.choice(THROTTLED_REASONS)
            if timed_out:
                ends = partial(self._time_out, job)
            elif job.receives >= MAX_RECEIVES:
                ends = partial(self._give_up, job, reason)
            else:
                ends = partial(self._postpone, job, reason)
        else:
            model, seconds = self._pictures.next(time_s)
            seconds = min(seconds, LONGEST_SHARE * timeout_s)
            ends = partial(self._store, job, model, seconds)
        self._worker.invoked(time_s, seconds, error=timed_out)
        self._at(time_s + seconds, ends)

    def _store(self, job: Job, model: str, seconds: float, time_s: float) -> None:
        self._made.add(time_s, model, seconds, job.sent_s)
        self._leave(job, time_s)

    def _postpone(self, job: Job, reason: str, time_s: float) -> None:
        self._running -= 1
        self._count("PostponedJobs", reason, time_s)
        self._at(
            time_s + max(1.0, self._random.uniform(0, backoff_ceiling_s(job.receives))),
            partial(self._visible_again, job),
        )

    def _time_out(self, job: Job, time_s: float) -> None:
        """Leave the message hidden for the rest of its visibility time-out."""
        self._running -= 1
        hidden_s = (VISIBILITY_TIMEOUTS - 1) * self._scenario.worker_timeout_s
        self._at(time_s + hidden_s, partial(self._visible_again, job))

    def _give_up(self, job: Job, reason: str, time_s: float) -> None:
        self._count("FailedJobs", reason, time_s)
        self._dead.append((time_s, job, reason))
        self._dead_active_s = time_s
        self._dead_letter_queue.sent.add(time_s, 1)
        self._dead_letter_queue.size.add(time_s, job.size)
        self._leave(job, time_s)

    def _count(self, metric: str, reason: str, time_s: float) -> None:
        for dimensions in ({"service": self._service}, {"service": self._service, "reason": reason}):
            self._recorder.metric("CouchExplorers", metric, dimensions).add(time_s, 1)

    def _leave(self, job: Job, time_s: float) -> None:
        self._running -= 1
        self._live.discard(job)
        self._queue.deleted.add(time_s, 1)

    def _redrive(self, time_s: float) -> None:
        """Redrive throttled jobs, and delete permanent failures from the dead-letter queue."""
        for number, (_, job, reason) in enumerate(self._dead):
            self._dead_letter_queue.received.add(time_s, 1)
            self._dead_letter_queue.deleted.add(time_s, 1)
            if reason in THROTTLED_REASONS:
                sent_s = time_s + number * 0.2
                self._at(sent_s, partial(self._arrive, Job(sent_s, job.size)))
        if self._dead:
            self._dead_active_s = time_s
            self._dead.clear()

    def _measure(self, minute_s: int, received: int) -> None:
        """Measure both queues at the end of a minute, as SQS publishes it."""
        now_s = minute_s + MINUTE_S
        counted = [job.sent_s for job in self._live if job.receives < AGE_ENDS_AT_RECEIVES]
        self._queue.at_end_of_minute(
            minute_s,
            visible=len(self._waiting),
            in_flight=len(self._live) - len(self._waiting),
            age_s=now_s - min(counted, default=now_s),
        )
        self._queue.empty_receives.add(minute_s, max(0, EMPTY_RECEIVES_A_MINUTE - received))
        if self._dead or now_s - self._dead_active_s < ACTIVE_S:
            oldest_s = min((moved_s for moved_s, _, _ in self._dead), default=now_s)
            self._dead_letter_queue.at_end_of_minute(
                minute_s, visible=len(self._dead), in_flight=0, age_s=now_s - oldest_s
            )
            self._dead_letter_queue.empty_receives.add(minute_s, 0)


STAGE = "prod"
REQUESTS_PER_JOB = 0.35  # to the API, for each job in the queue
# sam_lambda/template.yaml: below the 29 s that API Gateway waits, so that a late answer is the function's own.
TIMEOUT_S = 28.0

GATEWAY_ERROR_SHARE = 0.004  # wrong path or method, without an invocation
INVALID_SHARE = 0.02
OK, BAD_REQUEST, NOT_FOUND, THROTTLED, FUNCTION_FAILED, MODEL_TIMEOUT = 200, 400, 404, 429, 502, 504
# What the function counts a request without a picture by.
REASONS = {BAD_REQUEST: "InvalidRequest", THROTTLED: "Throttled", MODEL_TIMEOUT: "ModelTimeout"}


class ApiMetrics:
    """The metrics of one REST API: by its name, and by its name and stage."""

    def __init__(self, recorder: SeriesRecorder, name: str) -> None:
        by_name, by_stage = {"ApiName": name}, {"ApiName": name, "Stage": STAGE}

        def series(metric: str, unit: str) -> tuple[MetricSeries, MetricSeries]:
            return (
                recorder.metric("AWS/ApiGateway", metric, by_name, unit),
                recorder.metric("AWS/ApiGateway", metric, by_stage, unit),
            )

        self._count = series("Count", "Count")
        self._client_errors = series("4XXError", "Count")
        self._server_errors = series("5XXError", "Count")
        self._latency = series("Latency", "Milliseconds")
        self._integration_latency = series("IntegrationLatency", "Milliseconds")

    def add(self, time_s: float, status: int, latency_ms: float, integration_ms: float | None) -> None:
        """Add one request; `integration_ms` is None where API Gateway responded by itself."""
        values: list[tuple[tuple[MetricSeries, MetricSeries], float]] = [
            (self._count, 1),
            (self._client_errors, int(400 <= status < 500)),  # noqa: PLR2004 - the status codes themselves
            (self._server_errors, int(status >= 500)),  # noqa: PLR2004
            (self._latency, round(latency_ms)),
        ]
        if integration_ms is not None:
            values.append((self._integration_latency, round(integration_ms)))
        for both, value in values:
            for series in both:
                series.add(time_s, value)


def simulate_api(scenario: Scenario, recorder: SeriesRecorder, stem: str, random: Random) -> int:
    """Simulate all requests of a scenario; return the number of generated pictures."""
    api = ApiMetrics(recorder, f"{stem}-api")
    service = f"{stem}-generate-image"
    function = FunctionMetrics(recorder, service)
    made = PictureMetrics(recorder, service)
    model = ImageModelSimulation(scenario, random)
    pictures = 0
    for minute_s in range(scenario.start_s, scenario.end_s, MINUTE_S):
        requests = poisson(random, REQUESTS_PER_JOB * jobs_a_minute(minute_s)) if scenario.accepts_jobs(minute_s) else 0
        for start_s in sorted(minute_s + random.uniform(0, MINUTE_S) for _ in range(requests)):
            if random.random() < GATEWAY_ERROR_SHARE:
                api.add(start_s, NOT_FOUND, random.uniform(3, 12), None)
                continue
            status, seconds, used = _respond(scenario, model, start_s, random)
            function.invoked(start_s, seconds, error=status == FUNCTION_FAILED)
            integration_ms = seconds * 1000 + random.uniform(8, 40)
            api.add(start_s, status, integration_ms + random.uniform(2, 12), integration_ms)
            if status == OK:
                made.add(start_s + seconds, used, seconds, start_s - (integration_ms / 1000 - seconds))
                pictures += 1
            elif status != FUNCTION_FAILED:
                # A function that ran into its time-out counted nothing any more.
                for dimensions in ({"service": service}, {"service": service, "reason": REASONS[status]}):
                    recorder.metric("CouchExplorers", "FailedRequests", dimensions).add(start_s + seconds, 1)
    function.finish()
    return pictures


def _respond(scenario: Scenario, model: ImageModelSimulation, start_s: float, random: Random) -> tuple[int, float, str]:
    """Draw the outcome of a request: status, seconds, model."""
    drawn = random.random()
    if drawn < INVALID_SHARE:
        return BAD_REQUEST, random.uniform(0.004, 0.05), ""
    if scenario.incident_at(start_s):
        # API and queue share the quota.
        if drawn < 0.3:  # noqa: PLR2004 - of the incidentd requests
            return THROTTLED, random.uniform(1.5, 4.0), ""
        if drawn < 0.62:  # noqa: PLR2004
            return MODEL_TIMEOUT, random.uniform(20.2, 23.5), ""
        if drawn < 0.65:  # noqa: PLR2004
            return FUNCTION_FAILED, TIMEOUT_S, ""
    used, seconds = model.next(start_s)
    return OK, min(seconds, 0.93 * TIMEOUT_S), used
