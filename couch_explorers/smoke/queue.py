"""The smoke test's queue part: every prompt that is sent becomes a picture, and nothing goes to the dead-letter queue."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.core import jobs, png
from couch_explorers.smoke import time_to_picture
from couch_explorers.smoke.parts import Part, ShownPicture
from couch_explorers.workspace import not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.workspace import Workspace

# Seconds between two listings of the bucket; on AWS each is a paid request ($0.005 per 1,000).
POLL_S = 0.5
DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass
class Sent:
    """A sent prompt: when it was sent, and the resulting key after how many seconds."""

    prompt: str
    job_id: str
    at: float
    key: str = ""
    seconds: float = 0.0
    png: bytes = b""


def check(
    workspace: Workspace,
    clients: Callable[..., Any],
    prompts: Sequence[str],
    run_id: str,
    *,
    timeout_s: float,
    required: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Part:
    """Send the prompts, wait up to `timeout_s` seconds for their pictures, and compare the dead-letter queue.

    Costs one picture per prompt. With `required`, a queue that is not deployed is BAD instead of SKIPPED.
    """
    if workspace.queue_url is None:
        verdict = Verdict.BAD if required else Verdict.SKIPPED
        return Part((Check("queue", verdict, 0.0, f"{not_deployed('queue', workspace.target)}."),))
    sqs, s3 = clients("sqs"), clients("s3")
    before: list[int] = []
    sent: list[Sent] = []
    begin = clock()
    wait = time_to_picture.Wait(datetime.now(UTC), clock, sleep)

    checks = [
        ask("queue: the messages are sent", lambda: _send(sqs, workspace, prompts, run_id, before, sent, clock)),
    ]
    list_error = _wait(s3, workspace, sent, f"{workspace.prefix}/{run_id}-queue-", begin + timeout_s, clock, sleep)
    for number, job in enumerate(sent, start=1):
        result = ask(
            f"queue: picture {number} of {len(prompts)}",
            partial(_arrived, s3, workspace, job, timeout_s, list_error),
        )
        # The time of interest is how long the picture took, not how long the check took.
        checks.append(Check(result.name, result.verdict, round(job.seconds or clock() - job.at, 3), result.detail))
    checks.append(_time_in_queue(sent))
    checks.append(ask("queue: no dead-letter messages", lambda: _dead_letters(sqs, workspace, before)))
    made = sum(job.key.endswith(".png") for job in sent)
    checks.append(time_to_picture.check("queue", workspace, clients, "worker", made, wait))
    pictures = (
        ShownPicture(
            job.png, job.prompt, f"by queue · seed {png.read_parameters(job.png)['seed']} · {job.seconds:.1f} s"
        )
        for job, check in zip(sent, checks[1:], strict=False)
        if job.png and check.verdict is Verdict.OK
    )
    return Part(tuple(checks), tuple(pictures))


def _send(
    sqs: Any,
    workspace: Workspace,
    prompts: Sequence[str],
    run_id: str,
    before: list[int],
    sent: list[Sent],
    clock: Callable[[], float],
) -> tuple[Verdict, str]:
    before.append(_depth(sqs, workspace))
    for number, prompt in enumerate(prompts, start=1):
        job_id = f"{run_id}-queue-{number}"
        sqs.send_message(QueueUrl=workspace.queue_url, MessageBody=jobs.message_body(prompt, id=job_id))
        sent.append(Sent(prompt, job_id, clock()))
    return Verdict.OK, f"{len(sent)} to {str(workspace.queue_url).rsplit('/', 1)[-1]}."


def _wait(
    s3: Any,
    workspace: Workspace,
    sent: Sequence[Sent],
    prefix: str,
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> str:
    """Poll until each job has left a picture or an error note, or time is up. Return the last error of listing, if any."""
    pending = {f"{workspace.prefix}/{job.job_id}{end}": job for job in sent for end in (".png", ".error.json")}
    list_error = ""
    while any(not job.key for job in sent):
        try:
            listed = s3.list_objects_v2(Bucket=workspace.bucket, Prefix=prefix).get("Contents", ())
            list_error = ""
        except Exception as error:  # noqa: BLE001 - the next listing may succeed; if none does, every row reports this
            listed, list_error = (), f"{type(error).__name__}: {error}"
        for found in listed:
            job = pending.get(found["Key"])
            if job is not None and not job.key:
                job.key, job.seconds = found["Key"], clock() - job.at
        if clock() >= deadline:
            break
        if any(not job.key for job in sent):
            sleep(POLL_S)
    return list_error


def _arrived(s3: Any, workspace: Workspace, job: Sent, timeout_s: float, list_error: str) -> tuple[Verdict, str]:
    if not job.key:
        if list_error:
            return Verdict.BAD, f"The bucket could not be listed: {list_error}"
        log = f"/aws/lambda/{workspace.functions.get('worker', 'the worker')}"
        return Verdict.BAD, f"Neither a picture nor a reason after {timeout_s:g} s. The worker's log: {log}"
    content = s3.get_object(Bucket=workspace.bucket, Key=job.key)["Body"].read()
    if job.key.endswith(".json"):
        reason = json.loads(content)
        return Verdict.BAD, f"{reason.get('reason')}: {reason.get('detail')} (s3://{workspace.bucket}/{job.key})"
    job.png = content
    parameters = png.read_parameters(content)
    if (parameters.get("id"), parameters["request"]["prompt"]) != (job.job_id, job.prompt.strip()):
        return Verdict.BAD, f"{job.key} holds the picture of another prompt: {parameters['request']['prompt']!r}"
    width, height = png.size(content)
    return Verdict.OK, f"s3://{workspace.bucket}/{job.key}, {width} x {height} pixels, by {parameters['model']}."


def _time_in_queue(sent: Sequence[Sent]) -> Check:
    name = "queue: time from message to picture"
    durations = [job.seconds for job in sent if job.key.endswith(".png")]
    if not durations:
        return Check(name, Verdict.SKIPPED, 0.0, "No picture came.")
    detail = (
        f"{min(durations):.1f} to {max(durations):.1f} s, the model's own time included; looked every {POLL_S:g} s."
    )
    return Check(name, Verdict.OK, round(max(durations), 3), detail)


def _dead_letters(sqs: Any, workspace: Workspace, before: Sequence[int]) -> tuple[Verdict, str]:
    if not before:
        return Verdict.SKIPPED, "They were not counted before."
    now = _depth(sqs, workspace)
    if now > before[0]:
        return Verdict.BAD, f"{now - before[0]} more than before ({now}). Each carries its reason as an attribute."
    return Verdict.OK, f"{now} lay there before, {now} do now." if now else "None."


def _depth(sqs: Any, workspace: Workspace) -> int:
    response = sqs.get_queue_attributes(QueueUrl=workspace.dead_letter_url, AttributeNames=list(DEPTHS))
    return sum(int(response["Attributes"].get(name, 0)) for name in DEPTHS)
