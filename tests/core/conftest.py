"""What several tests of the core need: a small real picture, a job, and S3 in memory."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from couch_explorers.core import image_models, jobs
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import checked, refusal


@pytest.fixture
def s3():
    return checked("s3", Bucket())


@pytest.fixture
def client_error():
    return refusal


@pytest.fixture(scope="session")
def picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def make_job():
    def make(model_id=image_models.DEFAULT_MODEL_ID, **fields) -> jobs.Job:
        model = image_models.get(model_id)
        return jobs.parse(
            jobs.message_body(fields.pop("prompt", "A fjord at dusk"), **fields),
            fallback_id="fallback-1",
            model_arns=[model.arn],
        )

    return make
