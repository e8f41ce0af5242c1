"""The application, and the options that several commands share."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace

app = typer.Typer(
    name="couch",
    help="Couch Explorers: the local cloud, the notebooks, one picture at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: importing what draws the boxes takes longer than everything else that `couch --help` does.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for another program.")]
Target = Annotated[Literal["local", "aws"], typer.Option(help="Where to work.")]
Candidate = Annotated[str | None, typer.Option(help="Candidate number: 1 to 10 digits. Required for AWS.")]
Region = Annotated[
    str | None, typer.Option(help="Region of both stacks on AWS; without it COUCH_REGION, else eu-west-1.")
]


def echo_json(value: object) -> None:
    """Print what `--json` asks for; see `text_layout.terminal_json`."""
    from couch_explorers.text_layout import terminal_json

    typer.echo(terminal_json(value, indent=2))


class UsageError(Exception):
    """A command was called with arguments that it does not accept; the message says which it accepts."""


def connect(target: str, candidate: str | None, region: str | None) -> "Workspace":
    """Connect to the workspace that a command works on; imported only by commands that need one."""
    from couch_explorers import workspace

    return workspace.connect(target, candidate, region)
