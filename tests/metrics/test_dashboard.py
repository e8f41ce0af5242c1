"""The dashboard in `infra/` and the review's page show the same series."""

import json
import re
from pathlib import Path

import pytest

from couch_explorers.metrics import dashboard, resampling, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.plots import PANELS, charts
from couch_explorers.metrics.plots.figure import make_panel
from tests.metrics.believable import NAMES

FILE = Path(__file__).resolve().parents[2] / "infra" / "dashboard.json.tftpl"
VARIABLES = FILE.with_name("dashboard.tf").read_text(encoding="utf-8")
# What a percentile is made of is asked for beside it, and tells only whether there is enough of it.
COUNTS = {
    series.API_COUNT,
    *(series.invocations(resource) for resource in (WORKER, API_FUNCTION)),
    *(series.time_to_picture(resource, "SampleCount") for resource in (WORKER, API_FUNCTION)),
}


@pytest.fixture(scope="module")
def widgets():
    """Give the widgets with the values of candidate 42, as Terraform writes them."""
    text = FILE.read_text(encoding="utf-8").replace("$${", "\0")
    values = {"candidate": "42", "region": "eu-west-1"} | dict.fromkeys(dashboard.NUMBERS, "1")
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(values)
    filled = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text).replace("\0", "${")
    return json.loads(filled)["widgets"]


def test_the_file_is_what_the_reviews_charts_give():
    assert FILE.read_text(encoding="utf-8") == dashboard.template(), "run: python tools/dashboard.py"


def test_terraform_fills_in_exactly_what_the_file_names():
    given = VARIABLES[VARIABLES.index("templatefile(") :]

    assert set(re.findall(r"^    (\w+) +=", given, re.MULTILINE)) == {"candidate", "region", *dashboard.NUMBERS}


def test_every_chart_of_the_page_has_its_widgets(widgets):
    titles = [part.title for chart in charts.ALL for part in chart.subplots]

    assert [chart.name for chart in charts.ALL] == list(PANELS)
    assert [widget["properties"]["title"] for widget in widgets if widget["type"] == "metric"] == titles


@pytest.mark.parametrize("chart", charts.ALL, ids=lambda chart: chart.name)
def test_a_figure_draws_the_series_that_its_widgets_show(frame_of, chart, monkeypatch):
    drawn = set()
    measured = resampling.measured_values

    def record(frame, key, window):
        drawn.add(key)
        return measured(frame, key, window)

    monkeypatch.setattr(resampling, "measured_values", record)
    frame = frame_of(incident=True)
    for part in chart.subplots:
        make_panel(frame, charts.Chart(chart.name, chart.title, chart.kind, (part,), lambda _data: "A caption."))

    shown = {key for part in chart.subplots for key in part.keys}
    by_reason = {key for key in drawn if key[1].startswith("FailedJobs ")} if chart is charts.FAILURES else set()
    assert shown <= drawn
    assert drawn - shown - by_reason <= COUNTS


def test_widgets_name_the_metrics_that_the_review_asks_cloudwatch_for(widgets):
    asked = {
        (line.namespace, line.cloudwatch_metric, line.dimensions, line.statistic)
        for line in series.build(NAMES, period_s=60, percentile_period_s=300)
    }
    shown = set()
    for widget in widgets[1:]:
        for namespace, metric, *dimensions, options in filter(
            lambda entry: len(entry) > 1, widget["properties"]["metrics"]
        ):
            pairs = tuple(sorted(zip(dimensions[::2], dimensions[1::2], strict=True)))
            shown.add((namespace, metric, pairs, options["stat"]))

    assert shown
    assert shown <= asked


def test_the_dashboard_is_one_of_those_that_cost_nothing():
    assert dashboard.metrics_shown() <= dashboard.FREE_METRICS


def test_widgets_lie_beside_and_below_each_other(widgets):
    places = [(widget["x"], widget["y"]) for widget in widgets]

    assert len(set(places)) == len(places)
    assert all(widget["x"] + widget["width"] <= dashboard.GRID_WIDTH for widget in widgets)
