from datetime import UTC, datetime, timedelta

import numpy as np

from couch_explorers.metrics.facts import Window
from couch_explorers.metrics.plots import lines
from couch_explorers.metrics.plots.curves import Curve
from couch_explorers.metrics.plots.labels import Labels

NAN = float("nan")
START = datetime(2026, 11, 25, tzinfo=UTC)


def curve_of(*points, period_s=60):
    window = Window("now", START, START + timedelta(seconds=period_s * len(points)))
    return Curve(np.arange(len(points) + 1) * float(period_s), np.array(points, dtype=float), period_s, window)


def test_a_point_between_two_gaps_is_alone(ax):
    np.testing.assert_array_equal(lines.lone(np.array([1, NAN, 2, NAN, 3, 4, NAN, 5])), [1, 0, 1, 0, 0, 0, 0, 1])


def test_no_line_is_drawn_across_a_gap(ax):
    lines.line(ax, curve_of(1, 2, NAN, 3, 4), lines.NOW)

    (line,) = ax.lines
    assert np.isnan(line.get_ydata()[2])


def test_a_lone_point_is_a_dot(ax):
    lines.line(ax, curve_of(1, 2, NAN, 7, NAN), lines.NOW)

    _, dots = ax.lines
    assert dots.get_marker() == "o"
    assert dots.get_ydata().tolist() == [7]


def test_steps_keep_their_gaps(ax):
    lines.steps(ax, curve_of(1, NAN, 3, period_s=3600), lines.NOW)

    (steps,) = ax.patches
    np.testing.assert_array_equal(steps.get_data().values, [1, NAN, 3])


def test_very_many_points_are_thinned_without_losing_a_peak_or_a_gap():
    points = np.ones(20_000)
    points[7_777], points[12_345] = 50, NAN

    _, kept = lines.thinned(np.arange(20_000.0), points)

    assert len(kept) <= 1500
    assert np.nanmax(kept) == 50
    assert np.isnan(kept).sum() == 1


def test_the_axis_begins_at_zero_and_holds_curves_and_limits(ax):
    lines.scale(ax, [curve_of(10, 20), None], 300.0, unit="seconds")

    low, high = ax.get_ylim()
    assert low == 0
    assert 300 < high < 350
    assert ax.get_ylabel() == "seconds"


def test_a_limit_far_above_everything_is_named_at_the_edge_with_an_arrow(ax):
    lines.scale(ax, [curve_of(1, 2)], unit="seconds", limit=60.0, far_above=3)
    labels = Labels(ax)

    lines.threshold(labels, 60.0, "time-out 60 s")
    labels.place()

    assert ax.get_ylim()[1] < 3
    assert [text.get_text() for text in ax.texts] == ["\u2191 time-out 60 s"]


def test_a_limit_within_reach_is_a_line(ax):
    lines.scale(ax, [curve_of(1, 25)], unit="seconds", limit=60.0, far_above=3)
    labels = Labels(ax)

    lines.threshold(labels, 60.0, "time-out 60 s")

    assert [line.get_ydata() for line in ax.lines] == [[60.0, 60.0]]


def test_counts_have_no_halves_on_their_axis(ax):
    lines.scale(ax, [curve_of(0, 1)], unit="jobs", whole=True)

    ticks = [tick for tick in ax.get_yticks() if 0 <= tick <= ax.get_ylim()[1]]
    assert ticks == [0, 1]


def test_an_axis_without_anything_has_no_numbers(ax):
    lines.scale(ax, [curve_of(NAN), None], unit="jobs")

    assert ax.get_yticks().tolist() == []
