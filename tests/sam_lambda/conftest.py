"""The API's function, loaded once as its Lambda would load it; the core's `generate` is played by a small fake."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import handlers

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
