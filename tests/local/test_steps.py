import os
import sys

import pytest

from couch_explorers.local.steps import StepError, run


@pytest.fixture
def told():
    return []


def step(script, tmp_path, told, **arguments):
    return run(
        "a step",
        [sys.executable, "-c", script],
        log=tmp_path / "logs" / "step.log",
        report=told.append,
        environment=os.environ,
        folder=tmp_path,
        **arguments,
    )


def test_the_whole_output_is_kept_and_returned(tmp_path, told):
    output = step("import sys; print('out'); print('err', file=sys.stderr)", tmp_path, told)

    assert set(output.split()) == {"out", "err"}
    assert (tmp_path / "logs" / "step.log").read_text() == output


def test_lines_worth_telling_are_told_between_start_and_end(tmp_path, told):
    step(
        "print('noise'); print('news')",
        tmp_path,
        told,
        worth_telling=lambda line: line.strip() if "news" in line else None,
    )

    assert [progress.text for progress in told] == ["started", "news", "done"]
    assert [progress.done for progress in told] == [False, False, True]


def test_a_failure_names_the_step_its_last_words_and_where_the_rest_is(tmp_path, told):
    with pytest.raises(StepError) as failure:
        step("print('what went wrong'); raise SystemExit(3)", tmp_path, told)

    assert "a step failed with exit code 3" in str(failure.value)
    assert "what went wrong" in str(failure.value)
    assert str(tmp_path / "logs" / "step.log") in str(failure.value)


def test_a_program_that_is_not_there_is_told_by_name(tmp_path, told):
    with pytest.raises(StepError, match="no-such-program could not be started"):
        run(
            "a step",
            ["no-such-program"],
            log=tmp_path / "log",
            report=told.append,
            environment=os.environ,
            folder=tmp_path,
        )
