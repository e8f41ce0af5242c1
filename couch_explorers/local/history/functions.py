"""What both functions of a simulated history have in common: how long a picture takes, and what is measured of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.local.history.plan import MINUTE_S, Plan
from couch_explorers.local.history.recorder import InFlight, Recorder

if TYPE_CHECKING:
    from random import Random

MEDIAN_S = 8.4
SPREAD = 0.2  # of the logarithm
STORING_S = 0.15  # of a picture's time, spent after the model has answered
SLOWER_IN_TROUBLE = 1.5
FASTER_AFTER_DEPLOY = 0.93

# Nearly everybody leaves the model to the service; the dearer ones take longer.
OTHER_MODELS = tuple(
    model.id for model in MODELS.values() if model.lifecycle == "ACTIVE" and model.id != DEFAULT_MODEL_ID
)
OTHER_MODEL_SHARE = 0.12
OTHER_MODEL_SLOWER = 1.25


class Pictures:
    """The model: how long each picture takes, and whether the quota has room for it."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._room = 0.0
        self._asked_s = float(plan.start_s)

    def throttled(self, time_s: float) -> bool:
        """Whether the quota refuses the picture asked for now; outside of a trouble there is always room."""
        trouble = self._plan.trouble_at(time_s)
        if trouble is None:
            return False
        most = trouble.pictures_a_minute
        self._room = min(most, self._room + (time_s - max(self._asked_s, trouble.start_s)) * most / MINUTE_S)
        self._asked_s = time_s
        if self._room < 1:
            return True
        self._room -= 1
        return False

    def next(self, time_s: float) -> tuple[str, float]:
        """Give a picture's model and how long it takes in seconds."""
        other = OTHER_MODELS and self._random.random() < OTHER_MODEL_SHARE
        model = self._random.choice(OTHER_MODELS) if other else DEFAULT_MODEL_ID
        seconds = self._random.lognormvariate(math.log(MEDIAN_S), SPREAD) * (OTHER_MODEL_SLOWER if other else 1.0)
        if self._plan.trouble_at(time_s):
            seconds *= SLOWER_IN_TROUBLE
        elif self._plan.deployed(time_s):
            seconds *= FASTER_AFTER_DEPLOY
        return model, seconds


class PictureLines:
    """The custom metrics of pictures that were made, by service and by model too."""

    def __init__(self, recorder: Recorder, service: str) -> None:
        self._recorder = recorder
        self._service = service

    def add(self, time_s: float, model: str, seconds: float) -> None:
        """Note a picture that was stored now."""
        for dimensions in ({"service": self._service}, {"service": self._service, "model": model}):
            self._recorder.line("CouchExplorers", "PicturesMade", dimensions).add(time_s, 1)
            times = self._recorder.line("CouchExplorers", "GenerationTime", dimensions, "Milliseconds")
            times.add(time_s, round(max(seconds - STORING_S, 0.0) * 1000))


class FunctionLines:
    """The metrics of one Lambda function; all are stamped with the start of the invocation, as Lambda does."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        dimensions = {"FunctionName": name}
        self._invocations = recorder.line("AWS/Lambda", "Invocations", dimensions)
        self._errors = recorder.line("AWS/Lambda", "Errors", dimensions)
        self._throttles = recorder.line("AWS/Lambda", "Throttles", dimensions)
        self._duration = recorder.line("AWS/Lambda", "Duration", dimensions, "Milliseconds")
        self._concurrent = recorder.line("AWS/Lambda", "ConcurrentExecutions", dimensions)
        self._in_flight = InFlight()

    def invoked(self, start_s: float, seconds: float, *, error: bool = False) -> None:
        """Note one invocation."""
        self._invocations.add(start_s, 1)
        self._errors.add(start_s, int(error))
        self._throttles.add(start_s, 0)
        self._duration.add(start_s, round(seconds * 1000))
        self._in_flight.add(start_s, seconds)

    def finish(self) -> None:
        """Write what only the whole history tells: how many ran at the same time."""
        self._in_flight.write(self._concurrent)


def poisson(random: Random, mean: float) -> int:
    """Draw how many of independent events happen where `mean` are to be expected (Knuth's way: for small means)."""
    limit = math.exp(-mean)
    drawn = random.random()
    events = 0
    while drawn > limit:
        drawn *= random.random()
        events += 1
    return events
