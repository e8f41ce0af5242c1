"""The checks of the window as a whole: what it cost, and whether its numbers are all there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from couch_explorers.checks import Verdict
from couch_explorers.metrics import answers, money, prices, review_age, review_api, review_queue, series, words
from couch_explorers.metrics.facts import PARTS, SeriesState
from couch_explorers.metrics.reading import DENIED, MISSING, PARTIAL
from couch_explorers.metrics.review_rows import AGAIN, USD, Row, amount, text, verdict
from couch_explorers.metrics.thresholds import COST, LEAST_COST_USD

if TYPE_CHECKING:
    from couch_explorers.metrics.facts import SeriesKey
    from couch_explorers.metrics.money import Cost
    from couch_explorers.metrics.reading import Reading

COST_CHECK, DATA = "cost of the window", "data"
# Whoever does not know one of these cannot say that the service is healthy; whoever knows none, nothing at all.
ESSENTIAL: dict[str, tuple[SeriesKey, ...]] = {
    review_age.CHECK: (series.AGE,),
    review_queue.LETTERS: (series.DEAD_LETTERS_VISIBLE,),
    review_queue.BACKLOG: (series.VISIBLE,),
    review_api.FAILURES: (series.API_5XX, series.API_COUNT),
}


def cost(reading: Reading) -> Row:
    """Judge what the window cost, by list prices: WARN where it is twice that of the window before."""
    spent = money.of(reading.frame)
    if all(state is SeriesState.MISSING for _, state in _now(reading)):
        return Row(COST_CHECK, Verdict.NO_DATA, f"{MISSING}: nothing is deployed.")
    if math.isnan(spent.pictures):
        reason = f"{DENIED}: the pictures, which cost most, are not known."
        return Row(COST_CHECK, Verdict.NO_DATA, reason, action=f"Allow {answers.ACTION}.")
    is_whole = reading.is_whole_before(*money.keys(reading.facts))
    before = money.of(reading.frame, str(reading.compared)).total if is_whole else math.nan
    whose = "on AWS it would be " if reading.facts.target == "local" else ""
    # After a day of rest any day costs many times as much: that is no news.
    line = COST.warn * before if before > LEAST_COST_USD else math.nan
    row = Row(
        COST_CHECK,
        verdict(bad=False, warn=spent.total > line),
        text(f"{whose}{amount(spent.total, USD)} at list prices of {prices.PRICES_AS_OF}: {_parts(spent)}", *_gaps(spent)),
        spent.total, USD, line, before,
        "See which model painted what: PicturesMade by model in CloudWatch, or metric_review.csv.",
    )  # fmt: skip
    return reading.believed(row, *money.keys(reading.facts))


def _now(reading: Reading) -> list[tuple[tuple[str, str, str], SeriesState]]:
    return [(key, state) for (window, key), state in reading.facts.states.items() if window == "now"]


def _parts(spent: Cost) -> str:
    parts = {"pictures": spent.pictures, "Lambda": spent.functions, "queue": spent.queue, "API": spent.api}
    return ", ".join(f"{name} {amount(usd, USD)}" for name, usd in parts.items() if not math.isnan(usd))


def _gaps(spent: Cost) -> list[str]:
    gaps = []
    if spent.unknown:
        gaps.append(f"not known: {words.join(spent.unknown)}")
    if spent.unpriced:
        gaps.append(f"no price is known for {words.join(spent.unpriced)}")
    if spent.unnamed:
        gaps.append(f"{words.count(spent.unnamed, 'picture')} of a model not listed yet, priced as the default model's")
    return gaps


def data(reading: Reading) -> Row:
    """Judge the numbers themselves: NO DATA where some are denied or missing, WARN where some came back cut short.

    BAD where nothing came back by which the service could be judged: a review that may not look must not pass in CI.
    """
    states = _now(reading)
    denied, missing, partial = (
        [key for key, state in states if state is which]
        for which in (SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL)
    )
    facts = reading.facts
    refused = sorted(facts.unanswered)
    said = [
        f"{DENIED}: {words.count(len(denied), 'series', 'series')}" if denied else "",
        f"{MISSING}: {words.join(sorted({PARTS[key[0]] for key in missing}))}" if missing else "",
        f"{PARTIAL}: {words.count(len(partial), 'series', 'series')}" if partial else "",
        f"not answered: {words.join(refused)}" if refused else "",
    ]
    lacking = len(denied) + len(missing) + len(partial)
    is_blind = all(reading.unanswered(check, *keys) for check, keys in ESSENTIAL.items())
    if is_blind:
        said.append("nothing is left by which to tell whether the service works")
    whole = f"all {len(states)} series were answered" + _quiet(reading)
    return Row(
        DATA,
        Verdict.BAD if is_blind else Verdict.WARN if partial else Verdict.NO_DATA if lacking or refused else Verdict.OK,
        text(*said) if any(said) else text(whole, *facts.notes),
        float(lacking), "series", 0.0,
        action=" ".join(dict.fromkeys(facts.notes)) or (AGAIN if partial else ""),
    )  # fmt: skip


def _quiet(reading: Reading) -> str:
    """Say where nothing at all was measured: an idle system, or one that did not run."""
    if len(reading.frame[reading.frame["window"] == "now"]):
        return ""
    away = ", or the local cloud did not run" if reading.facts.target == "local" else ""
    return f"; nothing was measured: all was idle{away}"
