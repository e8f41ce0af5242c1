"""Simulates the API and its function: requests, refusals and failures, each in every metric that would count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.local.history.functions import FunctionLines, PictureLines, Pictures, poisson
from couch_explorers.local.history.plan import MINUTE_S, Plan, jobs_a_minute

if TYPE_CHECKING:
    from random import Random

    from couch_explorers.local.history.recorder import Line, Recorder

STAGE = "prod"
REQUESTS_PER_JOB = 0.35  # as many requests as this for each job that goes through the queue
# sam_lambda/template.yaml: below the 29 s that API Gateway waits, so that a late answer is the function's own.
TIMEOUT_S = 28.0

GATEWAYS_OWN_SHARE = 0.004  # wrong path, wrong method: the function never hears of it
INVALID_SHARE = 0.02
OK, BAD_REQUEST, NOT_FOUND, THROTTLED, FUNCTION_FAILED, MODEL_TIMEOUT = 200, 400, 404, 429, 502, 504


class ApiLines:
    """The metrics of one REST API: by its name, and by its name and stage."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        by_name, by_stage = {"ApiName": name}, {"ApiName": name, "Stage": STAGE}

        def lines(metric: str, unit: str) -> tuple[Line, Line]:
            return (
                recorder.line("AWS/ApiGateway", metric, by_name, unit),
                recorder.line("AWS/ApiGateway", metric, by_stage, unit),
            )

        self._count = lines("Count", "Count")
        self._client_errors = lines("4XXError", "Count")
        self._server_errors = lines("5XXError", "Count")
        self._latency = lines("Latency", "Milliseconds")
        self._integration_latency = lines("IntegrationLatency", "Milliseconds")

    def add(self, time_s: float, status: int, latency_ms: float, integration_ms: float | None) -> None:
        """Note one request; without an integration's latency the gateway answered by itself."""
        values: list[tuple[tuple[Line, Line], float]] = [
            (self._count, 1),
            (self._client_errors, int(400 <= status < 500)),  # noqa: PLR2004 - the status codes themselves
            (self._server_errors, int(status >= 500)),  # noqa: PLR2004
            (self._latency, round(latency_ms)),
        ]
        if integration_ms is not None:
            values.append((self._integration_latency, round(integration_ms)))
        for lines, value in values:
            for line in lines:
                line.add(time_s, value)


def run(plan: Plan, recorder: Recorder, stem: str, random: Random) -> int:
    """Let all requests of the plan happen; give the number of pictures made."""
    api = ApiLines(recorder, f"{stem}-api")
    service = f"{stem}-generate-image"
    function = FunctionLines(recorder, service)
    made = PictureLines(recorder, service)
    model = Pictures(plan, random)
    pictures = 0
    for minute_s in range(plan.start_s, plan.end_s, MINUTE_S):
        requests = poisson(random, REQUESTS_PER_JOB * jobs_a_minute(minute_s)) if plan.takes_jobs(minute_s) else 0
        for start_s in sorted(minute_s + random.uniform(0, MINUTE_S) for _ in range(requests)):
            if random.random() < GATEWAYS_OWN_SHARE:
                api.add(start_s, NOT_FOUND, random.uniform(3, 12), None)
                continue
            status, seconds, used = _answer(plan, model, start_s, random)
            function.invoked(start_s, seconds, error=status == FUNCTION_FAILED)
            integration_ms = seconds * 1000 + random.uniform(8, 40)
            api.add(start_s, status, integration_ms + random.uniform(2, 12), integration_ms)
            if status == OK:
                made.add(start_s + seconds, used, seconds)
                pictures += 1
    function.finish()
    return pictures


def _answer(plan: Plan, model: Pictures, start_s: float, random: Random) -> tuple[int, float, str]:
    """How one request ends: status, seconds, model."""
    drawn = random.random()
    if drawn < INVALID_SHARE:
        return BAD_REQUEST, random.uniform(0.004, 0.05), ""
    if plan.trouble_at(start_s):
        # The queue's burst has used up the quota that both share.
        if drawn < 0.3:  # noqa: PLR2004 - of the troubled requests
            return THROTTLED, random.uniform(1.5, 4.0), ""
        if drawn < 0.62:  # noqa: PLR2004
            return MODEL_TIMEOUT, random.uniform(20.2, 23.5), ""
        if drawn < 0.65:  # noqa: PLR2004
            return FUNCTION_FAILED, TIMEOUT_S, ""
    used, seconds = model.next(start_s)
    return OK, min(seconds, 0.93 * TIMEOUT_S), used
