"""`couch`: the workspace's commands. Data goes to standard output, progress to standard error."""

import errno
import io
import os
import sys
from pathlib import Path

import typer

from couch_explorers import loopback

# Each module adds its commands to the application, in the order in which `couch --help` lists them. Whatever is heavy is
# imported inside the command that needs it: `couch --help` answers at once.
from couch_explorers.cli import account, local_cloud, notebooks, on_call, pictures, submission  # noqa: F401
from couch_explorers.cli.notebooks import joined_pairs
from couch_explorers.cli.options import app
from couch_explorers.core.errors import shown

# System errors about a file or folder that the user has to change: not defects.
UNUSABLE = frozenset({
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOTDIR,
    errno.EPERM, errno.EROFS,
})  # fmt: skip


def main() -> None:
    """Run `couch`: exit code 0 on success, 1 on failure, 2 on wrong usage."""
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's or pipe's encoding lacks is escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # For every request of this process and every program that it starts.
    loopback.bypass_proxies()
    if odd := next((argument for argument in arguments if _is_no_text(argument)), None):
        typer.echo(f"couch: The argument {shown(odd)} is not in UTF-8: type it in a terminal that is.", err=True)
        raise SystemExit(2)
    try:
        app(joined_pairs(arguments) if arguments[:1] == ["run"] else arguments)
    except KeyboardInterrupt:
        typer.echo("couch: interrupted", err=True)
        raise SystemExit(130) from None
    except Exception as error:
        reported: object = error
        exit_code = _exit_code(error)
        if exit_code is None and (problem := _credentials_problem(error)) is not None:
            reported, exit_code = problem, 1
        if exit_code is None:
            raise
        typer.echo(f"couch: {_sentence(reported)}", err=True)
        raise SystemExit(exit_code) from None


def _credentials_problem(error: Exception) -> object | None:
    """Return what is wrong with the user's AWS credentials, if botocore's error says so: a login can expire at any time."""
    if not type(error).__module__.startswith("botocore."):
        return None
    from couch_explorers.aws import credentials

    return credentials.explain(error)


def _is_no_text(argument: str) -> bool:
    """Check whether an argument is not valid UTF-8: Python represents each such byte as a lone surrogate."""
    return any("\ud800" <= character <= "\udfff" for character in argument)


def _sentence(error: object) -> str:
    """Return the message for an error."""
    if isinstance(error, OSError) and _is_of_a_file(error):
        hint = " Everything is kept in that folder: COUCH_HOME names another." if _is_in_home(error) else ""
        return f"{error.filename} cannot be used: {error.strerror}.{hint}"
    from couch_explorers.text_layout import printable_lines

    # A message may repeat what a stranger wrote: a prompt, an id, a file's name.
    return printable_lines(str(error))


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that is reported by its message; None for a defect, which keeps its traceback."""
    exit_codes = {
        "CloudError": 1, "StepError": 1, "WorkspaceError": 1, "PaintingError": 1, "TerraformError": 1,
        "ExplorationError": 1, "OncallError": 1, "MetricsError": 1, "DeliverablesError": 1, "BootstrapError": 1,
        "FaultError": 2, "LoadError": 2, "OutputError": 2, "MetricsParameterError": 2, "NotebookError": 2, "ParameterError": 2, "UsageError": 2,
    }  # fmt: skip
    if isinstance(error, OSError) and _is_of_a_file(error) and (error.errno in UNUSABLE or _is_in_home(error)):
        return 2
    # By name, so that reporting an error does not import every module that may raise one.
    return next((exit_codes[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in exit_codes), None)


def _is_of_a_file(error: OSError) -> bool:
    """Check whether the error is about a file or folder rather than a connection."""
    return isinstance(error.filename, str | bytes) and not isinstance(error, ConnectionError)


def _is_in_home(error: OSError) -> bool:
    from couch_explorers.paths import Home

    return Path(os.fsdecode(error.filename)).is_relative_to(Home.current().path)
