"""The notebooks' commands: run and lab."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from couch_explorers.cli.options import Target, UsageError, app


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(help="Name of a notebook in notebooks/, such as smoke_test.")],
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME VALUE", help="A parameter of the notebook; repeat for more."),
    ] = None,
    target: Target = "local",
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("reports"),
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one cell may take.")] = 600,
) -> None:
    """Run a notebook and write its report: .ipynb, .html, .json.

    A file that would hold a secret, such as an AWS key or a token, is not written; in a workflow the next step scans the files.

    Exit 0 when all is well, 1 when a check or a cell failed or a file held a secret, 2 for an unknown notebook, parameter or value.
    """
    from couch_explorers import reports

    pairs = [tuple(item.split("\0", 1)) for item in parameters or []]
    result = reports.run(notebook, dict(pairs), target=target, out=out, timeout_s=timeout)  # type: ignore[arg-type]
    typer.echo(result.summary())
    raise typer.Exit(result.exit_code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Open JupyterLab on the workspace.

    What follows is given to JupyterLab: couch lab --no-browser --port 9000
    """
    from couch_explorers.paths import PROJECT_ROOT

    programs = Path(sys.executable).parent
    # Jupyter refuses root without being told; a container has no other user, and the server hears this machine only.
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    options = ["--ip=127.0.0.1", f"--notebook-dir={PROJECT_ROOT}", "--LabApp.default_url=/lab/tree/notebooks"]
    # Other defaults for JupyterLab, so that it does not begin by asking whether it may fetch news, and breaks long lines; what
    # a user sets there wins. Its kernel leaves notebooks as they are, and its terminals know `couch`.
    own = Path(__file__).resolve().parents[1] / "lab"
    searched = {"JUPYTER_CONFIG_PATH": own, "JUPYTER_PATH": own, "PATH": programs}
    environment = os.environ | {
        name: os.pathsep.join(filter(None, (str(first), os.environ.get(name)))) for name, first in searched.items()
    }
    # The server takes this process's place: Ctrl-C and the exit code are its own.
    jupyter = str(programs / "jupyter")
    os.execve(jupyter, [jupyter, "lab", *as_root, *options, *context.args], environment)  # noqa: S606 - no shell is wanted


def joined_pairs(arguments: list[str]) -> list[str]:
    """`-p NAME VALUE` as one argument: the option takes a pair, which the parser knows no repeatable form of."""
    joined: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument in ("-p", "--parameter"):
            pair = arguments[position + 1 : position + 3]
            if len(pair) < 2:  # noqa: PLR2004
                raise UsageError(f"{argument} takes a name and a value, for example: -p checks api")
            joined += [argument, "\0".join(pair)]
            position += 3
        else:
            joined.append(argument)
            position += 1
    return joined
