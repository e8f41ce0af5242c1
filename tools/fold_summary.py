"""Make what a command says fit for a GitHub job's page: standard input under a title, folded away, never too long, without a secret.

terraform show -no-color plan.tfplan | python tools/fold_summary.py "Plan" >> "$GITHUB_STEP_SUMMARY"
couch status --target aws | python tools/fold_summary.py --open "Where it is" >> "$GITHUB_STEP_SUMMARY"

A text that holds a secret is not shown: in its place stands what was found, and the exit code is 1.
"""

from __future__ import annotations

import os
import re
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from job_page import LIMIT_BYTES, annotation, caution

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from couch_explorers.secret_scan import secrets_in, withheld

if TYPE_CHECKING:
    from collections.abc import Mapping

CUT = "\n… the rest is in the log of this step.\n"


def fold(title: str, text: str, *, unfolded: bool = False) -> str:
    """Write the text as a details element of GitHub's Markdown, its middle as it came, in at most LIMIT_BYTES."""
    head = f"<details{' open' if unfolded else ''}><summary>{escape(title)}</summary>\n\n<pre>"
    tail = "</pre>\n\n</details>\n\n"
    return head + fit(escape(text.rstrip()), LIMIT_BYTES - len((head + tail).encode())) + tail


def fit(escaped: str, room: int) -> str:
    """Cut escaped text so that it takes at most `room` bytes, between two characters as the page shows them, and say so."""
    if len(escaped.encode()) <= room:
        return escaped
    kept = escaped.encode()[: room - len(CUT.encode())].decode(errors="ignore")
    # What was escaped as `&…;` is one character to the reader.
    return re.sub(r"&[^;]*\Z", "", kept) + CUT


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Fold standard input; 0, or 1 when it holds a secret, 2 without a title."""
    titles = [argument for argument in arguments if argument != "--open"]
    if len(titles) != 1:
        sys.stderr.write('Give a title: … | python tools/fold_summary.py [--open] "Plan"\n')
        return 2
    text = sys.stdin.read()
    if kinds := list(secrets_in(text.encode(), environment)):
        sentence = withheld(titles[0], kinds)
        sys.stderr.write(f"{annotation(sentence, environment)}\n")
        sys.stdout.write(caution(sentence))
        return 1
    sys.stdout.write(fold(titles[0], text, unfolded="--open" in arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
