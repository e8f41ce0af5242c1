from dataclasses import replace

import pytest

from couch_explorers.deliverables.facts import NOTHING_DEPLOYED, Missing, Reason
from couch_explorers.deliverables.rows import ALARMS_FILE, POSTMAN_COLLECTION, VARIABLES_FILE, tasks
from couch_explorers.deliverables.words import every_language, in_language
from couch_explorers.paths import PROJECT_ROOT

ENGLISH = in_language("en")


@pytest.fixture
def row():
    """Make one row of the list by its name."""

    def made(facts, name, words=ENGLISH):
        return next(row for task in tasks(facts, words) for row in task.rows if row.name == name)

    return made


@pytest.mark.parametrize("words", every_language(), ids=lambda words: words.language)
def test_a_copy_that_is_deployed_has_no_empty_row(facts, words):
    assert [row.name for task in tasks(facts, words) for row in task.rows if row.empty] == []


def test_before_any_deploy_only_what_stands_in_the_repository_is_filled():
    filled = [row.name for task in tasks(NOTHING_DEPLOYED, ENGLISH) for row in task.rows if not row.empty]

    assert filled == ["postman", "tags", "alarm_code", "essay"]


def test_an_empty_row_says_so_and_what_fills_it(row):
    endpoint = row(NOTHING_DEPLOYED, "endpoint")

    assert endpoint.text == f"*empty*. {endpoint.empty}"
    assert "sam deploy" in endpoint.empty
    assert (endpoint.value, endpoint.command) == (None, None)


def test_a_run_is_a_link_with_its_branch_and_day(row, facts):
    plan = row(facts, "plan_run")

    assert plan.text == "[run 19](https://github.com/octocat/couch/actions/runs/3) on `another-alarm`, 2026-11-23"
    assert plan.value == {
        "number": 19,
        "branch": "another-alarm",
        "day": "2026-11-23",
        "url": "https://github.com/octocat/couch/actions/runs/3",
    }


def test_a_branch_cannot_write_into_the_page(row, facts):
    run = replace(facts.plan_run, branch="a`<script>`\x1b[31m")

    text = row(replace(facts, plan_run=run), "plan_run").text

    assert "`a'<script>' [31m`" in text
    assert text.count("`") == 2


def test_the_words_of_somebody_else_stay_on_one_line(row, facts):
    missing = Missing(Reason.GITHUB_UNREACHABLE, {"host": "api.github.com", "why": "no\n- way\x07"})

    assert "(no - way)" in row(replace(facts, lambda_run=missing), "lambda_run").empty


def test_the_alarm_is_told_with_its_threshold_and_who_hears_it(row, facts):
    assert row(facts, "alarm").text == (
        "`couch-explorers-42-oldest-message-age` rings when the Maximum of `ApproximateAgeOfOldestMessage` (AWS/SQS) over "
        "60 s is above 300 s. Confirmed e-mail subscriptions of its topic `couch-explorers-42-alarms`: 1; pending: 0."
    )


def test_a_pending_subscription_is_told_with_what_confirms_it(row, facts):
    alarm = replace(facts.alarm, confirmed=0, pending=1)

    assert "clicking the link" in row(replace(facts, alarm=alarm), "alarm").text


def test_an_alarm_that_tells_nobody_is_told_with_what_mends_it(row, facts):
    alarm = replace(facts.alarm, topic=None, confirmed=0, operator="LessThanLowerThreshold")

    text = row(replace(facts, alarm=alarm), "alarm").text

    assert "is LessThanLowerThreshold 300 s. It tells nobody: run `terraform apply`" in text


def test_the_image_is_told_without_a_queue_too(row, facts):
    image = row(replace(facts, queue_url=Missing(Reason.QUEUE_NOT_ON_AWS)), "image")

    assert image.value == "octocat/couch-explorers-client"
    assert "<SQS_QUEUE_URL>" in image.command


def test_files_are_linked_to_as_seen_from_the_page(row, facts):
    norwegian = in_language("nb")

    assert "(docs/couch-explorers.postman_collection.json)" in row(facts, "postman").text
    assert "(couch-explorers.postman_collection.json)" in row(facts, "postman", norwegian).text
    assert "(../infra/alarms.tf)" in row(facts, "alarm_code", norwegian).text


@pytest.mark.parametrize("path", [POSTMAN_COLLECTION, ALARMS_FILE, VARIABLES_FILE])
def test_the_files_that_are_linked_to_exist(path):
    assert (PROJECT_ROOT / path).is_file()


def test_the_alarms_code_stands_where_the_list_says():
    assert '"ApproximateAgeOfOldestMessage"' in (PROJECT_ROOT / ALARMS_FILE).read_text(encoding="utf-8")
    assert 'variable "alarm_email"' in (PROJECT_ROOT / VARIABLES_FILE).read_text(encoding="utf-8")
