import pytest

from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.plots import absent


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (SeriesState.DENIED, "may not ask CloudWatch about the queue (cloudwatch:GetMetricData)"),
        (SeriesState.MISSING, "the queue is not deployed"),
        (SeriesState.PARTIAL, "cut short"),
        (SeriesState.IDLE, "the queue was idle"),
    ],
)
def test_each_of_the_reasons_for_no_points_has_other_words(frame_of, state, told):
    facts = model.context_of(frame_of({series.AGE: None}, states={series.AGE: state}))

    assert told in absent.why(facts, series.AGE)


def test_a_series_of_which_a_part_came_is_noted(frame_of):
    partial = model.context_of(frame_of(states={series.AGE: SeriesState.PARTIAL}))

    assert absent.note(partial, series.AGE, series.SENT) == "CloudWatch gave only a part of the points"
    assert absent.note(partial, series.SENT) == ""
