"""The recorder and the clock of the telemetry's tests, for those of its adapters."""

from tests.local.telemetry.conftest import clock, noted

__all__ = ["clock", "noted"]
