"""Deploying both stacks on the local cloud, side by side, and only what changed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from couch_explorers import git
from couch_explorers.aws import PICTURE_BUCKET, REGION, STATE_BUCKET
from couch_explorers.files import read_json, write_json
from couch_explorers.local import api_stack, confirmations, queue_stack, terraform
from couch_explorers.local.cloud import Cloud
from couch_explorers.local.stacks import Settings
from couch_explorers.local.steps import Progress, Report, StepError
from couch_explorers.paths import PROJECT_ROOT, Home
from couch_explorers.workspace import Workspace, discover, local_session

HEALTHY_DEADLINE_S = 30.0
# How many deploys the deployment's note remembers; a review draws those of its window.
DEPLOYS_KEPT = 50


@dataclass(frozen=True)
class Deployment:
    """What a deploy led to: the workspace, what was done, and the sentences of what was left out."""

    workspace: Workspace
    changed: tuple[str, ...]
    skipped: tuple[str, ...]


def deploy(home: Home, cloud: Cloud, settings: Settings, report: Report) -> Deployment:
    """Bring both stacks to what the project's files say, side by side; where nothing changed, only check.

    Raises StepError with the step that failed. What is already deployed stays usable.
    """
    session = local_session(cloud.endpoint)
    make_buckets(session)
    noted = read_json(home.deployment_file)
    before = noted if isinstance(noted, dict) else {}
    fingerprints = {
        "api": _fingerprint(api_stack.SOURCES, {"candidate": settings.candidate, "models": settings.model_arns}),
        "queue": _fingerprint(
            queue_stack.SOURCES,
            asdict(settings) | {"models": settings.model_arns, "oldest_message_age_s": settings.oldest_message_age_s},
        ),
    }
    unchanged = {part for part, mark in fingerprints.items() if before.get("fingerprints", {}).get(part) == mark}
    changed: list[str] = []
    skipped: list[str] = []

    def api() -> None:
        if "api" in unchanged and api_stack.is_live(session, settings):
            report(Progress("api", "unchanged", 0.0, done=True))
            return
        api_stack.deploy(home, cloud, session, settings, report)
        _wait_until_live("api", lambda: api_stack.is_live(session, settings))
        changed.append("api")

    def queue() -> None:
        if "queue" in unchanged and queue_stack.is_live(session, settings):
            report(Progress("queue", "unchanged", 0.0, done=True))
            return
        try:
            tool = terraform.find(fetch=lambda sentence: report(Progress("queue", sentence, 0.0)))
        except terraform.TerraformError as error:
            skipped.append(f"queue: {error}")
            fingerprints.pop("queue")
            return
        queue_stack.deploy(home, cloud, settings, report, tool)
        _wait_until_live("queue", lambda: queue_stack.is_live(session, settings))
        changed.append("queue")

    with ThreadPoolExecutor(max_workers=2) as pool:
        tasks = [pool.submit(queue), pool.submit(api)]
    failures = [error for task in tasks if (error := task.exception()) is not None]
    if failures:
        raise failures[0] if len(failures) == 1 else StepError("\n".join(str(error) for error in failures))
    workspace = discover(session, settings.candidate, target="local", endpoint=cloud.endpoint)
    if workspace.topic_arn:
        for address in confirmations.confirm_topic(home, session.client("sns"), workspace.topic_arn):
            sentence = f"confirmed the alarms' subscription of {address}; on AWS its owner clicks the link in the mail"
            report(Progress("queue", sentence, 0.0, done=True))
    cloud.ask("POST", "/_couch/save")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    deploys = list(before.get("deploys", []))
    if changed:
        deploys.append({"time": now, "parts": sorted(changed), "commit": commit(PROJECT_ROOT)})
    write_json(
        home.deployment_file,
        {
            "deployed": now,
            "deploys": deploys[-DEPLOYS_KEPT:],
            "fingerprints": fingerprints,
            "workspace": workspace.to_json(),
        },
    )
    return Deployment(workspace, tuple(changed), tuple(skipped))


def _wait_until_live(part: str, is_live: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HEALTHY_DEADLINE_S
    while not is_live():
        if time.monotonic() > deadline:
            raise StepError(
                f"{part} failed: deployed, but not whole after {HEALTHY_DEADLINE_S:.0f} s. Look at it: couch status; couch doctor"
            )
        time.sleep(0.2)


def commit(folder: Path) -> str:
    """The short git commit of a folder, with a plus sign where files differ from it; empty outside of git."""
    return git.ask(folder, "describe", "--always", "--dirty=+", "--exclude=*", "--abbrev=7")


def make_buckets(session: Any) -> None:
    """Make the course's two buckets, as on AWS they exist before anybody deploys."""
    s3 = session.client("s3")
    for bucket in (PICTURE_BUCKET, STATE_BUCKET):
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


def _fingerprint(sources: Iterable[str], settings: Mapping[str, Any]) -> str:
    """A hash of every file that a stack is made from, and of its own settings."""
    digest = hashlib.sha256(json.dumps(settings).encode())
    for source in sources:
        root = PROJECT_ROOT / source
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if "__pycache__" in path.parts or ".terraform" in path.parts or ".aws-sam" in path.parts:
                continue
            digest.update(f"\0{path.relative_to(PROJECT_ROOT).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()
