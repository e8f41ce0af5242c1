"""What is reported of a local cloud that is well, and of one that does not answer: whatever else may be the case."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers.local import process as local_cloud
from couch_explorers.local.settings import HOST
from couch_explorers.paths import Home

pytestmark = pytest.mark.programs

COUCH = str(Path(sys.executable).with_name("couch"))
DEAD = f"http://{HOST}:9"

# A process that looks like the server of a local cloud, and on its port gives an answer, nothing at all, or is not there.
# Its arguments: the bytes of the answer, then those of the real server. It says when it is ready.
IMPOSTOR = """
import json, os, socket, sys
answer, port = sys.argv[1], int(sys.argv[-1])
if answer != "deaf":
    listening = socket.create_server(("127.0.0.1", port))
print("ready", flush=True)
while answer != "deaf":
    connection, _ = listening.accept()
    if answer == "silent":
        kept = connection
        continue
    connection.recv(65536)
    body = answer.replace("PID", str(os.getpid()))
    if not answer.startswith("SSH"):
        body = f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}"
    connection.sendall(body.encode())
    connection.close()
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(local_cloud, "HEALTH_TIMEOUT_S", 1.0)
    monkeypatch.setattr(local_cloud, "BUSY_DEADLINE_S", 0.0)
    monkeypatch.setattr(local_cloud, "START_DEADLINE_S", 0.0)
    return Home(tmp_path)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@contextmanager
def impostor(answer, port, module=local_cloud.SERVER):
    process = subprocess.Popen(
        [sys.executable, "-c", IMPOSTOR, answer, module, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def healthy_answer(home):
    return f'{{"pid": PID, "home": {json.dumps(str(home.path))}}}'


def note(home, pid, port):
    home.cloud_file.write_text(json.dumps(asdict(local_cloud.Cloud(pid, port, f"http://{HOST}:{port}", "2026-11-26"))))


def ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_healthy_cloud_is_found_by_its_note(home, port):
    with impostor(healthy_answer(home), port) as process:
        note(home, process.pid, port)

        assert local_cloud.health(home) == local_cloud.Health(local_cloud.running(home))
        assert local_cloud.required(home).pid == process.pid
        assert local_cloud.start(home)[1] == "runs"


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"pid": 1}', '{"pid": "x", "port": 1, "endpoint": "", "started": ""}']
)
def test_a_healthy_cloud_whose_note_was_lost_is_found_on_its_port_and_noted_anew(home, port, content):
    home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": f"http://{HOST}:{port}"}}))
    if content is not None:
        home.cloud_file.write_text(content)

    with impostor(healthy_answer(home), port) as process:
        here, what_was_done = local_cloud.start(home)

        assert (here.pid, here.port, what_was_done) == (process.pid, port, "runs")
        assert json.loads(home.cloud_file.read_text())["pid"] == process.pid
        assert local_cloud.stop(home).startswith("The local cloud is stopped")
        process.wait(timeout=30)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_healthy_cloud_is_asked_without_the_proxy(home, port, monkeypatch, variable):
    monkeypatch.setenv(variable, f"http://{HOST}:9")

    with impostor(healthy_answer(home), port) as process:
        note(home, process.pid, port)

        assert local_cloud.running(home).pid == process.pid


def test_a_process_that_has_ended_is_named(home, port):
    pid = ended_process()
    note(home, pid, port)

    health = local_cloud.health(home)

    assert (health.cloud, health.process) == (None, None)
    assert health.problem == (
        f"The local cloud is not running: its process {pid} has ended without being stopped. Start it: couch up"
    )


def test_a_process_that_is_suspended_is_named_with_the_command_that_lets_it_go_on(home, port):
    with impostor(healthy_answer(home), port) as process:
        note(home, process.pid, port)
        os.kill(process.pid, signal.SIGSTOP)
        wait_for_status(process.pid, psutil.STATUS_STOPPED)

        problem = local_cloud.health(home).problem
        with pytest.raises(local_cloud.CloudError) as refused:
            local_cloud.start(home)

        assert f"kill -CONT {process.pid}" in problem
        assert "suspended" in problem
        assert str(refused.value) == problem
        assert process.poll() is None
        os.kill(process.pid, signal.SIGCONT)
        assert local_cloud.running(home).pid == process.pid


@pytest.mark.parametrize(("answer", "words"), [("silent", "busy or hangs"), ("deaf", "starting or stopping")])
def test_a_process_that_does_not_answer_is_named_and_left_alone(home, port, answer, words):
    with impostor(answer, port) as process:
        note(home, process.pid, port)

        health = local_cloud.health(home)
        with pytest.raises(local_cloud.CloudError, match=f"process {process.pid}.*{words}.*couch down"):
            local_cloud.start(home)

        assert words in health.problem
        assert health.process.pid == process.pid
        assert process.poll() is None
        assert json.loads(home.cloud_file.read_text())["pid"] == process.pid


def test_a_process_that_is_still_starting_is_waited_for(home, port, monkeypatch):
    monkeypatch.setattr(local_cloud, "BUSY_DEADLINE_S", 60.0)
    with impostor("deaf", port) as starting:
        note(home, starting.pid, port)
        looks = []

        def health(folder):
            looks.append(folder)
            return (
                asked(folder) if len(looks) < 3 else local_cloud.Health(local_cloud.Cloud(starting.pid, port, "", ""))
            )

        asked = local_cloud.health
        monkeypatch.setattr(local_cloud, "health", health)

        assert local_cloud.start(home)[0].pid == starting.pid


@pytest.mark.parametrize(
    "answer",
    [
        '{"pid": 1, "home": "/somewhere/else"}',
        "[]",
        "null",
        "<html>Sign in</html>",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "{",
        "\x01",
    ],
)
def test_another_program_on_the_port_is_named(home, port, answer):
    pid = ended_process()
    note(home, pid, port)

    with impostor(answer, port, "another.program") as other:
        problem = local_cloud.health(home).problem
        with pytest.raises(local_cloud.CloudError, match=rf"Port {port} is taken by .*process {other.pid}"):
            local_cloud.start(home, port)

        assert f"(process {other.pid})" in problem
        assert "not this folder's local cloud" in problem
        assert ("/somewhere/else" in problem) == ("/somewhere/else" in answer)
        assert other.poll() is None


def test_another_program_that_keeps_silent_on_the_port_is_named(home, port):
    note(home, ended_process(), port)

    with impostor("silent", port, "another.program") as other:
        assert f"(process {other.pid}) holds port {port} without an answer" in local_cloud.health(home).problem


def test_a_later_cloud_with_the_noted_process_id_is_left_alone(home, port):
    with impostor("deaf", port) as of_another_folder:
        note(home, of_another_folder.pid, port + 1 if port < 65535 else port - 1)

        assert local_cloud.stop(home) == "The local cloud was not running."
        assert of_another_folder.poll() is None


def test_a_suspended_cloud_that_is_to_stop_goes_on_so_that_it_can_save(home, port):
    with impostor("deaf", port) as process:
        note(home, process.pid, port)
        os.kill(process.pid, signal.SIGSTOP)

        assert local_cloud.stop(home) == "The local cloud is stopped; `couch up` brings everything back."
        assert not psutil.pid_exists(process.pid)


def as_json(value):
    return json.dumps(value).encode()


notes = st.one_of(
    st.just(b"[" * 100_000),
    st.binary(),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5).map(as_json),
    st.fixed_dictionaries(
        {},
        optional={
            "pid": st.integers(-(2**70), 2**70) | st.text() | st.none(),
            "port": st.integers(-(2**20), 2**20) | st.text() | st.booleans(),
            "endpoint": st.text() | st.integers(),
            "started": st.text() | st.none(),
            "more": st.none(),
        },
    ).map(as_json),
)


@given(content=notes)
def test_no_note_of_the_cloud_is_a_defect(tmp_path_factory, content):
    home = Home(tmp_path_factory.mktemp("home"))
    # A free port, so that nothing which happens to run on this machine answers.
    with socket.socket() as held, pytest.MonkeyPatch.context() as patch:
        held.bind((HOST, 0))
        patch.setattr(local_cloud, "deployed_port", lambda _home: held.getsockname()[1])
        patch.setattr(local_cloud, "HEALTH_TIMEOUT_S", 0.2)
        home.cloud_file.write_bytes(content)

        health = local_cloud.health(home)

    assert health.cloud is None
    assert health.problem.endswith(("couch up", "couch down"))


def wait_for_status(pid, status):
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != status:
            pass


def test_env_points_every_tool_of_a_shell_at_the_cloud_and_away_from_proxies_and_the_users_settings(home, port):
    user = {
        "AWS_PROFILE": "theirs",
        "AWS_ENDPOINT_URL_SQS": "http://elsewhere",
        "http_proxy": DEAD,
        "no_proxy": "a.example",
    }
    with impostor(healthy_answer(home), port) as process:
        note(home, process.pid, port)
        environment = {**os.environ, **user, "COUCH_HOME": str(home.path), "COUCH": COUCH}
        seen = subprocess.run(
            ["bash", "-c", 'eval "$("$COUCH" env)" && env'], env=environment, capture_output=True, text=True, check=True
        ).stdout

    variables = dict(line.split("=", 1) for line in seen.splitlines() if "=" in line)
    assert {name for name in variables if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    }
    assert variables["AWS_ENDPOINT_URL"] == f"http://{HOST}:{port}"
    assert variables["NO_PROXY"] == variables["no_proxy"]
    assert set(variables["NO_PROXY"].split(",")) == {"a.example", "127.0.0.1", "localhost", "::1"}
    assert variables["http_proxy"] == DEAD


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_doctor_behind_a_dead_proxy_finds_the_cloud(home, port, variable):
    with impostor(healthy_answer(home), port) as process:
        note(home, process.pid, port)
        done = subprocess.run(
            [COUCH, "doctor", "--json"],
            env={**os.environ, variable: DEAD, "COUCH_HOME": str(home.path)},
            capture_output=True,
            text=True,
            check=False,
        )

    found = {finding["name"]: finding for finding in json.loads(done.stdout)}["local cloud"]
    assert (found["verdict"], found["detail"]) == ("OK", f"http://{HOST}:{port}, process {process.pid}")
