"""Simulates the queue and its worker, delivery by delivery, so that all of their metrics agree with each other.

The rules are the real ones: batches of one, `maximum_concurrency`, a throttled job put off with full jitter, given up at
its tenth receive, its age no longer counted from the third (ApproximateAgeOfOldestMessage in
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from couch_explorers.local.history.functions import FunctionLines, PictureLines, Pictures, poisson
from couch_explorers.local.history.plan import MINUTE_S, Plan, jobs_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from couch_explorers.local.history.recorder import Line, Recorder

    Event = Callable[[float], None]

CONCURRENCY = 8
MOST_RECEIVES = 10
BACKOFF_BASE_S = 5.0
BACKOFF_CAP_S = 900.0
VISIBILITY_TIMEOUTS = 6
AGE_COUNTS_BELOW_RECEIVES = 3
ACTIVE_S = 6 * 3600
EMPTY_RECEIVES_A_MINUTE = 15  # five pollers, each waiting 20 s

LONGEST_SHARE = 0.93  # of the time-out: a picture that took longer would have been given up by the read time-out

BAD_JOB_SHARE = 0.0003
BAD_JOB_REASONS = ("ContentFiltered", "ContentFiltered", "InvalidRequest")
THROTTLED_REASONS = ("Throttled",) * 9 + ("ModelTimeout",)
BODY_BYTES = (90, 460)


@dataclass(eq=False, slots=True)
class Job:
    """One message: when it was sent, how often it was received, and why it can never be served, if so."""

    sent_s: float
    size: int
    bad: str = ""
    receives: int = 0


class QueueLines:
    """The metrics of one queue."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        def line(metric: str, unit: str = "Count") -> Line:
            return recorder.line("AWS/SQS", metric, {"QueueName": name}, unit)

        self.sent, self.received, self.deleted = map(
            line, ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted")
        )
        self.empty_receives = line("NumberOfEmptyReceives")
        self.size = line("SentMessageSize", "Bytes")
        self.visible, self.in_flight, self.delayed = map(
            line,
            (
                "ApproximateNumberOfMessagesVisible",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ),
        )
        self.age = line("ApproximateAgeOfOldestMessage", "Seconds")

    def at_end_of_minute(self, minute_s: int, *, visible: int, in_flight: int, age_s: float) -> None:
        """Note what lies in the queue; of what happened, a zero where nothing did."""
        self.visible.add(minute_s, visible)
        self.in_flight.add(minute_s, in_flight)
        self.delayed.add(minute_s, 0)
        self.age.add(minute_s, int(age_s))
        for line in (self.sent, self.received, self.deleted):
            line.add(minute_s, 0)


class QueueSimulation:
    """A queue, its dead letters and its worker, from the plan's start to its end."""

    def __init__(self, plan: Plan, recorder: Recorder, stem: str, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._queue = QueueLines(recorder, f"{stem}-jobs")
        self._dead_letter_queue = QueueLines(recorder, f"{stem}-jobs-dead-letter")
        self._recorder = recorder
        self._service = f"{stem}-worker"
        self._worker = FunctionLines(recorder, self._service)
        self._made = PictureLines(recorder, self._service)
        self._pictures = Pictures(plan, random)
        self._waiting: deque[Job] = deque()
        self._live: set[Job] = set()
        self._dead: list[tuple[float, Job, str]] = []
        self._dead_active_s = float("-inf")
        self._running = 0
        self._order = count()
        self._events: list[tuple[float, int, Event]] = []
        self.jobs = 0

    def run(self) -> None:
        """Let the whole stretch happen."""
        for cleared_s in self._plan.cleared_s:
            self._at(cleared_s, self._clear)
        for minute_s in range(self._plan.start_s, self._plan.end_s, MINUTE_S):
            self._send_a_minutes_jobs(minute_s)
            received = 0
            while self._events and self._events[0][0] < minute_s + MINUTE_S:
                time_s, _, happens = heapq.heappop(self._events)
                happens(time_s)
                received += self._deliver(time_s)
            self._look(minute_s, received)
        self._worker.finish()

    def _at(self, time_s: float, happens: Event) -> None:
        heapq.heappush(self._events, (time_s, next(self._order), happens))

    def _send_a_minutes_jobs(self, minute_s: int) -> None:
        if not self._plan.takes_jobs(minute_s):
            return
        trouble = self._plan.trouble_at(minute_s)
        rate = jobs_a_minute(minute_s) + (trouble.jobs_a_minute(minute_s) if trouble else 0.0)
        for _ in range(poisson(self._random, rate)):
            bad = self._plan.takes_bad_jobs(minute_s) and self._random.random() < BAD_JOB_SHARE
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
        """Hand out what waits to whoever is free; give the number handed out."""
        handed_out = 0
        while self._waiting and self._running < CONCURRENCY:
            job = self._waiting.popleft()
            job.receives += 1
            handed_out += 1
            self._running += 1
            self._queue.received.add(time_s, 1)
            self._serve(time_s, job)
        return handed_out

    def _serve(self, time_s: float, job: Job) -> None:
        """Let the worker have a job; what becomes of it happens when the invocation ends."""
        trouble = self._plan.trouble_at(time_s)
        timeout_s = self._plan.worker_timeout_s
        timed_out = False
        ends: Event
        if job.bad:
            seconds = self._random.uniform(0.3, 1.2)
            ends = partial(self._give_up, job, job.bad)
        elif trouble and self._pictures.throttled(time_s):
            timed_out = self._random.random() < trouble.time_out_share
            seconds = timeout_s if timed_out else self._random.uniform(0.5, 0.85) * timeout_s
            reason = self._random.choice(THROTTLED_REASONS)
            if timed_out:
                ends = partial(self._time_out, job)
            elif job.receives >= MOST_RECEIVES:
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
        self._made.add(time_s, model, seconds)
        self._leave(job, time_s)

    def _postpone(self, job: Job, reason: str, time_s: float) -> None:
        self._running -= 1
        ceiling_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (job.receives - 1))
        self._count("PostponedJobs", reason, time_s)
        self._at(time_s + max(1.0, self._random.uniform(0, ceiling_s)), partial(self._visible_again, job))

    def _time_out(self, job: Job, time_s: float) -> None:
        """Nobody reports anything: the message stays hidden for what is left of its visibility time-out."""
        self._running -= 1
        hidden_s = (VISIBILITY_TIMEOUTS - 1) * self._plan.worker_timeout_s
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
            self._recorder.line("CouchExplorers", metric, dimensions).add(time_s, 1)

    def _leave(self, job: Job, time_s: float) -> None:
        self._running -= 1
        self._live.discard(job)
        self._queue.deleted.add(time_s, 1)

    def _clear(self, time_s: float) -> None:
        """Send back what was throttled, delete what would only fail again."""
        for number, (_, job, reason) in enumerate(self._dead):
            self._dead_letter_queue.received.add(time_s, 1)
            self._dead_letter_queue.deleted.add(time_s, 1)
            if reason in THROTTLED_REASONS:
                sent_s = time_s + number * 0.2
                self._at(sent_s, partial(self._arrive, Job(sent_s, job.size)))
        if self._dead:
            self._dead_active_s = time_s
            self._dead.clear()

    def _look(self, minute_s: int, received: int) -> None:
        """Note what lies in both queues at the end of a minute, as SQS publishes it."""
        now_s = minute_s + MINUTE_S
        counted = [job.sent_s for job in self._live if job.receives < AGE_COUNTS_BELOW_RECEIVES]
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
