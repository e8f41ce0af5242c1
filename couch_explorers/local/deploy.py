"""Deploying both stacks on the local cloud with the real `sam` and the real `terraform`."""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.files import read_json, write_json
from couch_explorers.local import terraform
from couch_explorers.local.cloud import Cloud
from couch_explorers.local.settings import DEFAULT_CANDIDATE, PICTURE_BUCKET, PROJECT_ROOT, REGION, STATE_BUCKET, Home
from couch_explorers.local.steps import Progress, Report, StepError, run
from couch_explorers.workspace import Workspace, discover, local_session

# Where a stack stops after a deploy that was cut off; nothing but a fresh one gets it out of there.
DEAD_STACK_STATES = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
LIVE_STACK_STATES = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
ALARM_COUNT = 4
RESOURCE_LINE = re.compile(r"^(\S+): (Creation|Modifications|Destruction) complete after")


@dataclass(frozen=True)
class Settings:
    """What may differ between two local deployments."""

    candidate: str = DEFAULT_CANDIDATE
    # Seconds. Shorter than on AWS (60): a laptop's user waits for the sixfold of it when a worker dies.
    worker_timeout_s: int = 20
    worker_concurrency: int = 8
    alarm_email: str = "standup@couch-explorers.example"

    @property
    def stem(self) -> str:
        """How every resource's name begins."""
        return f"couch-explorers-{self.candidate}"

    @property
    def model_arns(self) -> list[str]:
        """Every model, the default first: nothing here costs money."""
        ordered = sorted(MODELS.values(), key=lambda model: model.id != DEFAULT_MODEL_ID)
        return [model.arn for model in ordered]


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
    before = read_json(home.deployment_file) or {}
    fingerprints = {"api": _fingerprint(API_SOURCES, settings), "queue": _fingerprint(QUEUE_SOURCES, settings)}
    unchanged = {part for part, mark in fingerprints.items() if before.get("fingerprints", {}).get(part) == mark}
    changed: list[str] = []
    skipped: list[str] = []

    def api() -> None:
        if "api" in unchanged and _api_is_live(session, settings):
            report(Progress("api", "unchanged", 0.0, done=True))
            return
        deploy_api(home, cloud, session, settings, report)
        changed.append("api")

    def queue() -> None:
        if "queue" in unchanged and _queue_is_live(session, settings):
            report(Progress("queue", "unchanged", 0.0, done=True))
            return
        try:
            tool = terraform.find()
        except terraform.TerraformError as error:
            skipped.append(f"queue: {error}")
            fingerprints.pop("queue")
            return
        deploy_queue(home, cloud, settings, report, tool)
        changed.append("queue")

    with ThreadPoolExecutor(max_workers=2) as pool:
        tasks = [pool.submit(queue), pool.submit(api)]
    failures = [error for task in tasks if (error := task.exception()) is not None]
    if failures:
        raise failures[0] if len(failures) == 1 else StepError("\n".join(str(error) for error in failures))
    workspace = discover(session, settings.candidate, target="local", endpoint=cloud.endpoint)
    cloud.ask("POST", "/_couch/save")
    write_json(
        home.deployment_file,
        {
            "deployed": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprints": fingerprints,
            "workspace": workspace.to_json(),
        },
    )
    return Deployment(workspace, tuple(changed), tuple(skipped))


def make_buckets(session: Any) -> None:
    """Make the course's two buckets, as on AWS they exist before anybody deploys."""
    s3 = session.client("s3")
    for bucket in (PICTURE_BUCKET, STATE_BUCKET):
        try:
            s3.head_bucket(Bucket=bucket)
        except ClientError:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


API_SOURCES = ("sam_lambda", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")
QUEUE_SOURCES = ("infra", "lambda_code", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")


def _fingerprint(sources: Iterable[str], settings: Settings) -> str:
    """A hash of every file that a stack is made from, and of its settings."""
    digest = hashlib.sha256(json.dumps(asdict(settings) | {"models": settings.model_arns}).encode())
    for source in sources:
        root = PROJECT_ROOT / source
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if "__pycache__" in path.parts or ".terraform" in path.parts or ".aws-sam" in path.parts:
                continue
            digest.update(f"\0{path.relative_to(PROJECT_ROOT).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _api_is_live(session: Any, settings: Settings) -> bool:
    return _stack_status(session, f"{settings.stem}-api") in LIVE_STACK_STATES and _function_exists(
        session, f"{settings.stem}-generate-image"
    )


def _queue_is_live(session: Any, settings: Settings) -> bool:
    workspace = discover(session, settings.candidate, target="local", endpoint=None)
    if (
        None in (workspace.queue_url, workspace.dead_letter_url, workspace.topic_arn)
        or len(workspace.alarms) < ALARM_COUNT
    ):
        return False
    worker = workspace.functions["worker"]
    mappings = session.client("lambda").list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    return _function_exists(session, worker) and any(mapping["State"] == "Enabled" for mapping in mappings)


def _function_exists(session: Any, name: str) -> bool:
    functions = session.client("lambda")
    try:
        functions.get_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return False
    return True


def _stack_status(session: Any, name: str) -> str | None:
    try:
        return str(session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError:
        return None


def deploy_api(home: Home, cloud: Cloud, session: Any, settings: Settings, report: Report) -> None:
    """Build and deploy `sam_lambda` with the SAM CLI of this environment."""
    stack = f"{settings.stem}-api"
    if _stack_status(session, stack) in DEAD_STACK_STATES:
        cloudformation = session.client("cloudformation")
        cloudformation.delete_stack(StackName=stack)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        except WaiterError as error:
            raise StepError(f"api failed: the half-finished stack {stack} could not be removed: {error}") from error
    sam = str(Path(sys.executable).with_name("sam"))
    environment = terraform.environment() | home.client_environment(cloud.endpoint) | {
        "SAM_CLI_TELEMETRY": "0",
        "COUCH_PROJECT_ROOT": str(PROJECT_ROOT),
        "PATH": _path_with_python_first(),
    }  # fmt: skip
    environment.pop("AWS_PROFILE", None)
    build = home.path / "sam" / "build"
    folder = PROJECT_ROOT / "sam_lambda"
    run(
        "sam build",
        [sam, "build", "--template-file", "template.yaml", "--build-dir", str(build)],
        log=home.logs / "sam-build.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip
    overrides = {
        "BucketName": PICTURE_BUCKET,
        "CandidateNumber": settings.candidate,
        "ModelArns": ",".join(settings.model_arns),
    }
    run(
        "sam deploy",
        [
            sam, "deploy", "--template-file", str(build / "template.yaml"), "--stack-name", stack,
            "--config-file", str(folder / "samconfig.toml"),
            "--region", REGION, "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *(f"ParameterKey={key},ParameterValue={value}" for key, value in overrides.items()),
        ],
        log=home.logs / "sam-deploy.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip


def _path_with_python_first() -> str:
    """A PATH on which `python` and `uv` are this environment's, for the tools that a build calls."""
    import os  # noqa: PLC0415

    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def deploy_queue(home: Home, cloud: Cloud, settings: Settings, report: Report, tool: terraform.Terraform) -> None:
    """Stage the worker and apply `infra`, from a copy, so that no lock file of a mirror lands in the project."""
    archive = home.path / "build" / "worker.zip"
    environment = terraform.environment() | home.client_environment(cloud.endpoint) | {
        "TF_DATA_DIR": str(home.path / "terraform"),
        "PATH": _path_with_python_first(),
    }  # fmt: skip
    environment.pop("AWS_PROFILE", None)
    run(
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
    # Whoever holds the folder's lock is the only one at work here, so a lock in S3 is left from a process that was killed.
    local_session(cloud.endpoint).client("s3").delete_object(Bucket=STATE_BUCKET, Key=f"{state_key}.tflock")
    report(Progress("terraform init", tool.source.sentence, 0.0))
    run(
        "terraform init",
        [
            tool.program, "init", "-reconfigure", "-no-color", *tool.source.arguments,
            f"-backend-config=key={state_key}", "-backend-config=use_path_style=true",
        ],
        log=home.logs / "terraform-init.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip
    write_json(folder / "local.auto.tfvars.json", terraform_variables(settings, archive))
    run(
        "terraform apply",
        [tool.program, "apply", "-auto-approve", "-no-color"],
        log=home.logs / "terraform-apply.log", report=report, environment=environment, folder=folder,
        worth_telling=lambda line: match[1] if (match := RESOURCE_LINE.match(line)) else None,
    )  # fmt: skip


def terraform_variables(settings: Settings, archive: Path) -> dict[str, Any]:
    """The values of `infra/variables.tf` for the local cloud."""
    return {
        "candidate": settings.candidate,
        "bucket_name": PICTURE_BUCKET,
        "model_arns": settings.model_arns,
        "alarm_email": settings.alarm_email,
        "function_timeout_s": settings.worker_timeout_s,
        "maximum_concurrency": settings.worker_concurrency,
        "archive_path": str(archive),
    }
