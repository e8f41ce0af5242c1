"""Runs a notebook with papermill in this process: plain progress lines, a timeout per cell, files written atomically."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from couch_explorers.files import write_whole
from couch_explorers.reports.kernel import KERNEL_NAME, LANGUAGE
from couch_explorers.reports.parameters import NotebookError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Slow imports that no notebook needs: jsonschema, through nbformat, imports an IRI grammar, which takes 1.5 s to compile, and
# duration arithmetic; papermill imports boto3 to read notebooks from S3. Both work without them. The entries are removed again,
# although nothing else in this process imports these modules.
_NEEDLESS = [name for name in ("rfc3987_syntax", "isoduration", "papermill.s3") if name not in sys.modules]
for _name in _NEEDLESS:
    sys.modules[_name] = None  # type: ignore[assignment]  # what Python itself documents for this
try:
    import nbformat.v4
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NotebookExecutionManager
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook
finally:
    for _name in _NEEDLESS:
        del sys.modules[_name]

# nbformat has no type annotations.
FORMAT: Any = nbformat

START_TIMEOUT_S = 60
SAVE_EVERY_S = 5.0
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def load(path: Path, parameters: dict[str, Any]) -> Any:
    """Load a notebook and inject the parameters, already checked, in a cell below its own."""
    try:
        notebook = load_notebook_node(str(path))
    except Exception as error:
        # nbformat's errors have no common class.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotebookError(f"{path.name} is not a notebook that can be run: {first}. Restore it from git.") from error
    notebook.metadata.papermill["input_path"] = path.name
    if parameters:
        notebook = parameterize_notebook(notebook, parameters, kernel_name=KERNEL_NAME, language=LANGUAGE)
    return notebook


def execute(notebook: Any, kernel: Any, output: Path, timeout_s: float, progress: Callable[[str], None]) -> Any:
    """Run the cells and fill in their outputs. Return None, or what stopped the run as a dictionary for the report.

    `timeout_s` applies to each cell and is rounded up to whole seconds.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # the report has all of it
    manager = _Manager(notebook, output, progress)
    manager.notebook_start()
    client = PapermillNotebookClient(
        manager,
        km=kernel,
        kernel_name=KERNEL_NAME,
        timeout=max(1, math.ceil(timeout_s)),
        startup_timeout=START_TIMEOUT_S,
        shutdown_kernel="immediate",
        log=logging.getLogger("papermill"),
    )
    error = None
    try:
        client.execute(cleanup_kc=True)
    except CellTimeoutError:
        error = manager.problem("CellTimeout", f"The cell ran for more than {timeout_s:g} s and was stopped.")
    except DeadKernelError:
        error = manager.problem("DeadKernel", "The kernel died or was interrupted while this cell ran.")
    except KeyboardInterrupt:
        error = manager.problem("KeyboardInterrupt", "The run was interrupted.")
    finally:
        with suppress(KeyError):
            manager.notebook_complete()
    return error or manager.raised()


class _Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill has no types
    """Papermill's manager, with a progress line for each code cell and files written atomically."""

    def __init__(self, notebook: Any, output: Path, progress: Callable[[str], None]) -> None:
        super().__init__(notebook, output_path=None, progress_bar=False)
        self._output = output
        self._progress = progress
        self._saved = -math.inf
        self._current: int | None = None
        self._numbers = {index: number for number, index in enumerate(code_cells(notebook), start=1)}

    def save(self, **_arguments: Any) -> None:
        """Save the current state, at intervals, so that a long run can be inspected."""
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            # A full disk may have room at the end, when the result reports what could not be written.
            with suppress(OSError):
                write_whole(self._output, text(self.nb, None))
            self._saved = time.monotonic()

    def cell_start(self, cell: Any, cell_index: int, **arguments: Any) -> None:
        """Report the cell that starts."""
        if cell.cell_type == "code":
            self._current = cell_index
            place = heading_of(self.nb, cell_index)
            self._progress(f"cell {self._numbers[cell_index]} of {len(self._numbers)}{': ' if place else ''}{place}")
        super().cell_start(cell, cell_index, **arguments)

    def problem(self, kind: str, message: str, traceback: str = "") -> dict[str, Any]:
        """Describe what stopped the run, and where."""
        index = self._current
        if index is not None:
            self.nb.cells[index].metadata.papermill.update(status=self.FAILED, exception=True)
        return {
            "type": kind,
            "message": message,
            "cell": None if index is None else self._numbers[index],
            "heading": "" if index is None else heading_of(self.nb, index),
            "traceback": traceback,
        }

    def raised(self) -> dict[str, Any] | None:
        """Describe the exception that ended a cell, if any; `sys.exit(0)` is not an error."""
        for index in self._numbers:
            for output in self.nb.cells[index].get("outputs", ()):
                if output.output_type == "error" and not _is_exit(output):
                    self._current = index
                    return self.problem(
                        output.ename, ANSI.sub("", output.evalue), ANSI.sub("", "\n".join(output.traceback))
                    )
        return None


def ended_early(notebook: Any) -> int | None:
    """Return the number of the cell that ended the notebook early with `sys.exit(0)`; None if none did."""
    cells = code_cells(notebook)
    for number, index in enumerate(cells[:-1], start=1):
        if any(
            output.output_type == "error" and _is_exit(output) for output in notebook.cells[index].get("outputs", ())
        ):
            return number
    return None


def _is_exit(output: Any) -> bool:
    return (output.ename, output.evalue) in (("SystemExit", ""), ("SystemExit", "0"), ("SystemExit", "None"))


def text(notebook: Any, error: dict[str, Any] | None) -> str:
    """Return the executed notebook as text, with what stopped it at the top."""
    if error is None:
        return str(FORMAT.writes(notebook))
    place = f"cell {error['cell']}" if error["cell"] else "the start"
    quoted = "\n".join(f"    {line}" for line in f"{error['type']}: {error['message']}".splitlines())
    note = FORMAT.v4.new_markdown_cell(f"**This run stopped at {place}.**\n\n{quoted}", metadata={"tags": ["stopped"]})
    return str(FORMAT.writes(FORMAT.from_dict({**notebook, "cells": [note, *notebook.cells]})))


def code_cells(notebook: Any) -> list[int]:
    """Return the indices of the code cells."""
    return [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]


def heading_of(notebook: Any, index: int) -> str:
    """Return the nearest heading above a cell, without its # signs."""
    for cell in reversed(notebook.cells[:index]):
        if cell.cell_type == "markdown":
            for line in reversed(cell.source.splitlines()):
                if re.match(r"#{1,6}\s", line):
                    return str(line.lstrip("#").strip())
    return ""


def timings(notebook: Any) -> list[dict[str, Any]]:
    """Return the seconds of each executed code cell, in order."""
    return [
        {"cell": number, "heading": heading_of(notebook, index), "seconds": round(seconds, 3)}
        for number, index in enumerate(code_cells(notebook), start=1)
        if (seconds := notebook.cells[index].metadata.get("papermill", {}).get("duration")) is not None
    ]
