"""What a check found, how a notebook shows it, and how a report reads it back.

A notebook displays its checks; the display carries them a second time as data (`CHECKS_MIME`), so that `couch run` needs
no side channel to know what was found, and a saved notebook keeps its verdicts.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    class WithChecks(Protocol):
        """Whatever carries checks: a part of a smoke test, a review, a conclusion."""

        @property
        def checks(self) -> Iterable[Check]:
            """The checks, in the order in which they are shown."""


# What stands between backticks is a command, or a name from the code.
BACKTICKS = re.compile(r"`([^`\n]+)`")
CHECKS_MIME = "application/vnd.couch.checks+json"
# Set in the kernel that `couch run` starts, which reads the verdicts from what the notebook shows.
RUN_VARIABLE = "COUCH_RUN"


class Verdict(StrEnum):
    """How a check ended. Only BAD makes `couch run` fail, unless the notebook's parameter `fail_on` says otherwise."""

    OK = "OK"
    WARN = "WARN"
    BAD = "BAD"
    NO_DATA = "NO DATA"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Check:
    """One question to the system and its answer: what was asked, the verdict, how long it took, what was seen."""

    name: str
    verdict: Verdict
    seconds: float
    detail: str


# A sign beside the colour: the verdict must be readable on paper and by people who do not see the colours apart.
SIGNS = {Verdict.OK: "✓", Verdict.WARN: "!", Verdict.BAD: "✗", Verdict.NO_DATA: "?", Verdict.SKIPPED: "○"}
COLOURS = {
    Verdict.OK: "#0f766e",
    Verdict.WARN: "#a15c00",
    Verdict.BAD: "#b42318",
    Verdict.NO_DATA: "#475569",
    Verdict.SKIPPED: "#5b6472",
}

# What a notebook's parameter `fail_on` may say, and the verdicts that then make `couch run` fail.
FAILING = {
    "NOTHING": frozenset[Verdict](),
    "BAD": frozenset({Verdict.BAD}),
    "WARN": frozenset({Verdict.BAD, Verdict.WARN}),
}


def ask(name: str, question: Callable[[], tuple[Verdict, str]]) -> Check:
    """Put one question and time the answer; whatever it raises becomes a BAD check that names the exception."""
    begin = time.perf_counter()
    try:
        verdict, detail = question()
    except Exception as error:  # noqa: BLE001 - the row must say what went wrong, whatever it was, and the rest go on
        verdict, detail = Verdict.BAD, f"{type(error).__name__}: {error}"
    return Check(name, verdict, round(time.perf_counter() - begin, 3), detail)


def count(checks: Iterable[Check]) -> str:
    """Say how many checks ended in which way, for example "11 OK, 1 WARN"."""
    verdicts = [check.verdict for check in checks]
    return (
        ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict if verdict in verdicts) or "no checks"
    )


class ChecksFailedError(Exception):
    """Checks that fail a run; the message names them."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the message alone, for no line of code is at fault."""
        return [f"{type(self).__name__}: {self}"]


def raise_for_verdicts(shown: WithChecks, fail_on: str = "BAD") -> None:
    """End a notebook with an error where a check fails it, so that papermill and nbconvert exit with more than 0.

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
    """Draw a verdict as a small coloured label (HTML)."""
    return label(f"{SIGNS[verdict]} {verdict}", COLOURS[verdict])


def coded(text: str) -> str:
    """Write text as HTML, with what stands between backticks as code; all else is text, whatever it looks like."""
    return BACKTICKS.sub(r"<code>\1</code>", escape(text))


def label(text: str, colour: str) -> str:
    """Draw a word or two as a small coloured label (HTML)."""
    style = f"color:{colour};border:1px solid;border-radius:1em;padding:.05em .6em;font-weight:600;font-size:.85em"
    return f'<span style="{style};white-space:nowrap">{escape(text)}</span>'


def table(checks: Sequence[Check]) -> str:
    """Draw checks as an HTML table: verdict, check, what was seen, seconds."""
    cell = "text-align:left;vertical-align:top;padding:.35em .8em .35em 0"
    rows = "".join(
        f'<tr><td style="{cell}">{badge(check.verdict)}</td><td style="{cell}">{escape(check.name)}</td>'
        f'<td style="{cell};overflow-wrap:anywhere;white-space:pre-line">{coded(check.detail)}</td>'
        f'<td style="{cell};padding-right:0;text-align:right;font-variant-numeric:tabular-nums">{check.seconds:.1f}</td></tr>'
        for check in checks
    )
    # Fixed widths, so that the tables of one report stand in line with each other.
    columns = {"Verdict": "7em", "Check": "30%", "What was seen": "auto", "Seconds": "5em"}
    head = "".join(
        f'<th style="{cell};width:{width}{";padding-right:0;text-align:right" if title == "Seconds" else ""}">{title}</th>'
        for title, width in columns.items()
    )
    return (
        '<table class="couch-checks" style="table-layout:fixed;width:100%">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def bundle(checks: Sequence[Check], html: str) -> dict[str, Any]:
    """Make what a notebook shows for checks: HTML for people, text for terminals, data for `couch run`."""
    lines = (f"{check.verdict:8}{check.name}  {check.seconds:.1f} s  {check.detail}" for check in checks)
    return {"text/html": html, "text/plain": "\n".join(lines), CHECKS_MIME: [asdict(check) for check in checks]}


def found_in(notebook: Mapping[str, Any]) -> list[Check]:
    """Read back every check that an executed notebook displayed, in the order of its cells."""
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
