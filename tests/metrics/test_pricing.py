"""Prices by https://aws.amazon.com/cloudwatch/pricing/: GetMetricData, by metrics requested."""

from dataclasses import replace

import pytest

from couch_explorers.metrics import pricing, series
from couch_explorers.metrics.facts import WORKER
from tests.metrics.believable import NAMES


def of_kind(*keys):
    lines = series.build(NAMES, period_s=60, percentile_period_s=3600, reasons=["A", "B"])
    return [line for line in lines if line.key in keys]


def test_up_to_five_statistics_of_a_metric_are_one_metric():
    durations = of_kind(*(series.duration(WORKER, statistic) for statistic in series.DURATION_STATISTICS))

    assert len(durations) == 5
    assert pricing.metrics_requested(durations) == 1


def test_a_sixth_statistic_is_another_metric():
    durations = of_kind(*(series.duration(WORKER, statistic) for statistic in series.DURATION_STATISTICS))

    assert pricing.metrics_requested([*durations, replace(durations[0], statistic="p90")]) == 2


def test_other_dimensions_are_other_metrics():
    assert pricing.metrics_requested(of_kind(series.FAILED_JOBS, series.failed_jobs("A"), series.failed_jobs("B"))) == 3


def test_the_local_historys_marks_are_not_billed():
    assert pricing.metrics_requested(series.synthetic_marks(NAMES, 60)) == 0


def test_a_thousand_metrics_cost_a_cent():
    assert pricing.cost_usd(1000) == pytest.approx(0.01)


def test_the_sentence_names_calls_metrics_and_price(frame_of):
    facts = frame_of(target="aws").attrs["facts"]

    assert pricing.request_sentence(facts) == "3 calls of GetMetricData for 93 metrics: $0.0009."
    assert "the local cloud costs nothing, AWS would bill $0.0009" in pricing.request_sentence(
        replace(facts, target="local")
    )
    assert pricing.request_sentence(replace(facts, calls=1)).startswith("1 call of")
