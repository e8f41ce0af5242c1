"""The commands of whoever is on call: inbox, job, redrive."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from couch_explorers.cli.options import AsJson, Candidate, Target, app, connect

if TYPE_CHECKING:
    from couch_explorers.paths import Home


@app.command()
def inbox(
    clear: Annotated[bool, typer.Option("--clear", help="Throw the e-mails away.")] = False,  # noqa: FBT002
    confirm: Annotated[  # noqa: FBT002
        bool, typer.Option("--confirm", help="Confirm the e-mail subscriptions that wait for their owner.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Confirm only the subscriptions of this address.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the e-mails that the local cloud has caught; they never leave this machine.

    They are those of alarms, and those that ask the owner of a subscription to confirm it.
    """
    from couch_explorers.local import mailbox as mails
    from couch_explorers.paths import Home

    home = Home.current()
    if address is not None and not confirm:
        raise typer.BadParameter(
            "--address names whose subscriptions to confirm: add --confirm", param_hint="--address"
        )
    if confirm:
        _confirm(home, address)
        return
    if clear:
        thrown_away = mails.delete_mails(home)
        typer.echo(f"{thrown_away} e-mail{'' if thrown_away == 1 else 's'} thrown away")
        return
    found = mails.read_mails(home)
    if as_json:
        typer.echo(json.dumps([mail.to_json() for mail in found], indent=2, ensure_ascii=False))
        return
    for line in mails.format_mails(found):
        typer.echo(line)


def _confirm(home: "Home", address: str | None) -> None:
    from couch_explorers.local import mailbox, process
    from couch_explorers.workspace import local_session

    endpoint = process.required(home).endpoint
    confirmed = mailbox.confirm(home, local_session(endpoint).client("sns"), address=address)
    for one in confirmed:
        typer.echo(f"Confirmed: {one.address} gets the notifications of {one.topic_arn.rsplit(':', 1)[-1]}")
    if not confirmed:
        whose = f" of {address}" if address else ""
        typer.echo(f"No e-mail in the inbox asks for a confirmation{whose} that is still pending.")


@app.command()
def job(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job's id, an SQS message id or an API request id.")],
    target: Target = "local",
    candidate: Candidate = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Tell one job's whole story: queue, receives, log lines, and the picture or the reason why there is none."""
    from couch_explorers.oncall import job_story

    story = job_story.tell(connect(target, candidate), job_id)
    if as_json:
        typer.echo(json.dumps(story.to_json(), indent=2, ensure_ascii=False))
        return
    for line in story.lines():
        typer.echo(line)


@app.command()
def redrive(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]…", help="Only these jobs; without any, all dead letters.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,  # noqa: FBT002
    force: Annotated[bool, typer.Option("--force", help="Send what would only fail again, too.")] = False,  # noqa: FBT002
    target: Target = "local",
    candidate: Candidate = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the dead letters with their reasons, and send back under the same ids what may succeed now."""
    from couch_explorers.oncall import redrive as redriving

    report = redriving.run(connect(target, candidate), ids or (), dry_run=dry_run, force=force)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(report.exit_code)
