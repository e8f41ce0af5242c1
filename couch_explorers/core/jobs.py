"""A job: one request for one picture, read from a bare prompt or from JSON."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.core import bodies, image_models
from couch_explorers.core.errors import InvalidJobError, UnknownModelError, shown
from couch_explorers.core.image_models import COMMON_SEED_RANGE, DEFAULT_SIZE, ImageModel
from couch_explorers.core.model_families import with_plain_x

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = ("prompt", "id", "model", "seed", "size", "cfg_scale", "negative_prompt")
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A name in quotes, straight or curly or single, or nothing between the braces.
_BEGINS_LIKE_A_JOB = re.compile(r"\{\s*([\"'\u2018-\u201f}]|$)")
# Created once: `json.dumps` creates a new encoder for each call with other options, and a sweep writes
# thousands.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# The most characters of a prompt that an error message quotes.
LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class Job:
    """A request for one picture within its model's limits.

    `id` names the picture in S3, so the same id is the same picture; `size` is the size asked for, "WxH" in pixels.
    """

    id: str
    model: ImageModel
    prompt: str
    seed: int
    size: str = DEFAULT_SIZE
    cfg_scale: float | None = None
    negative_prompt: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """The canonical request: always the same six keys, None if the model has no such parameter."""
        cfg_scale = self.model.default_cfg_scale if self.cfg_scale is None else float(self.cfg_scale)
        return {
            "cfg_scale": cfg_scale,
            "model": self.model.id,
            "negative_prompt": self.negative_prompt,
            "prompt": self.prompt,
            "seed": self.seed,
            "size": self.size,
        }

    @property
    def request_hash(self) -> str:
        """The SHA-256 of the canonical request in hexadecimal: equal exactly when two jobs ask for the same picture."""
        return hashlib.sha256(canonical_json(self.request).encode()).hexdigest()

    def key(self, prefix: str) -> str:
        """Return the key of the picture in S3."""
        return f"{prefix}/{self.id}.png"

    def error_key(self, prefix: str) -> str:
        """Return the key of the error note in S3."""
        return f"{prefix}/{self.id}.error.json"


def timeouts_prefix(prefix: str, job_id: str) -> str:
    """Return the prefix in S3 of the empty objects, by message id, for each delivery of a job in which the model timed out."""
    return f"{prefix}/{job_id}.timeouts/"


def canonical_json(value: Any) -> str:
    """Return the canonical JSON of a value: keys sorted, no whitespace, characters unescaped.

    Raises ValueError for NaN and the infinities, which JSON does not have.
    """
    return _CANONICAL.encode(value)


def message_body(prompt: str, **fields: Any) -> str:
    """Return the JSON of a job for the queue or the API; fields that are None are omitted.

    Raises InvalidJobError for a field that a job does not have.
    """
    given = {"prompt": prompt, **{name: value for name, value in fields.items() if value is not None}}
    _refuse_unknown(given)
    return json.dumps(given, ensure_ascii=False, allow_nan=False)


def parse(body: str, *, fallback_id: str, model_arns: Sequence[str]) -> Job:
    """Parse a job from a message body: a bare prompt, or a JSON object if its first visible character is "{".

    `fallback_id` names the job when it names none itself (the SQS message id or the API request id); `model_arns` are
    the models allowed here, the first is the default. Raises InvalidJobError for what breaks a rule or a limit, and for
    what is neither of the two (a form, other JSON, the envelope of a service), and
    UnknownModelError for a model that is not in `model_arns`.
    """
    given = _fields(body)
    _refuse_unknown(given)
    job_id = given.get("id")
    if job_id is None:
        job_id = fallback_id
    _check_id(job_id)
    model = _model(given.get("model"), model_arns)
    prompt = _stripped(given.get("prompt"))
    if prompt is None:
        raise InvalidJobError('The job has no prompt: give {"prompt": "…"} or the bare prompt.')
    negative_prompt = _stripped(given.get("negative_prompt"))
    seed = seed_of(job_id) if given.get("seed") is None else given["seed"]
    size = DEFAULT_SIZE if given.get("size") is None else with_plain_x(given["size"])
    cfg_scale = given.get("cfg_scale")
    model.check(prompt, seed, size, cfg_scale, negative_prompt)
    return Job(
        id=job_id,
        model=model,
        prompt=prompt,
        seed=seed,
        size=size,
        cfg_scale=model.default_cfg_scale if cfg_scale is None else float(cfg_scale),
        negative_prompt=negative_prompt,
    )


def id_of(body: str, fallback_id: str) -> str:
    """Return the id of a job even if it is invalid: its own id if that is valid, else the fallback."""
    try:
        # More lenient than `parse`: a number that JSON does not allow must not cost the job its id.
        fields = json.loads(_text(body))
    except (ValueError, RecursionError):
        return fallback_id
    job_id = fields.get("id") if isinstance(fields, dict) else None
    return job_id if isinstance(job_id, str) and ID_PATTERN.fullmatch(job_id) else fallback_id


def seed_of(job_id: str) -> int:
    """Derive the seed of a job without one, so that a retry requests the same picture.

    It lies within the range that every model family takes.
    """
    low, high = COMMON_SEED_RANGE
    digest = hashlib.sha256(job_id.encode()).digest()
    return low + int.from_bytes(digest) % (high - low + 1)


def _fields(body: str) -> dict[str, Any]:
    text = _text(body)
    if not text.startswith("{"):
        bodies.refuse_what_is_no_prompt(text)
        return {"prompt": text}
    try:
        fields: dict[str, Any] = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidJobError(
            f'The body starts with "{{" but is no valid JSON{place}: {_how_to_send(text)}.'
        ) from error
    bodies.refuse_envelope(fields)
    return fields


def _how_to_send(text: str) -> str:
    """Return what to do with a body that begins like JSON but is invalid: a job with a mistake, or a prompt."""
    if _BEGINS_LIKE_A_JOB.match(text):
        return 'fix the JSON, or send a prompt that starts with "{" as {"prompt": "{…"}'
    return f"send such a prompt as {bodies.example_job(text, LONGEST_EXAMPLE)}"


def with_id(body: str, job_id: str) -> str:
    """Add the id to a job's body without one, so that the job keeps it as a new message, which has a new id.

    The body must be one that `parse` could read. In plain ASCII, because JSON's escapes may stand for characters that SQS
    does not take; that may blow up a text.
    """
    text = _text(body)
    if not text.startswith("{"):
        return message_body(text, id=job_id)
    fields = json.loads(text)
    return body if fields.get("id") is not None else json.dumps({**fields, "id": job_id})


def _text(body: str) -> str:
    """Strip invisible characters before the first visible one, and whitespace after the last."""
    return bodies.trimmed(body)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject a duplicate key: one of its values would be lost silently."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJobError(f"The job gives {shown(twice)} twice: give it once.")
    return fields


def _refuse_constant(name: str) -> None:
    raise InvalidJobError(f"The job holds {name}, which is no JSON number: give an ordinary number.")


def _refuse_unknown(given: dict[str, Any]) -> None:
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        names = ", ".join(shown(name) for name in unknown[:5])
        raise InvalidJobError(f"A job has no field {names}: its fields are {', '.join(FIELDS)}.")


def _check_id(job_id: Any) -> None:
    if not isinstance(job_id, str) or not ID_PATTERN.fullmatch(job_id):
        raise InvalidJobError(
            f"The id {shown(job_id)} is not valid: use 1 to 64 of the characters A-Z, a-z, 0-9, _ and -."
        )


def _model(name: Any, model_arns: Sequence[str]) -> ImageModel:
    allowed = [image_models.get(arn) for arn in model_arns]
    if not allowed:
        raise ValueError("No model is allowed here: model_arns must name at least one.")
    if name is None:
        return allowed[0]
    if not isinstance(name, str):
        raise InvalidJobError(f"The model must be a text, not {shown(name)}: give a model id.")
    for model in allowed:
        if name in (model.id, model.arn):
            return model
    raise UnknownModelError(
        f"The model {shown(name)} is not allowed here: use one of {', '.join(model.id for model in allowed)}."
    )


def _stripped(text: Any) -> Any:
    """Strip invisible characters around a text; the model's check reports anything that is not a text."""
    return bodies.trimmed(text) if isinstance(text, str) else text
