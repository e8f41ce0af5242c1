"""Commands for on-call work: emails, job, redrive."""

from typing import TYPE_CHECKING, Annotated

import typer

from couch_explorers.cli.options import AsJson, Candidate, Region, Target, app, connect, echo_json

if TYPE_CHECKING:
    from couch_explorers.paths import Home


@app.command()
@app.command("inbox", hidden=True)  # its name before
def emails(
    clear: Annotated[bool, typer.Option("--clear", help="Delete all e-mails.")] = False,  # noqa: FBT002
    confirm: Annotated[  # noqa: FBT002
        bool, typer.Option("--confirm", help="Confirm pending e-mail subscriptions.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Confirm only the subscriptions of this address.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the local cloud's e-mails.

    None leaves this machine. Alarms send them, and subscriptions that their owner has to confirm.
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
        deleted = mails.delete_mails(home)
        typer.echo(f"{deleted} e-mail{'' if deleted == 1 else 's'} deleted")
        return
    found = mails.read_mails(home)
    if as_json:
        echo_json([mail.to_json() for mail in found])
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
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show a job's timeline, from the queue to its image or error."""
    from couch_explorers.oncall.job_timeline import trace

    timeline = trace(connect(target, candidate, region), job_id)
    if as_json:
        echo_json(timeline.to_json())
        return
    for line in timeline.lines():
        typer.echo(line)


@app.command()
def redrive(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]…", help="Only these jobs; by default all in the dead-letter queue."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,  # noqa: FBT002
    force: Annotated[bool, typer.Option("--force", help="Also redrive jobs expected to fail again.")] = False,  # noqa: FBT002
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Redrive jobs of the dead-letter queue that may now succeed.

    Each is shown with its reason, and keeps its id. A job whose model timed out is redriven once: each timeout may be billed.
    """
    from couch_explorers.oncall import redrive

    report = redrive.run(connect(target, candidate, region), ids or (), dry_run=dry_run, force=force)
    if as_json:
        echo_json(report.to_json())
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(report.exit_code)
