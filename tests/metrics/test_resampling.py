from datetime import timedelta

import numpy as np
import pytest

from couch_explorers.metrics import model, resampling, series, statistics, thresholds
from couch_explorers.metrics.model import WORKER, SeriesState


def test_what_was_not_measured_is_a_gap_and_zero_is_not(frame_of):
    age = resampling.resample(frame_of({series.AGE: [0, 5, None, 7]}), series.AGE)

    assert len(age.points) == 1440
    np.testing.assert_array_equal(age.points[:5], [0, 5, np.nan, 7, np.nan])
    assert not age.empty


def test_a_series_that_nobody_measured_is_all_gaps(frame_of):
    age = resampling.resample(frame_of({series.AGE: None}), series.AGE)

    assert age.empty
    assert np.isnan([age.highest, age.lowest, age.latest]).all()
    assert age.total == 0


def test_the_window_before_lies_under_this_one_by_its_distance_from_the_start(frame_of):
    frame = frame_of({series.AGE: {600: 50}}, before={series.AGE: {600: 20}})

    now, before = resampling.resample(frame, series.AGE), resampling.resample_before(frame, series.AGE)

    assert np.flatnonzero(~np.isnan(now.points)) == np.flatnonzero(~np.isnan(before.points)) == 600
    assert now.highest_at[0] - before.highest_at[0] == timedelta(days=1)


def test_a_window_before_without_points_is_no_line(frame_of):
    assert resampling.resample_before(frame_of(before={series.AGE: None}), series.AGE) is None
    assert resampling.resample_before(frame_of(compare=None), series.AGE) is None


def test_of_what_is_counted_nothing_measured_before_is_none_but_a_denied_answer_is_unknown(frame_of):
    idle = frame_of(before={series.FAILED_JOBS: None})
    denied = frame_of(states={("before", series.FAILED_JOBS): SeriesState.DENIED})

    assert resampling.resample_counts_before(idle, series.FAILED_JOBS).total == 0
    assert resampling.resample_counts_before(denied, series.FAILED_JOBS) is None
    assert resampling.resample_counts_before(frame_of(compare=None), series.FAILED_JOBS) is None


def test_sums_are_added_and_maxima_compared_over_a_longer_period(frame_of):
    frame = frame_of({series.SENT: [1, 2, 3, None, 4] * 4, series.AGE: [1, 9, 3, None, 4] * 4})

    sent, age = (resampling.resample(frame, key, period_s=600) for key in (series.SENT, series.AGE))

    assert len(sent.points) == 144
    np.testing.assert_array_equal(sent.points[:3], [20, 20, np.nan])
    np.testing.assert_array_equal(age.points[:3], [9, 9, np.nan])


def test_a_percentile_cannot_be_joined(frame_of):
    with pytest.raises(ValueError, match="p95 of 3600 s cannot be joined to 7200 s"):
        resampling.resample(frame_of(), series.duration("worker", "p95"), period_s=7200)


def test_joined_periods_count_from_the_end_so_that_the_last_is_whole(frame_of):
    frame = frame_of({series.SENT: [1] * 65}, hours=65 / 60)

    sent = resampling.resample(frame, series.SENT, period_s=600)

    np.testing.assert_array_equal(sent.points, [5, 10, 10, 10, 10, 10, 10])
    assert sent.edges[0] == 0
    assert sent.edges[-1] == 65 * 60


def test_the_highest_of_several_equal_values_is_the_last(frame_of):
    frame = frame_of({series.AGE: {10: 40, 20: 40, 30: 1}})
    age = resampling.resample(frame, series.AGE)

    start = model.context_of(frame).window().start
    assert age.highest_at == (start + timedelta(minutes=20), start + timedelta(minutes=21))
    assert age.latest == 1
    assert age.latest_at == (start + timedelta(minutes=30), start + timedelta(minutes=31))


def test_the_joined_period_is_the_shortest_round_one_that_leaves_few_enough_points(frame_of):
    assert resampling.coarser_period_s(model.context_of(frame_of()), 170) == 600
    assert resampling.coarser_period_s(model.context_of(frame_of()), 1500) == 60
    assert resampling.coarser_period_s(model.context_of(frame_of(hours=168, period_s=300)), 170) == 3600


def test_rows_that_are_added_to_a_frame_are_seen(frame_of):
    frame = frame_of({series.AGE: None})
    assert resampling.resample(frame, series.AGE).empty

    other = frame_of({series.AGE: [5]})

    assert resampling.resample(other, series.AGE).highest == 5
    assert resampling.resample(frame, series.AGE).empty


P95, RUNS = series.duration(WORKER, "p95"), series.invocations(WORKER)


def test_a_percentile_of_too_few_runs_is_a_gap(frame_of):
    least = thresholds.MIN_SAMPLES["p95"]
    frame = frame_of({P95: [9000] * 24, RUNS: {0: least, 60: least - 1, 119: 1, 120: least - 1}})

    points = resampling.with_min_samples(frame, P95, RUNS).points

    np.testing.assert_array_equal(points[:3], [9000, 9000, np.nan])


def test_a_median_needs_one_run(frame_of):
    key = series.duration(WORKER, "p50")
    frame = frame_of({key: [8000] * 24, RUNS: {0: 1}})

    points = resampling.with_min_samples(frame, key, RUNS).points

    assert points[0] == 8000
    assert np.isnan(points[1:]).all()


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.PARTIAL, SeriesState.IDLE])
def test_a_percentile_is_drawn_no_more_than_judged_where_the_runs_are_not_known(frame_of, state):
    frame = frame_of({P95: [9000] * 24, RUNS: None}, states={RUNS: state})

    assert resampling.with_min_samples(frame, P95, RUNS).empty
    assert statistics.worst_percentile(frame, P95).value is None


def test_a_median_stays_where_the_runs_are_not_known_for_there_was_one(frame_of):
    median = series.duration(WORKER, "p50")

    assert resampling.with_min_samples(frame_of({median: [8000] * 24, RUNS: None}), median, RUNS).highest == 8000


def test_the_window_before_is_judged_by_its_own_runs(frame_of):
    few = frame_of(before={P95: [9000] * 24, RUNS: {0: 5}})

    assert resampling.with_min_samples_before(few, P95, RUNS) is None
    assert resampling.with_min_samples_before(frame_of(compare=None), P95, RUNS) is None
    assert resampling.with_min_samples_before(frame_of(), P95, RUNS) is not None


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([30] * 1440, ""),
        ({0: 1}, "p95 needs 20 runs a period to be drawn and p99 100"),
        (None, "how many runs there were is not known: p95 and p99 are not drawn"),
    ],
)
def test_it_says_what_was_left_out(frame_of, runs, expected):
    keys = [series.duration(WORKER, statistic) for statistic in ("p50", "p95", "p99")]
    frame = frame_of({RUNS: runs} | {key: [9000] * 24 for key in keys})

    assert resampling.missing_percentiles(frame, keys, RUNS, "runs") == expected
