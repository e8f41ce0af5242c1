from couch_explorers.metrics import series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import backlog as make
from couch_explorers.metrics.plots.charts import backlog


def test_the_figure_has_the_dead_letters_under_the_backlog_on_the_same_time_axis(frame_of):
    upper, lower = make(frame_of(incident=True)).figure.axes

    assert [axes.get_title(loc="left") for axes in (upper, lower)] == ["Backlog", "Dead letters"]
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_position().y0 > lower.get_position().y1


def test_both_parts_draw_on_any_axes(frame_of, ax):
    assert backlog.draw(frame_of(), ax) is ax
    assert backlog.draw_dead_letters(frame_of(), ax) is ax


def test_the_sentence_tells_the_highest_and_the_end_of_both(frame_of):
    frame = frame_of(
        {series.VISIBLE: {1000: 184, 1439: 0}, series.DEAD_LETTERS_VISIBLE: 0}, before={series.VISIBLE: {5: 12}}
    )

    assert backlog.read(frame) == (
        "Jobs that waited: at most 184 (01:40), 0 at the end; the day before at most 12; dead letters: none."
    )


def test_an_idle_queue_is_not_a_queue_without_backlog(frame_of):
    idle = frame_of({series.VISIBLE: None, series.DEAD_LETTERS_VISIBLE: None})
    empty = frame_of({series.VISIBLE: 0, series.DEAD_LETTERS_VISIBLE: 0})

    assert "nothing was measured, the queue was idle" in backlog.read(idle)
    assert backlog.read(empty).startswith("Jobs that waited: none")


def test_dead_letters_that_may_not_be_asked_for_are_not_told_as_none(frame_of, ax, written):
    frame = frame_of(states={series.DEAD_LETTERS_VISIBLE: SeriesState.DENIED})

    backlog.draw_dead_letters(frame, ax)

    assert "may not ask CloudWatch about the dead-letter queue" in written(ax)
    assert "dead letters: not known" in backlog.read(frame)
