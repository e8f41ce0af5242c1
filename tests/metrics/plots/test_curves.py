from datetime import timedelta

import numpy as np
import pytest

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.metrics.plots import curves


def test_what_was_not_measured_is_a_gap_and_zero_is_not(frame_of):
    age = curves.curve(frame_of({series.AGE: [0, 5, None, 7]}), series.AGE)

    assert len(age.points) == 1440
    np.testing.assert_array_equal(age.points[:5], [0, 5, np.nan, 7, np.nan])
    assert not age.empty


def test_a_series_that_nobody_measured_is_all_gaps(frame_of):
    age = curves.curve(frame_of({series.AGE: None}), series.AGE)

    assert age.empty
    assert np.isnan([age.highest, age.lowest, age.latest]).all()
    assert age.total == 0


def test_the_window_before_lies_under_this_one_by_its_distance_from_the_start(frame_of):
    frame = frame_of({series.AGE: {600: 50}}, before={series.AGE: {600: 20}})

    now, before = curves.curve(frame, series.AGE), curves.before(frame, series.AGE)

    assert np.flatnonzero(~np.isnan(now.points)) == np.flatnonzero(~np.isnan(before.points)) == 600
    assert now.highest_at[0] - before.highest_at[0] == timedelta(days=1)


def test_a_window_before_without_points_is_no_line(frame_of):
    assert curves.before(frame_of(before={series.AGE: None}), series.AGE) is None
    assert curves.before(frame_of(compare=None), series.AGE) is None


def test_of_what_is_counted_nothing_measured_before_is_none_but_a_denied_answer_is_unknown(frame_of):
    idle = frame_of(before={series.FAILED_JOBS: None})
    denied = frame_of(states={("before", series.FAILED_JOBS): SeriesState.DENIED})

    assert curves.counted_before(idle, series.FAILED_JOBS).total == 0
    assert curves.counted_before(denied, series.FAILED_JOBS) is None
    assert curves.counted_before(frame_of(compare=None), series.FAILED_JOBS) is None


def test_sums_are_added_and_maxima_compared_over_a_longer_period(frame_of):
    frame = frame_of({series.SENT: [1, 2, 3, None, 4] * 4, series.AGE: [1, 9, 3, None, 4] * 4})

    sent, age = (curves.curve(frame, key, period_s=600) for key in (series.SENT, series.AGE))

    assert len(sent.points) == 144
    np.testing.assert_array_equal(sent.points[:3], [20, 20, np.nan])
    np.testing.assert_array_equal(age.points[:3], [9, 9, np.nan])


def test_a_percentile_cannot_be_joined(frame_of):
    with pytest.raises(ValueError, match="p95 of 3600 s cannot be joined to 7200 s"):
        curves.curve(frame_of(), series.duration("worker", "p95"), period_s=7200)


def test_joined_periods_count_from_the_end_so_that_the_last_is_whole(frame_of):
    frame = frame_of({series.SENT: [1] * 65}, hours=65 / 60)

    sent = curves.curve(frame, series.SENT, period_s=600)

    np.testing.assert_array_equal(sent.points, [5, 10, 10, 10, 10, 10, 10])
    assert sent.edges[0] == 0
    assert sent.edges[-1] == 65 * 60


def test_the_highest_of_several_equal_values_is_the_last(frame_of):
    frame = frame_of({series.AGE: {10: 40, 20: 40, 30: 1}})
    age = curves.curve(frame, series.AGE)

    start = known.of(frame).window().start
    assert age.highest_at == (start + timedelta(minutes=20), start + timedelta(minutes=21))
    assert age.latest == 1
    assert age.latest_until == start + timedelta(minutes=31)


def test_the_joined_period_is_the_shortest_round_one_that_leaves_few_enough_points(frame_of):
    assert curves.joined_period_s(known.of(frame_of()), 170) == 600
    assert curves.joined_period_s(known.of(frame_of()), 1500) == 60
    assert curves.joined_period_s(known.of(frame_of(hours=168, period_s=300)), 170) == 3600


def test_rows_that_are_added_to_a_frame_are_seen(frame_of):
    frame = frame_of({series.AGE: None})
    assert curves.curve(frame, series.AGE).empty

    other = frame_of({series.AGE: [5]})

    assert curves.curve(other, series.AGE).highest == 5
    assert curves.curve(frame, series.AGE).empty
