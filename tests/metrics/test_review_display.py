import re

from couch_explorers import checks
from couch_explorers.checks import Verdict
from couch_explorers.metrics import review_display, series
from couch_explorers.metrics.facts import SeriesState
from couch_explorers.metrics.reviewing import review
from tests.metrics.rows import lately


def mixed(frame_of):
    changes = {series.AGE: lately(640), series.API_4XX: {0: 90}}
    return review(frame_of(changes, states={series.FAILED_JOBS: SeriesState.DENIED}))


def bundle_of(verdicts):
    return review_display.show(verdicts)._repr_mimebundle_()


def test_trouble_stands_first_and_each_verdict_keeps_the_order_of_its_checks(frame_of):
    verdicts = mixed(frame_of)
    found = [check.verdict for check in review_display.as_checks(verdicts)]

    assert found == sorted(found, key=review_display.ORDER.index)
    assert found[0] is Verdict.BAD
    oks = [check.name for check in review_display.as_checks(verdicts) if check.verdict is Verdict.OK]
    assert oks == list(verdicts[verdicts["verdict"] == Verdict.OK]["check"])


def test_a_check_says_its_reason_and_what_to_do(frame_of):
    (check,) = [each for each in review_display.as_checks(mixed(frame_of)) if each.name == "oldest job waiting"]

    assert check.detail.startswith("At most 640 s")
    assert check.detail.endswith("raise maximum_concurrency (8).")


def test_a_run_reads_the_verdicts_back_from_the_notebook(frame_of):
    verdicts = mixed(frame_of)
    notebook = {"cells": [{"outputs": [{"data": bundle_of(verdicts)}]}]}

    assert checks.found_in(notebook) == review_display.as_checks(verdicts)


def test_the_table_shows_value_line_change_reason_and_action(frame_of):
    html = bundle_of(mixed(frame_of))["text/html"]
    row = next(row for row in re.findall(r"<tr>.*?</tr>", html) if "oldest job waiting" in row)

    for said in ("640 s", "line 300 s", "\u00d721", "2.1 times the alarm&#x27;s 300 s", "\u2192", "BAD"):
        assert said in row


def test_a_line_of_nothing_is_not_shown(frame_of):
    html = bundle_of(review(frame_of()))["text/html"]

    assert "line 0" not in html


def test_a_command_is_set_as_code_and_nothing_else_of_a_text_is_markup(frame_of):
    verdicts = review(frame_of({series.DEAD_LETTERS_VISIBLE: lately(3)}))
    verdicts.loc[verdicts["check"] == "data", "reason"] = "<script>alert(1)</script>"

    html = bundle_of(verdicts)["text/html"]

    assert "<code>couch redrive --dry-run</code>" in html
    assert "<script>" not in html


def test_a_terminal_gets_a_line_a_check(frame_of):
    verdicts = mixed(frame_of)

    assert len(bundle_of(verdicts)["text/plain"].splitlines()) == len(verdicts)
