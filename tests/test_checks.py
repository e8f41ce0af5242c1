from dataclasses import dataclass

import pytest

from couch_explorers import checks
from couch_explorers.checks import CHECKS_MIME, RUN_VARIABLE, Check, ChecksFailedError, Verdict, raise_for_verdicts


def test_an_answer_is_timed_and_kept():
    check = checks.ask("does it answer", lambda: (Verdict.OK, "yes"))

    assert (check.name, check.verdict, check.detail) == ("does it answer", Verdict.OK, "yes")
    assert check.seconds >= 0


def test_an_exception_becomes_a_bad_check_that_keeps_its_type_and_message():
    def fail():
        raise TimeoutError("no answer in 3 s")

    check = checks.ask("does it answer", fail)

    assert (check.verdict, check.detail) == (Verdict.BAD, "TimeoutError: no answer in 3 s")


def test_checks_are_counted_by_verdict_in_one_order():
    found = [Check("a", Verdict.BAD, 0, ""), Check("b", Verdict.OK, 0, ""), Check("c", Verdict.OK, 0, "")]

    assert checks.count(found) == "2 OK, 1 BAD"
    assert checks.count([]) == "no checks"


def test_the_table_shows_a_sign_beside_the_colour():
    assert "✗ BAD" in checks.table([Check("a", Verdict.BAD, 0, "")])


def test_text_in_the_table_cannot_become_html():
    assert "<script>" not in checks.table([Check("<script>", Verdict.OK, 0, "<script>")])


def test_a_command_between_backticks_is_shown_as_code_in_the_table():
    table = checks.table([Check("a", Verdict.WARN, 0, "Start it: `couch up`.")])

    assert "Start it: <code>couch up</code>." in table


def test_checks_are_read_back_from_a_notebook_in_the_order_of_its_cells():
    first, second = Check("a", Verdict.OK, 1.5, "seen"), Check("b", Verdict.WARN, 0.0, "look")
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ""},
            {"outputs": [{"data": checks.bundle([first], "<p></p>")}, {"output_type": "stream", "text": "x"}]},
            {"outputs": [{"data": {CHECKS_MIME: checks.bundle([second], "")[CHECKS_MIME]}}]},
        ]
    }

    assert checks.found_in(notebook) == [first, second]


@dataclass
class Shown:
    checks: list


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "failed"),
    [
        ([], "BAD", []),
        ([Verdict.OK, Verdict.WARN, Verdict.NO_DATA, Verdict.SKIPPED], "BAD", []),
        ([Verdict.OK, Verdict.BAD], "BAD", ["1 is BAD (seen)"]),
        ([Verdict.BAD, Verdict.WARN, Verdict.BAD], "BAD", ["0 is BAD (seen)", "2 is BAD (seen)"]),
        ([Verdict.BAD, Verdict.WARN], "WARN", ["0 is BAD (seen)", "1 is WARN (seen)"]),
        ([Verdict.BAD], "NOTHING", []),
    ],
)
def test_failed_checks_are_raised_by_name(monkeypatch, verdicts, fail_on, failed):
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    shown = Shown([Check(str(place), verdict, 0.0, "seen") for place, verdict in enumerate(verdicts)])

    if not failed:
        raise_for_verdicts(shown, fail_on)
        return
    with pytest.raises(ChecksFailedError) as caught:
        raise_for_verdicts(shown, fail_on)
    plural = "s" if len(failed) > 1 else ""
    assert str(caught.value) == f"{len(failed)} check{plural} failed: {'; '.join(failed)}"
    assert caught.value._render_traceback_() == [f"ChecksFailedError: {caught.value}"]


def test_couch_run_reads_the_verdicts_itself(monkeypatch):
    monkeypatch.setenv(RUN_VARIABLE, "1")

    raise_for_verdicts(Shown([Check("a", Verdict.BAD, 0.0, "seen")]))
