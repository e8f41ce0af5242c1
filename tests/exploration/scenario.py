"""A bucket and image models in memory, behind the session of a real Workspace, for many threads at once."""

from __future__ import annotations

from datetime import UTC, datetime

from couch_explorers.core import generation, image_models, png
from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.sweep_spec import Cell, picture_job
from couch_explorers.workspace import Workspace
from tests.aws_fakes.models import ModelCatalogue, PaintingModels, drawn
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked

BUCKET = "pictures"


def painted(job):
    """The picture as a run keeps it, with its parameters inside."""
    created = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return png.add_parameters(drawn(job.seed), generation.parameters_of(job, seed=job.seed, created=created))


class FakeSession:
    def __init__(self):
        self.s3, self.models, self.catalogue = Bucket(BUCKET), PaintingModels(), ModelCatalogue()

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
