"""The review: each check of a window as a row with its verdict, reason and action."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from couch_explorers import checks as found
from couch_explorers import html
from couch_explorers.checks import Check, Verdict
from couch_explorers.files import reason, write_json, write_whole
from couch_explorers.metrics import cloudwatch, cost, model
from couch_explorers.metrics.checks import api, functions, objective, queue, service
from couch_explorers.metrics.findings import COLUMNS, format_amount
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.review_data import ReviewData
from couch_explorers.reports import output_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.metrics.findings import Finding
    from couch_explorers.metrics.model import Context

# By topic, in the order of the rows.
CHECKS: dict[str, Callable[[ReviewData], Finding]] = {
    service.ALARMS_CHECK: service.alarms,
    objective.CHECK_NAMES[WORKER]: partial(objective.attained, resource=WORKER),
    objective.CHECK_NAMES[API_FUNCTION]: partial(objective.attained, resource=API_FUNCTION),
    queue.AGE_CHECK: queue.age,
    queue.DEAD_LETTERS_CHECK: queue.dead_letters,
    queue.BACKLOG_CHECK: queue.backlog,
    queue.FAILED_JOBS_CHECK: queue.failed_jobs,
    queue.POSTPONED_CHECK: queue.postponed_jobs,
    functions.check_name(WORKER, "errors"): partial(functions.errors, resource=WORKER),
    functions.check_name(WORKER, "duration"): partial(functions.duration, resource=WORKER),
    functions.check_name(WORKER, "throttles"): partial(functions.throttles, resource=WORKER),
    functions.check_name(WORKER, "memory"): partial(functions.memory, resource=WORKER),
    api.ERRORS_CHECK: api.errors,
    api.REFUSALS_CHECK: api.refusals,
    api.LATENCY_CHECK: api.latency,
    functions.check_name(API_FUNCTION, "errors"): partial(functions.errors, resource=API_FUNCTION),
    functions.check_name(API_FUNCTION, "duration"): partial(functions.duration, resource=API_FUNCTION),
    functions.check_name(API_FUNCTION, "throttles"): partial(functions.throttles, resource=API_FUNCTION),
    functions.check_name(API_FUNCTION, "memory"): partial(functions.memory, resource=API_FUNCTION),
    service.COST_CHECK: service.window_cost,
    service.DATA_CHECK: service.data_quality,
}


def findings_of(data: ReviewData) -> dict[str, Finding]:
    """Return the finding of each check, by name and in the order of the rows; each check is made once."""
    return data.once("findings", lambda: {name: check(data) for name, check in CHECKS.items()})


def review(frame: pd.DataFrame) -> pd.DataFrame:
    """Judge a frame of `metrics.fetch`; one row per check, by topic, columns `findings.COLUMNS`.

    `verdict` is a checks.Verdict: BAD needs attention now; WARN happened in the window and is over, or comes near a threshold;
    NO DATA is denied, missing, partial or idle, or has too few samples; OK is the rest. Counts of an unused service are OK.
    `value` is the worst of the window, `before` that of the compared window, `threshold` the value above which it is no longer
    OK; NaN if there is none.
    """
    findings = findings_of(ReviewData.of(frame)).values()
    return pd.DataFrame([finding.record() for finding in findings], columns=list(COLUMNS))


# Worst first; within a verdict the checks keep their order.
ORDER = (Verdict.BAD, Verdict.WARN, Verdict.NO_DATA, Verdict.OK, Verdict.SKIPPED)


@dataclass(frozen=True)
class Review:
    """The verdicts for display: HTML for notebooks, text for terminals, checks for `couch run`."""

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
    """Convert verdicts to checks, worst first; the detail is the reason and the action."""
    return [
        Check(row["check"], Verdict(row["verdict"]), 0.0, " ".join(filter(None, (row["reason"], row["action"]))))
        for row in _ordered(verdicts)
    ]


def _ordered(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = verdicts.to_dict("records")
    return sorted(rows, key=lambda row: ORDER.index(Verdict(row["verdict"])))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    shown = [row | {"verdict": Verdict(row["verdict"])} | _amounts(row) for row in rows]
    return html.render("metrics/review.html.j2", rows=shown, signs=found.SIGNS, colours=found.COLOURS)


def _amounts(row: dict[str, Any]) -> dict[str, str]:
    """Format value and threshold with their unit; a threshold of 0 is omitted."""
    return {
        "amount": format_amount(row["value"], row["unit"]),
        "limit": format_amount(row["threshold"] or math.nan, row["unit"]),
    }


POINTS_FILE, VERDICTS_FILE = "metric_review.csv", "metric_review_verdicts.json"
HEADER = f"time,{','.join(model.LABEL_COLUMNS)},value,synthetic\n"


class Saved(list[Path]):
    """The files that were written; a notebook shows links to them and the cost of the CloudWatch calls."""

    def __init__(self, files: list[Path], cost: str, problem: str = "") -> None:
        """Take the files; `problem` says why there are none."""
        super().__init__(files)
        self.cost, self.problem = cost, problem

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if self.problem:
            return {
                "text/html": f"<p>{escape(self.problem)} {escape(self.cost)}</p>",
                "text/plain": f"{self.problem}\n{self.cost}",
            }
        links = html.render("metrics/files.html.j2", names=[file.name for file in self], cost=self.cost)
        where = f"{output_dir.shown(self[0].parent)}: {', '.join(file.name for file in self)}"
        return {"text/html": links, "text/plain": f"{where}\n{self.cost}"}


def save(frame: pd.DataFrame, verdicts: pd.DataFrame, folder: Path | str | None = None) -> Saved:
    """Write the points (ISO times, UTC; `synthetic` is 1 for points of `couch seed-metrics`) and the verdicts.

    Without a folder, they are written beside the report of `couch run`, or else to `metric_review` in the local home; if that
    cannot be written, the result says so. Raises OSError for a given folder that cannot be written.
    """
    into = Path(folder or output_dir.folder("metric_review"))
    context = model.context_of(frame)
    cost = cloudwatch.request_sentence(context)
    try:
        points = write_whole(into / POINTS_FILE, _csv(frame, context))
        return Saved([points, write_json(into / VERDICTS_FILE, _plain(_verdicts(frame, verdicts, context)))], cost)
    except OSError as error:
        if folder is not None:
            raise
        return Saved([], cost, f"The files could not be written into {into}: {reason(error)}.")


def _csv(frame: pd.DataFrame, context: Context) -> str:
    """Format the points without pandas, which formats each of a hundred thousand times again, although few differ."""
    marked = {time: (_iso(time.to_pydatetime()), int(_is_synthetic(time, context))) for time in frame.index.unique()}
    times = [marked[time] for time in frame.index]
    labels = list(zip(*(frame[name].tolist() for name in model.LABEL_COLUMNS), strict=True))
    written = {label: ",".join(map(_quoted, label)) for label in set(labels)}
    rows = zip(times, labels, frame["value"].tolist(), strict=True)
    return HEADER + "".join(f"{time},{written[label]},{value!r},{mark}\n" for (time, mark), label, value in rows)


def _quoted(text: str) -> str:
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(character in text for character in ',"\r\n') else text


def _is_synthetic(time: pd.Timestamp, context: Context) -> bool:
    return any(begin <= time < end for begin, end in context.synthetic)


def _verdicts(frame: pd.DataFrame, verdicts: pd.DataFrame, context: Context) -> dict[str, Any]:
    window = context.window()
    spent = cost.cost_of_window(frame)
    return {
        "target": context.target,
        "candidate": context.candidate,
        "fetched": context.fetched,
        "timezone": context.timezone,
        "compare": context.compare,
        "windows": {each.name: {"start": each.start, "end": each.end} for each in context.windows},
        "period_s": context.period_s,
        "percentile_period_s": context.percentile_period_s,
        "synthetic": any(begin < window.end and end > window.start for begin, end in context.synthetic),
        "synthetic_stretches": context.synthetic,
        "verdicts": [{name: row[name] for name in COLUMNS} for row in verdicts.to_dict("records")],
        "cost_usd": asdict(spent) | {"total": spent.total},
        "alarms": [asdict(alarm) for alarm in context.alarms],
        "functions": [asdict(function) for function in context.functions],
        "logs": [asdict(log) for log in context.logs],
        "deploys": [asdict(deploy) for deploy in context.deploys],
        "states": {" ".join(key): str(state) for (name, key), state in context.states.items() if name == window.name},
        "unanswered": context.error_notes,
        "notes": context.notes,
        "request": {"calls": context.calls, "metrics": context.metrics_requested, "cost_usd": context.cost_usd},
    }


def _plain(value: Any) -> Any:
    """Convert a value for JSON: times as ISO in UTC, NaN and inf as null, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
