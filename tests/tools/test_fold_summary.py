import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "fold_summary.py"


def fold(text, *arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], input=text, capture_output=True, text=True, check=False
    )


def test_what_a_command_said_is_folded_under_its_title_and_stays_as_it_came():
    done = fold("+ resource <one>\n  # & more\n", "Plan")

    assert done.stdout == (
        "<details><summary>Plan</summary>\n\n<pre>+ resource &lt;one&gt;\n  # &amp; more</pre>\n\n</details>\n\n"
    )


def test_what_everybody_should_see_is_shown_unfolded():
    assert fold("API  https://…", "--open", "Where it is").stdout.startswith("<details open>")


def test_a_text_that_github_would_drop_is_cut_and_says_so():
    done = fold("x" * 2_000_000, "Plan")

    assert len(done.stdout) < 1_000_000
    assert "the rest is in the log" in done.stdout


def test_without_a_title_the_call_is_wrong():
    done = fold("text")

    assert done.returncode == 2
    assert "Give a title" in done.stderr
