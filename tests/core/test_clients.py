import boto3
import pytest

from couch_explorers.core import clients
from couch_explorers.core.clock import Clock

ARN = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"


@pytest.fixture
def made(monkeypatch):
    """The regions for which a client was made, in their order."""
    regions = []
    real = clients.bedrock_client
    monkeypatch.setattr(
        clients, "bedrock_client", lambda region, **rest: regions.append(region) or real(region, **rest)
    )
    return regions


@pytest.fixture
def by_region(made):
    session = boto3.session.Session("access", "secret")
    return clients.ImageModelClients(ARN, read_timeout_s=5.0, clock=Clock(), session=session)


def test_the_default_models_client_is_made_at_once(by_region, made):
    assert made == ["us-west-2"]


def test_another_regions_client_is_made_when_it_is_asked_for_and_only_once(by_region, made):
    first, second = by_region("us-east-1"), by_region("us-east-1")

    assert first is second
    assert first.meta.region_name == "us-east-1"
    assert first.meta.config.retries["total_max_attempts"] == 1
    assert first.meta.config.read_timeout == 5.0
    assert made == ["us-west-2", "us-east-1"]
