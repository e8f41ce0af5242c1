"""The client against a real server on the loopback: what is sent again, and what never is."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest

from couch_explorers.core import generation
from couch_explorers.core.errors import (
    AccessDeniedError,
    GenerationError,
    ModelTimeoutError,
    ModelUnavailableError,
    OutOfTimeError,
    ThrottledError,
)


class BedrockServer(ThreadingHTTPServer):
    """Answers each request as the next entry of `script` says and counts the requests."""

    daemon_threads = True

    def __init__(self, picture):
        super().__init__(("127.0.0.1", 0), Handler)
        self.good = json.dumps(
            {"seeds": [1], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}
        ).encode()
        self.script = []
        self.requests = 0
        self.test_is_over = threading.Event()

    def handle_error(self, request, client_address):
        """Keep quiet when a client hangs up, as one that has waited too long does."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.requests += 1
        step = server.script.pop(0) if server.script else "picture"
        if step == "silence":
            server.test_is_over.wait(30)
        elif step == "hang up":
            self.close_connection = True
        elif step == "silence after the headers":
            self._answer(200, server.good, sent=10)
            server.test_is_over.wait(30)
        elif step == "picture":
            self._answer(200, server.good)
        else:
            status, error = step
            self._answer(status, json.dumps({"message": "No."}).encode(), error=error)

    def _answer(self, status, body, *, error=None, sent=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(picture):
    with BedrockServer(picture) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.test_is_over.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    """Collect the seconds that botocore would have slept between two attempts, and sleep none of them."""
    seconds = []
    real = __import__("botocore.endpoint").endpoint
    monkeypatch.setattr(real, "time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture
def make_client(server, waits, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{server.server_port}")
    # The environment must not weigh in: these would change how often botocore tries.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    clients = []

    def make(attempts=3, read_timeout_s=5.0, time_left_s=None):
        session = boto3.session.Session("access", "secret")
        clients.append(
            generation.bedrock_client(
                "us-west-2", attempts=attempts, read_timeout_s=read_timeout_s, time_left_s=time_left_s, session=session
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "trouble",
    [
        (429, "ThrottlingException"),
        (429, "ModelNotReadyException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
        "hang up",
    ],
    ids=str,
)
def test_trouble_that_passes_is_tried_again_until_the_picture_comes(
    make_client, make_job, server, waits, picture, trouble
):
    server.script = [trouble, trouble]

    assert generation.invoke(make_client(attempts=3), make_job()) == picture

    assert server.requests == 3
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ((429, "ThrottlingException"), ThrottledError),
        ((429, "ModelNotReadyException"), ThrottledError),
        ((503, "ServiceUnavailableException"), ModelUnavailableError),
        ("hang up", ModelUnavailableError),
    ],
    ids=str,
)
def test_trouble_that_stays_is_tried_as_often_as_configured(make_client, make_job, server, trouble, kind):
    server.script = [trouble] * 5

    with pytest.raises(kind):
        generation.invoke(make_client(attempts=2), make_job())

    assert server.requests == 2


@pytest.mark.parametrize("silence", ["silence", "silence after the headers"])
def test_a_read_time_out_is_never_tried_again_because_the_picture_may_be_paid(
    make_client, make_job, server, waits, silence
):
    server.script = [silence]

    with pytest.raises(ModelTimeoutError):
        generation.invoke(make_client(attempts=4, read_timeout_s=0.5), make_job())

    assert server.requests == 1
    assert waits == []


def test_a_read_time_out_after_a_throttle_ends_the_attempts(make_client, make_job, server):
    server.script = [(429, "ThrottlingException"), "silence"]

    with pytest.raises(ModelTimeoutError):
        generation.invoke(make_client(attempts=4, read_timeout_s=0.5), make_job())

    assert server.requests == 2


def test_a_read_time_out_leaves_the_client_its_retries(make_client, make_job, server, picture):
    client = make_client(attempts=2, read_timeout_s=0.5)
    server.script = ["silence", (429, "ThrottlingException"), "picture"]

    with pytest.raises(ModelTimeoutError):
        generation.invoke(client, make_job())

    assert generation.invoke(client, make_job()) == picture
    assert server.requests == 3


@pytest.mark.parametrize(
    "trouble",
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (408, "ModelTimeoutException"),
    ],
    ids=str,
)
def test_an_answer_that_would_be_the_same_again_is_asked_for_once(make_client, make_job, server, trouble):
    server.script = [trouble]

    with pytest.raises(GenerationError):
        generation.invoke(make_client(), make_job())

    assert server.requests == 1


def test_a_service_that_is_not_there_is_unavailable(make_client, make_job, monkeypatch, server):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")

    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        generation.invoke(make_client(attempts=1), make_job())


def test_as_many_connections_stay_open_as_threads_were_named():
    session = boto3.session.Session("access", "secret")

    few, many = (
        generation.bedrock_client("us-west-2", attempts=1, read_timeout_s=1, session=session, **more)
        for more in ({}, {"max_pool_connections": 64})
    )

    assert (few.meta.config.max_pool_connections, many.meta.config.max_pool_connections) == (10, 64)
    few.close()
    many.close()


@pytest.mark.parametrize(("given", "seconds"), [({}, 5.0), ({"connect_timeout_s": 2.0}, 2.0)])
def test_connection_is_waited_for_only_so_long(given, seconds):
    session = boto3.session.Session("access", "secret")

    client = generation.bedrock_client("us-west-2", attempts=1, read_timeout_s=1, session=session, **given)

    assert client.meta.config.connect_timeout == seconds
    client.close()


def test_a_caller_without_credentials_is_told_so(make_client, make_job, server, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    client = generation.bedrock_client("us-west-2", attempts=1, read_timeout_s=1, session=boto3.session.Session())

    with pytest.raises(AccessDeniedError, match="No AWS credentials"):
        generation.invoke(client, make_job())

    client.close()
    assert server.requests == 0


def test_a_call_that_could_outlive_its_caller_is_never_begun(server, make_client, make_job):
    client = make_client(read_timeout_s=5.0, time_left_s=lambda: 4.9)

    with pytest.raises(OutOfTimeError, match=r"4\.9 s are left, and an answer may take 5\.0 s") as refused:
        generation.invoke(client, make_job())

    assert refused.value.passing
    assert server.requests == 0


def test_a_retry_that_could_outlive_its_caller_is_never_begun(server, make_client, make_job):
    left = iter([20.0, 4.0])
    client = make_client(read_timeout_s=5.0, time_left_s=lambda: next(left))
    server.script = [(429, "ThrottlingException")]

    with pytest.raises(OutOfTimeError):
        generation.invoke(client, make_job())

    assert server.requests == 1


def test_with_time_enough_the_picture_comes(server, make_client, make_job):
    client = make_client(read_timeout_s=5.0, time_left_s=lambda: 5.0)

    assert generation.invoke(client, make_job())
