"""A cloud in memory, and traces of the jobs that a test has put into it."""

import io
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from couch_explorers.core import jobs
from couch_explorers.oncall import evidence
from couch_explorers.oncall.job_timeline import trace
from tests.aws_fakes.services import DENIED
from tests.aws_fakes.validated import refusal

from .scenario import DEAD, MODELS, NOW, QUEUE, Cloud


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def workspace(cloud):
    return cloud.workspace()


@pytest.fixture
def job():
    """Make the job of an id as the worker reads it."""

    def made(job_id, prompt="A fjord", **fields):
        return jobs.parse(jobs.message_body(prompt, id=job_id, **fields), fallback_id=job_id, model_arns=MODELS)

    return made


@pytest.fixture
def stand():
    """The names that tests and fakes share."""
    return SimpleNamespace(QUEUE=QUEUE, DEAD=DEAD, NOW=NOW, MODELS=MODELS, DENIED=DENIED, refusal=refusal)


@pytest.fixture
def tell(workspace, stand):
    return lambda job_id, seconds=10: trace(workspace, job_id, now=stand.NOW + timedelta(seconds=seconds))


@pytest.fixture
def tell_local(cloud, stand, monkeypatch):
    """Tell a story on the local cloud, where the queues show these messages."""

    def tell(job_id, waiting=(), dead=()):
        def open_url(address, timeout_s):
            shown = dead if address.endswith("dead-letter") else waiting
            return io.BytesIO(json.dumps({"messages": list(shown)}).encode())

        monkeypatch.setattr(evidence, "open_url", open_url)
        return trace(cloud.workspace("local"), job_id, now=stand.NOW + timedelta(seconds=10))

    return tell


@pytest.fixture
def message(stand):
    """A message as the local cloud shows it, sent just now; `back_in` seconds until it can be received."""

    def made(job_id="a", back_in=0, receives=0, message_id="m-1"):
        now_s = stand.NOW.timestamp()
        return {
            "MessageId": message_id,
            "Body": json.dumps({"id": job_id, "prompt": "A fjord"}),
            "VisibleAt": int(now_s + 10 + back_in) if back_in else None,
            "MessageAttributes": {},
            "Attributes": {"SentTimestamp": str(int(now_s * 1000)), "ApproximateReceiveCount": str(receives)},
        }

    return made
