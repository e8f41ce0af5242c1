"""The result of a check, its display in a notebook, and how a report reads it back.

A notebook displays its checks; the display carries them a second time as data (`CHECKS_MIME`), so that `couch run` needs
no side channel to know what was found, and a saved notebook keeps its verdicts.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from couch_explorers import html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    class WithChecks(Protocol):
        """An object with checks: a part of a smoke test, a review, a summary."""

        @property
        def checks(self) -> Iterable[Check]:
            """The checks, in display order."""


CHECKS_MIME = "application/vnd.couch.checks+json"
# Set in the kernel of `couch run`, which reads the verdicts from the notebook's outputs.
RUN_VARIABLE = "COUCH_RUN"


class Verdict(StrEnum):
    """The verdict of a check. Only BAD makes `couch run` fail, unless the notebook's parameter `fail_on` says otherwise."""

    OK = "OK"
    WARN = "WARN"
    BAD = "BAD"
    NO_DATA = "NO DATA"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Check:
    """A check of the system: its name, verdict, duration in seconds, and details."""

    name: str
    verdict: Verdict
    seconds: float
    detail: str


# A symbol besides the colour: the verdict must be readable on paper and by people who cannot distinguish the colours.
SIGNS = {Verdict.OK: "✓", Verdict.WARN: "!", Verdict.BAD: "✗", Verdict.NO_DATA: "?", Verdict.SKIPPED: "○"}
COLOURS = {
    Verdict.OK: "#0f766e",
    Verdict.WARN: "#a15c00",
    Verdict.BAD: "#b42318",
    Verdict.NO_DATA: "#475569",
    Verdict.SKIPPED: "#5b6472",
}

# The values of a notebook's parameter `fail_on`, and the verdicts that make `couch run` fail.
FAILING = {
    "NOTHING": frozenset[Verdict](),
    "BAD": frozenset({Verdict.BAD}),
    "WARN": frozenset({Verdict.BAD, Verdict.WARN}),
}


def ask(name: str, question: Callable[[], tuple[Verdict, str]]) -> Check:
    """Run a check and time it; an exception becomes a BAD check that names it."""
    begin = time.perf_counter()
    try:
        verdict, detail = question()
    except Exception as error:  # noqa: BLE001 - the row must report any error, and the other checks continue
        verdict, detail = Verdict.BAD, f"{type(error).__name__}: {error}"
    return Check(name, verdict, round(time.perf_counter() - begin, 3), detail)


def count(checks: Iterable[Check]) -> str:
    """Count the checks by verdict, for example "11 OK, 1 WARN"."""
    verdicts = [check.verdict for check in checks]
    return (
        ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict if verdict in verdicts) or "no checks"
    )


class ChecksFailedError(Exception):
    """Some checks fail the run; the message names them."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: only the message, because no line of code is at fault."""
        return [f"{type(self).__name__}: {self}"]


def raise_for_verdicts(shown: WithChecks, fail_on: str = "BAD") -> None:
    """End a notebook with an error if a check fails it, so that papermill and nbconvert exit with a non-zero code.

    Args:
        shown: what the notebook showed; it has `checks`.
        fail_on: NOTHING, BAD or WARN, see FAILING.

    Raises:
        ChecksFailedError: names the failed checks. Not under `couch run`, which reads the verdicts itself and still
            renders the whole report.

    """
    failed = [check for check in shown.checks if check.verdict in FAILING[fail_on]]
    if failed and not os.environ.get(RUN_VARIABLE):
        named = "; ".join(f"{check.name} is {check.verdict} ({check.detail})" for check in failed)
        raise ChecksFailedError(f"{len(failed)} check{'s' if len(failed) > 1 else ''} failed: {named}")


def badge(verdict: Verdict) -> str:
    """Render a verdict as a small coloured label (HTML)."""
    return html.label(f"{SIGNS[verdict]} {verdict}", COLOURS[verdict])


def table(checks: Sequence[Check]) -> str:
    """Render checks as an HTML table: verdict, name, details, seconds."""
    return html.render("checks.html.j2", checks=checks, signs=SIGNS, colours=COLOURS)


def bundle(checks: Sequence[Check], shown: str) -> dict[str, Any]:
    """Return the MIME bundle of checks: HTML for notebooks, text for terminals, data for `couch run`."""
    lines = (f"{check.verdict:8}{check.name}  {check.seconds:.1f} s  {check.detail}" for check in checks)
    return {"text/html": shown, "text/plain": "\n".join(lines), CHECKS_MIME: [asdict(check) for check in checks]}


def found_in(notebook: Mapping[str, Any]) -> list[Check]:
    """Return every check that an executed notebook displayed, in the order of its cells."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    shown = (output.get("data", {}).get(CHECKS_MIME, ()) for output in outputs)
    return [
        Check(str(row["name"]), Verdict(row["verdict"]), float(row["seconds"]), str(row["detail"]))
        for rows in shown
        for row in rows
    ]


class Sentence(str):
    """Text that a notebook shows as Markdown."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)
