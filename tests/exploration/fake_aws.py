"""A bucket and image models in memory, behind the session of a real Workspace, for many threads at once."""

from __future__ import annotations

import base64
import io
import json
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

from PIL import Image

from couch_explorers.core import generation, image_models, png
from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.sweep_spec import Cell, picture_job
from couch_explorers.workspace import Workspace
from tests.aws_fakes.services import Bucket, ModelCatalogue
from tests.aws_fakes.validated import checked

BUCKET = "pictures"


def drawn(seed=0, size=(48, 32)):
    """A small real picture, another one for each seed."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (seed % 256, seed // 256 % 256, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def painted(job):
    """The picture as a run keeps it, with its parameters inside."""
    created = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return png.add_parameters(drawn(job.seed), generation.parameters_of(job, seed=job.seed, created=created))


class FakeModels:
    """Paints at once; `answer(seed)` may give other bytes, block or raise instead."""

    def __init__(self):
        self.asked = []
        self.most_open = 0
        self.answer = drawn
        self._open = 0
        self._lock = threading.Lock()
        self.meta = SimpleNamespace(events=SimpleNamespace(register_first=lambda *_: None))

    def invoke_model(self, *, body, **_):
        request = json.loads(body)
        seed = request["seed"] if "seed" in request else request["imageGenerationConfig"]["seed"]
        with self._lock:
            self.asked.append(seed)
            self._open += 1
            self.most_open = max(self.most_open, self._open)
        try:
            picture = self.answer(seed)
        finally:
            with self._lock:
                self._open -= 1
        answer = {"seeds": [seed], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}
        return {"body": io.BytesIO(json.dumps(answer).encode()), "contentType": "application/json"}


class FakeSession:
    def __init__(self):
        self.s3, self.models, self.catalogue = Bucket(BUCKET), FakeModels(), ModelCatalogue()

    def client(self, service, **_):
        fakes = {"s3": self.s3, "bedrock-runtime": self.models, "bedrock": self.catalogue}
        return checked(service, fakes[service])


def fake_workspace():
    return Workspace("local", FakeSession(), "42", "eu-west-1", BUCKET, "42")


def make_cells(count, model_id=DEFAULT_MODEL_ID):
    """Cells that differ in their seed, which is their number."""
    model = image_models.get(model_id)
    return [
        Cell(n, "fjord", "A fjord", model_id, n, "1024x1024", None, None, picture_job(model, "A fjord", seed=n, size="1024x1024"))
        for n in range(1, count + 1)
    ]  # fmt: skip
