import pytest

from couch_explorers.metrics import series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from couch_explorers.metrics.plots import artists
from couch_explorers.metrics.plots.charts import failures

THROTTLED, FILTERED = (series.failed_jobs(reason) for reason in ("Throttled", "ContentFiltered"))


def rows(ax):
    return [
        text.get_text() for text in ax.texts if text.get_text().startswith(("Failed", "Worker", "API", "Postponed"))
    ]


def test_the_most_frequent_reason_comes_first(frame_of, ax):
    frame = frame_of({THROTTLED: {5: 2}, FILTERED: {5: 9}, series.FAILED_JOBS: {5: 11}})

    assert failures.draw(frame, ax) is ax
    assert rows(ax) == [
        "Worker errors", "API function errors", "Failed: ContentFiltered", "Failed: Throttled", "Postponed jobs",
    ]  # fmt: skip


def test_a_reason_that_cloudwatch_does_not_list_yet_is_another_reason(frame_of, ax):
    failures.draw(frame_of({THROTTLED: {5: 2}, series.FAILED_JOBS: {5: 2, 900: 4}}), ax)

    assert "Failed: other reasons" in rows(ax)
    assert "4" in [text.get_text() for text in ax.texts]


def test_rare_reasons_share_a_row(frame_of, ax):
    reasons = tuple(f"Reason{letter}" for letter in "ABCDEFGHI")
    counts = {series.failed_jobs(reason): {place: 20 - place} for place, reason in enumerate(reasons)}
    frame = frame_of(counts | {series.FAILED_JOBS: {place: 20 - place for place in range(9)}}, reasons=reasons)

    failures.draw(frame, ax)

    assert [name for name in rows(ax) if name.startswith("Failed")] == [
        *(f"Failed: Reason{letter}" for letter in "ABCDEF"),
        "Failed: other reasons",
    ]
    assert failures.height_pt(frame) == artists.count_rows_height_pt(10)


def test_a_day_without_failed_jobs_has_one_row_for_them(frame_of, ax):
    failures.draw(frame_of(), ax)

    assert [name for name in rows(ax) if name.startswith("Failed")] == ["Failed jobs"]


def test_the_sentence_tells_reasons_times_and_the_day_before(frame_of):
    frame = frame_of(
        {
            THROTTLED: {1055: 4}, FILTERED: {1056: 3}, series.FAILED_JOBS: {1055: 4, 1056: 3}, series.POSTPONED_JOBS: None,
            series.errors(WORKER): {100: 1}, series.errors(API_FUNCTION): 0,
        },
        before={series.FAILED_JOBS: {7: 1}, series.errors(WORKER): 0},
    )  # fmt: skip

    assert failures.read(frame) == (
        "7 jobs failed for good (4 Throttled and 3 ContentFiltered; 02:30\u201302:40, the day before 1); "
        "no jobs were postponed; 1 worker error (10:40\u201310:50, the day before none); no API function errors."
    )


def test_the_sentence_names_the_alarms_that_rang(frame_of):
    assert "the alarm failed-jobs rang 00:21\u201300:24" in failures.read(frame_of(incident=True))


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING])
def test_what_is_not_known_is_not_told_as_none(frame_of, state):
    told = failures.read(frame_of(states={series.FAILED_JOBS: state}))

    assert told.startswith("Jobs failed for good: no")
    assert "No jobs failed" not in told
