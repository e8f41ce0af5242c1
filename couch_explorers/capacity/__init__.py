"""Models of waits, capacity and alarms: what `notebooks/capacity_planning.ipynb` shows."""

from couch_explorers.capacity.kernels import SKETCH_ERROR
from couch_explorers.capacity.queue_model import (
    CapacityError,
    ColdStart,
    Disruption,
    JobTrace,
    OverloadWarning,
    PollerRamp,
    Quota,
    Retry,
    WaitSummary,
    erlang_c,
    simulate,
    simulate_jobs,
    simulate_stream,
)

__all__ = [
    "SKETCH_ERROR",
    "CapacityError",
    "ColdStart",
    "Disruption",
    "JobTrace",
    "OverloadWarning",
    "PollerRamp",
    "Quota",
    "Retry",
    "WaitSummary",
    "erlang_c",
    "simulate",
    "simulate_jobs",
    "simulate_stream",
]
