from datetime import UTC, datetime, timedelta

from couch_explorers.metrics import series
from couch_explorers.metrics.model import WORKER, SeriesState
from couch_explorers.metrics.review_data import ReviewData

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ALARM = "dead-letters"
ERRORS = series.errors(WORKER)


def counted(frame):
    return ReviewData(frame).count_clause(ERRORS, "worker error", "worker errors")


def test_a_minute_is_named_by_its_beginning_and_a_longer_period_by_both_ends(frame_of):
    data = ReviewData(frame_of({series.SENT: {600: 9}}))

    assert data.level(series.SENT).peak.when == "19:00"
    assert data.tally(series.SENT).busiest.when == "19:00\u201319:10"


def test_one_error_and_several_are_named_in_the_right_number(frame_of):
    assert counted(frame_of({ERRORS: {5: 1}}, compare=None)) == "1 worker error (09:00\u201309:10)"
    assert counted(frame_of({ERRORS: {5: 1, 6: 2}}, compare=None)) == "3 worker errors (09:00\u201309:10)"
    assert counted(frame_of({ERRORS: {5: 1, 60: 2}}, compare=None)) == "3 worker errors (most 10:00\u201310:10)"


def test_none_on_both_days_needs_no_comparison(frame_of):
    assert counted(frame_of({ERRORS: 0}, before={ERRORS: 0})) == "no worker errors"
    assert counted(frame_of({ERRORS: 0}, before={ERRORS: {5: 4}})) == "no worker errors (the day before 4)"


def test_an_answer_that_was_denied_is_not_none(frame_of):
    clause = counted(frame_of(states={ERRORS: SeriesState.DENIED}))

    assert clause.startswith("worker errors: not known")


def test_an_alarm_that_never_rang_is_not_mentioned(frame_of, alarms_of):
    assert ReviewData(frame_of(alarms=alarms_of())).alarm_clause(ALARM) == ""
    assert ReviewData(frame_of(alarms=())).alarm_clause(ALARM) == ""


def test_an_alarm_tells_each_time_or_how_often(frame_of, alarms_of):
    def clause(times, state="OK"):
        stretches = [
            (END - timedelta(hours=hour), END - timedelta(hours=hour - 1)) for hour in range(2 * times - 1, 0, -2)
        ]
        alarms = alarms_of(alarm_intervals={ALARM: stretches}, states={ALARM: state})
        return ReviewData(frame_of(alarms=alarms)).alarm_clause(ALARM)

    assert clause(2) == "its alarm was in ALARM 06:00\u201307:00 and 08:00\u201309:00"
    assert clause(4) == "its alarm was in ALARM 4 times, last 08:00\u201309:00"
    assert clause(1, "ALARM") == "its alarm has been in ALARM since 08:00"
    assert clause(3, "ALARM") == "its alarm has been in ALARM since 08:00, and was 2 times before"
