"""The command for the exam's submission: deliverables."""

from typing import Annotated, Literal

import typer

from couch_explorers.cli.options import AsJson, Candidate, Region, Target, UsageError, app, connect, echo_json


@app.command()
def deliverables(
    target: Target = "local",
    candidate: Candidate = None,
    region: Region = None,
    language: Annotated[Literal["en", "nb"], typer.Option(help="English or Norwegian.")] = "en",
    repository: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="On GitHub; without it, GITHUB_REPOSITORY or git's origin.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="USER/REPOSITORY", help="On Docker Hub; without it, DOCKERHUB_USERNAME's.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Put it into the pages and the Postman collection.")] = False,  # noqa: FBT002
    empty: Annotated[bool, typer.Option("--empty", help="As it is before any deploy; makes no calls.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List each task's deliverables, with their addresses.

    Also prints the commands that try them.

    With `--target aws`, GitHub is asked for the runs of the workflows; GITHUB_TOKEN is used where it is set.
    """
    from couch_explorers import paths
    from couch_explorers.deliverables import render
    from couch_explorers.deliverables.model import NOTHING_DEPLOYED
    from couch_explorers.deliverables.workflow_runs import REPOSITORY_NAME

    if repository and not REPOSITORY_NAME.fullmatch(repository):
        raise UsageError(f"--repository takes OWNER/NAME, such as octocat/couch-explorers, not {repository!r}.")
    if write and target == "local" and not empty:
        raise UsageError(
            "The local cloud's addresses work on this machine only and are not written into the pages. "
            "Write those of AWS: couch deliverables --target aws --write"
        )
    if empty:
        facts = NOTHING_DEPLOYED
    else:
        import os

        from couch_explorers.deliverables.collect import collect

        facts = collect(
            connect(target, candidate, region),
            os.environ,
            paths.PROJECT_ROOT,
            given_repository=repository,
            given_image=image,
        )
    words = render.in_language(language)
    if as_json:
        echo_json(render.as_json(facts, words))
    else:
        typer.echo(render.markdown(facts, words), nl=False)
    if write:
        changed, unchanged = render.write(facts, paths.PROJECT_ROOT)
        for label, names in (("written", changed), ("unchanged", unchanged)):
            if names:
                typer.echo(f"{label}: {', '.join(names)}", err=True)
        if count := sum(row.empty is not None for task in render.tasks(facts, words) for row in task.rows):
            typer.echo(f"empty: {count} row{'s' if count > 1 else ''}, each of which says why", err=True)
