"""FilterLogEvents: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html."""

from datetime import timedelta
from itertools import pairwise

import pytest

from couch_explorers.oncall import story_log

FUNCTIONS = {"worker": "worker", "api": "api"}
DAY_S = 24 * 3600


@pytest.fixture
def search(cloud, stand):
    return lambda wanted, functions=FUNCTIONS: story_log.search(cloud.logs, functions, wanted, stand.NOW)


@pytest.mark.parametrize("name", ["job_id", "message_id", "api_request_id", "function_request_id"])
def test_a_line_is_found_by_any_id_that_the_handlers_write(cloud, search, name):
    cloud.line("Picture stored", at_s=-5, **{name: "wanted"})

    assert [line.text for line in search("wanted").lines] == ["Picture stored"]


def test_a_longer_id_that_holds_the_wanted_one_is_another_job(cloud, search):
    cloud.line("Picture stored", at_s=-5, job_id="storm-17")
    cloud.line("Picture stored", at_s=-4, detail="not like storm-1", job_id="calm")
    cloud.logs.write("worker", "REPORT RequestId: storm-17 Duration: 5 ms")

    assert search("storm-1").lines == []


def test_metrics_are_no_lines_of_the_story(cloud, search):
    cloud.line("", at_s=-5, _aws={}, job_id="wanted")

    assert search("wanted").lines == []


def test_a_line_that_lambda_writes_is_found_by_its_request(cloud, search, stand):
    cloud.logs.write("worker", "2026-11-25 Task timed out: 8dd9-b1 after 60 s", stand.NOW)

    assert [line.text for line in search("8dd9-b1").lines] == ["2026-11-25 Task timed out: 8dd9-b1 after 60 s"]


def test_lines_of_both_functions_come_in_the_order_in_which_they_were_written(cloud, search):
    cloud.line("Picture stored", at_s=-1, job_id="a", receives=2)
    cloud.line("Picture stored", at_s=-3, job_id="a", function="api")
    cloud.line("Job postponed", at_s=-2, job_id="a", receives=1)

    assert [(line.function, line.text) for line in search("a").lines] == [
        ("api", "Picture stored"),
        ("worker", "Job postponed"),
        ("worker", "Picture stored"),
    ]


def test_a_lines_time_is_the_handlers_own_clock(cloud, search, stand):
    cloud.logs.write("worker", {"message": "x", "job_id": "a", "timestamp": "2026-11-25 10:29:59,250+0100"}, stand.NOW)

    assert search("a").lines[0].time == stand.NOW - timedelta(milliseconds=750)


@pytest.mark.parametrize("stamp", [None, "yesterday", 5])
def test_a_line_without_a_readable_time_has_that_of_its_event(cloud, search, stand, stamp):
    cloud.logs.write("worker", {"message": "x", "job_id": "a", "timestamp": stamp}, stand.NOW)

    assert search("a").lines[0].time == stand.NOW


def test_pages_are_read_to_their_end(cloud, search):
    cloud.logs.page = 2
    for number in range(7):
        cloud.line(f"line {number}", at_s=number - 9, job_id="a")

    assert len(search("a").lines) == 7


def test_a_log_that_is_too_long_is_told_not_hidden(cloud, search, monkeypatch):
    monkeypatch.setattr(story_log, "PAGES_PER_LOOK", 2)
    cloud.logs.page = 1
    for number in range(5):
        cloud.line("Job postponed", at_s=number - 9, job_id="a", receives=number + 1)

    found = search("a")

    assert len(found.lines) == 2
    assert "/aws/lambda/worker is too long" in found.notes[0]


def test_the_search_goes_no_further_back_than_the_first_receive(cloud, search, stand):
    cloud.line("Picture stored", at_s=-5, job_id="a", receives=1)

    assert search("a").since == stand.NOW - timedelta(days=1)
    assert len(cloud.logs.asked) == 2


def test_the_search_goes_further_back_until_it_finds_the_first_receive(cloud, search, stand):
    cloud.line("Job postponed", at_s=-3 * DAY_S, job_id="a", receives=1)
    cloud.line("Picture stored", at_s=-5, job_id="a", receives=2)

    found = search("a")

    assert [line.get("receives") for line in found.lines] == ["1", "2"]
    assert found.since == stand.NOW - timedelta(days=4)


def test_an_id_without_a_trace_is_searched_for_as_long_as_sqs_keeps_anything(search, stand):
    assert search("nobody").since == stand.NOW - timedelta(days=14)


def test_no_stretch_is_searched_twice(cloud, search):
    search("nobody")

    stretches = sorted((start, end) for group, start, end in cloud.logs.asked if group.endswith("worker"))
    assert all(earlier[1] < later[0] for earlier, later in pairwise(stretches))


def test_a_log_that_may_not_be_read_leaves_the_other(cloud, search, stand):
    cloud.line("Picture stored", at_s=-5, function="api", job_id="a")
    del cloud.logs.groups["/aws/lambda/worker"]

    found = search("a")

    assert (len(found.lines), found.functions) == (1, ["api"])
    assert found.notes == ["There is no log /aws/lambda/worker: the function has never run, or its log was removed."]


def test_a_missing_right_is_a_note_by_its_name(cloud, search, stand):
    cloud.logs.failures["filter"] = stand.refusal()

    found = search("a")

    assert (found.lines, found.since) == ([], None)
    assert all("allow logs:FilterLogEvents" in note for note in found.notes)
    assert len(found.notes) == 2


def test_without_a_function_there_is_no_log(search):
    assert search("a", {}).notes == ["No function is deployed, so there is no log."]
