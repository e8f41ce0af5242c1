"""The API's function, loaded once as its Lambda would load it; the core's `generate` is played by a small fake."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "BUCKET_NAME": "pictures",
    "CANDIDATE": "42",
    "MODEL_ARNS": "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1,"
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0",
    "POWERTOOLS_SERVICE_NAME": "couch-explorers-42-generate-image",
    "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
}


class Studio:
    """Stands for the core's `generate`: makes every picture, or fails as told."""

    def __init__(self, picture):
        self.picture = picture
        self.jobs = []
        self.failure = None
        self.already_there = False

    def generate(self, job, *, bedrock, s3, bucket, prefix):
        self.jobs.append(job)
        if self.failure:
            raise self.failure
        return self.picture(
            bucket=bucket,
            key=job.key(prefix),
            model=job.model.id,
            seed=job.seed,
            milliseconds=1234,
            already_there=self.already_there,
        )


def load_app():
    """Load a fresh copy of the function in the environment of the moment."""
    spec = importlib.util.spec_from_file_location("app", ROOT / "sam_lambda" / "generate_image" / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment():
    return dict(ENVIRONMENT)


@pytest.fixture
def load():
    return load_app


@pytest.fixture(scope="session")
def loaded_app():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            patch.setenv(name, value)
        return load_app()


@pytest.fixture
def api(loaded_app, monkeypatch):
    studio = Studio(loaded_app.generation.Picture)
    monkeypatch.setattr(loaded_app.generation, "generate", studio.generate)
    log = io.StringIO()
    loaded_app.logger.logger_handler.setStream(log)
    context = SimpleNamespace(
        function_name="couch-explorers-42-generate-image",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:couch-explorers-42-generate-image",
        aws_request_id="5e0d2c1b-0000-4000-8000-000000000001",
        get_remaining_time_in_millis=lambda: 28_000,
    )

    def call(event):
        """Call the handler as Lambda would; gives (status, body)."""
        answer = loaded_app.lambda_handler(event, context)
        assert answer["headers"] == {"content-type": "application/json"}
        return answer["statusCode"], json.loads(answer["body"])

    return SimpleNamespace(module=loaded_app, studio=studio, log=log, call=call)


@pytest.fixture
def request_event():
    """The recorded event with another body, content type, or encoding."""

    def make(body="A fjord at dusk", content_type="text/plain", *, is_base64=False):
        event = json.loads((ROOT / "tests" / "events" / "api_gateway_rest_proxy.json").read_text(encoding="utf-8"))
        event["headers"]["Content-Type"] = content_type
        event["multiValueHeaders"]["Content-Type"] = [content_type]
        return {**event, "body": body, "isBase64Encoded": is_base64}

    return make
