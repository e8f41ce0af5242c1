"""The pictures' commands: paint."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from couch_explorers.cli.options import AsJson, Candidate, Target, app

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    via: Annotated[Literal["api", "queue"], typer.Option(help="Which path the job takes.")] = "api",
    model: Annotated[str | None, typer.Option(help="Model id or ARN; without it the deployed default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Without it one is derived from the job's id.")] = None,
    size: Annotated[str | None, typer.Option(help="Pixels, such as 512x512.")] = None,
    target: Target = "local",
    candidate: Candidate = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Paint one picture: prints its S3 URI and the file that was saved."""
    from couch_explorers import painting
    from couch_explorers.local.settings import Home

    workspace = _connect(target, candidate)
    painted = painting.paint(
        workspace, prompt, folder=Home.current().pictures, via=via, model=model, seed=seed, size=size
    )
    if as_json:
        typer.echo(
            json.dumps(
                {name: str(value) if isinstance(value, Path) else value for name, value in vars(painted).items()}
            )
        )
        return
    typer.echo(painted.uri)
    typer.echo(str(painted.file))
    typer.echo(f"{painted.model}, seed {painted.seed}, {painted.seconds:.1f} s", err=True)


def _connect(target: str, candidate: str | None) -> "Workspace":
    from couch_explorers.workspace import connect

    return connect(target, candidate)
