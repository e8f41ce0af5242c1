"""What went wrong: errors of the functions, jobs that failed for good by reason, jobs that were put off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting
from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.plots import absent, artists, axes, resampling, style, telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context
    from couch_explorers.metrics.plots.artists import CountRow
    from couch_explorers.metrics.plots.resampling import Curve

TITLE = "Errors and failed jobs"
KIND = "Rows of bars: errors of each function, jobs that failed for good by reason, postponed jobs"
ALARMS = ("worker-errors", "failed-jobs")
# Rarer reasons share one row.
MOST_REASONS = 6
HEAD = "Failed: "


def height_pt(frame: pd.DataFrame) -> float:
    """How high the axes are, by the number of rows."""
    return artists.count_rows_height_pt(len(_rows(frame)))


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw a row of bars for each kind of trouble."""
    facts = model.context_of(frame)
    keys = (series.errors(WORKER), series.errors(API_FUNCTION), series.FAILED_JOBS, series.POSTPONED_JOBS)
    axes.setup_axes(ax, facts, TITLE, (artists.COUNT_STATISTIC, _period_s(facts)), keys=keys, alarms=ALARMS)
    artists.draw_count_rows(ax, facts, _rows(frame))
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say how many jobs failed and why, how many were put off, how often functions crashed; against the window before."""
    facts = model.context_of(frame)
    reasons = [row for row in _failed(frame) if row.now.total and row.name.startswith(HEAD)]
    by_reason = formatting.join(f"{formatting.number(row.now.total)} {row.name.removeprefix(HEAD)}" for row in reasons)
    return formatting.sentence(
        telling.counted(frame, series.FAILED_JOBS, "job failed for good", "jobs failed for good", detail=by_reason),
        telling.counted(frame, series.POSTPONED_JOBS, "job was postponed", "jobs were postponed"),
        telling.counted(frame, series.errors(WORKER), "worker error", "worker errors"),
        telling.counted(frame, series.errors(API_FUNCTION), "API function error", "API function errors"),
        *(telling.alarm(facts, alarm, f"the alarm {alarm}") for alarm in ALARMS),
        absent.note(facts, series.FAILED_JOBS, series.errors(WORKER), series.errors(API_FUNCTION)),
    )


def _rows(frame: pd.DataFrame) -> list[CountRow]:
    period_s = _period_s(model.context_of(frame))
    return [
        artists.count_row(frame, series.errors(WORKER), "Worker errors", period_s, group="failures"),
        artists.count_row(frame, series.errors(API_FUNCTION), "API function errors", period_s, group="failures"),
        *_failed(frame),
        artists.count_row(
            frame, series.POSTPONED_JOBS, "Postponed jobs", period_s, colour=style.ORANGE, group="postponed"
        ),
    ]


def _failed(frame: pd.DataFrame) -> list[CountRow]:
    """Make a row for each reason, the most frequent first; one for all where no reason is known."""
    facts = model.context_of(frame)
    period_s = _period_s(facts)
    total = artists.count_row(frame, series.FAILED_JOBS, "Failed jobs", period_s, colour=style.BLUE, group="failures")
    by_reason = (
        artists.count_row(
            frame, series.failed_jobs(reason), f"{HEAD}{reason}", period_s, colour=style.BLUE, group="failures"
        )
        for reason in series.reasons(facts)
    )
    rows = sorted((row for row in by_reason if row.everything), key=lambda row: (-row.now.total, row.name))
    if not rows or total.nothing:
        return [total]
    rows = rows[:MOST_REASONS]
    # A new reason is known to ListMetrics only after some minutes, and rare ones are not listed.
    other = replace(total, name=f"{HEAD}other reasons", now=_rest(total.now, [row.now for row in rows]), before=None)
    return [*rows, other] if other.now.total else rows


def _rest(total: Curve, parts: Sequence[Curve]) -> Curve:
    """Give what a total counts beside its parts."""
    counted = np.sum([np.nan_to_num(part.points) for part in parts], axis=0)
    return replace(total, points=np.clip(total.points - counted, 0, None))


def _period_s(facts: Context) -> int:
    return resampling.coarser_period_s(facts, resampling.MOST_STEPS)
