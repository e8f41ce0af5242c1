import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from couch_explorers.local import process
from couch_explorers.local.engine import settings as engine_settings
from couch_explorers.local.process import end_orphan_processes
from couch_explorers.local.settings import DEFAULT_PORT, HOST, NO_AWS_FILES, tool_environment
from couch_explorers.paths import Home


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_a_folder_without_a_cloud_has_none_running(home):
    assert process.running(home) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_note_of_the_cloud_means_none_is_running(home, content):
    home.cloud_file.write_text(content)

    assert process.running(home) is None


def test_a_later_program_with_the_noted_process_id_is_left_alone(home):
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    home.cloud_file.write_text(json.dumps({"pid": bystander.pid}))

    sentence = process.stop(home)

    assert sentence == "The local cloud was not running."
    assert bystander.poll() is None
    bystander.communicate(b"\n")


def test_a_taken_port_names_its_holder_and_the_next_port(home):
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(process.CloudError) as refused:
            process.start(home, port)

    assert f"process {os.getpid()}" in str(refused.value)
    assert f"couch up --port {port + 1}" in str(refused.value)


def test_two_at_once_on_a_folder_are_told_to_wait(home):
    with (
        process.exclusive(home),
        pytest.raises(process.CloudError, match="Another `couch up`"),
        process.exclusive(home),
    ):
        pass


def test_erasing_forgets_everything_but_the_lock(home):
    (home.path / "state").mkdir()
    (home.path / "state" / "sqs.json").write_text("{}")
    home.deployment_file.write_text("{}")

    with process.exclusive(home):
        process.stop(home, erase=True)

    assert [item for item in home.path.iterdir() if item != home.lock_file] == []


def test_erasing_spares_what_was_paid_for_on_aws_and_what_people_said(home):
    for path in (home.images("aws") / "image-1.png", home.runs("aws") / "run" / "run.json", home.ratings("local")):
        path.parent.mkdir(parents=True)
        path.touch()
    for path in (home.images("local") / "image-1.png", home.runs("local") / "run" / "run.json"):
        path.parent.mkdir(parents=True)
        path.touch()

    with process.exclusive(home):
        process.stop(home, erase=True)

    kept = {path.relative_to(home.path).as_posix() for path in home.path.rglob("*") if path.is_file()}
    assert kept - {"lock"} == {"images/aws/image-1.png", "runs/aws/run/run.json", "ratings/local.jsonl"}


def test_a_cloud_that_is_gone_is_reported_with_the_command_that_starts_it(home):
    gone = process.Cloud(pid=1, port=9, endpoint=f"http://{HOST}:9", started="")

    with pytest.raises(process.CloudError, match="couch up"):
        gone.ask("GET", "/_couch/stats")


def test_nothing_of_the_users_aws_settings_and_proxies_reaches_the_server(home, monkeypatch):
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_SQS",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, "theirs")

    environment = engine_settings.server_environment(home, 4566)

    assert "theirs" not in environment.values()
    assert {name for name in environment if name.startswith("AWS_")} == {*NO_AWS_FILES, "AWS_EC2_METADATA_DISABLED"}
    assert "127.0.0.1" in environment["NO_PROXY"].split(",")


def test_the_server_listens_on_this_machine_only_and_checks_rights(home):
    environment = engine_settings.server_environment(home, 4566)

    assert environment["GATEWAY_LISTEN"] == "127.0.0.1:4566"
    assert environment["IAM_ENFORCEMENT"] == "1"


def test_a_tool_that_deploys_keeps_the_users_proxies_but_not_for_the_local_cloud(home, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "intranet.example")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "theirs")
    monkeypatch.setenv("TF_VAR_candidate", "7")
    monkeypatch.setenv("TF_WORKSPACE", "theirs")

    environment = tool_environment("http://127.0.0.1:4566")

    assert environment["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "intranet.example,127.0.0.1,localhost,::1"
    assert not {"AWS_PROFILE", "TF_VAR_candidate", "TF_WORKSPACE"} & environment.keys()
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


@pytest.fixture
def deployed_on_5000(home):
    home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": "http://127.0.0.1:5000"}}))


def test_a_new_cloud_gets_the_asked_port_or_the_default(home):
    assert process.choose_port(home, None) == DEFAULT_PORT
    assert process.choose_port(home, 5001) == 5001


def test_a_cloud_comes_back_on_the_port_that_it_was_deployed_on(home, deployed_on_5000):
    assert process.choose_port(home, None) == 5000
    assert process.choose_port(home, 5000) == 5000


def test_what_is_deployed_is_not_moved_away_from_the_address_of_its_queues(home, deployed_on_5000):
    with pytest.raises(
        process.CloudError, match=r"belongs to port 5000: .* couch down --erase, then couch up --port 5001"
    ):
        process.choose_port(home, 5001)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"workspace": {"endpoint": null}}'])
def test_a_damaged_note_of_the_deploy_names_no_port(home, content):
    home.deployment_file.write_text(content)

    assert process.choose_port(home, None) == DEFAULT_PORT


def test_nobody_whose_port_is_taken_is_sent_to_one_that_would_be_refused(home):
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": f"http://127.0.0.1:{port}"}}))

        with pytest.raises(process.CloudError) as refused:
            process.require_free_port(home, port)

    assert f"couch down --erase, then couch up --port {port + 1}" in str(refused.value)
    assert "or choose another port" not in str(refused.value)


@pytest.fixture
def started():
    """Start a stand-in for a program under its name, in a folder; ended afterwards."""
    processes = []

    def start(name, folder, *words):
        script = folder / name
        script.write_text("import sys; print('ready', flush=True); sys.stdin.read()")
        child = subprocess.Popen(
            [sys.executable, str(script), *words], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.readline()
        processes.append(child)
        return child

    yield start
    for child in processes:
        child.kill()
        child.communicate()


@pytest.fixture
def deploy_home(tmp_path):
    (tmp_path / "home" / "infra").mkdir(parents=True)
    return Home(tmp_path / "home")


def test_a_terraform_that_works_in_the_folder_is_ended(deploy_home, started):
    process = started("terraform", deploy_home.path / "infra", "apply")

    assert end_orphan_processes(deploy_home)
    assert not psutil.pid_exists(process.pid)


def test_a_sam_that_builds_into_the_folder_is_ended(deploy_home, started, tmp_path):
    process = started("sam", tmp_path, "build", "--build-dir", str(deploy_home.path / "sam" / "build"))

    assert end_orphan_processes(deploy_home)
    assert not psutil.pid_exists(process.pid)


@pytest.mark.parametrize("name", ["editor", "bash"])
def test_another_program_that_stands_in_the_folder_is_left_alone(deploy_home, started, name):
    process = started(name, deploy_home.path / "infra", str(deploy_home.path))

    assert end_orphan_processes(deploy_home) == []
    assert process.poll() is None


def test_a_terraform_of_another_folder_is_left_alone(deploy_home, started, tmp_path):
    process = started("terraform", tmp_path, "apply")

    assert end_orphan_processes(deploy_home) == []
    assert process.poll() is None


def test_this_process_is_never_a_leftover(deploy_home):
    assert os.getpid()
    assert end_orphan_processes(deploy_home) == []
