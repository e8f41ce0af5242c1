import os
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

TOOL = Path(__file__).resolve().parents[2] / "tools" / "fold_summary.py"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def fold(text, *arguments, **environment):
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments],
        input=text,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_command_printed_is_folded_under_its_title_and_stays_as_it_came():
    done = fold("+ resource <one>\n  # & more\n", "Plan")

    assert done.stdout == (
        "<details><summary>Plan</summary>\n\n<pre>+ resource &lt;one&gt;\n  # &amp; more</pre>\n\n</details>\n\n"
    )


def test_what_everybody_should_see_is_shown_unfolded():
    assert fold("API  https://…", "--open", "Where it is").stdout.startswith("<details open>")


@pytest.mark.parametrize("text", ["x" * 2_000_000, "å" * 1_000_000, '"' * 400_000, "a<&>" * 200_000])
def test_a_text_that_github_would_drop_is_cut_between_two_characters_and_says_so(text):
    shown = fold(text, "Plan").stdout

    assert 900_000 < len(shown.encode()) <= 900 * 1024
    kept = unescape(shown.partition("<pre>")[2].partition("\n… the rest is in the log of this step.\n</pre>")[0])
    assert text.startswith(kept)
    assert shown.endswith("</pre>\n\n</details>\n\n")


def test_a_text_that_github_takes_is_shown_whole():
    assert "x" * 900_000 in fold("x" * 900_000, "Plan").stdout


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (SECRET, "the value of AWS_SECRET_ACCESS_KEY"),
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key id"),
    ],
)
def test_a_text_that_holds_a_secret_reaches_no_page_and_fails_the_step(secret, kind):
    done = fold(f"+ environment = {secret}", "Plan", AWS_SECRET_ACCESS_KEY=SECRET, GITHUB_ACTIONS="true")

    assert done.returncode == 1
    assert f"Plan held {kind} and is not shown." in done.stdout
    assert done.stderr.startswith(f"::error title=A secret in a report::Plan held {kind}")
    assert secret not in done.stdout + done.stderr


def test_without_a_title_the_call_is_wrong():
    done = fold("text")

    assert done.returncode == 2
    assert "Give a title" in done.stderr
