"""`couch`: the workspace's commands. Data goes to standard output, progress to standard error."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

# Whatever is heavy is imported inside the command that needs it: `couch --help` answers at once.
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
Candidate = Annotated[str | None, typer.Option(help="Candidate number: 1 to 10 digits. AWS demands it.")]


@app.command()
def up(
    candidate: Annotated[str, typer.Option(help="Candidate number that names everything deployed.")] = "42",
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port on 127.0.0.1.")] = 4566,
    worker_timeout: Annotated[
        int,
        typer.Option(
            min=3,
            max=900,
            help="Seconds that one queued job may take; a dead worker's job returns after six times that.",
        ),
    ] = 20,
) -> None:
    """Start the local cloud and deploy both stacks on it. Again: only what changed."""
    from couch_explorers.local import cloud, deploy, progress
    from couch_explorers.local.leftovers import end_leftovers
    from couch_explorers.local.settings import Home
    from couch_explorers.local.stacks import Settings
    from couch_explorers.workspace import check_candidate

    home = Home.current()
    settings = Settings(candidate=check_candidate(candidate), worker_timeout_s=worker_timeout)
    with cloud.exclusive(home), progress.shown() as report:
        end_leftovers(home)
        here, what_was_done = cloud.start(home, port)
        report(progress.cloud_is_there(here, what_was_done))
        result = deploy.deploy(home, here, settings, report)
    typer.echo(progress.summary(here, result))


@app.command()
def down(
    erase: Annotated[bool, typer.Option("--erase", help="Forget all its data too.")] = False,  # noqa: FBT002
) -> None:
    """Stop the local cloud; what is in it comes back with `couch up`."""
    from couch_explorers.local import cloud
    from couch_explorers.local.leftovers import end_leftovers
    from couch_explorers.local.settings import Home

    home = Home.current()
    with cloud.exclusive(home):
        end_leftovers(home)
        typer.echo(cloud.stop(home, erase=erase))


@app.command()
def status(as_json: AsJson = False) -> None:  # noqa: FBT002
    """What runs and what is deployed on it."""
    from couch_explorers.files import read_json
    from couch_explorers.local import cloud
    from couch_explorers.local.faults import Faults
    from couch_explorers.local.settings import Home

    home = Home.current()
    here = cloud.running(home)
    deployment = read_json(home.deployment_file) or {}
    names = deployment.get("workspace", {})
    state: dict[str, Any] = {
        "running": here is not None,
        "endpoint": here.endpoint if here else None,
        "pid": here.pid if here else None,
        "home": str(home.path),
        "deployed": deployment.get("deployed"),
        "candidate": names.get("candidate"),
        "api_url": names.get("api_url"),
        "queue_url": names.get("queue_url"),
        "dead_letter_url": names.get("dead_letter_url"),
        "stats": here.ask("GET", "/_couch/stats") if here else None,
        "faults": here.ask("GET", "/_couch/faults") if here else None,
    }
    if as_json:
        typer.echo(json.dumps(state, indent=2))
        return
    if here is None:
        typer.echo(cloud.NOT_RUNNING)
        return
    typer.echo(f"local cloud  {here.endpoint}  (process {here.pid}, since {here.started})")
    typer.echo(f"candidate    {state['candidate'] or 'nothing deployed yet: couch up'}")
    for label, key in (("API", "api_url"), ("queue", "queue_url"), ("dead letters", "dead_letter_url")):
        typer.echo(f"{label:<13}{state[key] or 'not deployed'}")
    typer.echo("models       " + ", ".join(f"{count} {name}" for name, count in state["stats"].items()))
    typer.echo(f"faults       {str(Faults.from_json(state['faults'])) or 'none'}")


@app.command()
def env() -> None:
    """Print exports that point AWS tools at the local cloud.

    For any other AWS tool in this shell: eval "$(couch env)"
    """
    import shlex

    from couch_explorers.local import cloud
    from couch_explorers.local.settings import Home

    home = Home.current()
    here = cloud.required(home)
    typer.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in home.client_environment(here.endpoint).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def doctor(as_json: AsJson = False) -> None:  # noqa: FBT002
    """What is here, what is missing, and the command that fixes it."""
    from dataclasses import asdict

    from couch_explorers.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.verdict:<5}{finding.name:<16}{finding.detail}")
            if finding.fix:
                typer.echo(f"{'':<21}fix: {finding.fix}")
    if any(finding.verdict == "BAD" for finding in findings):
        raise typer.Exit(1)


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

    Exit 0 when all is well, 1 when a check or a cell failed, 2 for an unknown notebook, parameter or value.
    """
    from couch_explorers import reports

    pairs = [tuple(item.split("\0", 1)) for item in parameters or []]
    result = reports.run(notebook, dict(pairs), target=target, out=out, timeout_s=timeout)  # type: ignore[arg-type]
    typer.echo(result.summary())
    raise typer.Exit(result.exit_code)


@app.command()
def lab() -> None:
    """Open JupyterLab on the workspace."""
    from couch_explorers.local.settings import PROJECT_ROOT

    jupyter = str(Path(sys.executable).with_name("jupyter"))
    os.chdir(PROJECT_ROOT)
    # The server takes this process's place: Ctrl-C and the exit code are its own.
    # Jupyter refuses root without being told; a container has no other user, and the server hears this machine only.
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    options = [*as_root, "--ip=127.0.0.1", "--notebook-dir=.", "--LabApp.default_url=/lab/tree/notebooks"]
    os.execv(jupyter, [jupyter, "lab", *options])  # noqa: S606 - no shell is wanted


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


@app.command()
def faults(
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[throttle=0.2] [error=0.05] [latency=2.0] [filter=0.01] [retired=MODEL] | clear"),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Set, show or clear faults of the local image models.

    Each call replaces what was set before.
    """
    from couch_explorers.local import cloud
    from couch_explorers.local import faults as fault_settings
    from couch_explorers.local.settings import Home

    here = cloud.required(Home.current())
    if settings:
        now = here.ask("PUT", "/_couch/faults", fault_settings.parse(settings).to_json())
    else:
        now = here.ask("GET", "/_couch/faults")
    typer.echo(json.dumps(now) if as_json else str(fault_settings.Faults.from_json(now)) or "no faults")


def _connect(target: str, candidate: str | None) -> "Workspace":
    from couch_explorers.workspace import connect

    return connect(target, candidate)


def _joined_pairs(arguments: list[str]) -> list[str]:
    """`-p NAME VALUE` as one argument: the option takes a pair, which the parser knows no repeatable form of."""
    joined: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument in ("-p", "--parameter"):
            pair = arguments[position + 1 : position + 3]
            if len(pair) < 2:  # noqa: PLR2004
                raise SystemExit(_usage_error(f"{argument} takes a name and a value, for example: -p checks api"))
            joined += [argument, "\0".join(pair)]
            position += 3
        else:
            joined.append(argument)
            position += 1
    return joined


def _usage_error(sentence: str) -> int:
    typer.echo(f"couch: {sentence}", err=True)
    return 2


def main() -> None:
    """Run `couch`: exit 0 when it did what was asked, 1 when that failed, 2 when it was asked wrongly."""
    arguments = sys.argv[1:]
    try:
        app(_joined_pairs(arguments) if arguments[:1] == ["run"] else arguments)
    except KeyboardInterrupt:
        typer.echo("couch: interrupted", err=True)
        raise SystemExit(130) from None
    except Exception as error:
        exit_code = _exit_code(error)
        if exit_code is None:
            raise
        typer.echo(f"couch: {error}", err=True)
        raise SystemExit(exit_code) from None


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that is told in its own sentence; None for one that is a defect and keeps its trace."""
    told = {
        "CloudError": 1, "StepError": 1, "WorkspaceError": 1, "PaintingError": 1, "TerraformError": 1,
        "FaultError": 2, "NotebookError": 2, "ParameterError": 2,
    }  # fmt: skip
    # By name, so that telling an error does not import every module that may raise one.
    return next((told[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in told), None)
