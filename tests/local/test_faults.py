"""The faults of the local image models as they are typed and sent."""

import pytest

from couch_explorers.local import faults
from couch_explorers.local.faults import FaultError, Faults

TITAN = "amazon.titan-image-generator-v1"
NOVA = "amazon.nova-canvas-v1:0"


def test_settings_are_read_from_words():
    parsed = faults.parse(["throttle=0.2", "error=0.05", "latency=2", "filter=0.01", f"retired={TITAN}"])

    assert parsed == Faults(throttle=0.2, error=0.05, latency=2.0, filter=0.01, retired=(TITAN,))


def test_several_models_can_be_retired():
    assert faults.parse([f"retired={TITAN},{NOVA}"]) == faults.parse([f"retired={TITAN}", f"retired={NOVA}"])


def test_a_model_may_be_named_by_its_arn():
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{TITAN}"

    assert faults.parse([f"retired={arn}"]).retired == (TITAN,)


def test_clear_takes_all_faults_away():
    assert faults.parse(["clear"]) == Faults()


def test_a_latency_of_nothing_is_exact():
    assert faults.parse(["latency=0"]).latency == 0.0
    assert Faults().latency is None


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (["throtle=0.2"], "throtle"),
        (["throttle"], "throttle"),
        (["throttle=much"], "much"),
        (["throttle=1.5"], "1.5"),
        (["error=-0.1"], "-0.1"),
        (["filter=nan"], "filter"),
        (["hang=2"], "hang"),
        (["reset=-1"], "reset"),
        (["latency=inf"], "latency"),
        (["latency=901"], "901"),
        (["retired=gpt"], "gpt"),
        (["retired="], "not known"),
        (["clear", "throttle=0.2"], "clear"),
        ([""], '""'),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_accepted(settings, names):
    with pytest.raises(FaultError) as refusal:
        faults.parse(settings)

    assert names in str(refusal.value)
    assert faults.ACCEPTED in str(refusal.value)


def test_json_brings_back_the_same_faults():
    before = Faults(throttle=0.6, latency=0.2, retired=(NOVA,), unsubscribed=(TITAN,), agreement=60)

    assert Faults.from_json(before.to_json()) == before


def test_absent_fields_are_without_fault():
    assert Faults.from_json({}) == Faults()
    assert Faults.from_json({"error": 1}) == Faults(error=1.0)


@pytest.mark.parametrize(
    "value",
    [
        [],
        "clear",
        None,
        {"speed": 1},
        {"throttle": "0.2"},
        {"throttle": True},
        {"throttle": 2},
        {"throttle": None},
        {"latency": -1},
        {"retired": TITAN},
        {"retired": None},
        {"retired": [1]},
        {"retired": ["gpt"]},
        {"unsubscribed": TITAN},
        {"unsubscribed": ["gpt"]},
        {"agreement": -1},
    ],
)
def test_json_that_makes_no_sense_is_refused(value):
    with pytest.raises(FaultError):
        Faults.from_json(value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["latency=0"], "latency=0"),
        (["throttle=0.6", "latency=0.2"], "throttle=0.6 latency=0.2"),
        (
            ["reorder=0.5", "duplicate=0.1", "unavailable=0.02", "reset=0.01", "hang=0.01"],
            "hang=0.01 unavailable=0.02 reset=0.01 duplicate=0.1 reorder=0.5",
        ),
        (["retired=amazon.nova-canvas-v1:0"], "retired=amazon.nova-canvas-v1:0"),
        (["unsubscribed=amazon.nova-canvas-v1:0", "agreement=60"], "agreement=60 unsubscribed=amazon.nova-canvas-v1:0"),
    ],
)
def test_faults_are_written_in_the_words_that_set_them(words, text):
    assert str(faults.parse(words)) == text
