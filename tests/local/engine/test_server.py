"""The server's process: its own addresses, what it refuses, how it starts and stops."""

import json
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.local.engine.settings import ENGINE_PYTHON, server_environment
from couch_explorers.paths import Home
from tests.local.engine.conftest import serve

# What a stop may take by the budget, and what a busy machine may add to it.
STOP_S = 5.0
PATIENCE_S = 10.0
NO_RETRY = Config(retries={"max_attempts": 0}, read_timeout=60)


def test_health_names_process_and_folder(engine_cloud):
    status, health, _ = engine_cloud.ask("GET", "/_couch/health")

    assert (status, health) == (200, {"pid": engine_cloud.process.pid, "home": str(engine_cloud.home)})


def test_only_loopback_is_listened_on(engine_cloud):
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(engine_cloud.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


# Python runs a `sitecustomize` at its start; this one notes each name that is looked up and each address that is connected to.
NOTE_CONNECTIONS = """
import sys

def note(host):
    with open({log!r}, "a") as log:
        print(host, file=log)

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        note(arguments[0])
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        note(arguments[1][0])

note("watching " + sys.argv[0])
sys.addaudithook(watch)
"""


def test_only_loopback_is_connected_to(tmp_path):
    log = tmp_path / "connections"
    hook = tmp_path / "hook" / "sitecustomize.py"
    hook.parent.mkdir()
    hook.write_text(NOTE_CONNECTIONS.format(log=str(log)))

    with serve(tmp_path / "home", path=[hook.parent]) as cloud:
        address = cloud.client("sns").create_topic(Name="alarms")["TopicArn"]
        cloud.client("sns").subscribe(TopicArn=address, Protocol="email", Endpoint="someone@example.com")
        cloud.client("s3").create_bucket(
            Bucket="nobody-asked", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        queue = cloud.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="a castle")
        cloud.client("cloudwatch").put_metric_data(Namespace="Couch", MetricData=[{"MetricName": "Jobs", "Value": 1}])
        cloud.client("bedrock-runtime", region_name="us-east-1").invoke_model(
            modelId="amazon.nova-canvas-v1:0",
            body=json.dumps({"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a castle"}}),
        )

    noted = log.read_text().splitlines()
    # The server and the painter.
    assert sum(line.startswith("watching ") for line in noted) >= 2
    assert {line for line in noted if not line.startswith("watching ")} <= {"127.0.0.1", "localhost"}


@pytest.mark.parametrize(
    "path", ["/_localemu/health", "/_localemu/dashboard", "/_localemu/api/export", "/_localemu/init"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_administration_of_the_engine_is_closed(engine_cloud, method, path):
    status, answer, _ = engine_cloud.ask(method, path, {"action": "kill"} if method == "POST" else None)

    assert status == 404
    assert "/_couch/" in answer["error"]


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("dynamodb", "list_tables", {}),
        ("ec2", "describe_instances", {}),
        ("route53", "list_hosted_zones", {}),
        ("stepfunctions", "list_state_machines", {}),
    ],
)
def test_service_that_is_off_is_named(engine_cloud, service, operation, arguments):
    with pytest.raises(ClientError) as refused:
        getattr(engine_cloud.client(service, config=NO_RETRY), operation)(**arguments)

    assert refused.value.response["Error"]["Message"] == (
        f"The local cloud does not offer the service {service} (README.md, Differences from AWS)."
    )
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_settings_of_the_user_stay_outside(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "DEBUG", "PROVIDER_OVERRIDE_SQS", "HTTPS_PROXY", "LOCALEMU_VOLUME_DIR", "SERVICES"):
        monkeypatch.setenv(name, "of the user")
    monkeypatch.setenv("COUCH_REQUEST_LOG", "requests.jsonl")

    environment = server_environment(Home(tmp_path), 4566)

    assert "of the user" not in environment.values()
    assert environment["COUCH_REQUEST_LOG"] == "requests.jsonl"
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_upload_with_expect_continue_gets_reason_phrases(engine_cloud):
    engine_cloud.client("s3").create_bucket(
        Bucket="asked-first", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    head = b"PUT /asked-first/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"

    with socket.create_connection(("127.0.0.1", engine_cloud.port), timeout=60) as connection:
        connection.sendall(head)
        go_ahead = connection.recv(1000)
        connection.sendall(b"data")
        answer = connection.recv(1000)

    assert go_ahead == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")


# Stops


@pytest.fixture
def cloud(tmp_path):
    with serve(tmp_path / "home") as running:
        yield running


def stop(cloud, *, signals=1):
    """End the server as `couch down` does; fails when it hangs."""
    for _ in range(signals):
        cloud.process.send_signal(signal.SIGTERM)
    cloud.process.wait(STOP_S + PATIENCE_S)


def test_idle_server_stops_in_order(cloud):
    stop(cloud)

    assert cloud.process.returncode == 0
    assert "Stopped" in cloud.log
    assert "Traceback" not in cloud.log


def test_long_poll_does_not_keep_the_server(cloud):
    sqs = cloud.client("sqs", config=NO_RETRY)
    queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    polling = threading.Event()

    def poll():
        polling.set()
        with pytest.raises((BotoCoreError, ClientError)):
            sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll)
        assert polling.wait(60)
        stop(cloud)
        waiting.result()


def test_second_signal_changes_nothing(cloud):
    stop(cloud, signals=2)

    assert cloud.process.returncode == 0
    assert cloud.log.count("Stopping (SIGTERM)") == 1


def test_open_connection_does_not_keep_the_server(cloud):
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        # Half of a request, whose rest never comes.
        connection.sendall(b"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        stop(cloud)

    assert cloud.process.returncode in (0, 1)


def test_port_that_is_taken_ends_the_start(engine_cloud, tmp_path):
    environment = server_environment(Home(tmp_path), engine_cloud.port)
    done = subprocess.run(
        [ENGINE_PYTHON, "-m", "couch_explorers.local.engine.server", str(engine_cloud.port)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert list(tmp_path.iterdir()) == []
