import json
import socket

import pytest

from couch_explorers.local import ports
from couch_explorers.local.settings import DEFAULT_PORT, HOST
from couch_explorers.paths import Home


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def deployed_on_5000(home):
    home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": "http://127.0.0.1:5000"}}))


def test_a_new_cloud_gets_the_asked_port_or_the_default(home):
    assert ports.choose(home, None) == DEFAULT_PORT
    assert ports.choose(home, 5001) == 5001


def test_a_cloud_comes_back_on_the_port_that_it_was_deployed_on(home, deployed_on_5000):
    assert ports.choose(home, None) == 5000
    assert ports.choose(home, 5000) == 5000


def test_what_is_deployed_is_not_moved_away_from_the_address_of_its_queues(home, deployed_on_5000):
    with pytest.raises(
        ports.CloudError, match=r"belongs to port 5000: .* couch down --erase, then couch up --port 5001"
    ):
        ports.choose(home, 5001)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"workspace": {"endpoint": null}}'])
def test_a_damaged_note_of_the_deploy_names_no_port(home, content):
    home.deployment_file.write_text(content)

    assert ports.choose(home, None) == DEFAULT_PORT


def test_nobody_whose_port_is_taken_is_sent_to_one_that_would_be_refused(home):
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        home.deployment_file.write_text(json.dumps({"workspace": {"endpoint": f"http://127.0.0.1:{port}"}}))

        with pytest.raises(ports.CloudError) as refused:
            ports.require_free(home, port)

    assert f"couch down --erase, then couch up --port {port + 1}" in str(refused.value)
    assert "or choose another port" not in str(refused.value)
