"""The command that prepares an account: bootstrap."""

from typing import Annotated

import typer

from couch_explorers.cli.options import Candidate, Region, Target, app


@app.command()
def bootstrap(
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    bucket: Annotated[
        str | None, typer.Option(help="For the images; without it BUCKET_NAME, else the course's.")
    ] = None,
    state_bucket: Annotated[
        str | None, typer.Option(help="For Terraform's state; without it STATE_BUCKET, else the course's.")
    ] = None,
    repository: Annotated[
        str,
        typer.Option(metavar="OWNER/NAME", help="On GitHub: whose workflows may take the role that is made for them."),
    ] = "",
    owner_id: Annotated[
        str, typer.Option(help="The owner's number, where the repository is of July 2026 or later.")
    ] = "",
    repository_id: Annotated[str, typer.Option(help="The repository's number, likewise.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Make what is missing; without it, only list it.")] = False,  # noqa: FBT002
) -> None:
    """Prepare an AWS account for the workflows.

    Makes the buckets, the policies, and the role that GitHub assumes.

    Needs an administrator's credentials. What is there is left alone; only a policy that has changed is replaced.
    """
    import os

    from couch_explorers import workspace
    from couch_explorers.aws import PICTURE_BUCKET, REGION, STATE_BUCKET
    from couch_explorers.aws.bootstrap import Account, plan, subject

    trusted = subject(repository, owner_id, repository_id) if repository else ""
    number, where, client = workspace.account_clients(target, candidate, region)
    account = Account(
        account=client("sts").get_caller_identity()["Account"],
        candidate=number,
        bucket=bucket or os.environ.get("BUCKET_NAME") or PICTURE_BUCKET,
        state_bucket=state_bucket or os.environ.get("STATE_BUCKET") or STATE_BUCKET,
        region=where,
    )
    missing = 0
    for step in plan(client, account, trusted):
        if step.apply is None:
            typer.echo(f"is there  {step.what}")
        elif apply:
            step.apply()
            typer.echo(f"made      {step.what}")
        else:
            missing += 1
            typer.echo(f"missing   {step.what}")
    if missing:
        typer.echo(f"{missing} missing in account {account.account}. Make them: the same command with --apply")
    if trusted:
        typer.echo(f"gh variable set AWS_ROLE_ARN --body arn:aws:iam::{account.account}:role/{account.role_name}")
    typer.echo(f"gh variable set PERMISSIONS_BOUNDARY --body {account.policy_arn('boundary')}")
    typer.echo(f"gh variable set BUCKET_NAME --body {account.bucket}")
    typer.echo(f"gh variable set STATE_BUCKET --body {account.state_bucket}")
    if account.region != REGION:
        typer.echo(f"gh variable set AWS_REGION --body {account.region}")
