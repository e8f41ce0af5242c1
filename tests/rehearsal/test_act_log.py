import json

from .act_log import Step, read


def entry(**fields):
    return json.dumps({"level": "info", "jobID": "deploy", **fields})


def test_steps_of_the_workflow_are_reported_by_their_names_and_those_of_an_action_are_not(tmp_path):
    lines = [
        entry(step="Report", stage="Main", stepID=["3", "0"], stepResult="failure", msg="inner"),
        entry(step="Report", stage="Main", stepID=["3"], stepResult="success", msg="outer"),
        entry(step="actions/checkout@0123", stage="Pre", stepID=["0"], stepResult="success", msg="before"),
    ]

    rehearsal = read(0, lines, tmp_path)

    assert rehearsal.steps == (Step("deploy", "Report", "success"),)
    assert rehearsal.ran() == {"Report": "success"}


def test_the_summary_of_an_actions_last_step_is_reported_once(tmp_path):
    lines = [
        entry(command="summary", content="first\n", stepID=["1"]),
        entry(command="summary", content="second\n", stepID=["2", "4"]),
        entry(command="summary", content="second\n", stepID=["2"]),
        entry(command="summary", content="second\n", stepID=["3"]),
    ]

    assert read(0, lines, tmp_path).summary == "first\nsecond\nsecond\n"


def test_a_line_that_is_no_entry_is_part_of_the_log(tmp_path):
    assert (
        read(1, ["Error: no workflow", entry(msg="and more\r\n"), "3"], tmp_path).log
        == "Error: no workflow\nand more\n3"
    )


def test_what_was_uploaded_is_listed_by_its_artifact(tmp_path):
    (tmp_path / "deploy_lambda").mkdir()
    (tmp_path / "deploy_lambda" / "smoke_test.html").touch()

    assert read(0, [], tmp_path).uploaded() == {"deploy_lambda/smoke_test.html"}
