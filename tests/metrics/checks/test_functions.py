"""Errors, duration and throttles by "Types of metrics for Lambda functions":
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import math
from dataclasses import replace

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.metrics import series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, FunctionConfiguration, LogSummary, SeriesState
from tests.metrics.believable import FUNCTION_FACTS, LOG_FACTS
from tests.metrics.rows import lately, row_of

LONGEST, P95 = series.duration(WORKER, "Maximum"), series.duration(WORKER, "p95")
RUNS = series.invocations(WORKER)


@pytest.mark.parametrize(("resource", "check"), [(WORKER, "worker errors"), (API_FUNCTION, "API function errors")])
def test_an_error_in_the_last_minutes_needs_somebody(frame_of, resource, check):
    row = row_of(frame_of({series.errors(resource): lately(1), series.invocations(resource): lately(50)}), check)

    assert row.verdict == Verdict.BAD
    assert row.reason == "1 of 50 runs ended in an error (2 %). The last began 08:59."
    assert "Task timed out" in row.action


def test_an_error_of_hours_ago_is_a_warning(frame_of):
    assert row_of(frame_of({series.errors(WORKER): {60: 1}}), "worker errors").verdict == Verdict.WARN


def test_the_alarm_says_how_many_errors_a_minute_are_too_many(frame_of, alarms_of):
    alarms = [replace(alarm, threshold=2.0) for alarm in alarms_of()]
    few = frame_of({series.errors(WORKER): lately(2, 2)}, alarms=alarms)
    many = frame_of({series.errors(WORKER): lately(3)}, alarms=alarms)

    assert row_of(few, "worker errors").verdict == Verdict.WARN
    assert row_of(many, "worker errors").verdict == Verdict.BAD


def test_a_function_that_nobody_used_made_no_errors(frame_of):
    row = row_of(frame_of(calm=False), "worker errors")

    assert (row.verdict, row.value, row.reason) == (Verdict.OK, 0, "None: nothing ran.")


def test_errors_are_compared_with_those_of_the_window_before(frame_of):
    frame = frame_of({series.errors(WORKER): {60: 3}}, before={series.errors(WORKER): {60: 2}})

    assert row_of(frame, "worker errors").change == "+50 %"


@pytest.mark.parametrize(
    ("resource", "check"), [(WORKER, "worker throttles"), (API_FUNCTION, "API function throttles")]
)
def test_a_throttle_in_the_last_minutes_needs_somebody(frame_of, resource, check):
    row = row_of(frame_of({series.throttles(resource): lately(5), series.invocations(resource): lately(95)}), check)

    assert row.verdict == Verdict.BAD
    assert row.reason == "5 calls refused (5 %)."
    # The API's function has no queue that would hold calls back.
    assert ("maximum_concurrency" in row.action) == (resource == WORKER)


def test_throttles_that_are_over_are_a_warning(frame_of):
    assert row_of(frame_of({series.throttles(WORKER): {60: 5}}), "worker throttles").verdict == Verdict.WARN


# SLIC Watch alarms when a run takes more than 95 % of the time-out.
def test_a_run_that_nearly_times_out_now_needs_somebody(frame_of):
    row = row_of(frame_of({LONGEST: lately(57_001)}), "worker duration")

    assert row.verdict == Verdict.BAD
    assert (row.value, row.threshold) == (57.001, 57)
    assert "95 % of the time-out of 60 s" in row.reason


def test_a_run_that_nearly_timed_out_hours_ago_is_a_warning(frame_of):
    assert row_of(frame_of({LONGEST: {60: 57_001}}), "worker duration").verdict == Verdict.WARN
    assert row_of(frame_of({LONGEST: {60: 57_000}}), "worker duration").verdict == Verdict.OK


def test_the_time_out_is_the_functions_own(frame_of):
    functions = (FunctionConfiguration(WORKER, "worker", 20.0, 512),)

    assert row_of(frame_of({LONGEST: {60: 19_500}}, functions=functions), "worker duration").verdict == Verdict.WARN


def test_a_slow_p95_is_a_warning_though_no_run_timed_out(frame_of):
    frame = frame_of(
        {P95: {1: 46_000}, RUNS: {60: 20}, LONGEST: {60: 46_000}}, before={P95: {1: 44_000}, RUNS: {60: 20}}
    )

    row = row_of(frame, "worker duration")

    assert row.verdict == Verdict.WARN
    assert "P95 at most 46 s (10:00\u201311:00, 20 runs), +5 % against the day before." in row.reason


def test_a_p95_of_too_few_runs_is_hidden_and_judges_nothing(frame_of):
    row = row_of(frame_of({P95: {1: 46_000}, RUNS: {60: 19}, LONGEST: {60: 46_000}}), "worker duration")

    assert row.verdict == Verdict.OK
    assert "No p95: 19 runs an hour at most, and 20 are needed." in row.reason


def test_a_p95_of_runs_that_were_not_counted_is_hidden_and_says_so(frame_of):
    frame = frame_of({P95: {1: 46_000}, RUNS: None, LONGEST: {60: 46_000}}, states={RUNS: SeriesState.PARTIAL})

    row = row_of(frame, "worker duration")

    assert row.verdict == Verdict.OK
    assert "No p95: how many runs there were is not known, and 20 are needed." in row.reason


def test_a_p95_half_as_long_again_as_before_is_a_warning(frame_of):
    before = {P95: {1: 8_000}, RUNS: {60: 30}}
    frame = frame_of({P95: {1: 12_100}, RUNS: {60: 30}, LONGEST: {60: 13_000}}, before=before)

    row = row_of(frame, "worker duration")

    assert row.verdict == Verdict.WARN
    assert "+51 % against the day before" in row.reason


def test_a_p95_is_not_compared_with_one_of_too_few_runs(frame_of):
    frame = frame_of({P95: {1: 12_000}, RUNS: {60: 30}}, before={P95: {1: 4_000}, RUNS: {60: 3}})

    row = row_of(frame, "worker duration")

    assert row.verdict == Verdict.OK
    assert "against" not in row.reason


def test_a_function_that_did_not_run_has_no_duration_to_judge(frame_of):
    row = row_of(frame_of(calm=False), "worker duration")

    assert (row.verdict, row.reason) == (Verdict.NO_DATA, "Idle: the worker did not run.")
    assert math.isnan(row.value)


def test_runs_without_a_duration_are_no_rest(frame_of):
    row = row_of(frame_of({LONGEST: None}), "worker duration")

    assert row.verdict == Verdict.NO_DATA
    assert "Runs were counted" in row.reason


def test_without_the_time_out_a_duration_is_shown_but_not_judged(frame_of):
    frame = frame_of({LONGEST: {60: 12_000}}, functions=())
    why = "No right to read the functions' limits: allow lambda:GetFunction."
    frame.context = replace(frame.context, error_notes={"lambda:GetFunction": why})

    row = row_of(frame, "worker duration")

    assert (row.verdict, row.value, row.action) == (Verdict.NO_DATA, 12, why)
    assert "Denied: the time-out" in row.reason


def test_memory_near_the_functions_is_a_warning(frame_of):
    def row_with(used):
        return row_of(frame_of(logs=[replace(LOG_FACTS[0], highest_memory_mb=used)]), "worker memory")

    assert row_with(460.0).verdict == Verdict.OK
    assert row_with(470.0).verdict == Verdict.WARN
    assert "At most 470 of 512 MB (92 %)." in row_with(470.0).reason


def test_cold_starts_stand_beside_the_memory(frame_of):
    row = row_of(frame_of(), "worker memory")

    assert "9 of 420 runs began cold (2 %), the longest in 0.61 s." in row.reason


def test_a_log_that_was_not_read_to_its_end_says_so(frame_of):
    row = row_of(frame_of(logs=[replace(LOG_FACTS[0], complete=False)]), "worker memory")

    assert "Of the first 420 runs only." in row.reason


def test_memory_that_no_line_tells_is_not_known(frame_of):
    without_memory = LogSummary(WORKER, 420, complete=True, cold_starts=9)

    row = row_of(frame_of(logs=[without_memory]), "worker memory")

    assert row.verdict == Verdict.NO_DATA
    assert row.reason == "No REPORT line contains the memory used. 9 of 420 runs began cold (2 %)."


def test_memory_of_a_function_that_did_not_run_is_idle(frame_of):
    row = row_of(frame_of(calm=False, logs=[LogSummary(WORKER, 0, complete=True)]), "worker memory")

    assert row.reason.startswith("Idle: ")


def test_runs_without_a_line_in_the_log_are_no_rest(frame_of, snapshot):
    silent = [LogSummary(WORKER, 0, complete=True)]
    window = frame_of().context.window()

    assert row_of(frame_of(logs=silent), "worker memory").reason == snapshot
    invented = row_of(frame_of(logs=silent, synthetic=[(window.start, window.end)]), "worker memory")
    assert "synthetic hours have none" in invented.reason


def test_a_log_that_may_not_be_read_is_distinguished_from_a_function_that_is_not_there(frame_of):
    why = "No right to read the functions' logs: allow logs:FilterLogEvents."
    denied, missing = frame_of(logs=()), frame_of(logs=(), functions=FUNCTION_FACTS[1:])
    denied.context = replace(denied.context, error_notes={"logs:FilterLogEvents": why})

    assert row_of(denied, "worker memory").action == why
    assert row_of(denied, "worker memory").reason.startswith("Denied: ")
    assert row_of(missing, "worker memory").reason.startswith("Missing: ")


def test_denied_errors_are_not_none(frame_of):
    row = row_of(frame_of(states={series.errors(WORKER): SeriesState.DENIED}), "worker errors")

    assert (row.verdict, row.action) == (Verdict.NO_DATA, "Allow cloudwatch:GetMetricData.")
