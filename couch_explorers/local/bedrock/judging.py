"""Emulates the vision models of Converse as judges of pictures: their limits are real, their scores a stand-in.

No model looks at the pixels. A score follows from the request that is written into the picture (`core.png`): the more words of
a criterion the prompt has, the higher it is, moved by at most one by the seed. Every reason says so, and every response carries
STAND_IN_HEADER. What the prompt says otherwise has no effect, since its words are only counted.

API: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from couch_explorers.aws import vision_models
from couch_explorers.aws.vision_models import STAND_IN_HEADER
from couch_explorers.core import png
from couch_explorers.local.bedrock.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.aws.vision_models import VisionModel

FORMATS = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WEBP"}
CHARACTERS_PER_TOKEN = 4
# Words that say nothing of what a picture shows.
STOP_WORDS = frozenset(
    {
        "and",
        "are",
        "for",
        "from",
        "has",
        "have",
        "image",
        "into",
        "its",
        "like",
        "look",
        "looks",
        "photo",
        "picture",
        "show",
    }
    | {"shown", "shows", "that", "the", "this", "with"}
)
LEAST_WORD = 3
# Two forms of a word share this much of their beginning: "sunset" and "sunsets", "faded" and "fading".
STEM = 5
LOWEST, HIGHEST = 1, 5


class ConverseRefusedError(Exception):
    """A request that Converse refuses; str() is the message of the ValidationException."""


@dataclass(frozen=True)
class JudgeRequest:
    """The fields of a Converse request that judging uses: its pictures' sizes and parameters, its text, and the tool it forces."""

    pictures: list[tuple[int, int]]
    parameters: dict[str, Any]
    characters: int
    tool: str = ""
    # Property to its description: what is to be scored.
    criteria: dict[str, str] = field(default_factory=dict)

    def input_tokens(self, model: VisionModel) -> int:
        """Count the tokens of the request."""
        return sum(model.image_tokens(*size) for size in self.pictures) + math.ceil(
            self.characters / CHARACTERS_PER_TOKEN
        )


def find_model(model_id: str, region: str) -> VisionModel | None:
    """Find the model that Converse means by an id or ARN of AWS's own inference profile; None where the region has none.

    Raises:
        ConverseRefusedError: the model is called by its own id, which none of them takes.

    """
    model = vision_models.VISION_MODELS.get(model_id.rpartition("foundation-model/")[2])
    if model is not None and region in model.destinations:
        raise ConverseRefusedError(
            f"Invocation of model ID {model_id} with on-demand throughput is not supported. Retry your request with the ID or ARN of "
            "an inference profile that contains this model."
        )
    model = vision_models.by_profile(model_id.rpartition("inference-profile/")[2])
    return model if model is not None and region in model.destinations else None


def read_request(model: VisionModel, body: bytes) -> JudgeRequest:
    """Read a Converse request.

    Args:
        model: the model that is called; its limits on pictures hold.
        body: the request's JSON.

    Raises:
        ConverseRefusedError: the request breaks a limit, or is none.

    """
    try:
        request = json.loads(body)
        blocks = [block for message in request["messages"] for block in message["content"]]
        roles = [message["role"] for message in request["messages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConverseRefusedError("The request has no messages with content.") from error
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise ConverseRefusedError(
            "A conversation must alternate between user and assistant, and begin with a user message."
        )
    pictures, parameters = [], dict[str, Any]()
    for block in blocks:
        if "image" in block:
            size, found = _read_picture(model, block["image"])
            pictures.append(size)
            parameters = parameters or found
    texts = [block["text"] for block in (*request.get("system", ()), *blocks) if "text" in block]
    tool, criteria = _read_tool(request.get("toolConfig"))
    characters = sum(map(len, texts)) + len(json.dumps(request.get("toolConfig", "")))
    return JudgeRequest(pictures, parameters, characters, tool, criteria)


def answer(model: VisionModel, request: JudgeRequest, *, filtered: bool = False, seconds: float = 0.0) -> Response:
    """Write Converse's response: scores by the forced tool, or a text where none is forced."""
    if filtered:
        return _respond(model, request, [{"text": ""}], "content_filtered", seconds)
    if not request.tool:
        return _respond(
            model, request, [{"text": "Stand-in: no model has looked at the picture."}], "end_turn", seconds
        )
    scores = {name: stand_in_score(criterion, request.parameters) for name, criterion in request.criteria.items()}
    use = {"toolUseId": "tooluse_local", "name": request.tool, "input": scores}
    return _respond(model, request, [{"toolUse": use}], "tool_use", seconds)


def stand_in_score(criterion: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Score a criterion from the picture's parameters: {"score": 1 to 5, "reason"}."""
    wanted = _stems(criterion)
    request = parameters.get("request")
    if not isinstance(request, dict) or not wanted:
        return {"score": (LOWEST + HIGHEST) // 2, "reason": "Stand-in: the picture does not say how it was made."}
    there = wanted & _stems(str(request.get("prompt", "")))
    digest = hashlib.sha256(f"{request.get('seed')} {parameters.get('model')} {criterion}".encode()).digest()
    score = LOWEST + round((HIGHEST - LOWEST) * len(there) / len(wanted)) + digest[0] % 3 - 1
    reason = f"Stand-in: words of the criterion in the prompt: {len(there)} of {len(wanted)}; no model has looked at the picture."
    return {"score": min(max(score, LOWEST), HIGHEST), "reason": reason}


def _stems(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {word[:STEM] for word in words if len(word) >= LEAST_WORD and word not in STOP_WORDS}


def _read_picture(model: VisionModel, image: Mapping[str, Any]) -> tuple[tuple[int, int], dict[str, Any]]:
    """Read a picture's size and the parameters inside it, empty where it has none."""
    try:
        picture = base64.b64decode(image["source"]["bytes"], validate=True)
        stated = FORMATS[image["format"]]
        with Image.open(io.BytesIO(picture)) as opened:
            width, height = opened.size
            kind = opened.format
    except (KeyError, TypeError, binascii.Error, OSError, ValueError) as error:
        raise ConverseRefusedError("Could not process image.") from error
    if kind != stated:
        raise ConverseRefusedError(f"The image is {kind}, not {stated}.")
    if len(picture) > model.max_image_bytes:
        raise ConverseRefusedError(f"The image has {len(picture)} bytes, at most {model.max_image_bytes}.")
    if max(width, height) > model.max_side:
        raise ConverseRefusedError(f"The image has {max(width, height)} pixels a side, at most {model.max_side}.")
    try:
        return (width, height), png.read_parameters(picture)
    except ValueError:
        return (width, height), {}


def _read_tool(config: Mapping[str, Any] | None) -> tuple[str, dict[str, str]]:
    """Read which tool is forced, and what its input is to have."""
    try:
        forced = config["toolChoice"]["tool"]["name"] if config else ""
        tools = (
            {tool["toolSpec"]["name"]: tool["toolSpec"]["inputSchema"]["json"] for tool in config["tools"]}
            if config
            else {}
        )
        properties = tools[forced]["properties"] if forced else {}
        return forced, {name: str(each.get("description", name)) for name, each in properties.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ConverseRefusedError("The toolConfig is malformed, or forces a tool that it does not have.") from error


def _respond(
    model: VisionModel, request: JudgeRequest, content: list[dict[str, Any]], stop: str, seconds: float
) -> Response:
    written = math.ceil(len(json.dumps(content)) / CHARACTERS_PER_TOKEN)
    read = request.input_tokens(model)
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {"inputTokens": read, "outputTokens": written, "totalTokens": read + written},
        "metrics": {"latencyMs": round(1000 * seconds)},
    }
    return Response(200, {"content-type": "application/json", STAND_IN_HEADER: "true"}, json.dumps(body).encode())
