"""Runs a notebook as a program: checks the parameters, writes three files whatever happens, and returns one verdict.

`DIR/NOTEBOOK.ipynb` is the executed notebook, `.html` the report that opens offline, `.json` the result for programs.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers import checks as found
from couch_explorers import paths
from couch_explorers.files import OutputError, check_writable, json_text, reason, write_whole
from couch_explorers.reports import parameters as notebook_parameters
from couch_explorers.reports.parameters import NotebookError, ParameterError
from couch_explorers.secret_scan import secrets_in, withheld, without_secrets
from couch_explorers.text_layout import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The files of a report: the executed notebook, the page, and the result for programs.
KINDS = ("ipynb", "html", "json")
# Names a file beside the report, which a workflow scans together with the report before publishing it on GitHub's page.
SCANNED_SUMMARY_VARIABLE = "COUCH_STEP_SUMMARY"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PACKAGES = ("couch-explorers", "boto3", "botocore", "papermill", "nbconvert", "ipykernel")

# A cell of the smoke test waits for a queue; five minutes is longer than the notebook's own deadlines.
DEFAULT_TIMEOUT_S = 300.0

__all__ = ["NotebookError", "OutputError", "ParameterError", "RunResult", "find", "names", "run"]


@dataclass(frozen=True)
class RunResult:
    """The result of a run, and the folder of its files. `error` is what stopped the notebook, None if it ran to its end."""

    notebook: str
    target: str
    parameters: dict[str, Any]
    status: str
    checks: list[found.Check]
    timings: dict[str, Any]
    versions: dict[str, str]
    started: str
    seconds: float
    error: dict[str, Any] | None
    folder: Path
    # The number of the cell that ended the notebook early with `sys.exit(0)`; None if all cells ran.
    ended_early: int | None = None
    # Why some of the report's files are missing; empty if none is.
    unwritten: list[str] = field(default_factory=list)
    # One sentence for each file that was withheld because it contained a secret.
    withheld: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every cell ran, no check failed the run, and no file contained a secret."""
        return self.status == "ok" and not self.withheld

    @property
    def outcome(self) -> str:
        """The outcome in a word or two: a run that does not fail on BAD still reports that it found something BAD."""
        if not self.ok:
            return "failed"
        return "found trouble" if any(check.verdict is found.Verdict.BAD for check in self.checks) else "passed"

    @property
    def exit_code(self) -> int:
        """The exit code of `couch run`: 0, or 1 for a failed cell or check, or a secret in a file."""
        return 0 if self.ok else 1

    def summary(self) -> str:
        """Summarize the run for a terminal: its outcome, failed checks, and where the report is."""
        outcome = f"{self.notebook} {self.outcome} in {self.seconds:.1f} s"
        lines = [f"{outcome}: {found.count(self.checks)}" if self.checks else outcome]
        if self.error:
            place = f" in cell {self.error['cell']}" if self.error["cell"] else ""
            lines.append(f"  {self.error['type']}{place}: {self.error['message']}")
        lines += [
            f"  {check.verdict:8}{check.name}: {check.detail}"
            for check in self.checks
            if check.verdict is not found.Verdict.OK
        ]
        if self.ended_early is not None:
            lines.append(
                f"  It ended itself in cell {self.ended_early} by sys.exit(0): the cells after that did not run."
            )
        lines = without_secrets(lines)
        lines += [f"  {sentence}" for sentence in (*self.withheld, *self.unwritten)]
        if self.path("html").is_file():
            lines.append(f"Report: {self.path('html').resolve().as_uri()}")
        # A check's sentence or an error may repeat a prompt.
        return printable_lines("\n".join(lines))

    def path(self, kind: str) -> Path:
        """Return the path of one of the three files: kind is ipynb, html or json."""
        return self.folder / f"{self.notebook}.{kind}"

    def to_json(self) -> dict[str, Any]:
        """Return the content of the .json file."""
        values = {
            name: value
            for name, value in vars(self).items()
            if name not in ("folder", "checks", "unwritten", "withheld")
        }
        return values | {"checks": [asdict(check) for check in self.checks]}


def names(folder: Path = NOTEBOOKS) -> list[str]:
    """List the notebooks by name."""
    return sorted(path.stem for path in folder.glob("*.ipynb"))


def find(notebook: str, folder: Path = NOTEBOOKS) -> Path:
    """Find a notebook by name, with or without .ipynb and folder; raises NotebookError with all names."""
    name = Path(notebook).name.removesuffix(".ipynb")
    if name in names(folder):
        return folder / f"{name}.ipynb"
    listed = "\n".join(f"  {known}" for known in names(folder)) or "  (none)"
    raise NotebookError(f"There is no notebook {notebook!r}. There are:\n{listed}")


def run(
    notebook: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    target: str = "local",
    out: Path = Path("reports"),
    timeout_s: float = DEFAULT_TIMEOUT_S,
    folder: Path = NOTEBOOKS,
    progress: Callable[[str], None] | None = None,
) -> RunResult:
    """Run a notebook and write its three files into `out`.

    `parameters` are texts from a command line, or values; `timeout_s` applies to each cell. Raises NotebookError,
    ParameterError or OutputError before anything starts; after that, failures are in the result and in the files, and the
    result names files that cannot be written.
    """
    path = find(notebook, folder)
    declared = notebook_parameters.read(notebook_parameters.load(path), path.stem)
    values = notebook_parameters.convert(
        declared, _with_target(parameters or {}, target, declared, path.stem), path.stem
    )
    report_progress = progress or print_progress
    started, begin = datetime.now(UTC), time.perf_counter()
    _prepare_output(out, path.stem)

    executed, error, timings, ended_early = run_cells(path, values, out, timeout_s, report_progress)

    if error is not None:
        error |= {name: paths.redact_folders(error[name]) for name in ("message", "traceback")}
    checks = found.found_in(executed)
    if ended_early is not None and error is None and not checks:
        error = {
            "type": "EndedEarly",
            "message": "The notebook ended itself by sys.exit(0) before it had shown a check: nothing was checked.",
            "cell": ended_early,
            "heading": "",
            "traceback": "",
        }
    used = {parameter.name: values.get(parameter.name, parameter.default) for parameter in declared}
    failing = found.FAILING.get(used.get("fail_on", "BAD"), found.FAILING["BAD"])
    failed = error is not None or any(check.verdict in failing for check in checks)
    result = RunResult(
        notebook=path.stem,
        target=str(values.get("target", target)),
        parameters=used,
        status="failed" if failed else "ok",
        checks=checks,
        timings=timings,
        versions=_versions(),
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - begin, 3),
        error=error,
        folder=out,
        ended_early=ended_early,
    )
    _write(result, executed, {parameter.name: parameter.comment for parameter in declared})
    return result


def _prepare_output(out: Path, name: str) -> None:
    """Check that the report can be written, and remove an older run's, which must not be mistaken for this one's."""
    check_writable(out, what="The report", how="give another folder with --out")
    for kind in KINDS:
        path = out / f"{name}.{kind}"
        try:
            # The notebook is overwritten while it runs: until then, the older one is better than none.
            if kind != "ipynb" or path.is_dir():
                path.unlink(missing_ok=True)
        except OSError as error:
            cause = "it is a folder" if path.is_dir() else reason(error)
            raise OutputError(
                f"The report cannot be written to {path} ({cause}): give another folder with --out."
            ) from error


def print_progress(line: str) -> None:
    """Print progress; a closed pipe (`| head`) must not end the run."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _with_target(
    given: Mapping[str, Any], target: str, declared: tuple[notebook_parameters.Parameter, ...], notebook: str
) -> dict[str, Any]:
    """Add `--target` to the notebook's parameters."""
    if target == "local":
        return dict(given)
    if given.get("target", target) != target:
        raise ParameterError(f"--target {target} and -p target {given['target']} contradict each other; give one.")
    if not any(parameter.name == "target" for parameter in declared):
        raise ParameterError(f"{notebook} knows no target; leave --target out.")
    return {**given, "target": target}


def run_cells(
    path: Path, values: dict[str, Any], out: Path, timeout_s: float, report_progress: Callable[[str], None]
) -> tuple[Any, dict[str, Any] | None, dict[str, Any], int | None]:
    """Run the cells. The kernel starts while papermill is imported; the exporter is imported while the cells run."""
    from couch_explorers.reports import kernel as kernels  # noqa: PLC0415 - Jupyter's import must not slow `couch --help`

    begin = time.perf_counter()
    with kernels.started(path.parent, out) as kernel:
        from couch_explorers.reports import engine  # noqa: PLC0415 - papermill, imported while the kernel starts

        executed = engine.load(path, values)
        exporter_import = threading.Thread(target=__import__, args=("couch_explorers.reports.page",), daemon=True)
        exporter_import.start()
        set_up = time.perf_counter() - begin
        error = engine.execute(executed, kernel, out / path.name, timeout_s, report_progress)
    exporter_import.join()
    timings = {"set_up": round(set_up, 3), "cells": engine.timings(executed)}
    return executed, error, timings, engine.ended_early(executed)


def _write(result: RunResult, executed: Any, comments: Mapping[str, str]) -> None:
    """Write the three files, and the job summary if GitHub requests one."""
    from couch_explorers.reports import engine, job_summary, page  # noqa: PLC0415 - imported by now, but slow

    # Reports are shared: they do not contain local folders.
    plain = paths.redact_folders
    texts: dict[str, Callable[[], str]] = {
        "ipynb": lambda: engine.text(executed, result.error),
        "html": lambda: page.render(executed, result, comments),
        "json": lambda: json_text(result.to_json()),
    }
    for kind, text in texts.items():
        content, path = plain(text()), result.path(kind)
        if not _is_withheld(result, path, content):
            _try_to_write(result, path, lambda path, content=content: write_whole(path, content))  # type: ignore[misc]
    summary = os.environ.get(SCANNED_SUMMARY_VARIABLE) or os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and not _is_withheld(result, Path(summary), job_summary.render(result)):
        _try_to_write(result, Path(summary), lambda path: job_summary.append(path, result))


def _is_withheld(result: RunResult, path: Path, content: str) -> bool:
    """Withhold a file that would contain a secret, and delete what the run has already written of it.

    In a workflow, the next step scans all files, including those of other commands, and reports what it withholds.
    """
    if SCANNED_SUMMARY_VARIABLE in os.environ:
        return False
    kinds = list(secrets_in(content.encode(errors="backslashreplace"), os.environ))
    if not kinds:
        return False
    result.withheld.append(withheld(path.name, kinds))
    if path.name.startswith(result.notebook):
        path.unlink(missing_ok=True)
    return True


def _try_to_write(result: RunResult, path: Path, write: Callable[[Path], object]) -> None:
    """Write a file; one that cannot be written must not hide the result of the run."""
    try:
        write(path)
    except OSError as error:
        result.unwritten.append(f"{path} could not be written: {reason(error)}.")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        versions[package] = importlib.metadata.version(package)
    if commit := os.environ.get("GITHUB_SHA"):
        versions["commit"] = commit
    return versions
