import math

import pandas as pd
import pytest

from couch_explorers.checks import Verdict
from couch_explorers.metrics import review_rows
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.metrics.reviewing import CHECKS, review


def test_a_review_has_a_row_a_check_with_all_columns(frame_of):
    verdicts = review(frame_of())

    assert tuple(verdicts.columns) == review_rows.COLUMNS
    assert list(verdicts["check"]) == list(CHECKS)
    assert verdicts["reason"].str.len().min() > 0


def test_a_believable_day_is_healthy(frame_of):
    assert set(review(frame_of())["verdict"]) == {Verdict.OK}


def test_a_past_incident_warns_and_an_ok_row_asks_for_nothing(frame_of):
    verdicts = review(frame_of(incident=True)).set_index("check")

    assert Verdict.BAD not in set(verdicts["verdict"])
    assert verdicts.loc["oldest job waiting", "verdict"] == Verdict.WARN
    assert verdicts.loc["failed jobs", "verdict"] == Verdict.WARN
    assert set(verdicts[verdicts["verdict"] == Verdict.OK]["action"]) == {""}


def test_the_order_of_the_rows_is_by_topic_whatever_was_found(frame_of):
    assert list(review(frame_of())["check"]) == list(review(frame_of(incident=True))["check"])
    assert list(review(frame_of())["check"])[:4] == ["alarms", "oldest job waiting", "dead letters", "backlog"]


def test_a_service_that_nobody_used_is_ok_where_things_are_counted(frame_of):
    verdicts = review(frame_of(calm=False, logs=())).set_index("check")["verdict"]

    assert {check for check, verdict in verdicts.items() if verdict == Verdict.NO_DATA} == {
        "worker duration", "worker memory", "API latency", "API function duration", "API function memory",
    }  # fmt: skip
    assert set(verdicts) == {Verdict.OK, Verdict.NO_DATA}


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING])
def test_a_review_of_nothing_judges_nothing_but_itself_and_says_why_in_each_row(frame_of, state):
    facts = frame_of().attrs["facts"]
    frame = frame_of(
        calm=False, alarms=(), functions=(), logs=(), states={(window.name, line.key): state for window in facts.windows for line in facts.series}
    )  # fmt: skip

    verdicts = review(frame)
    judged = verdicts[verdicts["verdict"] != Verdict.NO_DATA].set_index("check")["verdict"].to_dict()

    # That there are no alarms was answered; that nothing else was fails a run in CI.
    no_alarms = {"alarms": Verdict.WARN} if state is SeriesState.DENIED else {}
    assert judged == no_alarms | {"data": Verdict.BAD}
    assert verdicts["reason"].str.startswith(("Denied: ", "Missing: ", "There is no alarm")).all()


def test_without_a_window_to_compare_with_nothing_is_told_against_one(frame_of):
    verdicts = review(frame_of(compare=None))

    assert verdicts["before"].isna().all()
    assert set(verdicts["change"]) == {""}


def test_a_week_before_is_compared_with_when_asked(frame_of):
    verdicts = review(frame_of(compare="week")).set_index("check")

    assert not math.isnan(verdicts.loc["oldest job waiting", "before"])
    assert "the week before" in verdicts.loc["worker duration", "reason"]


def test_hours_of_one_point_each_are_judged_too(frame_of):
    verdicts = review(frame_of(hours=168, period_s=3600))

    assert Verdict.BAD not in set(verdicts["verdict"])


def test_the_verdicts_carry_the_facts(frame_of):
    frame = frame_of()

    assert review(frame).attrs["facts"] is frame.attrs["facts"]


def test_a_frame_without_facts_is_refused_by_name():
    with pytest.raises(ValueError, match=r"metrics\.fetch"):
        review(pd.DataFrame())
