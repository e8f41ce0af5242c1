from dataclasses import replace

import numpy as np

from couch_explorers.metrics import series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import artists, style
from couch_explorers.metrics.plots.charts import age


def test_it_draws_on_any_axes_and_gives_them_back(frame_of, ax):
    assert age.draw(frame_of(), ax) is ax


def test_the_line_of_the_day_before_lies_behind_and_is_lighter(frame_of, ax):
    age.draw(frame_of({series.AGE: [7] * 1440}, before={series.AGE: [3] * 1440}), ax)

    before, now = ax.lines[:2]
    assert (now.get_ydata()[0], before.get_ydata()[0]) == (7, 3)
    assert before.get_zorder() < now.get_zorder()
    assert (before.get_color(), now.get_color()) == (style.BEFORE, artists.NOW.colour)


def test_the_threshold_is_the_alarms_own(frame_of, alarms_of, ax, written):
    age.draw(frame_of(alarms=alarms_of(100.0)), ax)

    assert "alarm > 100 s" in written(ax)
    assert [100.0, 100.0] in [list(line.get_ydata()) for line in ax.lines]


def test_the_threshold_says_whether_it_belongs_to_what_is_too_long(frame_of, alarms_of, ax, written):
    at_least = [replace(alarm, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of(100.0)]

    age.draw(frame_of(alarms=at_least), ax)

    assert "alarm \u2265 100 s" in written(ax)


def test_without_an_alarm_there_is_no_threshold(frame_of, ax, written):
    age.draw(frame_of(alarms=()), ax)

    assert "alarm" not in written(ax)
    assert "alarm" not in age.read(frame_of(alarms=()))


def test_the_sentence_compares_with_threshold_and_day_before_and_tells_the_dead_letters(frame_of):
    frame = frame_of(
        {series.AGE: {1062: 912, 1439: 4}, series.DEAD_LETTERS_VISIBLE: {1000: 3, 1439: 0}},
        before={series.AGE: {3: 12}},
    )

    assert age.read(frame) == (
        "The oldest job had waited at most 912 s (02:42, 3 times its alarm's 300 s), 4 s at the end; "
        "the day before at most 12 s; dead letters: at most 3 (01:40), 0 at the end."
    )


def test_the_sentence_says_when_the_alarm_rang(frame_of):
    assert "its alarm rang 00:07\u201300:58" in age.read(frame_of(incident=True))


def test_an_age_that_was_last_measured_long_before_the_end_is_not_told_as_the_end(frame_of):
    assert "5 s when last measured, 09:11" in age.read(frame_of({series.AGE: {10: 5}}))


def test_a_queue_without_points_says_why_and_still_tells_the_dead_letters(frame_of, ax, written):
    frame = frame_of({series.DEAD_LETTERS_VISIBLE: [0] * 1440}, states={series.AGE: SeriesState.MISSING}, compare=None)

    age.draw(frame, ax)

    assert "Nothing to show, the queue is not deployed." in written(ax)
    assert age.read(frame) == "Age of the oldest job: nothing to show, the queue is not deployed; dead letters: none."


def test_an_age_of_zero_is_drawn_as_a_line_and_not_as_a_gap(frame_of, ax, written):
    age.draw(frame_of({series.AGE: 0}, compare=None), ax)

    assert not np.isnan(ax.lines[0].get_ydata()).any()
    assert "idle" not in written(ax)
