import json
import re
import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from couch_explorers.deliverables import render
from couch_explorers.deliverables.model import NOTHING_DEPLOYED, DeliverablesError, Missing, Reason
from couch_explorers.deliverables.render import (
    ALARMS_FILE,
    LANGUAGES,
    ORDER,
    POSTMAN_COLLECTION,
    VARIABLES_FILE,
    anchor,
    as_json,
    in_language,
    markdown,
    tasks,
)
from couch_explorers.paths import PROJECT_ROOT
from tests.wording import numbers

ENGLISH = in_language("en")
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/couch-explorers-42-jobs"
every_language = pytest.mark.parametrize("words", [*map(in_language, LANGUAGES)], ids=LANGUAGES)


# --- rows ---


@pytest.fixture
def row():
    """Make one row of the list by its name."""

    def made(facts, name, words=ENGLISH):
        return next(row for task in tasks(facts, words) for row in task.rows if row.name == name)

    return made


@every_language
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


def test_the_alarm_is_shown_with_its_threshold_and_who_hears_it(row, facts, snapshot):
    wording = row(facts, "alarm").text
    assert wording == snapshot
    assert numbers(wording) == ["60", "300", "1", "0"]


def test_a_pending_subscription_is_shown_with_what_confirms_it(row, facts):
    alarm = replace(facts.alarm, confirmed=0, pending=1)

    assert "clicking the link" in row(replace(facts, alarm=alarm), "alarm").text


def test_an_alarm_that_notifies_nobody_is_shown_with_what_fixes_it(row, facts):
    alarm = replace(facts.alarm, topic=None, confirmed=0, operator="LessThanLowerThreshold")

    text = row(replace(facts, alarm=alarm), "alarm").text

    assert "is LessThanLowerThreshold 300 s. It notifies nobody: run `terraform apply`" in text


def test_the_image_is_shown_without_a_queue_too(row, facts):
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


# --- the list ---


def test_the_list_has_a_line_a_task_and_below_it_a_line_a_deliverable(facts):
    lines = markdown(facts, ENGLISH).splitlines()

    assert [line[:8] for line in lines if line.startswith("- ")] == [f"- [Task {number}"[:8] for number in range(1, 6)]
    assert [line[4:6] for line in lines if line.startswith("  - ")] == [
        "A.", "A.", "B.", "B.", "B.", "B.", "B.", "B.", "A.", "A.", "Th",
    ]  # fmt: skip


@every_language
def test_only_what_is_to_be_copied_is_wider_than_a_terminal(facts, words):
    for made in (facts, NOTHING_DEPLOYED):
        wide = [line for line in markdown(made, words).splitlines() if len(line) > 80]

        assert [line for line in wide if "://" not in line and "](" not in line] == []


def test_code_and_links_are_not_broken_at_a_lines_end(facts):
    for made in (facts, NOTHING_DEPLOYED):
        for line in markdown(made, ENGLISH).splitlines():
            assert line.count("`") % 2 == 0 or line.strip().startswith("```")
            assert line.count("[") == line.count("](")


def test_a_command_stands_under_its_row_as_code(facts):
    assert (
        "  - A. HTTP endpoint, for POST:\n"
        "    <https://abcde12345.execute-api.eu-west-1.amazonaws.com/prod/generate-image>\n"
        "    ```sh\n"
        "    curl -X POST \\\n"
    ) in markdown(facts, ENGLISH)


def test_the_list_says_what_it_was_read_from(facts):
    through = ENGLISH.say("introduction", replace(facts, endpoint="http://127.0.0.1:4566"))

    assert ENGLISH.say("introduction", facts).startswith(
        "As deployed on AWS (eu-west-1) for candidate 42, read on 2026-11-25"
    )
    assert through.endswith("AWS was reached through http://127.0.0.1:4566.")
    assert "this machine only" in ENGLISH.say("introduction", replace(facts, target="local"))
    assert "--target aws --write" in ENGLISH.say("introduction", NOTHING_DEPLOYED)


def test_a_program_gets_values_commands_and_reasons(facts):
    listed = json.loads(json.dumps(as_json(replace(facts, image=NOTHING_DEPLOYED.image), ENGLISH)))

    rows = {row["name"]: row for task in listed["tasks"] for row in task["deliverables"]}
    assert rows["endpoint"]["value"] == facts.api_url
    assert rows["endpoint"]["command"].startswith("curl -X POST")
    assert rows["alarm"]["value"]["threshold"] == 300.0
    assert rows["image"]["value"] is None
    assert rows["image"]["empty"].startswith("The name on Docker Hub is not known")
    assert (listed["target"], listed["candidate"]) == ("aws", "42")


# --- commands ---


def words(command):
    """The words that a shell reads."""
    return shlex.split(command.replace("\\\n", ""))


def test_the_api_is_asked_by_one_post_of_the_bare_prompt():
    assert words(render.curl("https://abc.example/prod/generate-image")) == [
        "curl", "-X", "POST", "-H", "Content-Type: text/plain", "-d", "me on top of a pyramid",
        "https://abc.example/prod/generate-image",
    ]  # fmt: skip


def test_an_address_with_signs_that_a_shell_obeys_stays_one_word():
    assert words(render.curl("https://abc.example/prod?a=1&b=$(id)"))[-1] == "https://abc.example/prod?a=1&b=$(id)"


def test_a_message_is_sent_to_the_queue_in_its_region():
    assert words(render.send_message(QUEUE, "eu-west-1", None)) == [
        "aws", "sqs", "send-message", "--region", "eu-west-1", "--queue-url", QUEUE,
        "--message-body", "me on top of a pyramid",
    ]  # fmt: skip


def test_a_message_is_sent_through_an_endpoint_where_one_stands_in_for_aws():
    assert words(render.send_message(QUEUE, "eu-west-1", "http://127.0.0.1:4566"))[-2:] == [
        "--endpoint-url", "http://127.0.0.1:4566",
    ]  # fmt: skip


def test_the_image_is_run_in_the_exams_form():
    assert words(render.docker_run("octocat/client", QUEUE)) == [
        "docker", "run", "-e", "AWS_ACCESS_KEY_ID=xxx", "-e", "AWS_SECRET_ACCESS_KEY=yyy",
        "-e", f"SQS_QUEUE_URL={QUEUE}", "octocat/client", "me on top of a pyramid",
    ]  # fmt: skip


def test_without_a_queue_the_image_is_run_with_the_exams_own_placeholder():
    assert "-e SQS_QUEUE_URL=<SQS_QUEUE_URL>" in render.docker_run("octocat/client", None)


# --- words ---


class Marked(dict):
    """Gives each value as its own name between marks, whichever is asked for."""

    def __missing__(self, name):
        return f"«{name}»"


def named(text):
    return set(re.findall(r"«(\w+)»", text))


def texts(words, facts):
    """Every text that a language's template can make, by what it says."""
    details = Marked()
    marked = SimpleNamespace(number="«number»", url="«url»", day="«day»")
    fields = ("name", "metric", "statistic", "namespace", "period_s", "confirmed", "pending", "topic")
    alarm = replace(facts.alarm, **{field: f"«{field}»" for field in fields})
    deployed = replace(facts, region="«region»", candidate="«candidate»", read_on="«read_on»", endpoint="«endpoint»")
    return {
        **{reason: words.say("reason", reason, details) for reason in Reason},
        **{f"label {name}": label for name, label in words.labels.items()},
        "before any deploy": words.say("introduction", NOTHING_DEPLOYED),
        "on AWS": words.say("introduction", deployed),
        "on local": words.say("introduction", replace(deployed, target="local")),
        "run": words.say("run", marked, "«branch»"),
        "postman": words.say("postman", "«path»"),
        "alarm": words.say("alarm", alarm),
        "no topic": words.say("alarm", replace(alarm, topic=None)),
        "alarm code": words.say("alarm_code", "«alarms»", "«variables»"),
    }


def test_english_and_norwegian_are_known():
    assert [in_language(language).page for language in LANGUAGES] == ["README.md", "docs/besvarelse.md"]


@every_language
def test_every_reason_has_its_sentence(words):
    sentences = [words.say("reason", reason, Marked()) for reason in Reason]

    assert all(re.fullmatch(r".+\.", sentence) for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


@every_language
def test_every_row_has_its_label_and_every_task_its_heading(words):
    assert set(words.labels) == {name for names in ORDER.values() for name in names}
    assert set(words.tasks) == set(ORDER) == {1, 2, 3, 4, 5}


def test_every_language_fills_in_the_same_facts(facts):
    english, norwegian = (
        {name: named(text) for name, text in texts(in_language(language), facts).items()} for language in LANGUAGES
    )

    assert english == norwegian
    assert english["run"] == {"number", "url", "day", "branch"}
    assert in_language("en").operators.keys() == in_language("nb").operators.keys()


@every_language
def test_no_word_of_a_text_begins_a_list_when_it_comes_first_on_a_line(words, facts):
    found = [text for text in texts(words, facts).values() if re.search(r"(^|\s)([-+*#>]+|\d+[.)])(\s|$)", text)]

    assert found == []


# Headings of this README and the fragments by which GitHub links to them.
@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Tag strategy", "#tag-strategy"),
        ("Task 5: Serverless or containers", "#task-5-serverless-or-containers"),
        ("Oppgave 2: Kø med Terraform", "#oppgave-2-kø-med-terraform"),
        ("An alarm, from end to end", "#an-alarm-from-end-to-end"),
        ("`couch up` & co_workers, re-run", "#couch-up--co_workers-re-run"),
    ],
)
def test_a_heading_is_linked_to_as_github_does(heading, expected):
    assert anchor(heading) == expected


# --- pages ---


PAGE = f"# Title\n\nA sentence on `<!-- deliverables -->`.\n\n{render.BEGIN}\nold\n{render.END}\n\n## After\n"


@pytest.fixture
def project(tmp_path):
    """A project's pages and its collection, before the first deploy."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "docs/besvarelse.md").write_text(PAGE, encoding="utf-8")
    variables = [{"key": "endpoint", "value": ""}, {"key": "run", "value": "æ"}]
    (tmp_path / POSTMAN_COLLECTION).write_text(
        render.as_text({"variable": variables, "info": {"name": "a"}}), encoding="utf-8"
    )
    return tmp_path


def test_the_list_takes_the_place_of_what_stood_between_the_marks_and_nothing_else_changes(project, facts):
    render.write(facts, project)

    begin, end = f"{render.BEGIN}\n", render.END
    for page, language in (("README.md", "en"), ("docs/besvarelse.md", "nb")):
        expected = PAGE.replace(f"{begin}old\n{end}", f"{begin}{markdown(facts, in_language(language))}{end}")
        assert (project / page).read_text(encoding="utf-8") == expected


def test_the_collection_gets_the_address_and_keeps_everything_else_in_its_order(project, facts):
    before = (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")

    render.write(facts, project)

    after = (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")
    assert json.loads(after)["variable"][0]["value"] == facts.api_url
    assert after.replace(facts.api_url, "") == before


def test_a_second_write_changes_nothing(project, facts):
    assert render.write(facts, project) == (["README.md", "docs/besvarelse.md", POSTMAN_COLLECTION], [])
    assert render.write(facts, project) == ([], ["README.md", "docs/besvarelse.md", POSTMAN_COLLECTION])


def test_the_empty_list_undoes_a_filled_one(project, facts):
    render.write(NOTHING_DEPLOYED, project)
    before = {path: path.read_bytes() for path in project.rglob("*.*")}
    render.write(facts, project)

    render.write(NOTHING_DEPLOYED, project)

    assert {path: path.read_bytes() for path in project.rglob("*.*")} == before


def test_a_project_without_the_norwegian_page_is_written_without_it(project, facts):
    (project / "docs/besvarelse.md").unlink()

    assert render.write(facts, project) == (["README.md", POSTMAN_COLLECTION], [])
    assert not (project / "docs/besvarelse.md").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Title\n", "no line `<!-- deliverables -->`"),
        (f"{render.BEGIN}\n", "no line `<!-- /deliverables -->`"),
        (f"{PAGE}{PAGE}", "2 lines `<!-- deliverables -->`"),
        (f"{render.END}\n{render.BEGIN}\n", "turn them round"),
        (f"  {render.BEGIN}\n{render.END}\n", "no line `<!-- deliverables -->`"),
    ],
)
def test_marks_that_are_not_as_they_should_be_are_reported_and_no_file_is_touched(project, facts, text, message):
    (project / "docs/besvarelse.md").write_text(text, encoding="utf-8")

    with pytest.raises(DeliverablesError, match=r"docs/besvarelse\.md") as error:
        render.write(facts, project)

    assert message in str(error.value)
    assert (project / "README.md").read_text(encoding="utf-8") == PAGE
    assert '"value": ""' in (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"variable": []}', '{"variable": [{"value": ""}]}'])
def test_a_collection_without_its_variable_is_reported_and_no_file_is_touched(project, facts, text):
    (project / POSTMAN_COLLECTION).write_text(text, encoding="utf-8")

    with pytest.raises(DeliverablesError, match="git checkout docs/couch-explorers"):
        render.write(facts, project)

    assert (project / "README.md").read_text(encoding="utf-8") == PAGE


def test_a_page_that_is_not_there_is_reported_by_its_name(project, facts):
    (project / "README.md").unlink()

    with pytest.raises(DeliverablesError, match=r"README\.md could not be read"):
        render.write(facts, project)


def test_what_stands_between_the_marks_can_be_read_back(facts):
    content = markdown(facts, in_language("en"))

    assert render.read_between(render.between_marks(PAGE, content, "a page"), "a page") == content
    assert render.read_between(f"{render.BEGIN}\n{render.END}", "a page") == ""
