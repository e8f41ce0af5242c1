import numpy as np
import pytest

from couch_explorers.metrics import derived, limits, series
from couch_explorers.metrics.facts import WORKER, SeriesState
from couch_explorers.metrics.plots import percentiles

P95, RUNS = series.duration(WORKER, "p95"), series.invocations(WORKER)


def test_a_percentile_of_too_few_runs_is_a_gap(frame_of):
    least = limits.LEAST_SAMPLES["p95"]
    frame = frame_of({P95: [9000] * 24, RUNS: {0: least, 60: least - 1, 119: 1, 120: least - 1}})

    points = percentiles.carried(frame, P95, RUNS).points

    np.testing.assert_array_equal(points[:3], [9000, 9000, np.nan])


def test_a_median_needs_one_run(frame_of):
    key = series.duration(WORKER, "p50")
    frame = frame_of({key: [8000] * 24, RUNS: {0: 1}})

    points = percentiles.carried(frame, key, RUNS).points

    assert points[0] == 8000
    assert np.isnan(points[1:]).all()


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.PARTIAL, SeriesState.IDLE])
def test_a_percentile_is_drawn_no_more_than_judged_where_the_runs_are_not_known(frame_of, state):
    frame = frame_of({P95: [9000] * 24, RUNS: None}, states={RUNS: state})

    assert percentiles.carried(frame, P95, RUNS).empty
    assert derived.worst_percentile(frame, P95).value is None


def test_a_median_stays_where_the_runs_are_not_known_for_there_was_one(frame_of):
    median = series.duration(WORKER, "p50")

    assert percentiles.carried(frame_of({median: [8000] * 24, RUNS: None}), median, RUNS).highest == 8000


def test_the_window_before_is_judged_by_its_own_runs(frame_of):
    few = frame_of(before={P95: [9000] * 24, RUNS: {0: 5}})

    assert percentiles.carried_before(few, P95, RUNS) is None
    assert percentiles.carried_before(frame_of(compare=None), P95, RUNS) is None
    assert percentiles.carried_before(frame_of(), P95, RUNS) is not None


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([30] * 1440, ""),
        ({0: 1}, "p95 needs 20 runs a period to be drawn and p99 100"),
        (None, "how many runs there were is not known: p95 and p99 are not drawn"),
    ],
)
def test_it_says_what_was_left_out(frame_of, runs, told):
    keys = [series.duration(WORKER, statistic) for statistic in ("p50", "p95", "p99")]
    frame = frame_of({RUNS: runs} | {key: [9000] * 24 for key in keys})

    assert percentiles.note(frame, keys, RUNS, "runs") == told
