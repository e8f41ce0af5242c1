import boto3
import botocore
import pytest

from couch_explorers.core import sdk


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("1.35.2", True),
        ("1.40.4", True),
        ("2.0.0", True),
        ("1.35.1", False),
        ("1.34.145", False),
        ("1.100.0.dev1", True),
    ],
)
def test_releases_compare_as_numbers(version, enough):
    assert sdk.is_new_enough(version) is enough


def test_old_sdk_ends_a_function_at_its_start(monkeypatch):
    monkeypatch.setattr(botocore, "__version__", "1.34.145")

    with pytest.raises(sdk.OldSdkError, match=r"botocore 1.34.145 is too old: .* need 1.35.2"):
        sdk.require()


def test_own_sdk_is_new_enough():
    assert sdk.require() == {"boto3": boto3.__version__, "botocore": botocore.__version__}


def test_only_a_probe_is_answered():
    assert sdk.answer_probe({"Records": []}) is None
    assert sdk.answer_probe({sdk.PROBE: "sdk"}) == sdk.versions()
