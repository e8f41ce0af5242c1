"""The review's charts as a CloudWatch dashboard for the console, with the same series.

`infra/dashboard.json.tftpl` is what `template` gives; `python tools/dashboard.py` writes it again. Format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from couch_explorers.core.errors import reasons
from couch_explorers.metrics import series
from couch_explorers.metrics.checks import objective, queue
from couch_explorers.metrics.model import WORKER
from couch_explorers.metrics.plots import charts
from couch_explorers.metrics.thresholds import API_GATEWAY_TIMEOUT_S
from couch_explorers.objective import Objective

if TYPE_CHECKING:
    from couch_explorers.metrics.model import Series, SeriesKey
    from couch_explorers.metrics.plots.figure import Chart, Subplot

# In units of the dashboard's grid, which is 24 wide.
GRID_WIDTH, WIDTH, HEIGHT, TEXT_HEIGHT = 24, 12, 6, 2
PERIOD_S, PERCENTILE_PERIOD_S = 60, 300
# Of a dashboard's metrics so many are free, for three dashboards of an account; each further dashboard costs USD 3 a month:
# https://aws.amazon.com/cloudwatch/pricing/ (November 2026)
FREE_METRICS = 50

# What Terraform puts in. Quotation marks around a number are taken off.
CANDIDATE, REGION = "${candidate}", "${region}"
NUMBERS = ("age_threshold_s", "dead_letters_threshold", "timeout_ms", "objective_ms")
_STEM = f"couch-explorers-{CANDIDATE}"
NAMES = series.Names(
    f"{_STEM}-jobs", f"{_STEM}-jobs-dead-letter", f"{_STEM}-worker", f"{_STEM}-generate-image", f"{_STEM}-api", CANDIDATE, frozenset()
)  # fmt: skip

TEXT = (
    "## Couch Explorers ${candidate}\n"
    "The panels of the metric review. What they mean, and what to do: `couch run metric_review --target aws --candidate ${candidate}`."
)


def body() -> dict[str, Any]:
    """Return the dashboard's body, with names of variables for Terraform's values."""
    widgets: list[dict[str, Any]] = [
        {"type": "text", "x": 0, "y": 0, "width": GRID_WIDTH, "height": TEXT_HEIGHT, "properties": {"markdown": TEXT}}
    ]
    lines = {line.key: line for line in _series()}
    parts = [(chart, part) for chart in charts.ALL for part in chart.subplots]
    for number, (chart, part) in enumerate(parts):
        row, column = divmod(number, GRID_WIDTH // WIDTH)
        widgets.append(
            {
                "type": "metric",
                "x": column * WIDTH,
                "y": TEXT_HEIGHT + row * HEIGHT,
                "width": WIDTH,
                "height": HEIGHT,
                "properties": _properties(chart, part, lines),
            }
        )
    return {"widgets": widgets}


def template() -> str:
    """Return the body as a template for Terraform's `templatefile`."""
    # What CloudWatch puts into labels is written as Terraform's variables are, and has to pass through it.
    text = json.dumps(body(), indent=2, ensure_ascii=False).replace("${PROP", "$${PROP") + "\n"
    return re.sub(rf'"(\$\{{(?:{"|".join(NUMBERS)})\}})"', r"\1", text)


def _series() -> tuple[Series, ...]:
    # The objectives' ranks are no panel's; their seconds stand for nothing here.
    return series.build(
        NAMES,
        period_s=PERIOD_S,
        percentile_period_s=PERCENTILE_PERIOD_S,
        objectives=dict.fromkeys(series.FUNCTIONS, Objective()),
    )


def _properties(chart: Chart, part: Subplot, lines: dict[SeriesKey, Series]) -> dict[str, Any]:
    metrics: list[list[Any]] = [_metric(lines[key]) for key in part.keys]
    if chart is charts.FAILURES:
        # The review lists the reasons that CloudWatch knows; here CloudWatch does.
        search = f'{{{series.OWN_NAMESPACE},reason,service}} MetricName="FailedJobs" service="{NAMES.worker}"'
        metrics.append(
            [
                {
                    "expression": f"SEARCH('{search}', 'Sum', {PERIOD_S})",
                    "label": "Failed: ${PROP('Dim.reason')}",
                    "id": "reasons",
                }
            ]
        )
    properties: dict[str, Any] = {
        "title": part.title,
        "view": "timeSeries",
        "region": REGION,
        "metrics": metrics,
        "yAxis": {"left": {"min": 0}},
    }
    if annotations := _annotations(part.keys):
        properties["annotations"] = {"horizontal": annotations}
    return properties


def _metric(line: Series) -> list[Any]:
    dimensions = [text for pair in line.dimensions for text in pair]
    options = {"stat": line.statistic, "period": line.period_s, "label": f"{line.metric} {line.statistic}"}
    return [line.namespace, line.cloudwatch_metric, *dimensions, options]


def _annotations(keys: tuple[SeriesKey, ...]) -> list[dict[str, Any]]:
    """Return the figure's thresholds, as far as this stack has them."""
    lines: dict[SeriesKey, tuple[str, Any]] = {
        series.AGE: (f"alarm {queue.AGE_ALARM}", "${age_threshold_s}"),
        series.DEAD_LETTERS_VISIBLE: (f"alarm {queue.DEAD_LETTERS_ALARM}", "${dead_letters_threshold}"),
        series.time_to_picture(WORKER, "p95"): (f"objective, alarm {objective.ALARM}", "${objective_ms}"),
        series.duration(WORKER, "Maximum"): ("time-out", "${timeout_ms}"),
        series.api_latency("p95"): ("API Gateway answers 504", API_GATEWAY_TIMEOUT_S * 1000),
    }
    return [{"label": label, "value": value} for key, (label, value) in lines.items() if key in keys]


def metrics_shown() -> int:
    """The maximum number of metrics on the dashboard: each statistic of one, and a job's failures by every reason there is."""
    return sum(len(part.keys) for chart in charts.ALL for part in chart.subplots) + len(reasons())
