"""What the tests of the measuring parts share: a recorder that keeps samples in a list, and a clock that is set by hand."""

from datetime import UTC, datetime

import pytest


class Noted:
    """Stands for the recorder; finds samples by what names a metric."""

    def __init__(self):
        self.samples = []
        self.regions = []

    def record(self, samples, region="eu-west-1"):
        taken = list(samples)
        self.samples += taken
        self.regions += [region] * len(taken)

    def of(self, metric, **dimensions):
        return [each for each in self.samples if each.metric == metric and dict(each.dimensions) == dimensions]

    def values(self, metric, **dimensions):
        return [each.total for each in self.of(metric, **dimensions)]


class Clock:
    """Unix time that passes when a test says so; 09:41 of a November morning, UTC, to begin with."""

    def __init__(self):
        self.now_s = datetime(2026, 11, 25, 9, 41, tzinfo=UTC).timestamp()

    def __call__(self):
        return self.now_s

    def passes(self, seconds):
        self.now_s += seconds


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def clock():
    return Clock()
