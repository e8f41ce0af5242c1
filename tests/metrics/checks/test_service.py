"""Alarm states and history as CloudWatch gives them:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from couch_explorers.checks import FAILING, Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.model import WORKER, SeriesState
from couch_explorers.smoke.alarms import ALARM_NAMES
from tests.metrics.believable import CORE, END
from tests.metrics.rows import row_of

MINUTE = timedelta(minutes=1)


def with_facts(frame, **changes):
    frame.context = replace(frame.context, **changes)
    return frame


def test_an_alarm_that_rings_needs_somebody_now(frame_of, alarms_of):
    rang = {"dead-letters": [(END - 30 * MINUTE, END)]}
    alarms = alarms_of(states={"dead-letters": "ALARM"}, alarm_intervals=rang)

    row = row_of(frame_of(alarms=alarms), "alarms")

    assert row.verdict == Verdict.BAD
    assert (row.value, row.reason) == (1, "In ALARM: dead-letters since 08:30.")
    assert "`couch emails`" in row.action


def test_an_alarm_that_rang_and_is_quiet_again_is_a_warning(frame_of, alarms_of):
    rang = {"failed-jobs": [(END - 90 * MINUTE, END - 80 * MINUTE), (END - 30 * MINUTE, END - 20 * MINUTE)]}

    row = row_of(frame_of(alarms=alarms_of(alarm_intervals=rang)), "alarms")

    assert row.verdict == Verdict.WARN
    assert row.reason == "Was in ALARM: failed-jobs 07:30\u201307:40 and 08:30\u201308:40."


def test_an_alarm_that_rang_often_is_not_listed_at_length(frame_of, alarms_of):
    rang = {
        "failed-jobs": [(END - number * 20 * MINUTE, END - number * 20 * MINUTE + MINUTE) for number in (6, 5, 4, 3)]
    }

    row = row_of(frame_of(alarms=alarms_of(alarm_intervals=rang)), "alarms")

    assert "failed-jobs 4 times, last 08:00\u201308:01" in row.reason


def test_alarms_are_listed_in_the_order_in_which_they_rang(frame_of, alarms_of):
    rang = {
        "dead-letters": [(END - 20 * MINUTE, END - 10 * MINUTE)],
        "worker-errors": [(END - 30 * MINUTE, END - 25 * MINUTE)],
    }

    row = row_of(frame_of(alarms=alarms_of(alarm_intervals=rang)), "alarms")

    assert row.reason == "Was in ALARM: worker-errors 08:30\u201308:35; dead-letters 08:40\u201308:50."


def test_quiet_alarms_are_ok(frame_of):
    row = row_of(frame_of(), "alarms")

    assert (row.verdict, row.reason) == (Verdict.OK, "None of 5 is in ALARM, and none was.")


def test_an_alarm_that_tells_nobody_is_a_warning(frame_of, alarms_of):
    alarms = [replace(alarm, actions_enabled=alarm.short_name != "dead-letters") for alarm in alarms_of()]

    row = row_of(frame_of(alarms=alarms), "alarms")

    assert row.verdict == Verdict.WARN
    assert "Actions disabled: dead-letters." in row.reason


def test_a_missing_alarm_is_named(frame_of, alarms_of):
    row = row_of(frame_of(alarms=[each for each in alarms_of() if each.short_name != ALARM_NAMES[0]]), "alarms")

    assert row.verdict == Verdict.WARN
    assert f"Not deployed: {ALARM_NAMES[0]}." in row.reason


def test_an_alarm_without_data_is_a_warning_once_it_is_no_new_one(frame_of, alarms_of):
    def row_with(since):
        blind = [replace(alarm, state="INSUFFICIENT_DATA", since=since) for alarm in alarms_of()]
        return row_of(frame_of(alarms=blind), "alarms")

    assert row_with(END - 2 * MINUTE).verdict == Verdict.OK
    assert row_with(END - 60 * MINUTE).verdict == Verdict.WARN
    assert "without data to judge by" in row_with(END - 60 * MINUTE).reason.lower()


def test_alarms_that_may_not_be_read_are_not_known(frame_of):
    why = "No right to read the alarms: allow cloudwatch:DescribeAlarms."
    row = row_of(with_facts(frame_of(alarms=()), error_notes={"cloudwatch:DescribeAlarms": why}), "alarms")

    assert (row.verdict, row.action) == (Verdict.NO_DATA, why)
    assert row.reason.startswith("Denied: ")


def test_a_history_that_may_not_be_read_leaves_open_whether_one_rang(frame_of):
    why = "No right to read the alarms' history: allow cloudwatch:DescribeAlarmHistory."
    row = row_of(with_facts(frame_of(), error_notes={"cloudwatch:DescribeAlarmHistory": why}), "alarms")

    assert row.verdict == Verdict.NO_DATA
    assert "whether one was is not known" in row.reason


def test_a_queue_without_alarms_is_a_warning_and_without_a_queue_there_are_none(frame_of):
    facts = frame_of().context
    gone = {line.key: SeriesState.MISSING for line in facts.series if line.resource == "queue"}

    assert row_of(frame_of(alarms=()), "alarms").verdict == Verdict.WARN
    assert "nobody would be notified" in row_of(frame_of(alarms=()), "alarms").reason
    assert row_of(frame_of(alarms=(), states=gone), "alarms").verdict == Verdict.NO_DATA


def test_a_window_of_the_past_tells_how_the_alarms_stood_at_its_end(frame_of, alarms_of):
    later = END + timedelta(days=3)
    rings_today = with_facts(frame_of(alarms=alarms_of(states={"dead-letters": "ALARM"})), fetched=later)
    rang_then = with_facts(
        frame_of(alarms=alarms_of(alarm_intervals={"dead-letters": [(END - 9 * MINUTE, END)]})), fetched=later
    )

    assert row_of(rings_today, "alarms").verdict == Verdict.OK
    assert row_of(rang_then, "alarms").verdict == Verdict.BAD


def test_the_state_before_a_denied_history_is_known_from_its_change(frame_of, alarms_of):
    alarms = [replace(alarm, since=END - 12 * MINUTE) for alarm in alarms_of(states={"dead-letters": "ALARM"})]

    assert row_of(frame_of(alarms=alarms), "alarms").reason == "In ALARM: dead-letters since 08:48."


def test_no_series_is_needed_to_know_the_alarms(frame_of):
    row = row_of(frame_of(states={series.AGE: SeriesState.DENIED}), "alarms")

    assert row.verdict == Verdict.OK


COST = "cost of the window"


def cost_row(frame_of, now, before, **more):
    made = [{series.pictures(WORKER): {0: count}, series.pictures(WORKER, CORE): {0: count}} for count in (now, before)]
    return row_of(frame_of(made[0], before=made[1], calm=False, **more), COST)


def test_the_cost_is_broken_down_by_what_was_paid_for(frame_of):
    row = cost_row(frame_of, 100, 100)

    assert (row.verdict, row.unit, row.change) == (Verdict.OK, "USD", "same")
    assert row.reason.startswith("On AWS it would be $4.01 at list prices of ")
    assert "pictures $4.00, Lambda $0.00, queue $0.0086" in row.reason


def test_on_aws_the_cost_is_no_would_be(frame_of):
    assert cost_row(frame_of, 100, 100, target="aws").reason.startswith("$4.01 at list prices of ")


def test_twice_the_cost_of_before_is_a_warning(frame_of):
    assert cost_row(frame_of, 100, 51).verdict == Verdict.OK
    assert cost_row(frame_of, 100, 49).verdict == Verdict.WARN


def test_a_few_cents_are_no_warning_however_many_times_those_of_before(frame_of):
    assert cost_row(frame_of, 20, 1).verdict == Verdict.OK


def test_after_a_day_of_rest_no_day_is_too_dear(frame_of):
    row = cost_row(frame_of, 1000, 2)

    assert row.verdict == Verdict.OK
    assert row.change.startswith("\u00d7")


def test_half_a_window_before_is_no_cost_to_compare_with(frame_of):
    row = cost_row(frame_of, 100, 49, states={("before", series.pictures(WORKER)): SeriesState.PARTIAL})

    assert (row.verdict, row.change) == (Verdict.OK, "")


def test_without_a_window_before_nothing_is_too_much(frame_of):
    assert cost_row(frame_of, 10_000, 1, compare=None).verdict == Verdict.OK


def test_the_cost_is_not_known_without_the_pictures(frame_of):
    facts = frame_of().context
    denied = {line.key: SeriesState.DENIED for line in facts.series}

    assert row_of(frame_of(states=denied), COST).reason.startswith("Denied: ")
    assert (
        row_of(frame_of(states=dict.fromkeys(denied, SeriesState.MISSING)), COST).reason
        == "Missing: nothing is deployed."
    )


def test_a_cost_says_what_is_not_in_it(frame_of):
    made = {series.pictures(WORKER): {0: 3}, series.pictures(WORKER, "new-model"): {0: 2}}

    row = row_of(frame_of(made, calm=False, models=("new-model",), states={series.API_COUNT: SeriesState.DENIED}), COST)

    assert "Not known: API." in row.reason
    assert "No price is known for new-model." in row.reason
    assert "1 picture of a model not listed yet, priced as the default model's." in row.reason


def test_a_cost_made_of_half_an_answer_is_not_ok(frame_of):
    half = frame_of(states={series.pictures(WORKER): SeriesState.PARTIAL})
    of_no_matter = frame_of(states={series.AGE: SeriesState.PARTIAL})

    assert row_of(half, COST).verdict == Verdict.NO_DATA
    assert row_of(of_no_matter, COST).verdict == Verdict.OK


def test_whole_data_are_ok(frame_of):
    row = row_of(frame_of(), "data")

    assert (row.verdict, row.value) == (Verdict.OK, 0)
    assert row.reason.endswith("series were answered.")


def test_the_four_ways_in_which_numbers_lack_are_told_apart(frame_of):
    partial = row_of(frame_of(states={series.AGE: SeriesState.PARTIAL}), "data")
    denied = row_of(frame_of(states={series.AGE: SeriesState.DENIED}), "data")
    missing = row_of(frame_of(states={series.API_COUNT: SeriesState.MISSING}), "data")
    idle = row_of(frame_of({series.AGE: None}), "data")

    assert (partial.verdict, partial.reason) == (Verdict.WARN, "Partial: 1 series.")
    assert (denied.verdict, denied.reason) == (Verdict.NO_DATA, "Denied: 1 series.")
    assert (missing.verdict, missing.reason) == (Verdict.NO_DATA, "Missing: the API.")
    assert idle.verdict == Verdict.OK


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING, SeriesState.PARTIAL])
def test_a_review_that_could_ask_nothing_by_which_to_judge_fails_a_run_in_ci(frame_of, state):
    keys = [line.key for line in frame_of().context.series]
    blind = frame_of(calm=False, states=dict.fromkeys(keys, state), notes=["Allow it."])

    row = row_of(blind, "data")

    assert row.verdict in FAILING["BAD"]
    assert row.reason.endswith("Nothing is left that shows whether the service works.")
    assert row.action == "Allow it."


def test_a_review_that_could_ask_about_a_part_does_not_fail_by_that(frame_of):
    queue = dict.fromkeys((series.AGE, series.DEAD_LETTERS_VISIBLE, series.VISIBLE), SeriesState.DENIED)

    assert row_of(frame_of(states=queue), "data").verdict == Verdict.NO_DATA
    assert row_of(frame_of(calm=False), "data").verdict == Verdict.OK


def test_what_was_not_answered_beside_the_numbers_is_named_with_what_to_do(frame_of):
    frame = frame_of(notes=["No right to read the alarms: allow cloudwatch:DescribeAlarms."])
    frame.context = replace(frame.context, error_notes={"cloudwatch:DescribeAlarms": "No right."})

    row = row_of(frame, "data")

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, "Not answered: cloudwatch:DescribeAlarms.")
    assert row.action == "No right to read the alarms: allow cloudwatch:DescribeAlarms."


def test_notes_are_shown_though_all_is_there(frame_of):
    row = row_of(frame_of(notes=["Not all log lines were read."]), "data")

    assert row.verdict == Verdict.OK
    assert "Not all log lines were read." in row.reason


def test_silence_says_that_the_local_cloud_may_not_have_run(frame_of):
    assert "the local cloud did not run" in row_of(frame_of(calm=False), "data").reason
    assert row_of(frame_of(calm=False, target="aws"), "data").reason.endswith("all was idle.")
