import asyncio
import json

import pytest
from botocore.exceptions import ClientError

from couch_explorers.core import image_models
from couch_explorers.core.aws_errors import model_error
from couch_explorers.core.errors import SubscriptionPendingError
from couch_explorers.local.bedrock.emulator import ImageModelEmulator
from couch_explorers.local.faults import Faults

CORE = image_models.get(image_models.DEFAULT_MODEL_ID)
BODY = json.dumps(CORE.build_request("a lighthouse", seed=1)).encode()


class Pace:
    now = 0.0

    async def sleep(self, seconds):
        self.now += seconds

    def clock(self):
        return self.now


@pytest.fixture
def pace():
    return Pace()


@pytest.fixture
def models(pace):
    emulator = ImageModelEmulator(sleep=pace.sleep, clock=pace.clock, paint=lambda *_, **__: b"picture")
    yield emulator
    emulator.close()


def status(models):
    return asyncio.run(models.invoke_model(CORE.id, BODY, CORE.region)).status


def agree(models):
    (offer,) = models.agreements.offers(CORE.id)["offers"]
    models.agreements.agree(CORE.id, offer["offerToken"])


def test_model_refuses_until_the_account_agrees(models):
    models.faults = Faults(latency=0.0, unsubscribed=(CORE.id,))

    refused = asyncio.run(models.invoke_model(CORE.id, BODY, CORE.region))
    assert (refused.status, refused.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert models.agreements.availability(CORE.id, models.faults)["agreementAvailability"] == {
        "status": "NOT_AVAILABLE"
    }

    agree(models)
    assert status(models) == 200
    assert models.agreements.availability(CORE.id, models.faults)["entitlementAvailability"] == "AVAILABLE"


def test_agreement_comes_into_force_after_its_delay(models, pace):
    models.faults = Faults(latency=0.0, unsubscribed=(CORE.id,), agreement=60)
    agree(models)

    assert models.agreements.status(CORE.id, models.faults) == "PENDING"
    assert status(models) == 403
    pace.now += 60
    assert status(models) == 200


def test_new_faults_forget_the_agreements(models):
    models.faults = Faults(unsubscribed=(CORE.id,))
    agree(models)
    models.faults = Faults(unsubscribed=(CORE.id,))

    assert status(models) == 403


@pytest.mark.parametrize("unsubscribed", [(), (CORE.id,)])
def test_ended_agreement_is_refused_until_the_account_agrees_again(models, unsubscribed):
    models.faults = Faults(latency=0.0, unsubscribed=unsubscribed)
    agree(models)

    models.agreements.end(CORE.id, models.faults)
    assert status(models) == 403
    with pytest.raises(LookupError):
        models.agreements.end(CORE.id, models.faults)

    agree(models)
    assert status(models) == 200


def test_foreign_offer_token_is_refused(models):
    with pytest.raises(ValueError, match="nonsense"):
        models.agreements.agree(CORE.id, "nonsense")


def test_refusal_is_read_as_a_pending_subscription(models):
    models.faults = Faults(unsubscribed=(CORE.id,))
    answer = asyncio.run(models.invoke_model(CORE.id, BODY, CORE.region))
    error = ClientError(
        {
            "Error": {"Code": answer.headers["x-amzn-errortype"], "Message": json.loads(answer.body)["message"]},
            "ResponseMetadata": {"HTTPStatusCode": answer.status},
        },
        "InvokeModel",
    )

    assert isinstance(model_error(CORE, error), SubscriptionPendingError)
