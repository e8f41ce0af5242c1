import pytest

from couch_explorers.figures import metric_figures
from couch_explorers.figures.figure import FigureError
from couch_explorers.figures.provenance import Kind
from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from tests.wording import numbers

pytestmark = pytest.mark.drawing


@pytest.mark.parametrize("make", [metric_figures.age, metric_figures.duration])
def test_the_reviews_own_figure_is_drawn_as_wide_as_printed_text(frame_of, faults, make):
    made = make(frame_of(incident=True))

    assert made.panel.figure.get_size_inches()[0] == pytest.approx(160 / 25.4)
    assert faults(made.panel.figure) == ([], [])
    assert (made.source.kind, made.missing) == (Kind.LOCAL, "")


def test_an_age_says_the_alarms_threshold(frame_of, written):
    assert "alarm > 300 s" in written(metric_figures.age(frame_of()).panel.figure)


def test_an_age_that_was_not_measured_says_what_to_do(frame_of, snapshot):
    with pytest.raises(FigureError) as raised:
        metric_figures.age(frame_of(calm=False))

    sentence = str(raised.value)
    assert sentence == snapshot
    assert numbers(sentence) == ["168"]


def test_on_aws_no_synthetic_week_is_proposed(frame_of):
    with pytest.raises(FigureError) as raised:
        metric_figures.age(frame_of(calm=False, target="aws"))

    assert "couch run smoke_test --target aws" in str(raised.value)
    assert "history" not in str(raised.value)


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        (SeriesState.MISSING, "The queue is not deployed: run `couch up`"),
        (SeriesState.DENIED, "(cloudwatch:GetMetricData); allow it."),
        (SeriesState.PARTIAL, "try again in a minute."),
    ],
)
def test_each_reason_for_no_points_has_its_own_remedy(frame_of, state, remedy):
    facts = model.context_of(frame_of(calm=False, states={series.AGE: state}))

    assert remedy in metric_figures.lacking(facts, series.AGE)


def test_one_lambda_without_runs_is_reported_and_the_other_drawn(frame_of):
    statistics = ("Average", "Maximum", "p50", "p95", "p99")

    made = metric_figures.duration(frame_of({series.duration(WORKER, statistic): None for statistic in statistics}))

    assert made.missing.startswith("Nothing was measured, the worker was idle")
    assert made.panel.name == "duration"


def test_without_any_run_there_is_no_duration(frame_of):
    with pytest.raises(FigureError, match=r"the worker was idle.*the API's function was idle"):
        metric_figures.duration(frame_of(calm=False))


def test_the_remedy_is_named_once_for_all_that_is_missing(frame_of):
    with pytest.raises(FigureError) as raised:
        metric_figures.duration(frame_of(calm=False))

    assert str(raised.value).count("couch run smoke_test") == 1


def test_each_part_that_is_not_deployed_is_named(frame_of):
    keys = [series.duration(resource, "Maximum") for resource in (WORKER, API_FUNCTION)]
    frame = frame_of(calm=False, states=dict.fromkeys(keys, SeriesState.MISSING))

    with pytest.raises(FigureError) as raised:
        metric_figures.duration(frame)

    assert "The queue is not deployed" in str(raised.value)
    assert "The API is not deployed" in str(raised.value)
