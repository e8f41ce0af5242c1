import os
import sys

import pytest
from hypothesis import given, strategies

from couch_explorers.local import progress
from couch_explorers.local.progress import StepError, error_lines, run_step


@pytest.fixture
def reports():
    return []


def step(script, tmp_path, reports, **arguments):
    return run_step(
        "a step",
        [sys.executable, "-c", script],
        log=tmp_path / "logs" / "step.log",
        report=reports.append,
        environment=os.environ,
        folder=tmp_path,
        **arguments,
    )


def test_the_whole_output_is_kept_and_returned(tmp_path, reports):
    output = step("import sys; print('out'); print('err', file=sys.stderr)", tmp_path, reports)

    assert set(output.split()) == {"out", "err"}
    assert (tmp_path / "logs" / "step.log").read_text() == output


def test_lines_worth_reporting_are_reported_between_start_and_end(tmp_path, reports):
    step(
        "print('noise'); print('news')",
        tmp_path,
        reports,
        reported=lambda line: line.strip() if "news" in line else None,
    )

    assert [progress.text for progress in reports] == ["started", "news", "done"]
    assert [progress.done for progress in reports] == [False, False, True]


def test_a_failure_names_the_step_its_last_words_and_where_the_rest_is(tmp_path, reports):
    with pytest.raises(StepError) as failure:
        step("print('what went wrong'); raise SystemExit(3)", tmp_path, reports)

    assert "a step failed with exit code 3" in str(failure.value)
    assert "what went wrong" in str(failure.value)
    assert str(tmp_path / "logs" / "step.log") in str(failure.value)


def test_a_program_that_is_not_there_is_reported_by_name(tmp_path, reports):
    with pytest.raises(StepError, match="no-such-program could not be started"):
        run_step(
            "a step",
            ["no-such-program"],
            log=tmp_path / "log",
            report=reports.append,
            environment=os.environ,
            folder=tmp_path,
        )


TERRAFORM = """aws_sqs_queue.jobs: Creating...
\x1b[31m\u2577\x1b[0m
\x1b[31m\u2502\x1b[0m Error: creating SQS Queue: AccessDenied
\u2502   with aws_sqs_queue.jobs,
\u2502   on queue.tf line 3, in resource "aws_sqs_queue" "jobs":
\u2502    3: resource "aws_sqs_queue" "jobs" {
\u2575
""".splitlines(keepends=True)


def test_the_lines_that_name_an_error_are_quoted_with_what_follows():
    noise = [f"aws_thing.{number}: Still creating...\n" for number in range(300)]

    quoted = error_lines([*noise, *TERRAFORM, *(f"cleaning up {number}\n" for number in range(50))])

    assert quoted[0] == "\u2502 Error: creating SQS Queue: AccessDenied"
    assert any("queue.tf line 3" in line for line in quoted)
    assert not any("Still creating" in line or "\x1b" in line for line in quoted)


def test_where_no_line_names_an_error_the_last_ones_are_quoted():
    assert error_lines([f"line {number}\n" for number in range(40)]) == [f"line {number}" for number in range(28, 40)]


@given(strategies.lists(strategies.text(max_size=600) | strategies.just("Error: no")))
def test_a_quotation_is_never_long(lines):
    quoted = error_lines(lines)

    assert len(quoted) <= progress.QUOTED_LINES
    assert all(len(line) <= progress.QUOTED_CHARACTERS for line in quoted)
    assert bool(quoted) == any(line.strip() for line in lines)
