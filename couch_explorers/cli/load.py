"""The command that puts a load on the deployed system."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from couch_explorers.cli.options import AsJson, Candidate, Region, Target, app, connect


@app.command()
def load(
    users: Annotated[int, typer.Option(help="How many people ask for one image each, at most 10,000.")] = 100,
    minutes: Annotated[float, typer.Option(help="Within which they come, at random times; at most 60.")] = 1.0,
    via: Annotated[Literal["api", "queue"], typer.Option(help="Which path they take.")] = "queue",
    seed: Annotated[int, typer.Option(help="Of the times at which they come.")] = 1,
    max_cost_usd: Annotated[float | None, typer.Option(help="What it may cost. Required for AWS.")] = None,
    out: Annotated[Path | None, typer.Option(help="A CSV file with a row a person.")] = None,
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Let many people ask for an image, and print how long they waited, counted from when each wanted to ask."""
    from couch_explorers.capacity import load_generator
    from couch_explorers.files import write_whole

    load_generator.check_load(users, minutes, target, max_cost_usd)

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{done:,} of {users:,} served", nl=False, err=True)

    result = load_generator.run_load(
        connect(target, candidate, region),
        users=users, minutes=minutes, via=via, seed=seed, max_cost_usd=max_cost_usd, progress=progress,
    )  # fmt: skip
    if sys.stderr.isatty():
        typer.echo("", err=True)
    if out is not None:
        write_whole(out, result.requests.to_csv(index=False).encode())
        typer.echo(f"Written: {out}", err=True)
    summary = result.summary()
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo(f"{summary['pictures']:,} of {summary['users']:,} people got an image ({via})")
    for share in (50, 95, 99):
        seconds = summary[f"p{share}_s"]
        typer.echo(f"p{share}: " + (f"{seconds:.1f} s" if seconds is not None else "no image"))
    if via == "api":
        answers = ", ".join(f"{count} times {status}" for status, count in summary["by_status"].items())
        typer.echo(f"HTTP: {answers}")
    typer.echo(f"Requests left at most {summary['latest_send_s']:.2f} s after their time.", err=True)
