"""Run every formatter, linter and validator of the project side by side; change nothing; exit 1 when one objects.

python tools/check.py                           all of them
python tools/check.py "ruff format" notebooks   these only, as the hooks of .pre-commit-config.yaml do
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

sys.path.insert(0, str(ROOT))

from couch_explorers.local import terraform  # noqa: E402 - found through the path set above


@dataclass(frozen=True)
class Outcome:
    """The result of one check: passed, failed, or skipped with the reason."""

    verdict: str
    text: str = ""


def command(*words: str | Path, folder: Path = ROOT, environment: dict[str, str] | None = None) -> Outcome:
    """Run a program; passed when it exits with 0."""
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return Outcome("passed" if done.returncode == 0 else "FAILED", (done.stdout + done.stderr).strip())


def tracked(pattern: str = "") -> list[Path]:
    """The files that git tracks or would add, by the end of their name."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if name.endswith(pattern) and (ROOT / name).is_file()]


def text_files() -> Outcome:
    """Every text file is UTF-8 with LF line ends and ends with one."""
    faults = []
    for path in tracked():
        if path.suffix in (".png", ".jpg"):
            continue
        content = path.read_bytes()
        try:
            content.decode()
        except UnicodeDecodeError:
            faults.append(f"{path.relative_to(ROOT)}: not UTF-8")
            continue
        if b"\r" in content:
            faults.append(f"{path.relative_to(ROOT)}: has carriage returns")
        if content and not content.endswith(b"\n"):
            faults.append(f"{path.relative_to(ROOT)}: does not end with a line end")
    return Outcome("FAILED" if faults else "passed", "\n".join(faults))


def snapshots() -> Outcome:
    """Each file of snapshots belongs to a module of tests; pytest itself fails for a snapshot that a module does not use."""
    left = [path for path in tracked(".ambr") if not path.parent.with_name(f"{path.stem}.py").is_file()]
    faults = [f"{path.relative_to(ROOT)}: {path.stem}.py is gone" for path in left]
    return Outcome("FAILED" if faults else "passed", "\n".join(faults))


def terraform_files() -> Outcome:
    """`terraform fmt` and `validate` on a copy, so that no lock file of a mirror lands in the project."""
    try:
        program, source = terraform.executable(), terraform.provider_source()
    except terraform.TerraformError as error:
        return Outcome("skipped", str(error))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "infra"
        shutil.copytree(ROOT / "infra", folder, ignore=shutil.ignore_patterns(".terraform*"))
        for words in (
            ("fmt", "-check", "-recursive", "-diff"),
            ("init", "-backend=false", "-no-color", *source.arguments),
            ("validate", "-no-color"),
        ):
            outcome = command(program, *words, folder=folder, environment=terraform.environment())
            if outcome.verdict != "passed":
                return outcome
    return Outcome("passed")


def java_files() -> Outcome:
    """The Java client is formatted as its pom.xml asks."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        return Outcome("skipped", f"{' and '.join(missing)} not found: install Java 17 and Maven")
    return command("mvn", "--batch-mode", "--quiet", "spotless:check", folder=ROOT / "java_sqs_client")


def notebooks_are_stripped() -> Outcome:
    """Notebooks hold no outputs in git, but for cells that nbval compares."""
    return command(BIN / "nbstripout", "--keep-id", "--verify", *tracked(".ipynb"))


# What .ci/run and checks.yml install.
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


def workflow_files() -> Outcome:
    """GitHub's workflows are what GitHub would run; what their shell steps say is read by shellcheck too."""
    program = shutil.which("actionlint", path=os.pathsep.join([str(BIN), os.environ["PATH"], *go_programs()]))
    if program is None:
        return Outcome("skipped", f"actionlint not found: go install {ACTIONLINT}")
    return command(program, "-shellcheck", BIN / "shellcheck", *sorted((ROOT / ".github" / "workflows").glob("*.yml")))


SHEBANG = re.compile(rb"#!.*\b(?:ba|da|k)?sh\b")


def shell_texts() -> Outcome:
    """Whatever a shell runs is read by shellcheck: scripts, known by their first line, and the steps of composite actions."""
    scripts = [path for path in tracked() if path.suffix == ".sh" or SHEBANG.match(path.read_bytes()[:80])]
    with tempfile.TemporaryDirectory() as scratch:
        steps = [name for path in tracked("/action.yml") for name in write_steps(path, Path(scratch))]
        return command(BIN / "shellcheck", *scripts, *steps, folder=Path(scratch))


def write_steps(action: Path, folder: Path) -> Iterator[Path]:
    """Write each step of a composite action as a script into the folder; actionlint reads those of workflows alone."""
    place = action.parent.relative_to(ROOT)
    for number, step in enumerate(yaml.safe_load(action.read_text(encoding="utf-8"))["runs"]["steps"], start=1):
        if "run" in step:
            # As GitHub starts a shell that a step names: it ends at the first command that fails.
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / f"step-{number}").write_text(
                f"#!/bin/{step['shell']} -e\n{step['run']}\n", encoding="utf-8"
            )
            yield place / f"step-{number}"


def go_programs() -> list[str]:
    """The folder in which `go install` puts programs, where there is Go."""
    if shutil.which("go") is None:
        return []
    go_paths = subprocess.run(["go", "env", "GOBIN", "GOPATH"], capture_output=True, text=True, check=False).stdout
    gobin, _, gopath = go_paths.partition("\n")
    return [gobin.strip() or str(Path(gopath.strip()) / "bin")]


# No scanner looks for known vulnerabilities in Python packages: pip-audit asks PyPI or OSV over the network, and the one database that
# is itself a package, safety-db, ends in July 2021.
# What checkov reads, by its name of the framework. An exception stands in the resource, with its reason: `checkov:skip=ID:reason`.
SCANNED = {
    "terraform": "infra",
    "cloudformation": "sam_lambda",
    "dockerfile": "java_sqs_client",
    "github_actions": ".github/workflows",
}


CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"


def infrastructure() -> Outcome:
    """Templates, workflows and the Dockerfile have none of the holes that checkov knows; offline, nothing is uploaded."""
    if not CHECKOV.exists():
        return Outcome("skipped", "checkov not found: make check installs it")
    with tempfile.TemporaryDirectory() as scratch:
        # A copy of what git has, since a folder may hold packages that were built or fetched.
        for path in tracked():
            place = path.relative_to(ROOT)
            if place.as_posix().startswith(tuple(f"{folder}/" for folder in SCANNED.values())):
                (Path(scratch) / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, Path(scratch) / place)
        return command(
            CHECKOV, "--directory", ".", "--framework", *SCANNED, "--compact", "--quiet", "--skip-download",
            folder=Path(scratch), environment=os.environ | {"LOG_LEVEL": "ERROR"},
        )  # fmt: skip


CHECKS: dict[str, Callable[[], Outcome]] = {
    "mypy": lambda: command(BIN / "mypy"),
    "infrastructure security": infrastructure,
    "terraform": terraform_files,
    "sam template": lambda: command(BIN / "cfn-lint", "sam_lambda/template.yaml"),
    "java format": java_files,
    "dockerfile": lambda: command(BIN / "hadolint", "java_sqs_client/Dockerfile"),
    "ruff format": lambda: command(BIN / "ruff", "format", "--check", "."),
    "ruff check": lambda: command(BIN / "ruff", "check", "."),
    "workflows": workflow_files,
    # Offline: nobody asks GitHub whether a pin is the commit of the tag beside it, nor whether a hole in it has become known since.
    # tests/rehearsal/pins.py holds each pin against what was read there when it was set.
    "workflow security": lambda: command(
        BIN / "zizmor", "--pedantic", "--offline", "--quiet", "--no-progress", ".github"
    ),
    "shell scripts": shell_texts,
    "notebooks": notebooks_are_stripped,
    "text files": text_files,
    "snapshots": snapshots,
    "import layers": lambda: command(BIN / "lint-imports", "--no-logo", "--no-cache"),
    "retired names": lambda: command(sys.executable, ROOT / "tools" / "retired_names.py"),
    "measured figures": lambda: command(sys.executable, ROOT / "tools" / "measured.py", "--check"),
}


def main(names: Sequence[str] = ()) -> int:
    """Run the named checks (none: all), two at a time, and print one line each; the output of those that failed comes last.

    Exit 2 for a name that is not known.
    """
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"No such check: {', '.join(unknown)}. There are: {', '.join(CHECKS)}")
        return 2
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {name: pool.submit(check) for name, check in CHECKS.items() if not names or name in names}
        outcomes = {name: task.result() for name, task in running.items()}
    for name, outcome in outcomes.items():
        reason = f"  {outcome.text}" if outcome.verdict == "skipped" else ""
        print(f"{outcome.verdict:<8} {name}{reason}")
    failed = {name: outcome for name, outcome in outcomes.items() if outcome.verdict == "FAILED"}
    for name, outcome in failed.items():
        print(f"\n{name}\n{outcome.text}")
    print(f"\n{len(outcomes)} checks in {time.monotonic() - started:.0f} s, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
