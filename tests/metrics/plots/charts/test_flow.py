from couch_explorers.metrics import series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots.charts import flow


def test_it_draws_on_any_axes_and_gives_them_back(frame_of, ax):
    assert flow.draw(frame_of(), ax) is ax


def test_both_sums_are_joined_to_a_readable_period_that_is_named(frame_of, ax, written):
    flow.draw(frame_of(), ax)

    assert "Sum of each 10 minutes, Europe/Oslo" in written(ax)
    assert ax.get_ylabel() == "jobs in 10 minutes"


def test_where_more_is_sent_than_done_the_backlog_grows(frame_of, ax, written):
    flow.draw(frame_of({series.SENT: {100: 40}, series.DELETED: {100: 10, 130: 30}}), ax)

    assert "backlog grows" in written(ax)


def test_where_all_is_done_at_once_nothing_is_marked(frame_of, ax, written):
    flow.draw(frame_of({series.SENT: 2, series.DELETED: 2}), ax)

    assert "backlog grows" not in written(ax)


def test_the_sentence_tells_both_sums_and_where_they_part(frame_of):
    frame = frame_of(
        {series.SENT: [1] * 1000 + [0] * 440, series.DELETED: [1] * 900 + [0] * 10 + [1] * 80 + [2] * 10 + [0] * 440},
        before={series.SENT: [1] * 1440},
    )

    assert flow.read(frame) == (
        "1,000 jobs sent (the day before 1,440); 1,000 jobs done; "
        "the backlog grew most 00:00\u201300:10, with 10 more sent than done."
    )


def test_a_day_before_that_was_measured_for_a_part_only_is_not_told_as_a_whole(frame_of):
    frame = frame_of({series.SENT: 1, series.DELETED: 1}, before={series.SENT: [1] * 144})

    assert "1,440 jobs sent (the day before 144, but measured for 10 % of the time only)" in flow.read(frame)


def test_what_may_not_be_asked_for_is_not_told_as_zero(frame_of):
    told = flow.read(frame_of(states={series.DELETED: SeriesState.DENIED}))

    assert "jobs done: not known" in told
    assert "no job done" not in told


def test_an_idle_queue_says_so(frame_of, ax, written):
    frame = frame_of(calm=False)

    flow.draw(frame, ax)

    assert "the queue was idle" in written(ax)
    assert flow.read(frame) == "Jobs sent and done: nothing was measured, the queue was idle."
