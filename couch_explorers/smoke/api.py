"""The smoke test's API part: one valid prompt becomes a picture, three invalid ones are refused and leave nothing behind."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from couch_explorers.api import Api
from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.core import image_models, jobs, png
from couch_explorers.smoke import time_to_picture
from couch_explorers.smoke.parts import Part, ShownPicture
from couch_explorers.workspace import WorkspaceError, not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.workspace import Workspace

# The seconds before each retry of a throttled call.
RETRY_AFTER_S = (1.0, 3.0)


def check(
    workspace: Workspace,
    clients: Callable[..., Any],
    prompt: str,
    run_id: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Part:
    """Check the API with one valid prompt, whose time must be measured, and three invalid ones. Costs one picture."""
    if not workspace.api_url:
        return Part(
            (
                Check(
                    "api", Verdict.BAD, 0.0, f"{not_deployed('API', workspace.target)}. -p checks queue leaves it out."
                ),
            )
        )
    try:
        deployed, s3 = Api.of(workspace), clients("s3")
    except WorkspaceError as error:
        return Part((Check("api", Verdict.BAD, 0.0, str(error)),))
    wait = time_to_picture.Wait(datetime.now(UTC), clock, sleep)
    good = _Good(workspace, s3, prompt, f"{run_id}-api")
    checks = [
        ask("api: a prompt becomes a picture", lambda: good.ask(deployed, sleep)),
        ask("api: the picture lies in the bucket", good.fetch) if good.response else _no_picture("lies in the bucket"),
        ask("api: the picture contains its parameters", good.compare)
        if good.png
        else _no_picture("contains its parameters"),
    ]
    for name, make_body in BAD_BODIES.items():
        job_id = f"{run_id}-{name.replace(' ', '-')}"
        body = make_body(job_id, _prompt_limit(workspace))
        checks.append(
            ask(
                f"api: {name} is refused",
                partial(_refused, workspace, s3, deployed, body, job_id, sleep),
            )
        )
    checks.append(time_to_picture.check("api", workspace, clients, "api", 1 if good.response else 0, wait))
    return Part(tuple(checks), good.pictures)


BAD_BODIES: dict[str, Callable[[str, int], str]] = {
    "an empty prompt": lambda job_id, _limit: json.dumps({"prompt": "", "id": job_id}),
    "a prompt over the limit": lambda job_id, limit: json.dumps({"prompt": "x" * (limit + 1), "id": job_id}),
    "malformed JSON": lambda job_id, _limit: f'{{"id": "{job_id}", "prompt": "a quay at dawn"',
}


class _Good:
    """The valid prompt: the response, the picture, and its parameters."""

    def __init__(self, workspace: Workspace, s3: Any, prompt: str, job_id: str) -> None:
        self.workspace, self.s3, self.prompt, self.job_id = workspace, s3, prompt, job_id
        self.response: dict[str, Any] = {}
        self.png = b""

    def ask(self, deployed: Api, sleep: Callable[[float], None]) -> tuple[Verdict, str]:
        body = jobs.message_body(self.prompt, id=self.job_id)
        response = deployed.post(body, retry_after_s=RETRY_AFTER_S, sleep=sleep)
        if response.status != HTTPStatus.OK:
            return Verdict.BAD, str(response)
        expected = f"{self.workspace.prefix}/{self.job_id}.png"
        if (response.body.get("bucket"), response.body.get("key")) != (self.workspace.bucket, expected):
            return (
                Verdict.BAD,
                f"It should be s3://{self.workspace.bucket}/{expected}, but the API said {response.text[:200]}",
            )
        self.response = response.body
        location = f"s3://{self.workspace.bucket}/{expected} by {self.response.get('model')}, {self.response.get('milliseconds')} ms"
        if response.calls > 1:
            return Verdict.WARN, f"{location}; throttled, {response.calls} calls were needed."
        return Verdict.OK, location

    def fetch(self) -> tuple[Verdict, str]:
        stored = self.s3.get_object(Bucket=self.workspace.bucket, Key=self.response["key"])
        self.png = stored["Body"].read()
        width, height = png.size(self.png)
        return Verdict.OK, f"{width} x {height} pixels, {len(self.png) / 1000:,.0f} kB."

    def compare(self) -> tuple[Verdict, str]:
        parameters = png.read_parameters(self.png)
        expected = {"id": self.job_id, "model": self.response.get("model"), "seed": self.response.get("seed")}
        found = {name: parameters.get(name) for name in expected}
        if found != expected or parameters["request"]["prompt"] != self.prompt.strip():
            return (
                Verdict.BAD,
                f"The picture says {found} and {parameters['request']['prompt']!r}, the API said {expected}.",
            )
        return Verdict.OK, f"Prompt, model and seed {parameters['seed']} are those that were asked for."

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        if not self.png:
            return ()
        note = f"by API · {self.response.get('model')} · seed {self.response.get('seed')}"
        return (ShownPicture(self.png, self.prompt, note),)


def _no_picture(what: str) -> Check:
    return Check(f"api: the picture {what}", Verdict.SKIPPED, 0.0, "There is no picture to look at.")


def _refused(
    workspace: Workspace, s3: Any, deployed: Api, body: str, job_id: str, sleep: Callable[[float], None]
) -> tuple[Verdict, str]:
    response = deployed.post(body, retry_after_s=RETRY_AFTER_S, sleep=sleep)
    if response.status != HTTPStatus.BAD_REQUEST:
        return Verdict.BAD, f"It should be answered with HTTP 400, but came back as {response}"
    if not {"error", "detail", "request_id"} <= response.body.keys():
        return Verdict.BAD, f"HTTP 400 without error, detail and request_id: {response.text[:200]}"
    # A job that could not be parsed has no id of its own: its picture would have the request's.
    for name in (job_id, str(response.body["request_id"])):
        prefix = f"{workspace.prefix}/{name}"
        if stored := s3.list_objects_v2(Bucket=workspace.bucket, Prefix=prefix).get("Contents"):
            return Verdict.BAD, f"Refused, yet {stored[0]['Key']} was stored."
    return Verdict.OK, f"{response} Nothing was stored."


def _prompt_limit(workspace: Workspace) -> int:
    """Return the prompt limit of the deployment's default model, in characters."""
    if not workspace.model_arns:
        return image_models.get(image_models.DEFAULT_MODEL_ID).prompt_limit
    return image_models.get(workspace.model_arns[0]).prompt_limit
