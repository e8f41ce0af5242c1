"""How long pictures take: what the cache remembers, else what is usual."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.local.bedrock.emulator import MEDIAN_LATENCY_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.exploration.running.cache import ImageCache
    from couch_explorers.workspace import Workspace

# Seconds for one picture where none has been timed yet: AWS reckons with about ten.
USUAL_S = {"local": MEDIAN_LATENCY_S, "aws": 10.0}


def seconds_by_model(cache: ImageCache, models: Iterable[str], target: str) -> dict[str, float]:
    """Tell the seconds that one picture of each model takes: the median of those in the cache, else what is usual."""
    wanted = sorted(set(models))
    timed: dict[str, list[float]] = defaultdict(list)
    for record in cache.records() if wanted else ():
        seconds = record.get("seconds")
        if isinstance(seconds, int | float) and seconds > 0:
            timed[str(record.get("model"))].append(seconds)
    usual = USUAL_S.get(target, USUAL_S["aws"])
    return {model: float(statistics.median(timed[model])) if model in timed else usual for model in wanted}


def at_a_time(workspace: Workspace, concurrency: int, *, via: str) -> int:
    """Tell how many pictures are made at once: by this process, or by the queue's Lambda, whose limit is asked for."""
    worker = workspace.functions.get("worker")
    if via != "queue" or worker is None:
        return int(concurrency)
    try:
        answer = workspace.client("lambda").list_event_source_mappings(FunctionName=worker)
    except (BotoCoreError, ClientError):
        # An estimate is not worth an error.
        return int(concurrency)
    limits = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in answer["EventSourceMappings"]]
    return next((int(limit) for limit in limits if limit), int(concurrency))


def expected_s(seconds: Iterable[float], at_once: int) -> float:
    """Estimate the seconds for pictures of these lengths, so many at once: no less than the longest."""
    lengths = list(seconds)
    return max(sum(lengths) / at_once, *lengths) if lengths else 0.0
