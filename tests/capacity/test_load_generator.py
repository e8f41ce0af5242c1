import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from couch_explorers.capacity.load_generator import LoadError, check_load, run_load
from couch_explorers.workspace import WorkspaceError
from tests.aws_fakes.validated import checked


@dataclass
class Bucket:
    """A queue whose jobs become images after `takes_s`, and those with an odd number a note that there is none."""

    takes_s: float = 0.0
    sent: list[tuple[float, str]] = field(default_factory=list)

    def send_message(self, **asked):
        self.sent.append((time.monotonic(), json.loads(asked["MessageBody"])["id"]))
        return {"MessageId": str(len(self.sent)), "MD5OfMessageBody": "0"}

    def list_objects_v2(self, **asked):
        done = [name for at, name in list(self.sent) if time.monotonic() - at >= self.takes_s]
        kinds = ["error.json" if int(name[-1]) % 2 else "png" for name in done]
        keys = [f"42/{name}.{kind}" for name, kind in zip(done, kinds, strict=True)]
        return {"Contents": [{"Key": key} for key in keys if key.startswith(asked["Prefix"])]}


@dataclass
class Place:
    """A workspace of which only the path under load is deployed."""

    bucket_client: Any = None
    api_url: str | None = None
    api_key_id: str | None = None
    api_is_signed: bool = False
    queue_url: str | None = None
    target: str = "local"
    bucket: str = "pictures"
    prefix: str = "42/"
    model_arns: tuple[str, ...] = ()

    def client(self, name):
        return checked(name, self.bucket_client)


class Answering(BaseHTTPRequestHandler):
    answers = (200,)
    takes_s = 0.0
    calls = 0
    lock = threading.Lock()

    def do_POST(self):
        kind = type(self)
        with kind.lock:
            status = kind.answers[kind.calls % len(kind.answers)]
            kind.calls += 1
        time.sleep(kind.takes_s)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def api():
    """A function that starts an API with these answers and gives its address."""
    servers = []

    def start(*answers, takes_s=0.0):
        handler = type("Handler", (Answering,), {"answers": answers, "takes_s": takes_s, "calls": 0})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_queue_load_counts_images_and_notes():
    place = Place(Bucket(), queue_url="http://127.0.0.1/jobs")

    result = run_load(place, users=20, minutes=0.01, via="queue")

    assert len(place.bucket_client.sent) == 20
    assert result.summary()["pictures"] == 10
    assert np.isfinite(result.requests["done_s"]).all()
    assert (np.diff(result.requests["intended_s"]) >= 0).all()


def test_wait_counts_from_when_a_person_wanted_to_ask(api):
    """A system that takes 0.3 s a request takes that long for everybody, however many come at once."""
    place = Place(api_url=api(200, takes_s=0.3))

    result = run_load(place, users=20, minutes=0.001, via="api")

    times = result.time_to_picture_s
    assert times.min() >= 0.3
    assert np.allclose(times, result.requests["done_s"] - result.requests["intended_s"])


def test_slow_answers_do_not_slow_the_load_down(api):
    place = Place(api_url=api(200, takes_s=0.5))

    result = run_load(place, users=20, minutes=0.02, via="api")

    # One after the other they would take ten seconds, and the last would leave after nine.
    assert result.requests["sent_s"].max() < 4


def test_answers_other_than_200_are_no_images(api):
    place = Place(api_url=api(200, 429))

    summary = run_load(place, users=10, minutes=0.001, via="api").summary()

    assert summary["by_status"] == {"200": 5, "429": 5}
    assert (summary["pictures"], summary["p95_s"]) == (5, None)


def test_api_that_breaks_the_connection_has_no_status(api):
    place = Place(api_url="http://127.0.0.1:1/")

    result = run_load(place, users=2, minutes=0.001, via="api")

    assert result.requests["status"].tolist() == [0, 0]
    assert result.requests["done_s"].isna().all()


def test_images_that_never_come_are_missing_after_the_patience():
    place = Place(Bucket(takes_s=1000), queue_url="http://127.0.0.1/jobs")

    result = run_load(place, users=2, minutes=0.001, via="queue", patience_s=0.5)

    assert np.isinf(result.time_to_picture_s).all()


def test_queue_that_refuses_a_message_ends_the_load():
    class Refusing(Bucket):
        def send_message(self, **_):
            raise RuntimeError("AccessDenied")

    with pytest.raises(RuntimeError, match="AccessDenied"):
        run_load(Place(Refusing(), queue_url="http://127.0.0.1/jobs"), users=2, minutes=0.001, via="queue")


@pytest.mark.parametrize("via", ["api", "queue"])
def test_path_that_is_not_deployed_is_named(via):
    with pytest.raises(WorkspaceError, match="is not deployed"):
        run_load(Place(), users=1, minutes=0.001, via=via)


@pytest.mark.parametrize(
    ("users", "minutes", "target", "limit", "message"),
    [
        (0, 1, "local", None, "--users is 0"),
        (10_001, 1, "local", None, "--users is 10001"),
        (10, 0, "local", None, "--minutes is 0"),
        (10, 61, "local", None, "--minutes is 61"),
        (10, float("nan"), "local", None, "--minutes is nan"),
        (100, 1, "aws", None, r"cost up to USD 4\.00: allow it with --max-cost-usd 4\.00"),
        (100, 1, "aws", 3.99, r"USD 4\.00, more than --max-cost-usd 3\.99"),
    ],
)
def test_load_out_of_bounds_is_refused(users, minutes, target, limit, message):
    with pytest.raises(LoadError, match=message):
        check_load(users, minutes, target, limit)


def test_load_within_its_limit_is_allowed():
    assert check_load(100, 1, "aws", 4.0) == 4.0


def test_nothing_is_sent_to_aws_without_a_limit():
    place = Place(Bucket(), queue_url="https://sqs.eu-west-1.amazonaws.com/1/jobs", target="aws")

    with pytest.raises(LoadError, match="--max-cost-usd"):
        run_load(place, users=1, minutes=0.001, via="queue")

    assert place.bucket_client.sent == []


def test_same_seed_brings_people_at_the_same_times(api):
    place = Place(api_url=api(200))

    one, other = (run_load(place, users=5, minutes=0.001, via="api", seed=4).requests["intended_s"] for _ in range(2))

    assert one.tolist() == other.tolist()
