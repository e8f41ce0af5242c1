"""What asking CloudWatch costs."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from couch_explorers.metrics.series import LOCAL_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.metrics.facts import Facts, Series

# https://aws.amazon.com/cloudwatch/pricing/, "APIs", GetMetricData: USD 0.01 per 1,000 metrics requested, outside of the free
# tier; up to five statistics of the same metric in one request are one metric, further ones another. As of November 2026.
USD_A_METRIC = 0.01 / 1000
STATISTICS_A_METRIC = 5


def metrics_requested(series: Iterable[Series]) -> int:
    """Count the metrics that one GetMetricData request for these series is billed as, on AWS: without the local marks."""
    metrics = ((each.namespace, each.cloudwatch_metric, each.dimensions) for each in series)
    statistics = Counter(metric for metric in metrics if metric[0] != LOCAL_NAMESPACE)
    return sum(math.ceil(count / STATISTICS_A_METRIC) for count in statistics.values())


def cost_usd(metrics: int) -> float:
    """Price requested metrics in USD."""
    return metrics * USD_A_METRIC


def request_sentence(facts: Facts) -> str:
    """Say what was asked of CloudWatch and what that costs; every page of an answer is counted as a request."""
    calls = f"{facts.calls} call{'' if facts.calls == 1 else 's'} of GetMetricData"
    asked = f"{calls} for {facts.metrics_requested:,} metrics"
    if facts.target == "local":
        return f"{asked}: the local cloud costs nothing, AWS would bill ${facts.cost_usd:.4f}."
    return f"{asked}: ${facts.cost_usd:.4f}."
