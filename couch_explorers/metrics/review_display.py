"""The verdicts as a notebook shows them: a table whose trouble stands first, and checks that `couch run` finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from couch_explorers import checks as found
from couch_explorers import html
from couch_explorers.checks import Check, Verdict
from couch_explorers.metrics.review_rows import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

# Trouble first; within a verdict the checks keep their order.
ORDER = (Verdict.BAD, Verdict.WARN, Verdict.NO_DATA, Verdict.OK, Verdict.SKIPPED)
ARROW = "\u2192"
SOFT = "color:#5b6472"
CELL = "text-align:left;vertical-align:top;padding:.35em .8em .35em 0"
NUMBER = f"{CELL};font-variant-numeric:tabular-nums"


@dataclass(frozen=True)
class Review:
    """Verdicts, shown: HTML for people, text for terminals, checks for `couch run`."""

    verdicts: pd.DataFrame

    @property
    def checks(self) -> list[Check]:
        """The verdicts as checks."""
        return as_checks(self.verdicts)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        checks = self.checks
        lines = [f"{check.verdict:8}  {check.name:24}{check.detail}" for check in checks]
        return found.bundle(checks, _table(_ordered(self.verdicts))) | {"text/plain": "\n".join(lines)}


def show(verdicts: pd.DataFrame) -> Review:
    """Show the verdicts of `metrics.review`."""
    return Review(verdicts)


def as_checks(verdicts: pd.DataFrame) -> list[Check]:
    """Make checks of verdicts, the worst first; the detail is the reason and what to do."""
    return [
        Check(row["check"], Verdict(row["verdict"]), 0.0, " ".join(filter(None, (row["reason"], row["action"]))))
        for row in _ordered(verdicts)
    ]


def _ordered(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = verdicts.to_dict("records")
    return sorted(rows, key=lambda row: ORDER.index(Verdict(row["verdict"])))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    # Fixed widths: the column of words takes what the short ones leave.
    widths = {"Verdict": "7.4em", "Check": "8.6em", "Value": "6.2em", "Change": "5.4em", "Why, and what to do": "auto"}
    head = "".join(f'<th style="{CELL};width:{width}">{title}</th>' for title, width in widths.items())
    return (
        '<table class="couch-review" style="table-layout:fixed;width:100%">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>"
    )


def _row(row: dict[str, Any]) -> str:
    unit = row["unit"]
    # A line of nothing goes without saying.
    value, line = amount(row["value"], unit), amount(row["threshold"] or math.nan, unit)
    limit = f'<br><span style="{SOFT};font-size:.85em">line {escape(line)}</span>' if value and line else ""
    action = f"<br><b>{ARROW}</b> {html.with_code(row['action'])}" if row["action"] else ""
    return (
        f'<tr><td style="{CELL}">{found.badge(Verdict(row["verdict"]))}</td><td style="{CELL}">{escape(row["check"])}</td>'
        f'<td style="{NUMBER}">{escape(value)}{limit}</td><td style="{NUMBER}">{escape(row["change"])}</td>'
        f'<td style="{CELL};padding-right:0;overflow-wrap:anywhere">{html.with_code(row["reason"])}{action}</td></tr>'
    )
