"""Bedrock in memory: image models of several kinds, and the catalogue; behind `validated.client` or `validated.checked`."""

from __future__ import annotations

import base64
import io
import json
import threading
from functools import cache
from types import SimpleNamespace
from typing import Any

from PIL import Image

from tests.aws_fakes.services import Failing


class ImageModels:
    """Bedrock's image models; each call is noted and would be billed, and each picture differs from all before."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def invoke_model(self, *, body, modelId, contentType, accept):  # noqa: N803 - Bedrock's names
        assert (contentType, accept) == ("application/json", "application/json")
        request = json.loads(body)
        self.requests.append(request | {"modelId": modelId})
        picture = base64.b64encode(drawn(len(self.requests), (16, 16))).decode()
        answer = {"images": [picture], "finish_reasons": [None], "seeds": [request.get("seed", 0)], "error": None}
        return {"body": io.BytesIO(json.dumps(answer).encode()), "contentType": "application/json"}


class ScriptedModels:
    """Bedrock's models; each call gets the next of the answers: a document, raw bytes, or an exception."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def invoke_model(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return {"body": io.BytesIO(raw), "contentType": "application/json"}


class OpenCalls:
    """Counts the calls that are open at once."""

    def __init__(self) -> None:
        self.most_open = 0
        self._open = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._open += 1
            self.most_open = max(self.most_open, self._open)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._open -= 1


class PaintingModels:
    """Paints at once; `answer(seed)` may give other bytes, block or raise instead."""

    def __init__(self):
        self.asked = []
        self.open = OpenCalls()
        self.answer = drawn
        self.meta = SimpleNamespace(events=SimpleNamespace(register_first=lambda *_: None))

    @property
    def most_open(self):
        return self.open.most_open

    def invoke_model(self, *, body, **_):
        request = json.loads(body)
        seed = request["seed"] if "seed" in request else request["imageGenerationConfig"]["seed"]
        self.asked.append(seed)
        with self.open:
            picture = self.answer(seed)
        answer = {"seeds": [seed], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}
        return {"body": io.BytesIO(json.dumps(answer).encode()), "contentType": "application/json"}


class ModelCatalogue(Failing):
    """Bedrock's catalogue: each model is ACTIVE but for those in `lifecycles`, by id: a status, a lifecycle or an exception."""

    denial = ("AccessDeniedException", 403)

    def __init__(self, **lifecycles: Any) -> None:
        super().__init__()
        self.lifecycles: dict[str, Any] = lifecycles
        self.asked: list[str] = []

    def get_foundation_model(self, *, modelIdentifier):  # noqa: N803 - Bedrock's names
        self.called("lifecycle")
        self.asked.append(modelIdentifier)
        found = self.lifecycles.get(modelIdentifier, "ACTIVE")
        if isinstance(found, Exception):
            raise found
        lifecycle = {"status": found} if isinstance(found, str) else found
        arn = f"arn:aws:bedrock:us-west-2::foundation-model/{modelIdentifier}"
        return {"modelDetails": {"modelArn": arn, "modelId": modelIdentifier, "modelLifecycle": lifecycle}}

    def close(self) -> None:
        """Hold no connection."""


@cache
def drawn(seed: int = 0, size: tuple[int, int] = (48, 32)) -> bytes:
    """Make a small real picture, another one for each seed."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (seed % 256, seed // 256 % 256, 90)).save(buffer, "PNG")
    return buffer.getvalue()
