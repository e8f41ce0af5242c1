"""Measures REST APIs: each request to a stage, what the gateway itself refuses included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.local.engine import gateway
from couch_explorers.local.telemetry import api_gateway as metrics

if TYPE_CHECKING:
    from couch_explorers.local.engine.gateway import StageRequest
    from couch_explorers.local.telemetry.recorder import Recorder


def attach(recorder: Recorder) -> None:
    """Be told of every request to a stage from now on."""

    def record(request: StageRequest) -> None:
        integration_ms = request.integration_latency_ms
        samples = metrics.request(
            metrics.api_name(request.api_name, request.api_id),
            request.stage,
            request.status,
            time_s=request.time_s,
            latency_s=request.latency_ms / 1000,
            integration_s=None if integration_ms is None else integration_ms / 1000,
        )
        recorder.record(samples, request.region)

    gateway.observe(record)
