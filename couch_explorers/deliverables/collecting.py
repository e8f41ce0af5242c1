"""Ask everybody who knows a part of the list: the deployed system, GitHub, and the settings of the image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from couch_explorers.deliverables import deployed, image, repository
from couch_explorers.deliverables.facts import Facts, Missing, Reason, Run
from couch_explorers.deliverables.runs import GitHub

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from couch_explorers.workspace import Workspace

DEPLOY_LAMBDA = "deploy_lambda.yml"
TERRAFORM_DEPLOY = "terraform_deploy.yml"


def collect(
    workspace: Workspace,
    environment: Mapping[str, str],
    folder: Path,
    *,
    given_repository: str | None = None,
    given_image: str | None = None,
) -> Facts:
    """Collect what the list tells of a deployed system; what is not there is Missing, with its reason.

    GitHub is asked about a system on AWS, or where a repository was given: no run has deployed a local cloud. `folder` is
    the copy of the repository whose git remote names it.
    """
    if workspace.target == "aws" or given_repository:
        lambda_run, terraform_run, plan_run = _runs(repository.find(given_repository, environment, folder), environment)
    else:
        lambda_run = terraform_run = plan_run = Missing(Reason.RUNS_NOT_LOCAL)
    return Facts(
        api_url=deployed.api_url(workspace),
        queue_url=deployed.queue_url(workspace),
        alarm=deployed.alarm(workspace),
        lambda_run=lambda_run,
        terraform_run=terraform_run,
        plan_run=plan_run,
        image=image.name(given_image, environment),
        target=workspace.target,
        candidate=workspace.candidate,
        region=workspace.region,
        endpoint=workspace.endpoint,
        read_on=datetime.now(UTC).date(),
    )


def _runs(name: str | Missing, environment: Mapping[str, str]) -> tuple[Run | Missing, Run | Missing, Run | Missing]:
    """The three runs, asked for side by side: offline, nobody waits for three time-outs."""
    if isinstance(name, Missing):
        return name, name, name
    github = GitHub.of(name, environment)
    with ThreadPoolExecutor(max_workers=3) as pool:
        lambda_run = pool.submit(github.on_main, DEPLOY_LAMBDA)
        terraform_run = pool.submit(github.on_main, TERRAFORM_DEPLOY)
        plan_run = pool.submit(github.elsewhere, TERRAFORM_DEPLOY)
        return lambda_run.result(), terraform_run.result(), plan_run.result()
