import errno
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from couch_explorers import generate_image
from couch_explorers.core import image_models
from couch_explorers.files import OutputError
from couch_explorers.generate_image import PaintingError, paint
from couch_explorers.workspace import Workspace
from tests.aws_fakes.queues import ServedQueue
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked

PNG = b"\x89PNG whatever comes then"


def queue_of(worker):
    """Make a queue that hands each job at once to the worker."""
    return ServedQueue(lambda body: worker(json.loads(body)))


@pytest.fixture
def s3():
    return Bucket("bucket")


@pytest.fixture
def workspace(s3):
    """A workspace with what the test deploys on it."""

    def made(queue=None, api_url=None):
        session = type(
            "Session", (), {"client": lambda _self, service, **_: checked(service, {"s3": s3, "sqs": queue}[service])}
        )()
        return Workspace(
            "local", session, "42", "eu-west-1", "bucket", "42", api_url=api_url,
            queue_url="https://queue" if queue else None, model_arns=(image_models.get(image_models.DEFAULT_MODEL_ID).arn,),
        )  # fmt: skip

    return made


@pytest.fixture
def api():
    """An API that answers once with the given status and body."""
    servers = []

    def answering(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/generate-image"

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_queued_job_is_saved_as_soon_as_its_picture_is_there(workspace, s3, tmp_path):
    queue = queue_of(lambda job: s3.put(f"42/{job['id']}.png", PNG))

    painted = paint(workspace(queue), "A fjord", folder=tmp_path, via="queue", seed=7)

    assert painted.file.read_bytes() == PNG
    assert painted.uri == f"s3://bucket/42/{json.loads(queue.bodies[0])['id']}.png"
    assert (painted.seed, painted.model) == (7, image_models.DEFAULT_MODEL_ID)


def test_a_queued_job_that_was_given_up_on_is_reported_with_its_reason(workspace, s3, tmp_path):
    note = json.dumps({"reason": "ContentFiltered", "detail": "The prompt was blocked."}).encode()
    queue = queue_of(lambda job: s3.put(f"42/{job['id']}.error.json", note))

    with pytest.raises(PaintingError, match=r"ContentFiltered: The prompt was blocked\."):
        paint(workspace(queue), "A fjord", folder=tmp_path, via="queue")


def test_a_queued_job_that_takes_too_long_is_reported_as_not_lost(workspace, tmp_path):
    queue = queue_of(lambda job: None)

    with pytest.raises(PaintingError, match="not lost"):
        paint(workspace(queue), "A fjord", folder=tmp_path, via="queue", deadline_s=0.2)


@pytest.mark.parametrize("prompt", ["", "   ", "x" * 10_001, "x" * 1024 * 1024])
def test_a_prompt_that_no_model_takes_is_refused_before_anything_is_sent(workspace, tmp_path, prompt):
    queue = queue_of(lambda job: None)

    with pytest.raises(PaintingError, match=r"prompt"):
        paint(workspace(queue), prompt, folder=tmp_path, via="queue")

    assert queue.bodies == []


@pytest.mark.parametrize("via", ["api", "queue"])
def test_a_path_that_is_not_deployed_is_reported_with_the_command_that_deploys_it(workspace, tmp_path, via):
    with pytest.raises(PaintingError, match="couch up"):
        paint(workspace(), "A fjord", folder=tmp_path, via=via)


def test_an_answer_of_the_api_is_the_key_of_the_picture(workspace, s3, api, tmp_path):
    s3.put("42/made.png", PNG)

    painted = paint(workspace(api_url=api(200, '{"key": "42/made.png"}')), "A fjord", folder=tmp_path)

    assert painted.uri == "s3://bucket/42/made.png"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            '{"error": "Throttled", "detail": "Too many requests.", "request_id": "r-1"}',
            r"Throttled: Too many .* request r-1",
        ),
        ("<html>a proxy's page</html>", "HTTP 429: <html>"),
    ],
)
def test_a_refusal_of_the_api_is_one_sentence(workspace, api, tmp_path, body, sentence):
    with pytest.raises(PaintingError, match=sentence):
        paint(workspace(api_url=api(429, body)), "A fjord", folder=tmp_path)


def test_an_api_that_is_gone_is_reported_by_its_address(workspace, tmp_path):
    with pytest.raises(PaintingError, match=r"http://127\.0\.0\.1:9/"):
        paint(workspace(api_url="http://127.0.0.1:9/"), "A fjord", folder=tmp_path)


def test_a_folder_that_cannot_be_written_is_reported_before_anything_is_sent(workspace, tmp_path):
    (tmp_path / "file").write_text("here")
    queue = queue_of(lambda job: None)

    with pytest.raises(OutputError, match=r"The picture cannot be written into .*file \(it is a file\)"):
        paint(workspace(queue), "A fjord", folder=tmp_path / "file", via="queue")

    assert queue.bodies == []


def test_a_picture_whose_copy_cannot_be_kept_says_where_it_lies(workspace, s3, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(generate_image, "write_whole", full)
    queue = queue_of(lambda job: s3.put(f"42/{job['id']}.png", PNG))

    with pytest.raises(PaintingError) as raised:
        paint(workspace(queue), "A fjord", folder=tmp_path, via="queue")

    assert str(raised.value) == (
        f"The picture was made and lies at s3://bucket/42/{json.loads(queue.bodies[0])['id']}.png; "
        f"no copy could be written into {tmp_path}: No space left on device."
    )
