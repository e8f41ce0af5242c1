"""What happens at each full minute: AWS publishes every minute, and evaluates alarms of a period of 60 s every minute.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

import threading

import pytest

from couch_explorers.local.telemetry import ticker
from couch_explorers.local.telemetry.ticker import Ticker


@pytest.fixture
def calls():
    return []


@pytest.fixture
def minute(calls, clock):
    return Ticker(
        {"queues": lambda *times: calls.append(("queues", *times)), "functions": lambda *_: calls.append("functions")},
        lambda now_s: calls.append(("alarms", now_s)),
        lambda now_s: calls.append(("expire", now_s)),
        clock,
    )


def test_the_sources_publish_the_minute_that_has_ended_and_then_the_alarms_look(minute, calls, clock):
    began_s = clock.now_s
    clock.passes(60.2)

    assert minute.tick()

    assert calls == [("queues", began_s, clock.now_s), "functions", ("alarms", clock.now_s)]


def test_a_minute_is_done_once(minute, calls, clock):
    clock.passes(60.2)
    minute.tick()
    clock.passes(10)

    assert not minute.tick()
    assert len(calls) == 3


def test_nothing_is_due_in_the_minute_in_which_it_starts(minute, calls, clock):
    clock.passes(30)

    assert not minute.tick()
    assert calls == []


def test_minutes_that_were_slept_through_are_a_gap(minute, calls, clock):
    began_s = clock.now_s
    clock.passes(8 * 3600 + 0.2)

    minute.tick()

    assert [call for call in calls if call[0] == "queues"] == [("queues", began_s + 8 * 3600 - 60, clock.now_s)]


def test_who_wakes_long_after_the_full_minute_does_not_take_what_it_finds_for_the_minutes(minute, calls, clock):
    clock.passes(60 + ticker.LATE_S + 1)

    minute.tick()

    assert calls == [("alarms", clock.now_s)]


def test_a_source_that_fails_stops_neither_the_others_nor_the_alarms(calls, clock, caplog):
    def fails(*_):
        raise ValueError("no queue")

    minute = Ticker(
        {"queues": fails, "functions": lambda *_: calls.append("functions")},
        lambda _: calls.append("alarms"),
        fails,
        clock,
    )
    clock.passes(3600.2)

    assert minute.tick()

    assert calls == ["functions", "alarms"]
    assert "The metrics of queues could not be dealt with this minute" in caplog.text


def test_what_is_too_old_is_swept_out_once_an_hour(minute, calls, clock):
    for _ in range(121):
        clock.passes(60)
        minute.tick()

    assert len([call for call in calls if call[0] == "expire"]) == 2


def test_it_wakes_a_moment_after_the_full_minute(minute, clock):
    clock.passes(12.5)

    assert minute.next_in_s() == pytest.approx(47.5 + ticker.AFTER_S)


def test_it_ticks_by_itself_until_it_is_stopped(clock, monkeypatch):
    ticked = threading.Event()
    monkeypatch.setattr(ticker, "AFTER_S", 0.001)
    minute = Ticker({"queues": lambda *_: None}, lambda _: ticked.set(), lambda _: None, clock)
    clock.passes(59.999)
    passing = minute.next_in_s

    def next_in_s():
        seconds = passing()
        clock.passes(seconds)
        return min(seconds, 0.005)

    monkeypatch.setattr(minute, "next_in_s", next_in_s)
    minute.start()

    assert ticked.wait(10)
    minute.stop()
    assert not minute._thread.is_alive()


def test_one_that_was_never_started_can_be_stopped(minute):
    minute.stop()
