"""`couch`: the workspace's commands. Data goes to standard output, progress to standard error."""

import io
import sys

import typer

from couch_explorers import loopback

# Each module adds its commands to the application, in the order in which `couch --help` lists them. Whatever is heavy is
# imported inside the command that needs it: `couch --help` answers at once.
from couch_explorers.cli import local_cloud, notebooks, on_call, pictures, submission  # noqa: F401
from couch_explorers.cli.notebooks import joined_pairs
from couch_explorers.cli.options import app


def main() -> None:
    """Run `couch`: exit 0 when it did what was asked, 1 when that failed, 2 when it was asked wrongly."""
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe whose encoding lacks a character gets an escape, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Here, for everything that this process asks and for every program that it starts.
    loopback.bypass_proxies()
    try:
        app(joined_pairs(arguments) if arguments[:1] == ["run"] else arguments)
    except KeyboardInterrupt:
        typer.echo("couch: interrupted", err=True)
        raise SystemExit(130) from None
    except Exception as error:
        told: object = error
        exit_code = _exit_code(error)
        if exit_code is None and (problem := _credentials_problem(error)) is not None:
            told, exit_code = problem, 1
        if exit_code is None:
            raise
        typer.echo(f"couch: {told}", err=True)
        raise SystemExit(exit_code) from None


def _credentials_problem(error: Exception) -> object | None:
    """What is wrong with the user's AWS credentials, where that is what botocore says: a login can end at any moment."""
    if not type(error).__module__.startswith("botocore."):
        return None
    from couch_explorers import aws_configuration

    return aws_configuration.explain(error)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that is told in its own sentence; None for one that is a defect and keeps its trace."""
    told = {
        "CloudError": 1, "StepError": 1, "WorkspaceError": 1, "PaintingError": 1, "TerraformError": 1,
        "ExplorationError": 1, "OncallError": 1, "MetricsError": 1, "HistoryError": 1, "DeliverablesError": 1,
        "FaultError": 2, "MetricsParameterError": 2, "NotebookError": 2, "ParameterError": 2, "UsageError": 2,
    }  # fmt: skip
    # By name, so that telling an error does not import every module that may raise one.
    return next((told[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in told), None)
