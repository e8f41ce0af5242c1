import math
from types import SimpleNamespace

from couch_explorers.core import clock as clocks
from couch_explorers.core.clock import Clock


def test_before_an_invocation_there_is_no_end():
    assert Clock().left_s() == math.inf


def test_an_invocation_has_what_lambda_gives_it(monkeypatch):
    clock, moments = Clock(), iter([100.0, 101.5])
    monkeypatch.setattr(clocks.time, "monotonic", lambda: next(moments))

    clock.start(SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000))

    assert clock.left_s() == 26.5


def test_milliseconds_count_from_when_somebody_asked(monkeypatch):
    monkeypatch.setattr(clocks.time, "time", lambda: 1_700_000_012.3456)

    assert clocks.milliseconds_since(1_700_000_000_000) == 12346


def test_a_clock_that_is_ahead_makes_no_negative_wait(monkeypatch):
    monkeypatch.setattr(clocks.time, "time", lambda: 1_700_000_000.0)

    assert clocks.milliseconds_since(1_700_000_000_250) == 0
