"""The checks of the objectives: the share attained, the error budget left, and how fast it burns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.checks import Verdict
from couch_explorers.metrics import objectives, series
from couch_explorers.metrics.findings import SHARE, Finding, verdict
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.review_data import IDLE
from couch_explorers.metrics.thresholds import MIN_COUNT
from couch_explorers.objective import BUDGET_DAYS, HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.metrics.objectives import Burn, ObjectiveReport
    from couch_explorers.metrics.review_data import ReviewData
    from couch_explorers.objective import Attainment, Objective

CHECK_NAMES = {WORKER: "late or missing pictures", API_FUNCTION: "API late or missing"}
# The names of the paths in a caption.
PATH_NAMES = {WORKER: "queue", API_FUNCTION: "API"}
# The description of requests without a picture on each path.
FAILED = {WORKER: "failed", API_FUNCTION: "were answered with an error"}
ALARM = "time-to-picture"


def attained(data: ReviewData, resource: str) -> Finding:
    """Judge the share of valid requests without a picture within the objective.

    BAD while the error budget burns at an urgent rate (Site Reliability Workbook, multiwindow, multi-burn-rate alerts), WARN if
    the window missed the objective, the budget is spent, or it burns at the rate of the slowest alert.
    """
    check, keys = CHECK_NAMES[resource], series.of_objective(resource, objectives.objective_of(data.context, resource))
    report = of(data, resource)
    caption = f"{PATH_NAMES[resource]}: {_share(resource, report)}"
    if row := data.no_data_row(check, *keys, caption=f"{PATH_NAMES[resource]}: {data.why_no_data(keys[0])}"):
        return row
    objective, found = report.objective, report.attained
    if not found.valid:
        return Finding(check, Verdict.NO_DATA, f"{IDLE}: no image was requested.", caption=caption)
    alerting = [burn for burn in report.burns if burn.is_alerting(MIN_COUNT)]
    is_missed = found.valid >= MIN_COUNT and found.share < objective.share
    row = Finding(
        check,
        verdict(
            bad=any(burn.alert.is_urgent for burn in alerting),
            warn=bool(alerting) or is_missed or report.budget_left < 0,
        ),
        formatting.sentences(_share(resource, report), _excluded(found), *_budget(report)),
        100 * (1 - found.share), SHARE, 100 * objective.error_budget,
        100 * (1 - report.before.share) if report.before else math.nan,
        _action(data, resource, missed=is_missed), caption, "" if is_missed else next(_budget(report), ""),
    )  # fmt: skip
    return data.with_partial_data(row, *keys)


def of(data: ReviewData, resource: str) -> ObjectiveReport:
    """Return the report on a path, computed once per frame."""
    return data.once(
        ("objective", resource),
        lambda: objectives.report(data.frame, resource, str(data.compared) if data.compared else None),
    )


def budget_clause(data: ReviewData, resource: str) -> str:
    """Describe for a caption the error budget left, and how fast it burns; empty if unknown."""
    sentences = list(_budget(of(data, resource)))
    return f"{PATH_NAMES[resource]}: {'; '.join(sentences)}" if sentences else ""


def within(objective: Objective) -> str:
    """Format an objective: "95 % within 60 s"."""
    return f"{formatting.percent(objective.share)} within {formatting.seconds(objective.seconds)}"


def _share(resource: str, report: ObjectiveReport) -> str:
    """Describe the share: "93 % of 412 jobs had their picture within 60 s (objective 95 %): 12 late, 9 failed, 8 still waiting"."""
    found, objective = report.attained, report.objective
    if not found.valid:
        return f"no {objectives.REQUESTS[resource]}s to judge (objective {within(objective)})"
    requests = formatting.count(found.valid, objectives.REQUESTS[resource])
    seconds = formatting.seconds(objective.seconds)
    attained = f"{formatting.percent(found.share)} of {requests} had a picture within {seconds} (objective {formatting.percent(objective.share)})"
    missed = {"late": found.late, FAILED[resource]: found.failed, "still waiting": found.overdue}
    parts = [f"{formatting.number(round(count))} {how}" for how, count in missed.items() if round(count)]
    return f"{attained}: {', '.join(parts)}" if parts else attained


def _excluded(found: Attainment) -> str:
    if not found.excluded:
        return ""
    return f"{formatting.count(found.excluded, 'blocked or invalid prompt')} {'is' if found.excluded == 1 else 'are'} not counted"


def _budget(report: ObjectiveReport) -> Iterator[str]:
    """Describe the error budget left, and the burn rates of the alerts' long windows."""
    left = report.budget_left
    if not math.isnan(left):
        budget = f"the {BUDGET_DAYS}-day error budget"
        share = formatting.percent(abs(left))
        yield f"{share} of {budget} is left" if left >= 0 else f"{budget} is overdrawn by {share}"
    known = [burn for burn in report.burns if not math.isnan(burn.long)]
    if known:
        yield f"burn rate {formatting.join(_rate(burn) for burn in known)} (at 1 the budget lasts {BUDGET_DAYS} days)"


def _rate(burn: Burn) -> str:
    hours = burn.alert.long_s / HOUR_S
    over = f"{hours:g} h" if hours <= 24 else f"{hours / 24:g} days"  # noqa: PLR2004 - a day
    return f"{formatting.number(round(burn.long, 1))} over {over}"


def _action(data: ReviewData, resource: str, *, missed: bool) -> str:
    """Return where to look, and how to replay a window that missed the objective with other settings."""
    if resource == API_FUNCTION:
        return (
            "Send what need not be there at once through the queue; the rows below say what failed and what was slow."
        )
    hours = data.context.window().length.total_seconds() / HOUR_S
    replay = f"couch run capacity_planning -p replay_hours {hours:g}"
    if data.context.target != "local":
        replay += f" -p target {data.context.target} -p candidate {data.context.candidate}"
    advice = "See below whether jobs waited, failed or took long."
    return f"{advice} What other concurrency, quota or model would have done: `{replay}`." if missed else advice
