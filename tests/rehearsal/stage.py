"""The stage of a rehearsal: a copy of the project as a repository of its own, where act runs the real workflow files on the host.

What of the user's environment reaches a workflow: environment.py.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from couch_explorers.local import terraform
from couch_explorers.local.settings import ACCOUNT_ID

from . import workflow_files
from .act_log import Rehearsal, read
from .environment import clean_environment

# What .ci/run installs.
ACT = "github.com/nektos/act@v0.2.89"

BRANCH = "main"
ORIGIN = "https://github.com/couch-explorers/couch-explorers.git"
AUTHOR = {"NAME": "Rehearsal", "EMAIL": "rehearsal@couch-explorers.example"}
COMMITTED = "2026-11-01T12:00:00+00:00"

# The runner that the workflows ask for is this machine. One of arm64 is not: act skips its jobs, and says so.
RUNNER = "ubuntu-24.04"
# Seconds, after which a workflow is taken to hang: one has all unit tests in it, which take minutes where others run beside them.
TIMEOUT_S = 1800

# Opens nothing but the local cloud, which takes any secret. Long enough for the scan of the reports to look for it, and no
# word that a log says by chance, for act blots it out there.
SECRET = "opens-the-rehearsal-only"
SECRETS = {"AWS_ACCESS_KEY_ID": ACCOUNT_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
MODELS = tuple(
    f"arn:aws:bedrock:us-west-2::foundation-model/stability.{name}-v1:1"
    for name in ("stable-image-core", "stable-image-ultra")
)
VARIABLES = {
    "CANDIDATE": "42",
    "ALARM_EMAIL": "standup@couch-explorers.example",
    # With blanks, as people write a list.
    "MODEL_ARNS": " , ".join(MODELS),
}


def missing(*programs: str) -> str:
    """Why nothing can be rehearsed here, in a sentence that says what to do; empty when it can."""
    if find_act() is None:
        return f"act is not installed, which runs the workflows: go install {ACT}"
    if absent := [program for program in ("git", *programs) if shutil.which(program) is None]:
        return f"{' and '.join(absent)} not installed, which the rehearsed workflow needs"
    return ""


def find_act() -> str | None:
    """The path of act, on the PATH or where `go install` puts programs."""
    go = os.environ.get("GOPATH") or str(Path.home() / "go")
    folders = [os.environ.get("GOBIN"), *(f"{folder}/bin" for folder in go.split(os.pathsep))]
    return shutil.which("act") or next(
        filter(None, (shutil.which("act", path=folder) for folder in folders if folder)), None
    )


@dataclass
class Stage:
    """A copy of the project in `folder`/repository, and what a workflow finds around it."""

    folder: Path
    # Nobody listens there: what asks a cloud without being given one fails.
    endpoint: str = "http://127.0.0.1:9"
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    variables: dict[str, str] = field(default_factory=lambda: dict(VARIABLES))
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        """Where the copy lies, with the branch checked out that the next event comes from."""
        return self.folder / "repository"

    def copy_project(self, root: Path = workflow_files.ROOT) -> None:
        """Copy what git would take of the project, committed or not, and commit all of it to `main`."""
        self.repository.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", BRANCH)
        self.git("remote", "add", "origin", ORIGIN)
        # The checkout asks for a commit by its name, as GitHub's does.
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")
        # Straight from the project's folder, so that its own repository is neither needed nor touched.
        add = (f"--git-dir={self.repository / '.git'}", f"--work-tree={root}", "add", "--all")
        try:
            self.git(*add)
        except AssertionError:
            # A file went away while git looked: other tests may be at work in the project's folder.
            self.git(*add)
        self.git("commit", "--quiet", "--message", "The project as it is here")
        self.git("reset", "--quiet", "--hard")

    @contextmanager
    def changed(self, name: str, before: str, after: str) -> Iterator[None]:
        """Change a text that a file of the copy has once, and commit that; it is as before afterwards."""
        path = self.repository / name
        text = path.read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise AssertionError(f"{name} has {before!r} {text.count(before)} times, not once")
        with self.with_file(name, text.replace(before, after)):
            yield

    @contextmanager
    def with_file(self, name: str, text: str) -> Iterator[None]:
        """Write a file into the copy and commit that; the copy is as before afterwards."""
        (self.repository / name).write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {name}")
        try:
            yield
        finally:
            self.git("reset", "--quiet", "--hard", "HEAD^")

    @contextmanager
    def branch(self, name: str) -> Iterator[None]:
        """Go on from here on a branch, and come back."""
        self.git("switch", "--quiet", "--create", name)
        # act takes for the branch whichever points at the commit, so the branch gets one of its own.
        self.git("commit", "--quiet", "--allow-empty", "--message", f"Begin {name}")
        try:
            yield
        finally:
            self.git("switch", "--quiet", BRANCH)

    def git(self, *words: str) -> str:
        """Run git in the copy, whatever the user has set for git elsewhere."""
        identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in AUTHOR.items()}
        dates = {"GIT_AUTHOR_DATE": COMMITTED, "GIT_COMMITTER_DATE": COMMITTED}
        done = subprocess.run(
            ["git", *words],
            cwd=self.repository,
            env=self.clean_environment() | identity | dates,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"git {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def enter(self, commands: str, answers: str = "") -> None:
        """Run commands as a person would in a fresh clone, with the project's programs on the PATH; AssertionError when one fails."""
        mine = self.clean_environment()
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", commands],
            cwd=self.repository,
            env=mine
            | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{mine['PATH']}", "AWS_ENDPOINT_URL": self.endpoint}
            | self.secrets
            | self.environment,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        if done.returncode:
            raise AssertionError(
                f"{commands}\nended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )

    def rehearse(
        self, workflow: str, event: str = "push", *options: str, watch: Callable[[str], object] = lambda line: None
    ) -> Rehearsal:
        """Run one workflow as the event would, and wait for its end; `watch` is shown each line of act's log as it comes."""
        place = self.folder / f"{workflow}-{len(list(self.folder.glob(f'{workflow}-*')))}"
        artifacts = place / "artifacts"
        artifacts.mkdir(parents=True)
        command = [
            *(str(find_act()), event, "--json", "--workflows", f".github/workflows/{workflow}.yml"),
            *("--platform", f"{RUNNER}=-self-hosted", "--no-skip-checkout", "--no-cache-server", "--rm"),
            *("--action-offline-mode", "--use-new-action-cache", "--action-cache-path", str(place / "act")),
            *("--defaultbranch", BRANCH, *options),
        ]
        for use in workflow_files.all_uses(self.repository):
            command += ["--local-repository", f"{use.action}@{use.ref}={workflow_files.stand_in(use)}"]
        for name, value in self.secrets.items():
            command += ["--secret", f"{name}={value}"]
        for name, value in self.variables.items():
            command += ["--var", f"{name}={value}"]
        environment = self.clean_environment() | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "REHEARSAL_STAGE": str(self.repository),
            "REHEARSAL_ARTIFACTS": str(artifacts),
            "REHEARSAL_PLACE": str(place),
            "COUCH_DOCKER_IMAGES": str(place / "images" / "images.json"),
            "REHEARSAL_PYTHON": sys.executable,
            **self.environment,
        }
        exit_code, lines = self._run(command, environment, watch)
        (place / "act.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return read(exit_code, lines, artifacts)

    def _run(
        self, command: list[str], environment: dict[str, str], watch: Callable[[str], object]
    ) -> tuple[int, list[str]]:
        # In a session of its own, so that it can be ended with all that it started.
        process = subprocess.Popen(
            command,
            cwd=self.repository,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        late = threading.Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGTERM))
        late.start()
        lines: list[str] = []
        with process:
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip("\n"))
                    watch(line)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                raise
            finally:
                late.cancel()
        return process.returncode, lines

    def clean_environment(self) -> dict[str, str]:
        """The user's environment without whatever is the user's own."""
        return clean_environment(self.folder / "home")


def for_terraform() -> dict[str, str]:
    """What `terraform init` needs where S3 is one host name and the registry may be out of reach."""
    arguments = ("-backend-config=use_path_style=true", *terraform.provider_source().arguments)
    return {"TF_CLI_ARGS_init": " ".join(arguments)}
