import json
from dataclasses import replace

import pytest

from couch_explorers.deliverables.facts import NOTHING_DEPLOYED
from couch_explorers.deliverables.rendering import as_json, introduction, markdown
from couch_explorers.deliverables.words import every_language, in_language

ENGLISH = in_language("en")


def test_the_list_has_a_line_a_task_and_below_it_a_line_a_deliverable(facts):
    lines = markdown(facts, ENGLISH).splitlines()

    assert [line[:8] for line in lines if line.startswith("- ")] == [f"- [Task {number}"[:8] for number in range(1, 6)]
    assert [line[4:6] for line in lines if line.startswith("  - ")] == [
        "A.", "A.", "B.", "B.", "B.", "B.", "B.", "B.", "A.", "A.", "Th",
    ]  # fmt: skip


@pytest.mark.parametrize("words", every_language(), ids=lambda words: words.language)
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
    through = introduction(replace(facts, endpoint="http://127.0.0.1:4566"), ENGLISH)

    assert introduction(facts, ENGLISH).startswith(
        "As deployed on AWS (eu-west-1) for candidate 42, read on 2026-11-25"
    )
    assert through.endswith("AWS was reached through http://127.0.0.1:4566.")
    assert "this machine only" in introduction(replace(facts, target="local"), ENGLISH)
    assert "--target aws --write" in introduction(NOTHING_DEPLOYED, ENGLISH)


def test_a_program_gets_values_commands_and_reasons(facts):
    listed = json.loads(json.dumps(as_json(replace(facts, image=NOTHING_DEPLOYED.image), ENGLISH)))

    rows = {row["name"]: row for task in listed["tasks"] for row in task["deliverables"]}
    assert rows["endpoint"]["value"] == facts.api_url
    assert rows["endpoint"]["command"].startswith("curl -X POST")
    assert rows["alarm"]["value"]["threshold"] == 300.0
    assert rows["image"]["value"] is None
    assert rows["image"]["empty"].startswith("The name on Docker Hub is not known")
    assert (listed["target"], listed["candidate"]) == ("aws", "42")
