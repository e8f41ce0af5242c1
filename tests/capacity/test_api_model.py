from pathlib import Path

import numpy as np
import pytest

from couch_explorers.capacity import CapacityError, ColdStart, Quota
from couch_explorers.capacity.api_model import ApiLimits, ApiOutcome, Client, simulate_api

ROOT = Path(__file__).parents[2]
WIDE = ApiLimits(stage_rate=1e6, stage_burst=1e6, concurrency=10**6, refused_s=0.0)
ONCE = Client(retries=0, pause_s=0.0, patience_s=1e6)


def run(arrivals, service, limits=WIDE, client=ONCE, **options):
    return simulate_api(arrivals, service, limits=limits, client=client, rng=np.random.default_rng(2), **options)


def outcomes(trace):
    return [ApiOutcome(value) for value in trace.outcome]


def test_without_limits_everybody_waits_for_their_own_picture_only():
    trace = run(np.zeros(500), 10.0)

    assert trace.time_to_picture_s.tolist() == [10.0] * 500
    assert (trace.paid.sum(), trace.wasted.sum()) == (500, 0)
    assert trace.attained(10) == 1


def test_stage_throttle_answers_429():
    limits = ApiLimits(stage_rate=1, stage_burst=2, refused_s=0.0)

    trace = run([0, 0, 0, 0, 1, 1], 5.0, limits)

    assert outcomes(trace) == [
        ApiOutcome.PICTURE, ApiOutcome.PICTURE, ApiOutcome.STAGE_THROTTLED, ApiOutcome.STAGE_THROTTLED,
        ApiOutcome.PICTURE, ApiOutcome.STAGE_THROTTLED,
    ]  # fmt: skip
    assert {ApiOutcome.STAGE_THROTTLED.status, ApiOutcome.MODEL_THROTTLED.status} == {429}


def test_requests_above_the_concurrency_are_refused_with_500():
    trace = run([0, 1, 2, 11], 10.0, ApiLimits(stage_rate=100, stage_burst=100, concurrency=2))

    assert outcomes(trace) == [
        ApiOutcome.PICTURE,
        ApiOutcome.PICTURE,
        ApiOutcome.NO_CONCURRENCY,
        ApiOutcome.PICTURE,
    ]
    assert ApiOutcome.NO_CONCURRENCY.status == 500


def test_warm_environment_is_preferred_to_a_new_one():
    trace = run([0, 20, 20, 1000], 5.0, cold_start=ColdStart(2.0, idle_s=300))

    assert trace.time_to_picture_s.tolist() == [7, 5, 7, 7]


def test_slow_picture_is_paid_and_answered_with_504():
    trace = run([0.0], 25.0)

    assert outcomes(trace) == [ApiOutcome.MODEL_TIMEOUT]
    assert (trace.ended_s[0], trace.paid[0], trace.wasted[0]) == (20, 1, 1)
    assert np.isinf(trace.time_to_picture_s[0])


def test_gateway_waits_for_29_seconds():
    trace = run([0.0], 19.0, cold_start=ColdStart(15.0))

    assert outcomes(trace) == [ApiOutcome.GATEWAY_TIMEOUT]
    assert (trace.ended_s[0], trace.wasted[0]) == (29, 1)


def test_person_who_gives_up_leaves_a_paid_picture_behind():
    trace = run([0.0], 15.0, client=Client(retries=0, patience_s=8))

    assert outcomes(trace) == [ApiOutcome.GAVE_UP]
    assert (trace.ended_s[0], trace.paid[0], trace.wasted[0]) == (8, 1, 1)
    assert ApiOutcome.GAVE_UP.status is None


def test_model_quota_refuses_what_exceeds_it():
    trace = run(np.zeros(30), 10.0, quota=Quota(60, burst=10))

    # Each refused request asks once more within a second, in which one token comes.
    assert 10 <= trace.paid.sum() <= 12
    assert trace.errors[ApiOutcome.MODEL_THROTTLED] == 30 - trace.paid.sum()


def test_people_press_again_as_often_as_they_are_said_to():
    limits = ApiLimits(stage_rate=1e-9, stage_burst=1)

    trace = run([0, 1], 5.0, limits, Client(retries=3, pause_s=1, patience_s=100))

    assert trace.attempts.tolist() == [1, 4]
    assert trace.errors[ApiOutcome.STAGE_THROTTLED] == 4


def test_retries_lead_to_pictures_where_the_burst_is_over():
    limits = ApiLimits(stage_rate=10, stage_burst=10)

    trace = run(np.zeros(40), 1.0, limits, Client(retries=50, pause_s=2, patience_s=1000))

    assert trace.succeeded.all()
    assert trace.attempts.sum() > 40
    assert (trace.paid.sum(), trace.wasted.sum()) == (40, 0)


def test_outcomes_are_a_table_of_all_people():
    table = run(np.zeros(30), 10.0, quota=Quota(60, burst=10)).outcomes()

    assert table["people"].sum() == 30
    assert table["share"].sum() == pytest.approx(1)
    assert table["outcome"].tolist() == ["picture", "refused: model quota"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": ApiLimits(concurrency=0)}, "concurrency is 0"),
        ({"limits": ApiLimits(stage_rate=float("nan"))}, "stage_rate is nan"),
        ({"client": Client(retries=-1)}, "retries is -1"),
        ({"client": Client(patience_s=0)}, "patience_s is 0"),
        ({"quota": Quota(-5)}, "images_per_minute is -5"),
        ({"cold_start": ColdStart(-1)}, "seconds is -1"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(CapacityError, match=message):
        run([0.0], 1.0, **options)


def test_defaults_are_those_of_the_template_and_the_function():
    limits = ApiLimits()
    template, function = (ROOT / "sam_lambda" / name for name in ("template.yaml", "generate_image/app.py"))

    assert f"Default: {limits.stage_rate:.0f}\n    MinValue: 1\n    MaxValue: 10000" in template.read_text()
    assert f"Default: {limits.stage_burst:.0f}\n    MinValue: 1\n    MaxValue: 5000" in template.read_text()
    assert f"BEDROCK_READ_TIMEOUT_S = {limits.read_timeout_s:.0f}\n" in function.read_text()
