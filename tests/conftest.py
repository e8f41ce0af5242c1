"""What holds for every test: none of them writes where the job that runs it is read, or fails by the clock or by chance."""

import functools
import gc
import os
import time

import botocore.session
import pytest
from hypothesis import HealthCheck, Phase, settings

from couch_explorers import loopback
from couch_explorers.secret_scan import SECRET_VARIABLES
from tests.secret_samples import PLANTED, SECRET

# The same examples on each run, and as much time for each as a busy machine takes.
settings.register_profile(
    "couch",
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow],
)
# `make abuse`: other examples on each run, and many of them; a failure prints how to repeat it.
settings.register_profile(
    "abuse", deadline=None, database=None, max_examples=10_000, print_blob=True, suppress_health_check=list(HealthCheck)
)
# `make unit`: a quarter of the examples, the same on each run.
settings.register_profile("unit", settings.get_profile("couch"), max_examples=25)
# `make mutants`: few examples, and none made smaller, because each mutant runs them again.
settings.register_profile(
    "mutants", settings.get_profile("couch"), max_examples=8, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("COUCH_HYPOTHESIS_PROFILE", "couch"))

# Each session reads the descriptions of AWS's services again, a tenth of a second for each client. Here all sessions of a process
# share what was read; whatever they are given, and the clients made of it, stay their own.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Leave the thousands of tests and their modules, which all stay until the end, out of the search for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# Set by a workflow, for what it deployed and judged. A test that means one of them sets it for itself.
OF_A_JOB = ("COUCH_STEP_SUMMARY", "GITHUB_STEP_SUMMARY")


@pytest.fixture(scope="session", autouse=True)
def _no_page_of_a_job():
    """Before any other fixture, so that programs which one of them starts inherit nothing either."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OF_A_JOB:
            patch.delenv(name, raising=False)
        # Tests ask servers of their own on the loopback address, on machines behind a proxy too.
        for name, value in loopback.no_proxy(os.environ).items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def no_user_settings(monkeypatch, tmp_path):
    """Neither the environment nor the files of the person who runs the tests are looked at, and nothing is deployed."""
    secret = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    for name in (*secret, "COUCH_CANDIDATE", "COUCH_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "COUCH_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def set_zone(monkeypatch):
    """Give the machine another zone of its own, until the test ends."""

    def set_to(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def tokyo(set_zone):
    """A machine whose own zone is another than UTC."""
    set_zone("Asia/Tokyo")


@pytest.fixture
def planted(monkeypatch):
    """Plant a secret of each kind in the environment."""
    for number, text in enumerate(PLANTED.values()):
        monkeypatch.setenv(f"PLANTED_{number}", text)
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, SECRET)
    return dict(os.environ)
