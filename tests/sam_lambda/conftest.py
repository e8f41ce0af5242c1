"""The API's function, loaded once as its Lambda would load it; the core's `generate` is played by a small fake."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import handlers, hostile
from tests.aws_fakes.models import ImageModels
from tests.aws_fakes.services import Bucket
from tests.aws_fakes.validated import client

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "sam_lambda" / "generate_image" / "app.py"
ENVIRONMENT = handlers.ENVIRONMENT | {
    "OBJECTIVE_S": "20",
    "OBJECTIVE_PERCENT": "95",
    "POWERTOOLS_SERVICE_NAME": "couch-explorers-42-generate-image",
    "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
}


@pytest.fixture
def environment():
    return dict(ENVIRONMENT)


@pytest.fixture
def load():
    """Load a fresh copy of the function in the environment of the moment."""
    return lambda: handlers.load(APP)


@pytest.fixture(scope="session")
def loaded_app():
    return handlers.loaded(APP, ENVIRONMENT)


@pytest.fixture
def api(loaded_app, monkeypatch):
    studio = handlers.Studio(loaded_app.generation.Picture)
    monkeypatch.setattr(loaded_app.generation, "generate", studio.generate)
    log = io.StringIO()
    loaded_app.logger.logger_handler.setStream(log)
    context = handlers.context("couch-explorers-42-generate-image", memory_mb=1024)

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


class BackedFunction:
    """The function with its real core, on fakes of S3 and Bedrock that are emptied for each request."""

    def __init__(self, module):
        self.module, self.s3, self.models = module, Bucket(), ImageModels()

    def clear(self):
        self.s3.objects.clear()
        self.models.requests.clear()

    def check(self, status, answer):
        """Paid once and stored once, or refused with a sentence and neither."""
        if status == 200:
            assert list(self.s3.objects) == [answer["key"]]
            assert len(self.models.requests) == 1
            assert answer["key"].startswith("42/")
            assert answer["key"].count("/") == 1
            return
        assert 400 <= status < 500
        assert answer.keys() == {"error", "detail", "request_id"}
        assert self.s3.objects == {}
        assert self.models.requests == []
        assert not hostile.unprintable(answer["detail"])
        assert len(answer["detail"]) < 1000


@pytest.fixture(scope="module")
def backed(loaded_app):
    function = BackedFunction(loaded_app)
    bedrock = client("bedrock-runtime", function.models, "us-west-2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_app, "s3", client("s3", function.s3))
        patch.setattr(loaded_app, "bedrock", lambda _region: bedrock)
        yield function
