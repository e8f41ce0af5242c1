"""Commands that ask the deployed system for images: paint, reproduce, load."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from couch_explorers.cli.options import AsJson, Candidate, Region, Target, app, connect


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    via: Annotated[Literal["api", "queue"], typer.Option(help="Which path the job takes.")] = "api",
    model: Annotated[str | None, typer.Option(help="Model id or ARN; without it the deployed default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Without it one is derived from the job's id.")] = None,
    size: Annotated[str | None, typer.Option(help="Pixels, such as 512x512.")] = None,
    cfg_scale: Annotated[float | None, typer.Option(help="How closely to follow the prompt, 1.1 to 10.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What must not be in the picture.")] = None,
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Generate one image; print its S3 URI and the saved file."""
    from couch_explorers import generate_image
    from couch_explorers.paths import Home

    workspace = connect(target, candidate, region)
    painted = generate_image.paint(
        workspace,
        prompt,
        folder=Home.current().pictures,
        via=via,
        model=model,
        seed=seed,
        size=size,
        cfg_scale=cfg_scale,
        negative_prompt=negative_prompt,
    )
    if as_json:
        typer.echo(_as_json(painted))
        return
    typer.echo(painted.uri)
    typer.echo(str(painted.file))
    typer.echo(f"{painted.model}, seed {painted.seed}, {painted.seconds:.1f} s", err=True)


@app.command()
@app.command("again", hidden=True)  # its name before
def reproduce(
    picture: Annotated[Path, typer.Argument(metavar="IMAGE", help="A PNG that this workspace has made.")],
    out: Annotated[Path | None, typer.Option(help="The new file; without it IMAGE-again.png, beside it.")] = None,
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Generate an image again from its parameters, and compare."""
    from couch_explorers.exploration.reproduce import read_recipe, reproduce

    recipe = read_recipe(picture)
    typer.echo(str(recipe), err=True)
    made = reproduce(picture, connect(target, candidate, region), out)
    if as_json:
        typer.echo(_as_json(made))
        return
    typer.echo(str(made.path))
    typer.echo(made.sentence, err=True)


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
    """Let many users ask for an image, and measure their waits.

    A wait begins when the user wanted to ask, even if earlier requests were still running.
    """
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


def _as_json(record: Any) -> str:
    from couch_explorers.text_layout import terminal_json

    values = {name: str(value) if isinstance(value, Path) else value for name, value in vars(record).items()}
    return terminal_json(values)
