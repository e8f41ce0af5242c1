"""No two statements of a page contradict each other: what table, captions and summary say of one fact is the same text."""

import re
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couch_explorers.checks import Verdict
from couch_explorers.metrics import captions, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER, SeriesState
from couch_explorers.metrics.review import findings_of, review
from couch_explorers.metrics.review_data import ReviewData
from couch_explorers.metrics.summary import conclude
from tests.metrics.believable import END, REASONS, alarms_of, frame_of

NUMBER = r"[\d,.]+"
# "08:58", "Tue 24 Nov 08:58", "09:00-10:00".
WHEN = r"(?:(?:[A-Z][a-z]{2} )?(?:\d+ [A-Z][a-z]{2} )?\d\d:\d\d(?: CES?T)?\u2013?)+"
RATIO = rf"{NUMBER} (?:%|times)"
END_CLAUSE = rf"(?P<latest>{NUMBER}(?: s)? (?:at the end|when last measured, {WHEN}))"

# By fact: where it stands (a row, a caption, or the summary), and how.
ROWS = {
    "oldest job waiting": rf"At most (?P<peak>{NUMBER} s) \((?P<when>{WHEN})\), (?:(?P<ratio>{RATIO})(?: of)? the|and no alarm)[^;]*; {END_CLAUSE}",
    "dead-letter queue": rf"At most (?P<peak>{NUMBER}) \((?P<when>{WHEN})\), {END_CLAUSE}",
    "backlog": rf"At most (?P<peak>{NUMBER}) \((?P<when>{WHEN})\); {END_CLAUSE}",
    "failed jobs": rf"^(?P<count>{NUMBER}) jobs? failed for good(?: \([^)]*\))?(?:: (?P<reasons>[^.]*))?\.",
    "worker errors": rf"^(?P<count>{NUMBER}) of (?:no|{NUMBER}) runs? ended in an error",
    "API function errors": rf"^(?P<count>{NUMBER}) of (?:no|{NUMBER}) runs? ended in an error",
    "worker duration": rf"At most (?P<peak>{NUMBER} s) \((?P<when>{WHEN})\), (?P<ratio>{RATIO})",
    "API latency": rf"P95 at most (?P<peak>{NUMBER} s) \((?P<when>{WHEN}), [^;]*; (?P<ratio>{RATIO}) (?:of )?(?P<limit>the {NUMBER} s)",
    "API errors (5xx)": rf"^(?P<count>{NUMBER}) of {NUMBER} requests? failed",
    "API refusals (4xx)": rf"^(?P<count>{NUMBER}) of {NUMBER} requests? were refused",
}
CAPTIONS = {
    "oldest job waiting": ("age", rf"waited at most (?P<peak>{NUMBER} s) \((?P<when>{WHEN})(?:, (?P<ratio>{RATIO})[^)]*)?\), {END_CLAUSE}"),
    "dead-letter queue": ("backlog", rf"[Dd]ead-letter queue: at most (?P<peak>{NUMBER}) \((?P<when>{WHEN})\), {END_CLAUSE}"),
    "backlog": ("backlog", rf"Jobs that waited: at most (?P<peak>{NUMBER}) \((?P<when>{WHEN})\), {END_CLAUSE}"),
    "failed jobs": ("failures", rf"(?P<count>{NUMBER}) jobs? failed for good \((?P<reasons>\d[\d,.]* [^;)]*);"),
    "worker errors": ("failures", rf"(?P<count>{NUMBER}) worker errors?"),
    "API function errors": ("failures", rf"(?P<count>{NUMBER}) API function errors?"),
    "worker duration": ("duration", rf"^The worker: .*?longest run (?P<peak>{NUMBER} s) \((?P<when>{WHEN})\), (?P<ratio>{RATIO})"),
    "API latency": ("latency", rf"p95 at most (?P<peak>{NUMBER} s) \((?P<when>{WHEN})\), (?P<ratio>{RATIO}) (?:of )?(?P<limit>the {NUMBER} s)"),
    "API errors (5xx)": ("latency", rf"(?P<count>{NUMBER}) failed with 5XX"),
    "API refusals (4xx)": ("latency", rf"(?P<count>{NUMBER}) (?:was|were) refused with 4XX"),
}  # fmt: skip

KEYS = [
    series.AGE, series.VISIBLE, series.SENT, series.DELETED, series.DEAD_LETTERS_VISIBLE, series.FAILED_JOBS, series.POSTPONED_JOBS,
    series.API_COUNT, series.API_4XX, series.API_5XX, *(series.failed_jobs(reason) for reason in REASONS),
    *(make(each) for each in (WORKER, API_FUNCTION) for make in (series.errors, series.invocations, series.throttles)),
]  # fmt: skip
LONGEST = [series.duration(each, "Maximum") for each in (WORKER, API_FUNCTION)]
PERCENTILES = [*(series.duration(WORKER, each) for each in ("p50", "p95")), series.api_latency("p95")]
ALARMS = ("oldest-message-age", "dead-letters", "worker-errors", "failed-jobs")


@st.composite
def frames(draw):
    """A window of six hours with a few points in each series, at times that matter: the last minutes, and equal peaks."""
    hours, period_s = 6, draw(st.sampled_from([60, 300, 3600]))
    last = hours * 3600 // period_s - 1
    near_the_end = st.integers(max(0, last - 20), last)
    places = st.one_of(st.integers(0, last), near_the_end)
    counts = st.dictionaries(places, st.sampled_from([0, 1, 2, 5, 90, 450, 580, 2220]), max_size=4)
    lengths = st.dictionaries(places, st.sampled_from([900, 9_000, 22_000, 41_000, 58_000]), max_size=3)
    periods = st.dictionaries(st.integers(0, hours - 1), st.sampled_from([900, 9_000, 22_000, 27_900]), max_size=3)
    kinds = [(KEYS, counts), (LONGEST, lengths), (PERCENTILES, periods)]
    now, before = ({key: draw(kind) or None for keys, kind in kinds for key in keys} for _ in range(2))
    states = draw(
        st.dictionaries(
            st.sampled_from([*KEYS, *PERCENTILES]),
            st.sampled_from([SeriesState.DENIED, SeriesState.PARTIAL]),
            max_size=2,
        )
    )
    ago = st.integers(0, hours * 60).map(lambda minutes: END - timedelta(minutes=minutes))
    intervals = {
        name: sorted({tuple(sorted(pair)) for pair in draw(st.lists(st.tuples(ago, ago), max_size=2))})
        for name in ALARMS
    }
    found = alarms_of(
        alarm_intervals={name: [pair for pair in pairs if pair[0] < pair[1]] for name, pairs in intervals.items()},
        states={name: draw(st.sampled_from(["OK", "ALARM"])) for name in ALARMS},
    )
    frame = frame_of(
        now, before, calm=False, hours=hours, period_s=period_s, states=states, alarms=draw(st.sampled_from([found, ()])),
        compare=draw(st.sampled_from(["before", None])), percentile_period_s=3600,
    )  # fmt: skip
    if draw(st.booleans()):
        frame.context = replace(frame.context, fetched=END + timedelta(days=2))
    return frame


def matches(pattern, text):
    return [{name: value for name, value in found.groupdict().items() if value} for found in re.finditer(pattern, text)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(frames())
def test_what_the_page_says_of_a_fact_is_the_same_everywhere(frame):
    data = ReviewData.of(frame)
    rows = {row["check"]: row for row in review(frame).to_dict("records")}
    page = {name: caption(data) for name, caption in captions.CAPTIONS.items()}

    for check, row_pattern in ROWS.items():
        figure, caption_pattern = CAPTIONS[check]
        for in_row in matches(row_pattern, rows[check]["reason"]):
            for in_caption in matches(caption_pattern, page[figure]):
                shared = in_row.keys() & in_caption.keys()
                assert {name: in_row[name] for name in shared} == {name: in_caption[name] for name in shared}, check


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(frames())
def test_the_summary_agrees_with_table_and_captions(frame):
    data = ReviewData.of(frame)
    verdicts = review(frame)
    summary = str(conclude(frame, verdicts))
    found = findings_of(data)
    now = re.search(r"In ALARM: ([^.]*)", found["alarms"].reason)

    is_bad = Verdict.BAD in set(verdicts["verdict"])
    assert not (is_bad and summary.startswith("**Healthy"))
    if "not used" in summary:
        assert "jobs sent" not in captions.flow(data) or "0 jobs sent" in captions.flow(data)
    for oldest in re.findall(rf"no job waited longer than ({NUMBER} s)", summary):
        assert oldest in found["oldest job waiting"].reason
    for name in ALARMS:
        # A row, a caption and an incident say the same of an alarm: it is in ALARM, or it was.
        is_now = now is not None and name in now[1]
        assert ("has been in ALARM" in data.alarm_clause(name, name)) == is_now


def test_patterns_find_what_a_page_says():
    """The property holds for statements that the patterns find: on a page with everything they find each."""
    frame = frame_of(
        {
            series.AGE: {100: 640}, series.DEAD_LETTERS_VISIBLE: {100: 3}, series.VISIBLE: {100: 9}, series.errors(WORKER): {5: 1},
            series.errors(API_FUNCTION): {5: 1}, series.FAILED_JOBS: {100: 2}, series.failed_jobs("Throttled"): {100: 2},
            series.API_5XX: {5: 3}, series.API_4XX: {5: 4}, series.api_latency("p95"): [22_000] * 24, series.API_COUNT: 1,
        }
    )  # fmt: skip
    rows = {row["check"]: row["reason"] for row in review(frame).to_dict("records")}

    assert [check for check, pattern in ROWS.items() if not matches(pattern, rows[check])] == []
    texts = {check: captions.CAPTIONS[figure](ReviewData.of(frame)) for check, (figure, _) in CAPTIONS.items()}
    assert [check for check, (_, pattern) in CAPTIONS.items() if not matches(pattern, texts[check])] == []
