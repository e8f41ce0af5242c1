"""The local cloud's commands: up, down, status, env, doctor, faults."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from couch_explorers.cli.options import AsJson, Candidate, Region, Target, app, connect, echo_json

if TYPE_CHECKING:
    from couch_explorers.local.retention import Pruned
    from couch_explorers.paths import Home

# What `couch env` exports of a deploy: variable, field of the workspace. The Java client reads the first, the Lambdas the last.
DEPLOYED = {"SQS_QUEUE_URL": "queue_url", "API_URL": "api_url", "BUCKET_NAME": "bucket"}


@app.command()
def up(
    candidate: Annotated[
        str | None,
        typer.Option(
            help="Candidate number that names everything deployed; without it COUCH_CANDIDATE, else that of last time, at first 42."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65535, help="Port on 127.0.0.1; without it that of last time, at first 4566."),
    ] = None,
    worker_timeout: Annotated[
        int | None,
        typer.Option(
            min=3,
            max=900,
            help="Seconds that one queued job may take; a dead worker's job returns after six times that. "
            "Without it as last time, at first 20.",
        ),
    ] = None,
) -> None:
    """Start the local cloud and deploy both stacks on it.

    The next time, only what has changed is deployed. The settings stay until others are given, or until `couch down --erase`.
    """
    from couch_explorers.local import deploy, process, progress, retention
    from couch_explorers.local.process import end_orphan_processes
    from couch_explorers.paths import Home
    from couch_explorers.workspace import local_session

    home = Home.current()
    chosen = deploy.choose_settings(home, candidate, worker_timeout)
    with process.exclusive(home), progress.display() as report:
        end_orphan_processes(home)
        here, what_was_done = process.start(home, port)
        report(progress.cloud_started(here, what_was_done))
        report(progress.settings_chosen(chosen))
        deploy.save_choices(home, chosen.settings, here.port)
        result = deploy.deploy(home, here, chosen.settings, report)
        retention.expire_log_streams(local_session(here.endpoint).client("logs"))
    typer.echo(progress.summary(here, result))


@app.command()
def down(
    erase: Annotated[bool, typer.Option("--erase", help="Forget all its data too.")] = False,  # noqa: FBT002
    prune: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--prune", help="Delete old e-mails, pictures, and the local target's images, runs and objects."),
    ] = False,
    keep_days: Annotated[int, typer.Option(min=0, help="What is newer than so many days is not pruned.")] = 30,
) -> None:
    """Stop the local cloud and keep its contents.

    `couch up` brings them back. Images and runs of AWS, which were paid for, and ratings are never pruned or erased.
    """
    from couch_explorers.local import process, retention
    from couch_explorers.local.process import end_orphan_processes
    from couch_explorers.paths import Home

    home = Home.current()
    with process.exclusive(home):
        end_orphan_processes(home)
        pruned = [*_prune_bucket(home, keep_days), *retention.prune_files(home, keep_days)] if prune else []
        typer.echo(process.stop(home, erase=erase))
        if prune:
            typer.echo(retention.sentence(pruned, keep_days))
    if problems := [each.problem for each in pruned if each.problem]:
        typer.echo("\n".join(problems), err=True)
        raise typer.Exit(1)


def _prune_bucket(home: "Home", keep_days: int) -> "list[Pruned]":
    """Prune the bucket of a local cloud that runs and has something deployed; say so where it does not run."""
    from couch_explorers.files import read_json
    from couch_explorers.local import process, retention
    from couch_explorers.workspace import local_session

    here = process.running(home)
    noted = read_json(home.deployment_file)
    names = (noted.get("workspace") if isinstance(noted, dict) else None) or {}
    if not names:
        return []
    if here is None:
        typer.echo("The local cloud is not running, so its bucket is not pruned: couch up, then couch down --prune")
        return []
    s3 = local_session(here.endpoint).client("s3")
    return [retention.prune_objects(s3, names["bucket"], f"{names['candidate']}/", keep_days)]


@app.command()
def status(
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show whether the local cloud runs, and what is deployed.

    With `--target aws`: what is deployed there.
    """
    if target == "aws":
        _status_of_aws(candidate, region, as_json=as_json)
        return
    from couch_explorers.files import read_json
    from couch_explorers.local import deploy, process
    from couch_explorers.local.faults import Faults
    from couch_explorers.paths import Home

    home = Home.current()
    health = process.health(home)
    here = health.cloud
    noted = read_json(home.deployment_file)
    deployment = noted if isinstance(noted, dict) else {}
    names = deployment.get("workspace") or {}
    state: dict[str, Any] = {
        "running": here is not None,
        "problem": health.problem or None,
        "endpoint": here.endpoint if here else None,
        "pid": here.pid if here else None,
        "home": str(home.path),
        "deployed": deployment.get("deployed"),
        "candidate": names.get("candidate"),
        "worker_timeout_s": deploy.choose_settings(home, None, None).settings.worker_timeout_s if names else None,
        "api_url": names.get("api_url"),
        "queue_url": names.get("queue_url"),
        "dead_letter_url": names.get("dead_letter_url"),
        "stats": here.ask("GET", "/_couch/stats") if here else None,
        "faults": here.ask("GET", "/_couch/faults") if here else None,
    }
    if as_json:
        echo_json(state)
        return
    if here is None:
        typer.echo(health.problem)
        return
    typer.echo(f"local cloud  {here.endpoint}  (process {here.pid}, since {here.started})")
    typer.echo(f"candidate    {state['candidate'] or 'nothing deployed yet: couch up'}")
    for label, key in (("API", "api_url"), ("queue", "queue_url"), ("DLQ", "dead_letter_url")):
        typer.echo(f"{label:<13}{state[key] or 'not deployed'}")
    if state["queue_url"]:
        typer.echo(f"worker       timeout {state['worker_timeout_s']} s")
    typer.echo("models       " + ", ".join(f"{count} {name}" for name, count in state["stats"].items()))
    typer.echo(f"faults       {str(Faults.from_json(state['faults'])) or 'none'}")


def _status_of_aws(candidate: str | None, region: str | None, *, as_json: bool) -> None:
    deployed = connect("aws", candidate, region)
    if as_json:
        echo_json(deployed.to_json())
        return
    typer.echo(f"candidate    {deployed.candidate}, {deployed.region}")
    parts = {"API": deployed.api_url, "queue": deployed.queue_url, "DLQ": deployed.dead_letter_url}
    functions = {f"{name} Lambda": function for name, function in deployed.functions.items()}
    for label, value in (parts | functions).items():
        typer.echo(f"{label:<13}{value or 'not deployed'}")
    typer.echo(f"{'models':<13}{', '.join(arn.rsplit('/', 1)[-1] for arn in deployed.model_arns) or 'none'}")
    typer.echo(f"{'pictures':<13}s3://{deployed.bucket}/{deployed.prefix}/")


@app.command()
def env() -> None:
    """Print exports that point AWS tools at the local cloud.

    They include the addresses of what is deployed. In a shell: eval "$(couch env)". It acts as the root user of the account, or as the user that
    COUCH_LOCAL_USER names: `operator`, who may do what the people on call may do on AWS, or `deploy`.
    """
    import os
    import shlex

    from couch_explorers import loopback
    from couch_explorers.files import read_json
    from couch_explorers.local import process, users
    from couch_explorers.local.settings import client_environment
    from couch_explorers.paths import Home

    home = Home.current()
    here = process.required(home)
    noted = read_json(home.deployment_file)
    names = (noted.get("workspace") if isinstance(noted, dict) else None) or {}
    deployed = {variable: names.get(field) for variable, field in DEPLOYED.items()}
    exported = client_environment(here.endpoint) | users.chosen(home).environment | loopback.no_proxy(os.environ)
    exported |= {variable: value for variable, value in deployed.items() if value}
    # What is set besides would still be heard: a profile, an endpoint of one service, a bearer token; and the address of
    # what was deployed elsewhere.
    others = {name for name in os.environ if name.startswith("AWS_")} | {"AWS_PROFILE", "AWS_SESSION_TOKEN", *DEPLOYED}
    typer.echo(f"unset {' '.join(sorted(others - exported.keys()))}")
    for name, value in exported.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002
    """List what is missing here, and the commands that fix it."""
    from dataclasses import asdict

    from couch_explorers.doctor import examine

    findings = examine()
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.verdict:<5}{finding.name:<16}{finding.detail}")
            if finding.fix:
                typer.echo(f"{'':<21}fix: {finding.fix}")
    if any(finding.verdict == "BAD" for finding in findings):
        raise typer.Exit(1)


@app.command()
def faults(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[throttle=0.2] [error=0.05] [latency=2.0] [filter=0.01] [hang=0.01] [retired=MODEL] [unsubscribed=MODEL] "
            "[unavailable=0.02] [reset=0.01] [duplicate=0.05] [reorder=0.5] | clear"
        ),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Set, show or clear faults of the local cloud.

    Image models, S3, SQS and deliveries can fail. Each call replaces what was set before. Shares of the model's calls: throttle, error (503), filter, hang (billed, and answered
    after 15 minutes). Shares of the requests to S3 and SQS: unavailable (503), reset (of the connection). Shares of deliveries from a
    standard queue: duplicate, reorder.
    """
    from couch_explorers.local import faults as fault_settings
    from couch_explorers.local import process
    from couch_explorers.paths import Home

    here = process.required(Home.current())
    if settings:
        now = here.ask("PUT", "/_couch/faults", fault_settings.parse(settings).to_json())
    else:
        now = here.ask("GET", "/_couch/faults")
    typer.echo(json.dumps(now) if as_json else str(fault_settings.Faults.from_json(now)) or "no faults")


@app.command()
@app.command("history", hidden=True)  # its name before
def seed_metrics(
    days: Annotated[int, typer.Option(min=1, max=14, help="How many days, the newest ending now.")] = 8,
    seed: Annotated[int, typer.Option(help="Another seed, another week.")] = 1,
    erase: Annotated[bool, typer.Option("--erase", help="Delete the synthetic metrics.")] = False,  # noqa: FBT002
) -> None:
    """Write a week of synthetic metrics into the local cloud.

    They are marked as synthetic, and give a review something to compare with.
    """
    from couch_explorers.local import process
    from couch_explorers.paths import Home

    here = process.required(Home.current())
    if erase:
        erased = here.ask("DELETE", "/_couch/history")
        typer.echo(f"{erased['samples']:,} synthetic samples deleted")
        return
    written = here.ask("PUT", "/_couch/history", {"days": days, "seed": seed})
    typer.echo(f"{written['samples']:,} synthetic samples of {days} days, with one incident and one deploy")
