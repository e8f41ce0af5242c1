"""Collect the facts of the list: from the deployed system, from GitHub, and from the settings of the client's image."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import alarms, errors
from couch_explorers.deliverables.model import Alarm, Facts, Missing, Reason, Run
from couch_explorers.deliverables.workflow_runs import GitHub, find_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from couch_explorers.workspace import Workspace

DEPLOY_LAMBDA = "deploy_lambda.yml"
TERRAFORM_DEPLOY = "terraform_deploy.yml"
# The metric that the task names. The alarm is found by what it watches, so that a new name does not lose it.
AGE_METRIC = ("AWS/SQS", "ApproximateAgeOfOldestMessage")

# What .github/workflows/docker_publish.yml takes where the variable is not set.
DEFAULT_IMAGE_REPOSITORY = "couch-explorers-client"

# Docker Hub takes lower-case names only (Docker documentation, "docker image tag").
IMAGE_NAME = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")


def collect(
    workspace: Workspace,
    environment: Mapping[str, str],
    folder: Path,
    *,
    given_repository: str | None = None,
    given_image: str | None = None,
) -> Facts:
    """Collect the facts of a deployed system; missing ones are Missing, with a reason.

    GitHub is asked about a system on AWS, or where a repository was given: no run has deployed a local cloud. `folder` is
    the copy of the repository whose git remote names it.
    """
    if workspace.target == "aws" or given_repository:
        lambda_run, terraform_run, plan_run = _runs(find_repository(given_repository, environment, folder), environment)
    else:
        lambda_run = terraform_run = plan_run = Missing(Reason.RUNS_NOT_LOCAL)
    return Facts(
        api_url=api_url(workspace),
        queue_url=queue_url(workspace),
        alarm=age_alarm(workspace),
        lambda_run=lambda_run,
        terraform_run=terraform_run,
        plan_run=plan_run,
        image=image_name(given_image, environment),
        target=workspace.target,
        candidate=workspace.candidate,
        region=workspace.region,
        endpoint=workspace.endpoint,
        read_on=datetime.now(UTC).date(),
    )


def api_url(workspace: Workspace) -> str | Missing:
    """Return the URL that prompts are posted to."""
    on_aws = workspace.target == "aws"
    return workspace.api_url or Missing(Reason.API_NOT_ON_AWS if on_aws else Reason.API_NOT_LOCAL)


def queue_url(workspace: Workspace) -> str | Missing:
    """Return the URL of the job queue."""
    return workspace.queue_url or _no_queue(workspace)


def age_alarm(workspace: Workspace) -> Alarm | Missing:
    """Read the deployed alarm on the oldest job's age, and count its subscriptions."""
    if workspace.queue_url is None:
        return _no_queue(workspace)
    right = "cloudwatch:DescribeAlarms"
    try:
        found = _watching_the_age(workspace)
        if found is None:
            return Missing(Reason.ALARM_MISSING)
        topic = next((arn for arn in found.get("AlarmActions", ()) if ":sns:" in arn), None)
        right = "sns:ListSubscriptionsByTopic"
        subscribed = alarms.subscriptions(workspace.client("sns"), topic) if topic else alarms.Subscriptions()
    except (ClientError, BotoCoreError) as error:
        return Missing(Reason.ALARM_UNREADABLE, {"why": errors.reason(error, right)})
    return Alarm(
        name=found["AlarmName"],
        namespace=found["Namespace"],
        metric=found["MetricName"],
        statistic=found["Statistic"],
        period_s=int(found["Period"]),
        operator=found["ComparisonOperator"],
        threshold=float(found["Threshold"]),
        topic=topic.rsplit(":", 1)[-1] if topic else None,
        confirmed=len(subscribed.confirmed),
        pending=len(subscribed.pending),
    )


def _watching_the_age(workspace: Workspace) -> dict[str, Any] | None:
    # Without names, CloudWatch would return every alarm of the account.
    if not workspace.alarms:
        return None
    answer = workspace.client("cloudwatch").describe_alarms(AlarmNames=list(workspace.alarms))
    return next((a for a in answer["MetricAlarms"] if (a.get("Namespace"), a.get("MetricName")) == AGE_METRIC), None)


def _no_queue(workspace: Workspace) -> Missing:
    return Missing(Reason.QUEUE_NOT_ON_AWS if workspace.target == "aws" else Reason.QUEUE_NOT_LOCAL)


def image_name(given: str | None, environment: Mapping[str, str]) -> str | Missing:
    """Return USER/REPOSITORY on Docker Hub: the given one, or else that of the workflow's variables."""
    user = environment.get("DOCKERHUB_USERNAME", "").strip()
    if not given and not user:
        return Missing(Reason.NO_IMAGE)
    found = given or f"{user}/{environment.get('DOCKERHUB_REPOSITORY', '').strip() or DEFAULT_IMAGE_REPOSITORY}"
    return found if IMAGE_NAME.fullmatch(found) else Missing(Reason.BAD_IMAGE, {"image": found})


def _runs(name: str | Missing, environment: Mapping[str, str]) -> tuple[Run | Missing, Run | Missing, Run | Missing]:
    """Return the three runs, fetched concurrently: offline, nobody waits for three timeouts."""
    if isinstance(name, Missing):
        return name, name, name
    github = GitHub.of(name, environment)
    with ThreadPoolExecutor(max_workers=3) as pool:
        lambda_run = pool.submit(github.on_main, DEPLOY_LAMBDA)
        terraform_run = pool.submit(github.on_main, TERRAFORM_DEPLOY)
        plan_run = pool.submit(github.elsewhere, TERRAFORM_DEPLOY)
        return lambda_run.result(), terraform_run.result(), plan_run.result()
