from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import WORKER, SeriesState, Window
from couch_explorers.metrics.plots import artists, axes
from couch_explorers.metrics.plots.artists import LineLabels
from couch_explorers.metrics.resampling import Curve

NAN = float("nan")
START = datetime(2026, 11, 25, tzinfo=UTC)


def curve_of(*points, period_s=60):
    window = Window("now", START, START + timedelta(seconds=period_s * len(points)))
    return Curve(np.arange(len(points) + 1) * float(period_s), np.array(points, dtype=float), period_s, window)


def test_a_point_between_two_gaps_is_alone(ax):
    np.testing.assert_array_equal(
        artists.isolated_points(np.array([1, NAN, 2, NAN, 3, 4, NAN, 5])), [1, 0, 1, 0, 0, 0, 0, 1]
    )


def test_no_line_is_drawn_across_a_gap(ax):
    artists.draw_line(ax, curve_of(1, 2, NAN, 3, 4), artists.NOW)

    (line,) = ax.lines
    assert np.isnan(line.get_ydata()[2])


def test_a_lone_point_is_a_dot(ax):
    artists.draw_line(ax, curve_of(1, 2, NAN, 7, NAN), artists.NOW)

    _, dots = ax.lines
    assert dots.get_marker() == "o"
    assert dots.get_ydata().tolist() == [7]


def test_steps_keep_their_gaps(ax):
    artists.draw_steps(ax, curve_of(1, NAN, 3, period_s=3600), artists.NOW)

    (steps,) = ax.patches
    np.testing.assert_array_equal(steps.get_data().values, [1, NAN, 3])


def test_very_many_points_are_thinned_without_losing_a_peak_or_a_gap():
    points = np.ones(20_000)
    points[7_777], points[12_345] = 50, NAN

    _, kept = artists.decimated(np.arange(20_000.0), points)

    assert len(kept) <= 1500
    assert np.nanmax(kept) == 50
    assert np.isnan(kept).sum() == 1


def test_the_axis_begins_at_zero_and_holds_curves_and_limits(ax):
    artists.set_scale(ax, [curve_of(10, 20), None], 300.0, unit="seconds")

    low, high = ax.get_ylim()
    assert low == 0
    assert 300 < high < 350
    assert ax.get_ylabel() == "seconds"


def test_a_limit_far_above_everything_is_named_at_the_edge_with_an_arrow(ax):
    artists.set_scale(ax, [curve_of(1, 2)], unit="seconds", limit=60.0, far_above=3)
    labels = LineLabels(ax)

    artists.draw_threshold(labels, 60.0, "time-out 60 s")
    labels.place()

    assert ax.get_ylim()[1] < 3
    assert [text.get_text() for text in ax.texts] == ["\u2191 time-out 60 s"]


def test_a_limit_within_reach_is_a_line(ax):
    artists.set_scale(ax, [curve_of(1, 25)], unit="seconds", limit=60.0, far_above=3)
    labels = LineLabels(ax)

    artists.draw_threshold(labels, 60.0, "time-out 60 s")

    assert [line.get_ydata() for line in ax.lines] == [[60.0, 60.0]]


def test_counts_have_no_halves_on_their_axis(ax):
    artists.set_scale(ax, [curve_of(0, 1)], unit="jobs", whole=True)

    ticks = [tick for tick in ax.get_yticks() if 0 <= tick <= ax.get_ylim()[1]]
    assert ticks == [0, 1]


def test_an_axis_without_anything_has_no_numbers(ax):
    artists.set_scale(ax, [curve_of(NAN), None], unit="jobs")

    assert ax.get_yticks().tolist() == []


@pytest.mark.parametrize(
    ("wished", "placed"),
    [
        ([10, 50, 90], [10, 50, 90]),  # nothing to do
        ([50, 50], [45, 55]),  # two on one place move apart by equal parts
        ([10, 50, 52, 54], [10, 42, 52, 62]),  # only those that touch
        ([99, 100], [85, 95]),  # nothing above the upper edge
    ],
)
def test_labels_move_apart_as_little_as_possible(wished, placed):
    np.testing.assert_allclose(artists.avoid_overlap(wished, [10] * len(wished), 100), placed)


def test_the_lowest_label_may_stand_with_its_middle_on_the_axis():
    np.testing.assert_allclose(artists.avoid_overlap([0, 0], [10, 10], 100), [0, 10])


def test_a_label_of_two_lines_takes_more_room():
    np.testing.assert_allclose(artists.avoid_overlap([50, 50], [10, 20], 100), [42.5, 57.5])


def test_what_was_never_measured_has_no_label(ax):
    found = artists.LineLabels(ax)

    found.add("nothing", float("nan"), artists.NOW)
    found.place()

    assert [text.get_text() for text in ax.texts] == []


def test_each_label_has_a_sample_of_its_line(ax):
    ax.set_ylim(0, 10)
    found = artists.LineLabels(ax)
    found.add("p95", 4, artists.THRESHOLD)

    found.place()

    assert [text.get_text() for text in ax.texts] == ["p95"]
    (sample,) = ax.lines
    assert sample.get_color() == artists.THRESHOLD.colour
    assert not sample.get_clip_on()


ERRORS = series.errors(WORKER)


def drawn(ax, frame, *keys):
    rows = [artists.count_row(frame, key, "Worker errors", 600, group="failures") for key in keys]
    axes.format_time_axis(ax, model.context_of(frame))
    artists.draw_count_rows(ax, model.context_of(frame), rows)
    return [text.get_text() for text in ax.texts]


def test_a_row_says_its_name_its_peak_and_both_totals(frame_of, ax):
    frame = frame_of({ERRORS: {5: 3, 700: 2}}, before={ERRORS: {9: 1}})

    assert drawn(ax, frame, ERRORS) == ["Worker errors", "at most 3, 09:00\u201309:10", "5", "day before 1"]


def test_what_came_one_at_a_time_has_no_peak(frame_of, ax):
    assert drawn(ax, frame_of({ERRORS: {5: 1, 700: 1}}), ERRORS)[1] == ""


def test_nothing_measured_is_zero_but_a_denied_answer_is_a_dash_with_its_reason(frame_of, ax):
    idle, denied = frame_of({ERRORS: None}), frame_of(states={ERRORS: SeriesState.DENIED})

    assert drawn(ax, idle, ERRORS)[2] == "0"
    texts = drawn(ax, denied, ERRORS)[-4:]
    assert "cloudwatch:GetMetricData" in texts[1]
    assert texts[2] == "\u2013"


def test_a_single_error_beside_thousands_can_still_be_seen(frame_of, ax):
    drawn(ax, frame_of({ERRORS: {5: 4000, 700: 1}}), ERRORS)

    heights = sorted(bar.get_height() for bar in ax.patches if isinstance(bar, Rectangle))
    assert heights == [artists.SHORTEST_BAR_PT, artists.BAR_PT]


def test_a_measured_zero_has_a_line_and_a_gap_has_none(frame_of, ax):
    drawn(ax, frame_of({ERRORS: [0] * 20}, compare=None), ERRORS)

    measured = ax.patches[0].get_data().values
    assert not np.isnan(measured[:2]).any()
    assert np.isnan(measured[2:]).all()
