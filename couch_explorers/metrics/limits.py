"""Limits that figures and verdicts share: what AWS waits for, and how many samples a percentile needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The longest that API Gateway waits for a function, by default:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
GATEWAY_WAITS_S = 29.0

# Below so many samples a percentile is only one of the few highest values: of 20 runs one lies above the p95, of 100 one above the p99.
# CloudWatch judges percentile alarms likewise: "low sample" is fewer than 10 / (1 - percentile), which is stricter still:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
LEAST_SAMPLES: Mapping[str, int] = {"p95": 20, "p99": 100}
