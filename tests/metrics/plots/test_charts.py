from dataclasses import replace

import numpy as np
import pytest

from couch_explorers import plot_style
from couch_explorers.metrics import captions, plots, series, thresholds
from couch_explorers.metrics.model import API_FUNCTION, WORKER, FunctionConfiguration, SeriesState
from couch_explorers.metrics.plots import artists, charts
from couch_explorers.metrics.review_data import ReviewData
from tests.wording import numbers

pytestmark = pytest.mark.drawing


def caption(figure, frame):
    return captions.CAPTIONS[figure](ReviewData.of(frame))


def test_it_draws_on_any_axes_and_gives_them_back(frame_of, ax):
    assert charts.draw_age(frame_of(), ax) is ax


def test_the_line_of_the_day_before_lies_behind_and_is_lighter(frame_of, ax):
    charts.draw_age(frame_of({series.AGE: [7] * 1440}, before={series.AGE: [3] * 1440}), ax)

    before, now = ax.lines[:2]
    assert (now.get_ydata()[0], before.get_ydata()[0]) == (7, 3)
    assert before.get_zorder() < now.get_zorder()
    assert (before.get_color(), now.get_color()) == (plot_style.BEFORE, artists.NOW.colour)


def test_the_threshold_is_the_alarms_own(frame_of, alarms_of, ax, written):
    charts.draw_age(frame_of(alarms=alarms_of(100.0)), ax)

    assert "alarm > 100 s" in written(ax)
    assert [100.0, 100.0] in [list(line.get_ydata()) for line in ax.lines]


def test_the_threshold_says_whether_it_belongs_to_what_is_too_long(frame_of, alarms_of, ax, written):
    at_least = [replace(alarm, comparison="GreaterThanOrEqualToThreshold") for alarm in alarms_of(100.0)]

    charts.draw_age(frame_of(alarms=at_least), ax)

    assert "alarm \u2265 100 s" in written(ax)


def test_without_an_alarm_there_is_no_threshold(frame_of, ax, written):
    charts.draw_age(frame_of(alarms=()), ax)

    assert "alarm" not in written(ax)
    assert "alarm" not in caption("age", frame_of(alarms=()))


def test_the_sentence_compares_with_threshold_and_day_before_and_tells_the_dead_letters(frame_of, snapshot):
    frame = frame_of(
        {series.AGE: {1062: 912, 1439: 4}, series.DEAD_LETTERS_VISIBLE: {1000: 3, 1439: 0}},
        before={series.AGE: {3: 12}},
    )

    sentence = caption("age", frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["912", "02:42", "3", "300", "4", "12", "3", "01:40", "0"]


def test_the_sentence_says_when_the_alarm_rang(frame_of):
    assert "its alarm was in ALARM 00:07\u201300:58" in caption("age", frame_of(incident=True))


def test_an_age_that_was_last_measured_long_before_the_end_is_not_reported_as_the_end(frame_of):
    assert "5 s when last measured, 09:10" in caption("age", frame_of({series.AGE: {10: 5}}))


def test_a_queue_without_points_says_why_and_still_tells_the_dead_letters(frame_of, ax, written, snapshot):
    frame = frame_of({series.DEAD_LETTERS_VISIBLE: [0] * 1440}, states={series.AGE: SeriesState.MISSING}, compare=None)

    charts.draw_age(frame, ax)

    assert "Nothing to show, the queue is not deployed." in written(ax)
    assert caption("age", frame) == snapshot


def test_an_age_of_zero_is_drawn_as_a_line_and_not_as_a_gap(frame_of, ax, written):
    charts.draw_age(frame_of({series.AGE: 0}, compare=None), ax)

    assert not np.isnan(ax.lines[0].get_ydata()).any()
    assert "idle" not in written(ax)


def test_the_figure_has_the_dead_letters_under_the_backlog_on_the_same_time_axis(frame_of):
    upper, lower = plots.backlog(frame_of(incident=True)).figure.axes

    assert [axes.get_title(loc="left") for axes in (upper, lower)] == ["Backlog", "Dead-letter queue"]
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_position().y0 > lower.get_position().y1


def test_both_parts_draw_on_any_axes(frame_of, ax):
    assert charts.draw_backlog(frame_of(), ax) is ax
    assert charts.draw_dead_letters(frame_of(), ax) is ax


def test_the_sentence_tells_the_highest_and_the_end_of_both(frame_of, snapshot):
    frame = frame_of(
        {series.VISIBLE: {1000: 184, 1439: 0}, series.DEAD_LETTERS_VISIBLE: 0}, before={series.VISIBLE: {5: 12}}
    )

    sentence = caption("backlog", frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["184", "01:40", "0", "12"]


def test_an_idle_queue_is_not_a_queue_without_backlog(frame_of):
    idle = frame_of({series.VISIBLE: None, series.DEAD_LETTERS_VISIBLE: None})
    empty = frame_of({series.VISIBLE: 0, series.DEAD_LETTERS_VISIBLE: 0})

    assert "nothing was measured, the queue was idle" in caption("backlog", idle)
    assert caption("backlog", empty).startswith("Jobs that waited: none")


def test_dead_letters_that_may_not_be_asked_for_are_not_reported_as_none(frame_of, ax, written):
    frame = frame_of(states={series.DEAD_LETTERS_VISIBLE: SeriesState.DENIED})

    charts.draw_dead_letters(frame, ax)

    assert "may not ask CloudWatch about the dead-letter queue" in written(ax)
    assert "dead-letter queue: not known" in caption("backlog", frame)


def test_it_draws_on_any_axes_and_gives_them_back_flow(frame_of, ax):
    assert charts.draw_flow(frame_of(), ax) is ax


def test_both_sums_are_joined_to_a_readable_period_that_is_named(frame_of, ax, written):
    charts.draw_flow(frame_of(), ax)

    assert "Sum of each 10 minutes, Europe/Oslo" in written(ax)
    assert ax.get_ylabel() == "jobs in 10 minutes"


def test_where_more_is_sent_than_done_the_backlog_grows(frame_of, ax, written):
    charts.draw_flow(frame_of({series.SENT: {100: 40}, series.DELETED: {100: 10, 130: 30}}), ax)

    assert "backlog grows" in written(ax)


def test_where_all_is_done_at_once_nothing_is_marked(frame_of, ax, written):
    charts.draw_flow(frame_of({series.SENT: 2, series.DELETED: 2}), ax)

    assert "backlog grows" not in written(ax)


def test_the_sentence_tells_both_sums_and_where_they_part(frame_of, snapshot):
    frame = frame_of(
        {series.SENT: [1] * 1000 + [0] * 440, series.DELETED: [1] * 900 + [0] * 10 + [1] * 80 + [2] * 10 + [0] * 440},
        before={series.SENT: [1] * 1440},
    )

    sentence = caption("flow", frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["1,000", "1,440", "1,000", "00:00", "00:10", "10"]


def test_a_day_before_that_was_measured_for_a_part_only_is_not_reported_as_a_whole(frame_of):
    frame = frame_of({series.SENT: 1, series.DELETED: 1}, before={series.SENT: [1] * 144})

    assert "1,440 jobs sent (the day before 144, but measured for 10 % of the time only)" in caption("flow", frame)


def test_what_may_not_be_asked_for_is_not_reported_as_zero(frame_of):
    sentence = caption("flow", frame_of(states={series.DELETED: SeriesState.DENIED}))

    assert "jobs done: not known" in sentence
    assert "no job done" not in sentence


def test_an_idle_queue_says_so(frame_of, ax, written):
    frame = frame_of(calm=False)

    charts.draw_flow(frame, ax)

    assert "the queue was idle" in written(ax)
    assert caption("flow", frame) == "Jobs sent and done: nothing was measured, the queue was idle."


MAXIMUM, P50, P95 = (series.duration(WORKER, statistic) for statistic in ("Maximum", "p50", "p95"))
RUNS = series.invocations(WORKER)


def test_the_figure_has_both_functions(frame_of):
    titles = [axes.get_title(loc="left") for axes in plots.duration(frame_of()).figure.axes]

    assert titles == ["Worker's duration", "API function's duration"]


def test_both_parts_draw_on_any_axes_duration(frame_of, ax):
    assert charts.draw_duration(frame_of(), ax) is ax
    assert charts.draw_api_function(frame_of(), ax) is ax


def test_milliseconds_are_shown_as_seconds(frame_of, ax):
    charts.draw_duration(frame_of({P50: [8000] * 24}), ax)

    assert any(np.nanmax(patch.get_data().values) == 8 for patch in ax.patches)
    assert ax.get_ylabel() == "seconds"


def test_the_time_out_is_the_functions_own(frame_of, ax, written):
    charts.draw_duration(frame_of(functions=[FunctionConfiguration(WORKER, "worker", 25.0, 512)]), ax)

    assert "time-out 25 s" in written(ax)


def test_a_time_out_far_above_is_named_at_the_edge(frame_of, ax, written):
    charts.draw_duration(frame_of(functions=[FunctionConfiguration(WORKER, "worker", 900.0, 512)]), ax)

    assert "\u2191 time-out 900 s" in written(ax)
    assert ax.get_ylim()[1] < 50


def test_the_sentence_compares_the_longest_run_with_the_time_out(frame_of, snapshot):
    frame = frame_of(
        {MAXIMUM: {1051: 59_800}, P50: [8000] * 24, P95: [9000] * 23 + [21_300], RUNS: 30},
        before={P95: [9900] * 24, RUNS: 30},
    )

    worker = caption("duration", frame).split("; the API's function")[0]
    assert worker == snapshot
    assert numbers(worker) == ["8", "21.3", "08:00", "09:00", "9.9", "59.8", "02:31", "100", "60"]


def test_a_percentile_of_too_few_runs_is_neither_drawn_nor_reported(frame_of, ax, written):
    frame = frame_of({RUNS: {0: 3}, P95: [9000] * 24, P50: [8000] * 24})

    charts.draw_duration(frame, ax)

    assert "\np95\n" not in written(ax)
    worker = caption("duration", frame).split("; the API's function")[0]
    assert "p95" not in worker
    assert "p95 needs 20 and" not in worker


def test_a_function_that_did_not_run_says_so(frame_of, ax, written, snapshot):
    frame = frame_of(calm=False)

    charts.draw_duration(frame, ax)

    assert "Nothing was measured, the worker was idle." in written(ax)
    assert caption("duration", frame) == snapshot


def test_without_facts_about_the_function_there_is_no_time_out(frame_of, ax, written):
    frame = frame_of(functions=[])

    charts.draw_api_function(frame, ax)

    assert "time-out" not in written(ax)
    assert "time-out" not in caption("duration", frame)
    assert API_FUNCTION not in caption("duration", frame)


THROTTLED, FILTERED = (series.failed_jobs(reason) for reason in ("Throttled", "ContentFiltered"))


def rows(ax):
    return [
        text.get_text() for text in ax.texts if text.get_text().startswith(("Failed", "Worker", "API", "Postponed"))
    ]


def test_the_most_frequent_reason_comes_first(frame_of, ax):
    frame = frame_of({THROTTLED: {5: 2}, FILTERED: {5: 9}, series.FAILED_JOBS: {5: 11}})

    assert charts.draw_failures(frame, ax) is ax
    assert rows(ax) == [
        "Worker errors", "API function errors", "Failed: ContentFiltered", "Failed: Throttled", "Postponed jobs",
    ]  # fmt: skip


def test_a_reason_that_cloudwatch_does_not_list_yet_is_another_reason(frame_of, ax):
    charts.draw_failures(frame_of({THROTTLED: {5: 2}, series.FAILED_JOBS: {5: 2, 900: 4}}), ax)

    assert "Failed: other reasons" in rows(ax)
    assert "4" in [text.get_text() for text in ax.texts]


def test_rare_reasons_share_a_row(frame_of, ax):
    reasons = tuple(f"Reason{letter}" for letter in "ABCDEFGHI")
    counts = {series.failed_jobs(reason): {place: 20 - place} for place, reason in enumerate(reasons)}
    frame = frame_of(counts | {series.FAILED_JOBS: {place: 20 - place for place in range(9)}}, reasons=reasons)

    charts.draw_failures(frame, ax)

    assert [name for name in rows(ax) if name.startswith("Failed")] == [
        *(f"Failed: Reason{letter}" for letter in "ABCDEF"),
        "Failed: other reasons",
    ]
    assert charts.failures_height_pt(frame) == artists.count_rows_height_pt(10)


def test_a_day_without_failed_jobs_has_one_row_for_them(frame_of, ax):
    charts.draw_failures(frame_of(), ax)

    assert [name for name in rows(ax) if name.startswith("Failed")] == ["Failed jobs"]


def test_the_sentence_tells_reasons_times_and_the_day_before(frame_of, snapshot):
    frame = frame_of(
        {
            THROTTLED: {1055: 4}, FILTERED: {1056: 3}, series.FAILED_JOBS: {1055: 4, 1056: 3}, series.POSTPONED_JOBS: None,
            series.errors(WORKER): {100: 1}, series.errors(API_FUNCTION): 0,
        },
        before={series.FAILED_JOBS: {7: 1}, series.errors(WORKER): 0},
    )  # fmt: skip

    sentence = caption("failures", frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["7", "4", "3", "02:30", "02:40", "1", "1", "10:40", "10:50"]


def test_the_sentence_names_the_alarms_that_rang(frame_of):
    assert "the alarm failed-jobs was in ALARM 00:21\u201300:24" in caption("failures", frame_of(incident=True))


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING])
def test_what_is_not_known_is_not_reported_as_none(frame_of, state):
    sentence = caption("failures", frame_of(states={series.FAILED_JOBS: state}))

    assert sentence.startswith("Jobs failed for good: no")
    assert "No jobs failed" not in sentence


LATENCY_P50, LATENCY_P95 = (series.api_latency(statistic) for statistic in ("p50", "p95"))


def test_the_figure_has_the_requests_under_the_latency(frame_of):
    titles = [axes.get_title(loc="left") for axes in plots.latency(frame_of()).figure.axes]

    assert titles == ["API latency", "API requests"]


def test_both_parts_draw_on_any_axes_latency(frame_of, ax):
    assert charts.draw_latency(frame_of(), ax) is ax
    assert charts.draw_requests(frame_of(), ax) is ax


def test_the_gateways_limit_is_drawn_and_named(frame_of, ax, written):
    charts.draw_latency(frame_of({LATENCY_P95: [20_000] * 24, series.API_COUNT: 1}, functions=()), ax)

    assert "gateway ends at 29 s" in written(ax).replace("\n", " ")
    assert [thresholds.API_GATEWAY_TIMEOUT_S] * 2 in [list(line.get_ydata()) for line in ax.lines]


def test_shorter_time_out_of_the_function_is_the_limit_as_in_the_table(frame_of, ax, written):
    charts.draw_latency(frame_of({LATENCY_P95: [20_000] * 24, series.API_COUNT: 1}), ax)

    assert "function ends at 28 s" in written(ax).replace("\n", " ")


def test_the_sentence_tells_latency_and_what_went_wrong(frame_of, snapshot):
    frame = frame_of(
        {LATENCY_P50: [8000] * 24, LATENCY_P95: [9000] * 23 + [14_500], series.API_COUNT: 1, series.API_5XX: {1055: 5}, series.API_4XX: {1: 1, 900: 1}},
        before={LATENCY_P95: [9900] * 24, series.API_COUNT: 1, series.API_5XX: 0, series.API_4XX: {1: 7}},
    )  # fmt: skip

    sentence = caption("latency", frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["1,440", "14.5", "08:00", "09:00", "52", "28", "9.9", "5", "02:30", "02:40", "2", "7"]


def test_few_requests_carry_no_percentile(frame_of):
    sentence = caption("latency", frame_of({series.API_COUNT: {0: 3}, LATENCY_P95: [9000], LATENCY_P50: [8000]}))

    assert sentence.startswith("3 requests, too few at a time for a 95th percentile;")


def test_an_api_that_may_not_be_asked_for_says_so(frame_of, ax, written):
    frame = frame_of(
        states=dict.fromkeys((LATENCY_P50, LATENCY_P95, series.API_COUNT), SeriesState.DENIED), compare=None
    )

    charts.draw_latency(frame, ax)

    assert "may not ask CloudWatch about the API (cloudwatch:GetMetricData)" in written(ax).replace("\n", " ")
    assert caption("latency", frame).startswith("API requests: not known")
