"""Commands for single images: paint, reproduce."""

import json
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
    """Paint one picture: prints its S3 URI and the file that was saved."""
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
    """Generate an image again from the parameters stored in it, and compare the two."""
    from couch_explorers.exploration.reproduce import read_recipe, reproduce

    recipe = read_recipe(picture)
    typer.echo(str(recipe), err=True)
    made = reproduce(picture, connect(target, candidate, region), out)
    if as_json:
        typer.echo(_as_json(made))
        return
    typer.echo(str(made.path))
    typer.echo(made.sentence, err=True)


def _as_json(record: Any) -> str:
    values = {name: str(value) if isinstance(value, Path) else value for name, value in vars(record).items()}
    return json.dumps(values, ensure_ascii=False)
