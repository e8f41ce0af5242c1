import numpy as np

from couch_explorers.metrics import series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, FunctionConfiguration
from couch_explorers.metrics.plots import duration as make
from couch_explorers.metrics.plots.charts import duration

MAXIMUM, P50, P95 = (series.duration(WORKER, statistic) for statistic in ("Maximum", "p50", "p95"))
RUNS = series.invocations(WORKER)


def test_the_figure_has_both_functions(frame_of):
    titles = [axes.get_title(loc="left") for axes in make(frame_of()).figure.axes]

    assert titles == ["Worker's duration", "API function's duration"]


def test_both_parts_draw_on_any_axes(frame_of, ax):
    assert duration.draw(frame_of(), ax) is ax
    assert duration.draw_api_function(frame_of(), ax) is ax


def test_milliseconds_are_shown_as_seconds(frame_of, ax):
    duration.draw(frame_of({P50: [8000] * 24}), ax)

    assert any(np.nanmax(patch.get_data().values) == 8 for patch in ax.patches)
    assert ax.get_ylabel() == "seconds"


def test_the_time_out_is_the_functions_own(frame_of, ax, written):
    duration.draw(frame_of(functions=[FunctionConfiguration(WORKER, "worker", 25.0, 512)]), ax)

    assert "time-out 25 s" in written(ax)


def test_a_time_out_far_above_is_named_at_the_edge(frame_of, ax, written):
    duration.draw(frame_of(functions=[FunctionConfiguration(WORKER, "worker", 900.0, 512)]), ax)

    assert "\u2191 time-out 900 s" in written(ax)
    assert ax.get_ylim()[1] < 50


def test_the_sentence_compares_the_longest_run_with_the_time_out(frame_of):
    frame = frame_of(
        {MAXIMUM: {1051: 59_800}, P50: [8000] * 24, P95: [9000] * 23 + [21_300], RUNS: 30},
        before={P95: [9900] * 24, RUNS: 30},
    )

    assert duration.read(frame).startswith(
        "The worker: median 8 s, p95 at most 21.3 s (08:00\u201309:00; the day before 9.9 s), "
        "longest run 59.8 s (02:31), 100 % of its time-out of 60 s; the API's function: median "
    )  # fmt: skip


def test_a_percentile_of_too_few_runs_is_neither_drawn_nor_told(frame_of, ax, written):
    frame = frame_of({RUNS: {0: 3}, P95: [9000] * 24, P50: [8000] * 24})

    duration.draw(frame, ax)

    assert "\np95\n" not in written(ax)
    worker = duration.read(frame).split("; the API's function")[0]
    assert "p95" not in worker
    assert "p95 needs 20 and" not in worker


def test_a_function_that_did_not_run_says_so(frame_of, ax, written):
    frame = frame_of(calm=False)

    duration.draw(frame, ax)

    assert "Nothing was measured, the worker was idle." in written(ax)
    assert duration.read(frame) == (
        "The worker's duration: nothing was measured, the worker was idle; "
        "the API's function's duration: nothing was measured, the API's function was idle."
    )


def test_without_facts_about_the_function_there_is_no_time_out(frame_of, ax, written):
    frame = frame_of(functions=[])

    duration.draw_api_function(frame, ax)

    assert "time-out" not in written(ax)
    assert "time-out" not in duration.read(frame)
    assert API_FUNCTION not in duration.read(frame)
