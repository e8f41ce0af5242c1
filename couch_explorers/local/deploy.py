"""Deploys both stacks on the local cloud, side by side, and only what has changed: the API by `sam`, the queue by `terraform`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

from couch_explorers import git
from couch_explorers.aws import PICTURE_BUCKET, REGION, STATE_BUCKET, bootstrap
from couch_explorers.aws.discovery import (
    CANDIDATE_PATTERN,
    EndpointSession,
    Workspace,
    WorkspaceError,
    check_candidate,
    describe_stack,
    discover,
)
from couch_explorers.aws.errors import error_code
from couch_explorers.files import read_json, write_json
from couch_explorers.local import mailbox, terraform, users
from couch_explorers.local.progress import Progress, Report, StepError, run_step
from couch_explorers.local.settings import (
    ACCOUNT_ID,
    DEFAULT_CANDIDATE,
    ROOT_CREDENTIALS,
    WORKER_TIMEOUT_S,
    StackSettings,
    tool_environment,
)
from couch_explorers.paths import PROJECT_ROOT, Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from couch_explorers.local.process import Cloud
    from couch_explorers.local.users import Keys

CANDIDATE_VARIABLE = "COUCH_CANDIDATE"
# Seconds: below 3 no call of a model fits in; Lambda's limit is 15 minutes (Lambda quotas).
WORKER_TIMEOUT_RANGE_S = (3, 900)


@dataclass(frozen=True)
class Choices:
    """The settings of a deploy, and a description of where each comes from."""

    settings: StackSettings
    candidate_from: str
    worker_timeout_from: str

    def __str__(self) -> str:
        return (
            f"candidate {self.settings.candidate} ({self.candidate_from}), "
            f"worker timeout {self.settings.worker_timeout_s} s ({self.worker_timeout_from})"
        )


def choose_settings(home: Home, candidate: str | None, worker_timeout_s: int | None) -> Choices:
    """Choose candidate and worker time-out: the option, else COUCH_CANDIDATE, else the previous choice, else the default.

    Raises:
        WorkspaceError: The candidate number is invalid.
    """
    kept = previous_choices(home)
    number, number_from = _choose_candidate(candidate, kept.get("candidate"))
    timeout_s, timeout_from = WORKER_TIMEOUT_S, "the default"
    if worker_timeout_s is not None:
        timeout_s, timeout_from = worker_timeout_s, "--worker-timeout"
    elif "worker_timeout_s" in kept:
        timeout_s, timeout_from = kept["worker_timeout_s"], "as last time; another: --worker-timeout SECONDS"
    return Choices(StackSettings(candidate=number, worker_timeout_s=timeout_s), number_from, timeout_from)


def save_choices(home: Home, settings: StackSettings, port: int) -> None:
    """Save the choices for the next `couch up`."""
    write_json(
        home.choices_file,
        {"candidate": settings.candidate, "worker_timeout_s": settings.worker_timeout_s, "port": port},
    )


def previous_choices(home: Home) -> dict[str, Any]:
    """The previous choices as far as they are valid; the candidate of the deployment where none were saved."""
    noted, deployment = read_json(home.choices_file), read_json(home.deployment_file)
    kept = noted if isinstance(noted, dict) else {}
    workspace = deployment.get("workspace") if isinstance(deployment, dict) else None
    candidate = kept.get("candidate") or (workspace.get("candidate") if isinstance(workspace, dict) else None)
    timeout_s = kept.get("worker_timeout_s")
    low, high = WORKER_TIMEOUT_RANGE_S
    found: dict[str, Any] = {}
    if isinstance(candidate, str) and CANDIDATE_PATTERN.fullmatch(candidate):
        found["candidate"] = candidate
    if type(timeout_s) is int and low <= timeout_s <= high:
        found["worker_timeout_s"] = timeout_s
    return found


def _choose_candidate(requested: str | None, kept: str | None) -> tuple[str, str]:
    if requested is not None:
        return check_candidate(requested), "--candidate"
    if named := os.environ.get(CANDIDATE_VARIABLE):
        try:
            return check_candidate(named), CANDIDATE_VARIABLE
        except WorkspaceError as error:
            raise WorkspaceError(f"{CANDIDATE_VARIABLE} is set wrongly. {error}") from error
    if kept is not None:
        return kept, "as last time; another: --candidate NUMBER"
    return DEFAULT_CANDIDATE, "the default"


def function_exists(session: Any, name: str) -> bool:
    """Whether a Lambda function of that name is deployed."""
    functions = session.client("lambda")
    try:
        functions.get_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return False
    return True


def _account(candidate: str) -> bootstrap.Account:
    return bootstrap.Account(ACCOUNT_ID, candidate)


# The resources of `infra/` whose creation fails where they exist. Creating a queue, topic or alarm again is idempotent.
WORKER_ROLE = "aws_iam_role.worker"
WORKER_LOG_GROUP = "aws_cloudwatch_log_group.worker"
WORKER_FUNCTION = "aws_lambda_function.worker"
WORKER_MAPPING = "aws_lambda_event_source_mapping.jobs"


def import_blocks(session: Any, stem: str, state_bucket: str, state_key: str) -> list[dict[str, str]]:
    """Terraform `import` blocks, `{"to", "id"}`, for resources that a killed apply created but did not write into its state."""
    known = _state_addresses(session.client("s3"), state_bucket, state_key)
    there: dict[str, Callable[[], str | None]] = {
        WORKER_ROLE: lambda: _find_role(session.client("iam"), f"{stem}-worker"),
        WORKER_LOG_GROUP: lambda: _find_log_group(session.client("logs"), f"/aws/lambda/{stem}-worker"),
        WORKER_FUNCTION: lambda: f"{stem}-worker" if function_exists(session, f"{stem}-worker") else None,
        WORKER_MAPPING: lambda: _find_mapping(session, f"{stem}-worker"),
    }
    found = {address: look() for address, look in there.items() if address not in known}
    return [{"to": address, "id": name} for address, name in found.items() if name is not None]


def _state_addresses(s3: Any, bucket: str, key: str) -> set[str]:
    """The resources in the state, as `type.name`; empty without a state."""
    try:
        state = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    except ClientError as error:
        if error_code(error) in ("NoSuchKey", "404"):
            return set()
        raise
    return {f"{resource['type']}.{resource['name']}" for resource in state["resources"]}


def _find_role(iam: Any, name: str) -> str | None:
    try:
        iam.get_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        return None
    return name


def _find_log_group(logs: Any, name: str) -> str | None:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name if any(group["logGroupName"] == name for group in groups) else None


def _find_mapping(session: Any, function: str) -> str | None:
    if not function_exists(session, function):
        return None
    mappings = session.client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    return str(mappings[0]["UUID"]) if mappings else None


# States of a stack after an interrupted deploy, which only deleting it ends.
DEAD_STACK_STATES = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
LIVE_STACK_STATES = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
STACK_DEADLINE_S = 60.0
# Seconds between SAM's polls of a stack; its default of five suits AWS, where a deploy takes a minute.
SAM_POLL_S = 0.5
API_SOURCES = ("sam_lambda", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")


def deploy_api(home: Home, cloud: Cloud, session: Any, settings: StackSettings, report: Report, deployer: Keys) -> None:
    """Build and deploy `sam_lambda` with the SAM CLI of this environment, as the user `deploy`."""
    stack = f"{settings.stem}-api"
    _wait_while_busy(session, stack)
    if _stack_status(session, stack) in DEAD_STACK_STATES:
        cloudformation = session.client("cloudformation")
        cloudformation.delete_stack(StackName=stack)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        except WaiterError as error:
            raise StepError(f"api failed: the half-finished stack {stack} could not be removed: {error}") from error
    sam = str(Path(sys.executable).with_name("sam"))
    environment = tool_environment(cloud.endpoint) | {
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": str(SAM_POLL_S),
        **deployer.environment,
    }
    build = home.path / "sam" / "build"
    folder = PROJECT_ROOT / "sam_lambda"
    run_step(
        "sam build",
        [sam, "build", "--template-file", "template.yaml", "--build-dir", str(build)],
        log=home.logs / "sam-build.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip
    overrides = {
        "BucketName": PICTURE_BUCKET,
        "CandidateNumber": settings.candidate,
        "ModelArns": ",".join(settings.model_arns),
        "PermissionsBoundary": _account(settings.candidate).policy_arn("boundary"),
    }
    run_step(
        "sam deploy",
        [
            sam, "deploy", "--template-file", str(build / "template.yaml"), "--stack-name", stack,
            "--config-file", str(folder / "samconfig.toml"), "--s3-prefix", settings.stem,
            "--region", REGION, "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *(f"ParameterKey={key},ParameterValue={value}" for key, value in overrides.items()),
        ],
        log=home.logs / "sam-deploy.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip


def api_is_live(session: Any, settings: StackSettings) -> bool:
    """Whether the stack is complete and its function exists."""
    return _stack_status(session, f"{settings.stem}-api") in LIVE_STACK_STATES and function_exists(
        session, f"{settings.stem}-generate-image"
    )


def _wait_while_busy(session: Any, stack: str) -> None:
    """Wait until CloudFormation has finished an operation that a killed `sam` started."""
    deadline = time.monotonic() + STACK_DEADLINE_S
    while (status := _stack_status(session, stack) or "").endswith("_IN_PROGRESS") and status not in DEAD_STACK_STATES:
        if time.monotonic() > deadline:
            raise StepError(f"api failed: the stack {stack} is {status} for more than {STACK_DEADLINE_S:.0f} s.")
        time.sleep(0.2)


def _stack_status(session: Any, name: str) -> str | None:
    """The stack's status, None where there is no such stack."""
    stack = describe_stack(session.client("cloudformation"), name)
    return None if stack is None else str(stack["StackStatus"])


ALARM_COUNT = 4
RESOURCE_LINE = re.compile(r"^(\S+): (Creation|Modifications|Destruction) complete after")
QUEUE_SOURCES = ("infra", "lambda_code", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")


def deploy_queue(
    home: Home,
    cloud: Cloud,
    settings: StackSettings,
    report: Report,
    tool: terraform.Terraform,
    deployer: Keys,
) -> None:
    """Stage the worker and apply a copy of `infra`, as the user `deploy`.

    A copy, so that no lock file of a mirror is written into the project.
    """
    archive = home.path / "build" / "worker.zip"
    environment = terraform.environment(tool_environment(cloud.endpoint)) | {
        "TF_DATA_DIR": str(home.path / "terraform"),
        **deployer.environment,
    }
    run_step(
        "stage worker",
        [
            sys.executable, str(PROJECT_ROOT / "tools" / "stage_lambda.py"), "lambda_code",
            str(home.path / "build" / "worker"), "--zip", str(archive),
        ],
        log=home.logs / "stage-worker.log", report=report, environment=environment, folder=PROJECT_ROOT,
    )  # fmt: skip
    folder = home.path / "infra"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT_ROOT / "infra", folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "tests"))
    state_key = f"{settings.candidate}/couch-explorers.tfstate"
    # This process holds the folder's lock, so a lock in S3 is left from one that was killed.
    session = EndpointSession(cloud.endpoint, **ROOT_CREDENTIALS)
    session.client("s3").delete_object(Bucket=STATE_BUCKET, Key=f"{state_key}.tflock")
    run_step(
        "terraform init",
        [
            tool.program, "init", "-reconfigure", "-no-color", *tool.source.arguments,
            f"-backend-config=key={state_key}", "-backend-config=use_path_style=true",
        ],
        log=home.logs / "terraform-init.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip
    report(Progress("terraform init", tool.source.sentence, 0.0, done=True))
    write_json(folder / "local.auto.tfvars.json", terraform_variables(settings, archive))
    if orphans := import_blocks(session, settings.stem, STATE_BUCKET, state_key):
        write_json(folder / "imports.tf.json", {"import": orphans})
        report(Progress("terraform init", f"takes back {len(orphans)} resources of an apply that was cut off", 0.0))
    run_step(
        "terraform apply",
        [tool.program, "apply", "-auto-approve", "-no-color"],
        log=home.logs / "terraform-apply.log", report=report, environment=environment, folder=folder,
        reported=lambda line: match[1] if (match := RESOURCE_LINE.match(line)) else None,
    )  # fmt: skip


def queue_is_live(session: Any, settings: StackSettings) -> bool:
    """Whether queues, worker, event source mapping, topic and alarms exist."""
    workspace = discover(session, settings.candidate, target="local", endpoint=None)
    if (
        None in (workspace.queue_url, workspace.dead_letter_url, workspace.topic_arn)
        or len(workspace.alarms) < ALARM_COUNT
    ):
        return False
    worker = workspace.functions["worker"]
    mappings = session.client("lambda").list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    return function_exists(session, worker) and any(mapping["State"] == "Enabled" for mapping in mappings)


def terraform_variables(settings: StackSettings, archive: Path) -> dict[str, Any]:
    """The values of `infra/variables.tf` for the local cloud."""
    return {
        "candidate": settings.candidate,
        "bucket_name": PICTURE_BUCKET,
        "permissions_boundary": _account(settings.candidate).policy_arn("boundary"),
        "model_arns": settings.model_arns,
        "alarm_email": settings.alarm_email,
        "function_timeout_s": settings.worker_timeout_s,
        "maximum_concurrency": settings.worker_concurrency,
        "oldest_message_age_threshold_s": settings.oldest_message_age_s,
        "archive_path": str(archive),
    }


HEALTHY_DEADLINE_S = 30.0
# How many deploys the deployment file keeps; a review annotates those of its window.
DEPLOYS_KEPT = 50


@dataclass(frozen=True)
class Deployment:
    """The result of a deploy: the workspace, the parts that changed, and the reasons of those that were skipped."""

    workspace: Workspace
    changed: tuple[str, ...]
    skipped: tuple[str, ...]


def deploy(home: Home, cloud: Cloud, settings: StackSettings, report: Report) -> Deployment:
    """Deploy both stacks from the project's files, side by side; one whose sources have not changed is only checked.

    Raises:
        StepError: A step failed; what is deployed already stays usable.
    """
    session = EndpointSession(cloud.endpoint, **ROOT_CREDENTIALS)
    make_buckets(session)
    noted = read_json(home.deployment_file)
    before = noted if isinstance(noted, dict) else {}
    fingerprints = {
        "api": _fingerprint(API_SOURCES, {"candidate": settings.candidate, "models": settings.model_arns}),
        "queue": _fingerprint(
            QUEUE_SOURCES,
            asdict(settings) | {"models": settings.model_arns, "oldest_message_age_s": settings.oldest_message_age_s},
        ),
    }
    unchanged = {part for part, mark in fingerprints.items() if before.get("fingerprints", {}).get(part) == mark}
    changed: list[str] = []
    skipped: list[str] = []
    deployer = users.prepare(session, home, settings.candidate)[users.DEPLOY]

    def api() -> None:
        if "api" in unchanged and api_is_live(session, settings):
            report(Progress("api", "unchanged", 0.0, done=True))
            return
        deploy_api(home, cloud, session, settings, report, deployer)
        _wait_until_live("api", lambda: api_is_live(session, settings))
        changed.append("api")

    def queue() -> None:
        if "queue" in unchanged and queue_is_live(session, settings):
            report(Progress("queue", "unchanged", 0.0, done=True))
            return
        try:
            tool = terraform.find(fetch=lambda sentence: report(Progress("queue", sentence, 0.0)))
        except terraform.TerraformError as error:
            skipped.append(f"queue: {error}")
            fingerprints.pop("queue")
            return
        deploy_queue(home, cloud, settings, report, tool, deployer)
        _wait_until_live("queue", lambda: queue_is_live(session, settings))
        changed.append("queue")

    with ThreadPoolExecutor(max_workers=2) as pool:
        tasks = [pool.submit(queue), pool.submit(api)]
    failures = [error for task in tasks if (error := task.exception()) is not None]
    if failures:
        raise failures[0] if len(failures) == 1 else StepError("\n".join(str(error) for error in failures))
    workspace = discover(session, settings.candidate, target="local", endpoint=cloud.endpoint)
    if workspace.topic_arn:
        for address in mailbox.confirm_topic(home, session.client("sns"), workspace.topic_arn):
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
    """Create the two buckets of the course, which on AWS exist before any deploy."""
    s3 = session.client("s3")
    for bucket in (PICTURE_BUCKET, STATE_BUCKET):
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            # Unavailable is not missing.
            if error_code(error) != "404":
                raise
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


def _fingerprint(sources: Iterable[str], settings: Mapping[str, Any]) -> str:
    """A hash of the source files of a stack and of its settings."""
    digest = hashlib.sha256(json.dumps(settings).encode())
    for source in sources:
        root = PROJECT_ROOT / source
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if "__pycache__" in path.parts or ".terraform" in path.parts or ".aws-sam" in path.parts:
                continue
            digest.update(f"\0{path.relative_to(PROJECT_ROOT).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()
