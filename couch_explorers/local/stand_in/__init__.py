"""The honest stand-in for Bedrock's image models: their limits, answers, errors and pace, with posters for pictures.

It answers after the caller's rights have been checked by somebody else. The pictures say nothing about what a real
model paints; everything around them is meant to be as on AWS, and what differs is refused by name.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.local.faults import Faults
from couch_explorers.local.stand_in import answers, lifecycle, requests
from couch_explorers.local.stand_in.answers import Answer
from couch_explorers.local.stand_in.rendering import RenderPool, encoded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from couch_explorers.core.image_models import ImageModel

__all__ = ["Answer", "ImageModelStandIn", "Stats"]

logger = logging.getLogger("couch.local")

# Seconds until a picture is there. A real model takes about ten; a laptop's user should not wait that long.
MEDIAN_LATENCY_S = 1.0
LATENCY_SIGMA = 0.25
# The part of the latency that passes before painting begins. Calls come in bursts, each when the one before it is answered,
# and painting takes all cores: so the answers and requests of a burst go first, and nobody waits longer than he was told.
PAINTING_BEGINS = 0.15
# Seconds until a refusal: a throttle is not preceded by any work.
REFUSAL_LATENCY_S = 0.02
# Bytes from which a body is not read on the event loop.
LARGE_BODY = 64 * 1024


@dataclass
class Stats:
    """What has been asked of the models since the start.

    `images` counts what a provider would bill: pictures that were answered, not those that a filter withheld or whose
    caller had gone. `errors` counts the answers "unavailable" or "internal error", `blocked` the calls that a content
    filter refused or cut.
    """

    calls: int = 0
    images: int = 0
    throttled: int = 0
    errors: int = 0
    blocked: int = 0

    def to_json(self) -> dict[str, int]:
        """Write the counters as `/_couch/stats` gives them."""
        return asdict(self)


@dataclass(frozen=True)
class _Luck:
    """What chance has in store for one call; `withheld` holds one entry for each picture it may ask for."""

    throttled: bool
    failing: bool
    withheld: list[bool]
    latency: float
    any_seed: int


class ImageModelStandIn:
    """All image models behind one door.

    `rng` draws latencies and faults, so a seeded one repeats a run; `sleep` and `clock` (seconds) are asyncio's and the
    monotonic clock unless a test gives others; `paint` has the signature of `painter.paint`.
    """

    def __init__(
        self,
        *,
        rng: random.Random | None = None,
        paint: Callable[..., bytes] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = Faults()
        self.stats = Stats()
        self._rng = rng or random.Random()  # noqa: S311 - chance, not secrecy
        self._sleep = sleep
        self._clock = clock
        self._painters = RenderPool(paint)

    async def answer(self, model_id: str, body: bytes, region: str) -> Answer:
        """Answer one InvokeModel call, `model_id` being an id or an ARN, after the time that the model takes.

        May be cancelled at any point (the caller has gone away): a picture counts only once it is handed over.
        """
        began = self._clock()
        self.stats.calls += 1
        faults = self.faults
        luck = self._draw(faults)
        model = lifecycle.find(model_id, region)
        if model is None:
            return answers.invalid_model()
        if model.id in faults.retired:
            return answers.retired_model()
        if luck.throttled:
            self.stats.throttled += 1
            await self._sleep(REFUSAL_LATENCY_S)
            return answers.throttled()
        try:
            order = await self._read(model, body)
        except requests.RequestRefusedError as refusal:
            return answers.failure("ValidationException", str(refusal))
        return await self._serve(model, order, luck, due=began + luck.latency)

    async def _read(self, model: ImageModel, body: bytes) -> requests.Order:
        """Read a request, in a thread where it may bring pictures along: decoding them takes time."""
        if len(body) < LARGE_BODY:
            return requests.read(model, body)
        return await asyncio.to_thread(requests.read, model, body)

    def _draw(self, faults: Faults) -> _Luck:
        """Draw a call's fate: always the same draws in the same order, so that one fault does not shift another's."""
        rng = self._rng
        throttled, failing = (rng.random() < share for share in (faults.throttle, faults.error))
        withheld = [rng.random() < faults.filter for _ in range(requests.MOST_IMAGES)]
        usual = MEDIAN_LATENCY_S * math.exp(rng.gauss(0, LATENCY_SIGMA))
        latency = usual if faults.latency is None else faults.latency
        return _Luck(throttled, failing, withheld, latency, any_seed=rng.randrange(1, 2**32 - requests.MOST_IMAGES))

    async def _serve(self, model: ImageModel, order: requests.Order, luck: _Luck, *, due: float) -> Answer:
        """Paint while the latency runs, wait for the rest of it, and hand over what the filter lets pass."""
        if luck.failing:
            self.stats.errors += 1
            await self._sleep(REFUSAL_LATENCY_S)
            return answers.unavailable()
        if answers.mentions(order.prompt, answers.BLOCKED_IN_PROMPT):
            self.stats.blocked += 1
            return answers.prompt_blocked(model)
        withheld = luck.withheld[: order.count]
        if answers.mentions(order.prompt, answers.BLOCKED_IN_PICTURE):
            withheld = [True] * order.count
        first = luck.any_seed if order.seed is None else order.seed
        seeds = [first + number for number, kept_back in enumerate(withheld) if not kept_back]
        await self._sleep(PAINTING_BEGINS * luck.latency)
        jobs = [asyncio.wrap_future(self._painters.submit(model.id, order, seed)) for seed in seeds]
        try:
            made = await asyncio.gather(*jobs)
        except Exception:
            # A painter's mistake must not look like a broken connection; its trace is in the log.
            logger.exception("The painter failed on %r", order)
            self.stats.errors += 1
            return answers.failure("InternalServerException", "The local stand-in could not paint this picture.")
        if (rest := due - self._clock()) > 0:
            await self._sleep(rest)
        # From here on nothing waits, so nothing can be cancelled between counting and answering.
        self.stats.images += len(made)
        self.stats.blocked += any(withheld)
        mask = None if order.mask is None else encoded(order.mask, "png")
        return answers.pictures(model, made, seeds, withheld=sum(withheld), mask=mask)

    def foundation_models(self, region: str) -> list[dict[str, Any]]:
        """List the image models of a region as ListFoundationModels does."""
        return lifecycle.summaries(region)

    def foundation_model(self, model_id: str, region: str) -> dict[str, Any] | None:
        """Describe a model as GetFoundationModel does, or None where the region does not have it."""
        return lifecycle.details(model_id, region)

    def close(self) -> None:
        """End the painters; what is not painted yet never is."""
        self._painters.close()
