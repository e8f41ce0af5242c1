import numpy as np
from matplotlib.patches import Rectangle

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import series
from couch_explorers.metrics.facts import WORKER, SeriesState
from couch_explorers.metrics.plots import tallies, time_axis

ERRORS = series.errors(WORKER)


def drawn(ax, frame, *keys):
    rows = [tallies.row(frame, key, "Worker errors", 600, group="failures") for key in keys]
    time_axis.dress(ax, known.of(frame))
    tallies.draw(ax, known.of(frame), rows)
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
    assert heights == [tallies.SHORTEST_BAR_PT, tallies.BAR_PT]


def test_a_measured_zero_has_a_line_and_a_gap_has_none(frame_of, ax):
    drawn(ax, frame_of({ERRORS: [0] * 20}, compare=None), ERRORS)

    measured = ax.patches[0].get_data().values
    assert not np.isnan(measured[:2]).any()
    assert np.isnan(measured[2:]).all()
