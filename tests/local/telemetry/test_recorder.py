"""Samples are written soon, in order, by a thread of their own; anyone who measures never waits, and never sees an error."""

import pytest

from couch_explorers.local.cloudwatch.store import MetricStore, Sample
from couch_explorers.local.telemetry.recorder import Recorder

NINE_41_S = 1_795_599_660


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


@pytest.fixture
def recorder(store):
    recorder = Recorder(store)
    yield recorder
    recorder.stop()


def sample(value=1.0):
    return Sample.of("AWS/Lambda", "Invocations", value, time_s=NINE_41_S)


def total(store, region="eu-west-1"):
    points = store.points(
        "AWS/Lambda",
        "Invocations",
        {},
        start_s=NINE_41_S,
        end_s=NINE_41_S + 60,
        period_s=60,
        statistic="Sum",
        now_s=NINE_41_S,
        region=region,
    )
    return sum(value for _, value in points)


def test_what_was_recorded_is_there_after_a_flush(recorder, store):
    for _ in range(1000):
        recorder.record([sample()])

    assert recorder.flush()
    assert total(store) == 1000


def test_regions_are_kept_apart(recorder, store):
    recorder.record([sample()], "us-west-2")
    recorder.flush()

    assert (total(store), total(store, "us-west-2")) == (0, 1)


def test_samples_that_cannot_be_written_harm_nobody(recorder, store, caplog):
    recorder.record([sample(float("nan"))])
    recorder.flush()
    recorder.record([sample()])
    recorder.flush()

    assert total(store) == 1
    assert "1 metric samples could not be written" in caplog.text


def test_stopping_writes_what_is_waiting_and_drops_what_comes_later(store):
    recorder = Recorder(store)
    recorder.record([sample()])
    recorder.stop()
    recorder.record([sample()])

    assert recorder.flush()
    assert total(store) == 1


def test_it_can_be_stopped_twice(recorder):
    recorder.stop()
    recorder.stop()
