"""Emulates Bedrock's image models: their limits, responses, errors and latency, with posters in place of generated pictures.

The vision models that judge pictures are here, too, with the same faults.

Authorization happens before, in the engine. The pictures tell nothing about what a real model generates; everything around them
behaves as on AWS, and what differs is refused by name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from couch_explorers.local.bedrock import judging, requests, responses
from couch_explorers.local.bedrock.agreements import AVAILABLE, Agreements
from couch_explorers.local.bedrock.inference_profiles import PROFILES
from couch_explorers.local.bedrock.rendering import RenderPool, encode
from couch_explorers.local.bedrock.request_schema import RequestRefusedError
from couch_explorers.local.faults import HANG_S, Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from couch_explorers.core.image_models import ImageModel
    from couch_explorers.local.bedrock.responses import Response

logger = logging.getLogger("couch.local")

# Seconds until a response. A real model takes about ten, too long for trying things out on a laptop.
MEDIAN_LATENCY_S = 1.0
LATENCY_SIGMA = 0.25
# The share of the latency that passes before rendering begins. Calls come in bursts, and rendering takes all cores: this lets the
# responses and requests of a burst go first, and no call takes longer than its latency.
RENDERING_DELAY = 0.15
# Seconds until an error response: Bedrock does no work before it throttles.
REFUSAL_LATENCY_S = 0.02
# Bodies of at least this many bytes are parsed in a thread, not on the event loop.
LARGE_BODY = 64 * 1024


@dataclass
class Stats:
    """Counters since the start, as `/_couch/stats` returns them.

    `images` counts what a provider would bill: pictures that were returned, not those that a content filter withheld or whose caller
    had disconnected. `errors` counts ServiceUnavailableException and InternalServerException, `blocked` the calls from which a content
    filter withheld the prompt or a picture.
    """

    calls: int = 0
    images: int = 0
    throttled: int = 0
    errors: int = 0
    blocked: int = 0

    def to_json(self) -> dict[str, int]:
        """Return the counters as `/_couch/stats` does."""
        return asdict(self)


class CallLog:
    """Writes down each call of a model as JSON lines, at once: what was begun before a kill is there after it.

    Fields: `call` (a number), `at` (Unix seconds), `event`. `begun` has the X-Ray header `trace` and the `prompt` of a valid request that
    is neither throttled nor refused; `billed` has `images` and whether the response is held back (`hanging`); `ended` has the HTTP `status`.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Write to `file`; without it nothing is written."""
        self._output: TextIO | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._output = file.open("a", encoding="utf-8", buffering=1)
        self._life = uuid.uuid4().hex[:8]
        self._calls = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> CallLog:
        """The log that COUCH_MODEL_LOG names, or none."""
        file = environment.get("COUCH_MODEL_LOG")
        return cls(Path(file) if file else None)

    def next_call(self) -> str:
        """Return a name for the next call, which no other has, in no life of the server."""
        self._calls += 1
        return f"{self._life}-{self._calls}"

    def write(self, call: str, event: str, **fields: Any) -> None:
        """Write one event of a call."""
        if self._output:
            self._output.write(json.dumps({"call": call, "at": time.time(), "event": event, **fields}) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._output:
            self._output.close()
            self._output = None


@dataclass(frozen=True)
class FaultDraw:
    """The faults and the latency drawn for one call; `withheld` has one entry for each picture that it may request."""

    throttled: bool
    failing: bool
    withheld: list[bool]
    latency: float
    random_seed: int
    hanging: bool


class ImageModelEmulator:
    """All image models of all regions, with the faults that `couch faults` sets.

    Args:
        rng: Draws latencies and faults; a seeded one makes a run repeatable.
        paint: Draws a picture in a thread, with the signature of `painter.renderer.paint`; None draws in processes.
        sleep: Waits a number of seconds; a test's own needs no time.
        clock: The time in seconds, monotonic.
        log: Where the calls are written down; by default nowhere.
    """

    def __init__(
        self,
        *,
        rng: random.Random | None = None,
        paint: Callable[..., bytes] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        log: CallLog | None = None,
    ) -> None:
        self._faults = Faults()
        self.stats = Stats()
        self.agreements = Agreements(clock)
        self._rng = rng or random.Random()  # noqa: S311 - chance, not secrecy
        self._sleep = sleep
        self._clock = clock
        self._log = log or CallLog()
        self._renderers = RenderPool(paint)

    @property
    def faults(self) -> Faults:
        """The faults that are set; setting others forgets which models were agreed to."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.agreements.forget()

    async def invoke_model(self, model_id: str, body: bytes, region: str, trace: str = "") -> Response:
        """Serve one InvokeModel call, after the model's latency.

        Cancelling it (the caller has disconnected) is safe at any point: pictures are counted only when they are returned.

        Args:
            model_id: A model id or ARN.
            body: The request's JSON.
            region: The region that the call is signed for.
            trace: The call's X-Ray header, for the log.

        Returns:
            The HTTP response, an error included.
        """
        return await self._logged(self._answer, model_id, body, region, trace)

    async def _logged(
        self, serve: Callable[..., Awaitable[Response]], model_id: str, body: bytes, region: str, trace: str
    ) -> Response:
        """Serve a call as `_answer` or `_judge` does, and log its end."""
        call = self._log.next_call()
        response = await serve(model_id, body, region, call, trace)
        self._log.write(call, "ended", status=response.status)
        return response

    async def _answer(self, model_id: str, body: bytes, region: str, call: str, trace: str) -> Response:
        began = self._clock()
        self.stats.calls += 1
        faults = self.faults
        draw = self._draw(faults)
        # By a profile or directly: a profile of this region stands for its model here.
        behind = PROFILES.models_behind(model_id)
        model = responses.find_model(behind[0] if behind else model_id, region)
        if model is None:
            return responses.invalid_model()
        if (refusal := await self._refusal(model.id, faults, draw)) is not None:
            return refusal
        try:
            request = await self._read(model, body)
        except RequestRefusedError as refusal:
            return responses.failure("ValidationException", str(refusal))
        self._log.write(call, "begun", trace=trace, prompt=request.prompt)
        return await self._serve(model, request, draw, call, due=began + draw.latency)

    async def converse(self, model_id: str, body: bytes, region: str, trace: str = "") -> Response:
        """Serve one Converse call of a vision model, after the model's latency; see `judging` for its scores.

        Args:
            model_id: The id or ARN of one of AWS's own inference profiles.
            body: The request's JSON.
            region: The region that the call is signed for.
            trace: The call's X-Ray header, for the log.

        Returns:
            The HTTP response, an error included.
        """
        return await self._logged(self._judge, model_id, body, region, trace)

    async def _judge(self, model_id: str, body: bytes, region: str, call: str, trace: str) -> Response:
        began = self._clock()
        self.stats.calls += 1
        faults = self.faults
        draw = self._draw(faults)
        try:
            model = judging.find_model(model_id, region)
            if model is None:
                return responses.invalid_model()
            if (refused := await self._refusal(model.id, faults, draw)) is not None:
                return refused
            # In a thread: it has a picture, which takes time to decode.
            request = await asyncio.to_thread(judging.read_request, model, body)
        except judging.ConverseRefusedError as refusal:
            return responses.failure("ValidationException", str(refusal))
        self._log.write(call, "begun", trace=trace, prompt="")
        if draw.failing:
            return await self._unavailable()
        if (rest := began + draw.latency - self._clock()) > 0:
            await self._sleep(rest)
        filtered = draw.withheld[0]
        self.stats.blocked += filtered
        if draw.hanging:
            await self._sleep(HANG_S)
        return judging.answer(model, request, filtered=filtered, seconds=self._clock() - began)

    async def _refusal(self, model_id: str, faults: Faults, draw: FaultDraw) -> Response | None:
        """Refuse a call of a model that is retired, not agreed to, or throttled; None for any other."""
        if model_id in faults.retired:
            return responses.retired_model()
        if self.agreements.status(model_id, faults) != AVAILABLE:
            return responses.not_subscribed()
        if draw.throttled:
            self.stats.throttled += 1
            await self._sleep(REFUSAL_LATENCY_S)
            return responses.throttled()
        return None

    async def _unavailable(self) -> Response:
        self.stats.errors += 1
        await self._sleep(REFUSAL_LATENCY_S)
        return responses.unavailable()

    async def _read(self, model: ImageModel, body: bytes) -> requests.ImageRequest:
        """Parse a request; in a thread where it may contain pictures, which take time to decode."""
        if len(body) < LARGE_BODY:
            return requests.read_request(model, body)
        return await asyncio.to_thread(requests.read_request, model, body)

    def _draw(self, faults: Faults) -> FaultDraw:
        """Draw a call's faults: always the same draws in the same request, so that one setting does not change the outcome of another."""
        rng = self._rng
        throttled, failing = (rng.random() < share for share in (faults.throttle, faults.error))
        withheld = [rng.random() < faults.filter for _ in range(requests.MOST_IMAGES)]
        usual = MEDIAN_LATENCY_S * math.exp(rng.gauss(0, LATENCY_SIGMA))
        latency = usual if faults.latency is None else faults.latency
        return FaultDraw(
            throttled,
            failing,
            withheld,
            latency,
            random_seed=rng.randrange(1, 2**32 - requests.MOST_IMAGES),
            hanging=rng.random() < faults.hang,
        )

    async def _serve(
        self, model: ImageModel, request: requests.ImageRequest, draw: FaultDraw, call: str, *, due: float
    ) -> Response:
        """Render the pictures within the latency, wait for the rest of it, and return what the content filter lets through."""
        if draw.failing:
            return await self._unavailable()
        if responses.mentions(request.prompt, responses.BLOCKED_IN_PROMPT):
            self.stats.blocked += 1
            return responses.prompt_blocked(model)
        withheld = draw.withheld[: request.count]
        if responses.mentions(request.prompt, responses.BLOCKED_IN_PICTURE):
            withheld = [True] * request.count
        first = draw.random_seed if request.seed is None else request.seed
        seeds = [first + number for number, is_withheld in enumerate(withheld) if not is_withheld]
        await self._sleep(RENDERING_DELAY * draw.latency)
        jobs = [asyncio.wrap_future(self._renderers.submit(model.id, request, seed)) for seed in seeds]
        try:
            made = await asyncio.gather(*jobs)
        except Exception:
            # A bug in the painter must not look like a broken connection; its traceback is in the log.
            logger.exception("The painter failed on %r", request)
            self.stats.errors += 1
            return responses.failure("InternalServerException", "The local stand-in could not paint this picture.")
        if (rest := due - self._clock()) > 0:
            await self._sleep(rest)
        # No await follows, so nothing can be cancelled between counting and returning, unless the response is to be held back.
        self.stats.images += len(made)
        self.stats.blocked += any(withheld)
        self._log.write(call, "billed", images=len(made), hanging=draw.hanging)
        if draw.hanging:
            await self._sleep(HANG_S)
        mask = None if request.mask is None else encode(request.mask, "png")
        return responses.pictures(model, made, seeds, withheld=sum(withheld), mask=mask)

    def foundation_models(self, region: str) -> list[dict[str, Any]]:
        """List the models of a region as ListFoundationModels does."""
        return responses.model_summaries(region)

    def foundation_model(self, model_id: str, region: str) -> dict[str, Any] | None:
        """Describe a model as GetFoundationModel does, or None where the region does not have it."""
        return responses.model_details(model_id, region)

    def close(self) -> None:
        """End the rendering processes and drop what is not rendered yet."""
        self._renderers.close()
        self._log.close()
