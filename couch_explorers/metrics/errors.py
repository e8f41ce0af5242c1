"""What can go wrong when metrics are asked for."""

from __future__ import annotations


class MetricsError(Exception):
    """The metrics could not be fetched; the message says why and what to do."""


class MetricsParameterError(MetricsError):
    """What was asked for makes no sense, such as a window in the future; the message says what is taken."""
