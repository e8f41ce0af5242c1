"""The review: each check of a window's numbers as a row with its verdict, reason and what to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from couch_explorers.metrics import (
    review_age,
    review_alarms,
    review_api,
    review_functions,
    review_jobs,
    review_queue,
    review_whole,
)
from couch_explorers.metrics.facts import API_FUNCTION, WORKER
from couch_explorers.metrics.reading import Reading
from couch_explorers.metrics.review_rows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.metrics.review_rows import Row


# By topic, in the order of the rows.
CHECKS: dict[str, Callable[[Reading], Row]] = {
    review_alarms.CHECK: review_alarms.alarms,
    review_age.CHECK: review_age.age,
    review_queue.LETTERS: review_queue.dead_letters,
    review_queue.BACKLOG: review_queue.backlog,
    review_jobs.FAILED: review_jobs.failed,
    review_jobs.PUT_OFF_CHECK: review_jobs.put_off,
    review_functions.name(WORKER, "errors"): partial(review_functions.errors, resource=WORKER),
    review_functions.name(WORKER, "duration"): partial(review_functions.duration, resource=WORKER),
    review_functions.name(WORKER, "throttles"): partial(review_functions.throttles, resource=WORKER),
    review_functions.name(WORKER, "memory"): partial(review_functions.memory, resource=WORKER),
    review_api.FAILURES: review_api.failures,
    review_api.REFUSALS: review_api.refusals,
    review_api.LATENCY_CHECK: review_api.latency,
    review_functions.name(API_FUNCTION, "errors"): partial(review_functions.errors, resource=API_FUNCTION),
    review_functions.name(API_FUNCTION, "duration"): partial(review_functions.duration, resource=API_FUNCTION),
    review_functions.name(API_FUNCTION, "throttles"): partial(review_functions.throttles, resource=API_FUNCTION),
    review_functions.name(API_FUNCTION, "memory"): partial(review_functions.memory, resource=API_FUNCTION),
    review_whole.COST_CHECK: review_whole.cost,
    review_whole.DATA: review_whole.data,
}


def review(frame: pd.DataFrame) -> pd.DataFrame:
    """Judge a frame of `metrics.fetch`; one row a check, by topic, columns `review_rows.COLUMNS`.

    `verdict` is a checks.Verdict: BAD needs somebody now; WARN happened in the window and is over, or comes near a line;
    NO DATA says which it is of denied, missing, partial and idle, or too few samples; OK is the rest. A service that
    nobody used is OK where things are counted. `value` is the worst of the window, `before` that of the window compared
    with, `threshold` the line above which it is no longer OK; NaN where there is none. `attrs["facts"]` are the frame's.
    """
    reading = Reading(frame)
    verdicts = pd.DataFrame([check(reading).record() for check in CHECKS.values()], columns=list(COLUMNS))
    verdicts.attrs["facts"] = frame.attrs["facts"]
    return verdicts
