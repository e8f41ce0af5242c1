"""The API on the local cloud: `sam_lambda`, by the real `sam`."""

import sys
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import WaiterError

from couch_explorers.aws import PICTURE_BUCKET, REGION
from couch_explorers.aws.discovery import describe_stack
from couch_explorers.local.cloud import Cloud
from couch_explorers.local.settings import tool_environment
from couch_explorers.local.stacks import Settings, function_exists
from couch_explorers.local.steps import Report, StepError, run
from couch_explorers.paths import PROJECT_ROOT, Home

# Where a stack stops after a deploy that was cut off; nothing but a fresh one gets it out of there.
DEAD_STACK_STATES = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
LIVE_STACK_STATES = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
STACK_DEADLINE_S = 60.0
# Seconds between SAM's looks at a stack; its five are made for AWS, where a deploy takes a minute.
SAM_POLL_S = 0.5
SOURCES = ("sam_lambda", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")


def deploy(home: Home, cloud: Cloud, session: Any, settings: Settings, report: Report) -> None:
    """Build and deploy `sam_lambda` with the SAM CLI of this environment."""
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
    }
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
            "--config-file", str(folder / "samconfig.toml"), "--s3-prefix", settings.stem,
            "--region", REGION, "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *(f"ParameterKey={key},ParameterValue={value}" for key, value in overrides.items()),
        ],
        log=home.logs / "sam-deploy.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip


def is_live(session: Any, settings: Settings) -> bool:
    """Whether the stack and its function are there and whole."""
    return _stack_status(session, f"{settings.stem}-api") in LIVE_STACK_STATES and function_exists(
        session, f"{settings.stem}-generate-image"
    )


def _wait_while_busy(session: Any, stack: str) -> None:
    """Wait for what a `sam` that was killed had asked for: CloudFormation goes on without it."""
    deadline = time.monotonic() + STACK_DEADLINE_S
    while (status := _stack_status(session, stack) or "").endswith("_IN_PROGRESS") and status not in DEAD_STACK_STATES:
        if time.monotonic() > deadline:
            raise StepError(f"api failed: the stack {stack} is {status} for more than {STACK_DEADLINE_S:.0f} s.")
        time.sleep(0.2)


def _stack_status(session: Any, name: str) -> str | None:
    """The stack's status, None where there is no such stack."""
    stack = describe_stack(session.client("cloudformation"), name)
    return None if stack is None else str(stack["StackStatus"])
