import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers.local import deploy, process
from couch_explorers.local.settings import DEFAULT_PORT
from couch_explorers.paths import Home
from couch_explorers.workspace import WorkspaceError

COUCH = str(Path(sys.executable).with_name("couch"))

candidates = st.none() | st.from_regex(r"[0-9]{1,10}", fullmatch=True)
timeouts = st.none() | st.integers(*deploy.WORKER_TIMEOUT_RANGE_S)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("COUCH_CANDIDATE", raising=False)
    return Home(tmp_path)


def up(home, candidate=None, worker_timeout_s=None, port=4566):
    """What `couch up` does with its options; what is then deployed, as (candidate, worker time-out)."""
    chosen = deploy.choose_settings(home, candidate, worker_timeout_s)
    deploy.save_choices(home, chosen.settings, port)
    return chosen.settings.candidate, chosen.settings.worker_timeout_s


def test_without_a_choice_the_defaults_hold_and_are_reported(home):
    assert (
        str(deploy.choose_settings(home, None, None)) == "candidate 42 (the default), worker timeout 20 s (the default)"
    )


def test_each_choice_stays_until_it_is_chosen_anew(home):
    assert up(home, candidate="55") == ("55", 20)
    assert up(home, worker_timeout_s=60) == ("55", 60)
    assert up(home) == ("55", 60)
    assert up(home, candidate="7") == ("7", 60)
    assert up(home, worker_timeout_s=20) == ("7", 20)


@given(calls=st.lists(st.tuples(candidates, timeouts), max_size=8))
def test_any_row_of_calls_ends_with_the_last_choice_of_each(tmp_path_factory, calls):
    home = Home(tmp_path_factory.mktemp("home"))
    expected = ("42", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COUCH_CANDIDATE", raising=False)
        for candidate, timeout_s in calls:
            expected = (candidate or expected[0], timeout_s or expected[1])
            assert up(home, candidate, timeout_s) == expected
        assert up(home) == expected


def test_the_environments_candidate_counts_more_than_the_last_one_and_less_than_the_option(home, monkeypatch):
    up(home, candidate="55")
    monkeypatch.setenv("COUCH_CANDIDATE", "77")

    assert deploy.choose_settings(home, None, None).settings.candidate == "77"
    assert "(COUCH_CANDIDATE)" in str(deploy.choose_settings(home, None, None))
    assert deploy.choose_settings(home, "8", None).settings.candidate == "8"


def test_an_empty_candidate_of_the_environment_is_none(home, monkeypatch):
    monkeypatch.setenv("COUCH_CANDIDATE", "")

    assert up(home) == ("42", 20)


@pytest.mark.parametrize("value", ["4a", "-1", " ", "12345678901"])
def test_a_malformed_candidate_of_the_environment_is_named(home, monkeypatch, value):
    monkeypatch.setenv("COUCH_CANDIDATE", value)

    with pytest.raises(WorkspaceError, match="COUCH_CANDIDATE is set wrongly"):
        deploy.choose_settings(home, None, None)


def test_what_stays_is_reported_with_the_option_that_changes_it(home):
    up(home, candidate="55", worker_timeout_s=60)

    assert str(deploy.choose_settings(home, None, None)) == (
        "candidate 55 (as last time; another: --candidate NUMBER), "
        "worker timeout 60 s (as last time; another: --worker-timeout SECONDS)"
    )


def test_the_candidate_of_a_deploy_that_kept_no_choices_stays(home):
    home.deployment_file.write_text(json.dumps({"workspace": {"candidate": "55"}}))

    assert up(home) == ("55", 20)


def test_the_port_of_a_start_that_deployed_nothing_stays(home):
    up(home, port=4999)

    assert process.choose_port(home, None) == 4999
    assert process.choose_port(home, 5000) == 5000


def test_the_port_of_what_is_deployed_counts_more_than_the_last_start(home):
    up(home, port=4999)
    home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": "http://127.0.0.1:5000"}}))

    assert process.choose_port(home, None) == 5000


@given(noted=json_values, deployed=json_values)
@pytest.mark.parametrize("key", [None, "candidate", "worker_timeout_s", "port"])
def test_no_note_of_the_choices_is_a_defect(tmp_path_factory, key, noted, deployed):
    home = Home(tmp_path_factory.mktemp("home"))
    home.choices_file.write_text(json.dumps({key: noted} if key else noted))
    home.deployment_file.write_text(json.dumps({"workspace": deployed}))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COUCH_CANDIDATE", raising=False)

        settings = deploy.choose_settings(home, None, None).settings

    assert settings.candidate.isdecimal()
    assert 3 <= settings.worker_timeout_s <= 900
    assert process.choose_port(home, None) == DEFAULT_PORT or (
        key == "port" and noted == process.choose_port(home, None)
    )


def test_a_wrong_candidate_of_the_environment_is_one_sentence_of_the_command(home, monkeypatch):
    monkeypatch.setenv("COUCH_CANDIDATE", "4a")
    monkeypatch.setenv("COUCH_HOME", str(home.path))

    done = subprocess.run([COUCH, "up"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "couch: COUCH_CANDIDATE is set wrongly. The candidate number must be 1 to 10 digits, not '4a'.\n"
    )


def git(folder, *arguments):
    identity = ["-c", "user.name=Kari", "-c", "user.email=kari@couch-explorers.example"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_deploy_outside_of_git_has_no_commit(tmp_path):
    assert deploy.commit(tmp_path) == ""


def test_a_deploy_names_the_commit_and_whether_files_differ_from_it(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "app.py").write_text("one", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    clean = deploy.commit(tmp_path)
    (tmp_path / "app.py").write_text("two", encoding="utf-8")

    changed = deploy.commit(tmp_path)

    assert len(clean) == 7
    assert changed == f"{clean}+"


@pytest.mark.parametrize(("status", "made"), [(404, True), (503, False)])
def test_bucket_is_made_only_where_it_is_missing(status, made):
    """A service that is unavailable says nothing about what is there."""
    arguments = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    config = Config(retries={"total_max_attempts": 1})
    s3 = botocore.session.Session().create_client("s3", config=config, **arguments)
    session = SimpleNamespace(client=lambda _service: s3)
    with Stubber(s3) as stub:
        for _ in (deploy.PICTURE_BUCKET, deploy.STATE_BUCKET) if made else (deploy.PICTURE_BUCKET,):
            stub.add_client_error("head_bucket", service_error_code=str(status), http_status_code=status)
            if made:
                stub.add_response("create_bucket", {})
        if made:
            deploy.make_buckets(session)
        else:
            with pytest.raises(ClientError):
                deploy.make_buckets(session)
        stub.assert_no_pending_responses()
