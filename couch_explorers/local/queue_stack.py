"""The queue on the local cloud: `infra` and `lambda_code`, by the real `terraform`."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from couch_explorers.aws import PICTURE_BUCKET, STATE_BUCKET
from couch_explorers.files import write_json
from couch_explorers.local import adoption, terraform
from couch_explorers.local.cloud import Cloud
from couch_explorers.local.settings import tool_environment
from couch_explorers.local.stacks import Settings, function_exists
from couch_explorers.local.steps import Progress, Report, run
from couch_explorers.paths import PROJECT_ROOT, Home
from couch_explorers.workspace import discover, local_session

ALARM_COUNT = 4
RESOURCE_LINE = re.compile(r"^(\S+): (Creation|Modifications|Destruction) complete after")
SOURCES = ("infra", "lambda_code", "couch_explorers/core", "couch_explorers/__init__.py", "tools/stage_lambda.py")


def deploy(home: Home, cloud: Cloud, settings: Settings, report: Report, tool: terraform.Terraform) -> None:
    """Stage the worker and apply `infra`, from a copy, so that no lock file of a mirror lands in the project."""
    archive = home.path / "build" / "worker.zip"
    environment = terraform.environment(tool_environment(cloud.endpoint)) | {
        "TF_DATA_DIR": str(home.path / "terraform")
    }
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
    session = local_session(cloud.endpoint)
    session.client("s3").delete_object(Bucket=STATE_BUCKET, Key=f"{state_key}.tflock")
    run(
        "terraform init",
        [
            tool.program, "init", "-reconfigure", "-no-color", *tool.source.arguments,
            f"-backend-config=key={state_key}", "-backend-config=use_path_style=true",
        ],
        log=home.logs / "terraform-init.log", report=report, environment=environment, folder=folder,
    )  # fmt: skip
    report(Progress("terraform init", tool.source.sentence, 0.0, done=True))
    write_json(folder / "local.auto.tfvars.json", terraform_variables(settings, archive))
    if orphans := adoption.imports(session, settings.stem, STATE_BUCKET, state_key):
        write_json(folder / "adoption.tf.json", {"import": orphans})
        report(Progress("terraform init", f"takes back {len(orphans)} resources of an apply that was cut off", 0.0))
    run(
        "terraform apply",
        [tool.program, "apply", "-auto-approve", "-no-color"],
        log=home.logs / "terraform-apply.log", report=report, environment=environment, folder=folder,
        worth_telling=lambda line: match[1] if (match := RESOURCE_LINE.match(line)) else None,
    )  # fmt: skip


def is_live(session: Any, settings: Settings) -> bool:
    """Whether queues, worker, mapping, topic and alarms are there."""
    workspace = discover(session, settings.candidate, target="local", endpoint=None)
    if (
        None in (workspace.queue_url, workspace.dead_letter_url, workspace.topic_arn)
        or len(workspace.alarms) < ALARM_COUNT
    ):
        return False
    worker = workspace.functions["worker"]
    mappings = session.client("lambda").list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    return function_exists(session, worker) and any(mapping["State"] == "Enabled" for mapping in mappings)


def terraform_variables(settings: Settings, archive: Path) -> dict[str, Any]:
    """The values of `infra/variables.tf` for the local cloud."""
    return {
        "candidate": settings.candidate,
        "bucket_name": PICTURE_BUCKET,
        "model_arns": settings.model_arns,
        "alarm_email": settings.alarm_email,
        "function_timeout_s": settings.worker_timeout_s,
        "maximum_concurrency": settings.worker_concurrency,
        "oldest_message_age_threshold_s": settings.oldest_message_age_s,
        "archive_path": str(archive),
    }
