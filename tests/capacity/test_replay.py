import numpy as np
import pandas as pd
import pytest

from couch_explorers.capacity import CapacityError
from couch_explorers.capacity.replay import Replay, fetch_window, from_metrics, median_seconds, what_if

START = pd.Timestamp("2026-11-25T08:00", tz="UTC")


def generator():
    return np.random.default_rng(3)


def rows(resource, metric, statistic, values, window="now", period_s=60):
    times = START + pd.to_timedelta(np.arange(len(values)) * period_s, unit="s")
    columns = {
        "window": window,
        "resource": resource,
        "metric": metric,
        "statistic": statistic,
        "unit": "",
        "value": values,
    }
    return pd.DataFrame(columns, index=times)


def frame_of(sent=(6, 0, 30), p50=(10_000.0, 10_000.0, 20_000.0), p95=None, period_s=60, **counts):
    parts = [rows("queue", "NumberOfMessagesSent", "Sum", sent, period_s=period_s)]
    parts.append(rows("worker", "Duration", "p50", p50, period_s=period_s))
    if p95:
        parts.append(rows("worker", "Duration", "p95", p95, period_s=period_s))
    parts += [rows("worker", metric, "Sum", values, period_s=period_s) for metric, values in counts.items()]
    parts.append(rows("queue", "NumberOfMessagesSent", "Sum", (1000, 1000), window="before"))
    return pd.concat(parts)


def test_messages_come_within_their_minute():
    window = from_metrics(frame_of(), rng=generator())

    minutes = np.bincount((window.arrivals_s // 60).astype(int))
    assert minutes.tolist() == [6, 0, 30]
    assert (np.diff(window.arrivals_s) >= 0).all()
    assert (window.start, window.seconds) == (START, 180)


def test_longer_periods_are_spread_over_their_length():
    window = from_metrics(frame_of(sent=(3000, 0), period_s=300), rng=generator())

    assert window.arrivals_s.max() > 290
    assert np.median(window.arrivals_s) == pytest.approx(150, abs=15)


def test_durations_are_those_of_the_period():
    window = from_metrics(frame_of(), rng=generator())

    assert window.service_s.tolist() == [10.0] * 6 + [20.0] * 30


def test_durations_spread_as_the_percentiles_say():
    window = from_metrics(frame_of(sent=(20_000,), p50=(10_000.0,), p95=(20_000.0,)), rng=generator())

    assert np.percentile(window.service_s, [50, 95]) == pytest.approx([10, 20], rel=0.03)


def test_failures_are_shares_of_the_attempts():
    frame = frame_of(Invocations=(40.0, 20.0, 40.0), PostponedJobs=(10.0, 0.0, 10.0), Errors=(0.0, 5.0, 0.0))

    window = from_metrics(frame, rng=generator())

    assert (window.failure_rate, window.crash_rate) == (0.2, 0.05)
    periods = [(each.start_s, each.end_s, each.failure_rate) for each in window.failures]
    assert periods == [(0, 60, 0.25), (120, 180, 0.25)]


def test_window_without_failures_counts_none():
    window = from_metrics(frame_of(), rng=generator())

    assert (window.failure_rate, window.crash_rate) == (0, 0)


def test_other_window_of_the_frame_is_chosen_by_its_name():
    frame = pd.concat([frame_of(), rows("worker", "Duration", "Average", (5000.0,), window="before")])

    window = from_metrics(frame, window="before", rng=generator())

    assert len(window.arrivals_s) == 2000
    assert set(window.service_s) == {5.0}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of(sent=(0, 0)), "Nothing was sent"),
        (rows("queue", "NumberOfMessagesSent", "Sum", (5,)), "Duration is not known"),
        (frame_of().iloc[:0], "Nothing was sent"),
    ],
)
def test_window_that_says_too_little_is_named(frame, message):
    with pytest.raises(CapacityError, match=message):
        from_metrics(frame, rng=generator())


def test_same_seed_gives_the_same_replay():
    one, other = (from_metrics(frame_of(), rng=generator()) for _ in range(2))

    assert one.arrivals_s.tolist() == other.arrivals_s.tolist()


def test_more_workers_shorten_the_wait():
    window = Replay(START, 600, np.arange(0, 600, 4.0), np.full(150, 30.0), 0.01, 0.0)

    few, many = (window.run(workers, rng=generator()) for workers in (5, 20))

    assert few.attained(60) < many.attained(60)


def test_what_if_has_a_row_a_setting():
    window = from_metrics(frame_of(sent=(60,) * 10, p50=(10_000.0,) * 10), rng=generator())

    table = what_if(window, 60.0, 8, 60.0, rng=generator())

    assert table["what"][0] == "8 workers, as it was"
    attained = table.set_index("what")["attained"]
    assert attained["16 workers"] > attained["8 workers, as it was"] > attained["4 workers"]
    assert len(table) == 6


def test_nothing_is_replayed_without_hours():
    assert fetch_window("local", "", 0.0, rng=generator()) is None
    assert what_if(None, 60.0, 5, 30.0, rng=generator()) is None


def test_seconds_a_picture_come_from_the_window_where_none_are_given():
    window = from_metrics(frame_of(), rng=generator())

    assert median_seconds(window, 7.0) == 7.0
    assert median_seconds(window, 0) == 20.0
    with pytest.raises(CapacityError, match="set replay_hours"):
        median_seconds(None, 0)
