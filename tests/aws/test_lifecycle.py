# ruff: noqa: N803 - the fakes take boto3's argument names

import threading
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from couch_explorers.aws import lifecycle
from couch_explorers.aws.lifecycle import Lifecycle, LifecycleStatus
from couch_explorers.core import image_models
from tests.aws_fakes.models import ModelCatalogue
from tests.aws_fakes.validated import checked
from tests.wording import numbers

DEFAULT = image_models.get(image_models.DEFAULT_MODEL_ID)
TITAN = image_models.get("amazon.titan-image-generator-v2:0")
NOVA = image_models.get("amazon.nova-canvas-v1:0")


def refusal(code, message="refused"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetFoundationModel")


class FakeTarget:
    """Regions with models; an answer that is an exception is raised."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def client(self, service, region=None):
        assert service == "bedrock"

        def get_foundation_model(modelIdentifier):
            self.asked.append((region, modelIdentifier))
            answer = self.answers[modelIdentifier]
            if isinstance(answer, Exception):
                raise answer
            return ModelCatalogue(**{modelIdentifier: answer}).get_foundation_model(modelIdentifier=modelIdentifier)

        return checked("bedrock", SimpleNamespace(get_foundation_model=get_foundation_model))


def test_each_model_is_asked_for_once_in_its_own_region():
    target = FakeTarget({model.id: {"status": "ACTIVE"} for model in (DEFAULT, TITAN, NOVA)})

    found = lifecycle.fetch_all(target, [DEFAULT, TITAN, NOVA, TITAN])

    assert sorted(target.asked) == [("us-east-1", NOVA.id), ("us-east-1", TITAN.id), ("us-west-2", DEFAULT.id)]
    assert found == dict.fromkeys((DEFAULT.id, TITAN.id, NOVA.id), Lifecycle(LifecycleStatus.ACTIVE))


def test_the_models_are_asked_for_side_by_side():
    # Each question is answered only once both have been put.
    both_asked = threading.Barrier(2, timeout=10)

    class SlowTarget(FakeTarget):
        def client(self, service, region=None):
            fake = super().client(service, region)

            def slowly(modelIdentifier):
                both_asked.wait()
                return fake.get_foundation_model(modelIdentifier=modelIdentifier)

            return SimpleNamespace(get_foundation_model=slowly)

    found = lifecycle.fetch_all(
        SlowTarget({DEFAULT.id: {"status": "ACTIVE"}, TITAN.id: {"status": "ACTIVE"}}), [DEFAULT, TITAN]
    )

    assert list(found) == [DEFAULT.id, TITAN.id]


def test_without_models_nobody_is_asked():
    assert lifecycle.fetch_all(None, []) == {}


def test_an_active_model_is_not_talked_about():
    assert lifecycle.warning(DEFAULT, Lifecycle(LifecycleStatus.ACTIVE)) == ""


def test_a_legacy_model_is_reported_with_its_end_and_what_works_instead(snapshot):
    evening_before = datetime(2026, 6, 29, 16, tzinfo=timezone(timedelta(hours=-8)))
    target = FakeTarget({TITAN.id: {"status": "LEGACY", "endOfLifeTime": evening_before}})

    found = lifecycle.fetch_all(target, [TITAN])[TITAN.id]

    assert found == Lifecycle(LifecycleStatus.LEGACY, end_of_life="2026-06-30")
    sentence = lifecycle.warning(TITAN, found)
    assert sentence == snapshot
    assert numbers(sentence) == ["2026-06-30"]


def test_a_state_that_is_not_known_warns_as_legacy_does():
    target = FakeTarget({TITAN.id: {"status": "END_OF_LIFE"}})

    assert lifecycle.fetch_all(target, [TITAN])[TITAN.id].status is LifecycleStatus.LEGACY


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
def test_a_model_that_the_region_does_not_have_is_gone(code):
    target = FakeTarget({DEFAULT.id: refusal(code, "This model version has reached the end of its life.")})

    found = lifecycle.fetch_all(target, [DEFAULT])[DEFAULT.id]

    assert found.status is LifecycleStatus.GONE
    sentence = lifecycle.warning(DEFAULT, found)
    assert f"not offered in us-west-2 ({code}: This model version has reached the end of its life): use" in sentence
    assert "use stability.stable-image-ultra-v1:1, which works." in sentence


def test_a_caller_who_may_not_ask_is_told_which_right_is_missing():
    found = lifecycle.fetch_all(FakeTarget({TITAN.id: refusal("AccessDeniedException")}), [TITAN])[TITAN.id]

    assert found.status is LifecycleStatus.NOT_ALLOWED
    assert "bedrock:GetFoundationModel" in lifecycle.warning(TITAN, found)


@pytest.mark.parametrize("answer", [refusal("ThrottlingException"), EndpointConnectionError(endpoint_url="http://x")])
def test_a_target_that_does_not_answer_leaves_the_lifecycle_unknown(answer):
    found = lifecycle.fetch_all(FakeTarget({TITAN.id: answer}), [TITAN])[TITAN.id]

    assert found.status is LifecycleStatus.UNKNOWN
    assert "could not be asked" in lifecycle.warning(TITAN, found)


def test_dates_are_announced_as_far_ahead_as_is_warned():
    moment = datetime(2027, 3, 1, 12, tzinfo=timezone.utc)  # noqa: UP017 - as botocore gives it
    target = FakeTarget(
        {DEFAULT.id: {"status": "ACTIVE", "legacyTime": moment, "endOfLifeTime": moment + timedelta(days=180)}}
    )

    found = lifecycle.fetch(target.client("bedrock"), DEFAULT.id)

    assert found.announced() == "LEGACY on 2027-03-01, end of life 2027-08-28"
    assert found.announced(moment.date() - timedelta(days=90)) == "LEGACY on 2027-03-01"
    assert found.announced(moment.date() - timedelta(days=91)) == ""
