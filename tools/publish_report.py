"""Make a report fit to be shown: look for secrets in every file, then hand the summary on to the job's page.

    python tools/publish_report.py reports

What may be shown is copied to reports/published, which alone is uploaded: a file that holds a secret, or that nobody came to look
through, is not there. The former is named, without the secret. Exit 1 when there was one. What GitHub masks in its log it does
not mask in files.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The first two by AWS's and GitHub's own naming of what they hand out, the third by the header of every PEM key.
PATTERNS = {
    "an AWS access key id": re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "a GitHub token": re.compile(rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
# Whitespace as JSON writes it. Any other backslash stands before what it escapes.
ESCAPE = re.compile(rb"\\[nrt]")
# Looked for by their values, which the environment of a deploying job has.
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DOCKERHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
# What is shorter is no secret of AWS or GitHub, and would be found in any text.
SHORTEST_SECRET = 16

# What `couch run` writes for the page of the job, and how much of it GitHub takes (1 MiB a step, silently dropped beyond).
SUMMARY = "summary.md"
LIMIT_BYTES = 900 * 1024

# Below the folder of the reports.
PUBLISHED = "published"


def secrets_in(content: bytes, environment: Mapping[str, str]) -> Iterator[str]:
    """Name the kinds of secrets that a file holds, as they are or as Markdown and JSON write them."""
    views = (content, ESCAPE.sub(rb" ", content).replace(b"\\", b""))
    for kind, pattern in PATTERNS.items():
        if any(pattern.search(view) for view in views):
            yield kind
    for name in SECRET_VARIABLES:
        value = environment.get(name, "").encode()
        if len(value) >= SHORTEST_SECRET and any(value in view for view in views):
            yield f"the value of {name}"


def main(arguments: list[str], environment: Mapping[str, str], say: Callable[[str], object] = print) -> int:
    """Scan a folder, copy what may be shown, append its summary; 0, or 1 when a secret was found, 2 for a wrong call."""
    if len(arguments) != 1:
        say("Give the folder of the reports: python tools/publish_report.py reports")
        return 2
    folder = Path(arguments[0])
    published = folder / PUBLISHED
    # First of all: what an earlier call found clean may be another file by now.
    if published.exists():
        shutil.rmtree(published)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        say(f"There is no report in {folder}: nothing ran.")
        return 0
    told: list[str] = []
    for path in files:
        content, place = path.read_bytes(), path.relative_to(folder)
        if kinds := list(secrets_in(content, environment)):
            sentence = f"{place} held {' and '.join(kinds)} and is not shown. Give that secret out anew."
            told.append(sentence)
            say(f"::error title=A secret in a report::{sentence}" if environment.get("GITHUB_ACTIONS") else sentence)
            continue
        # The very bytes that were looked through.
        (published / place).parent.mkdir(parents=True, exist_ok=True)
        (published / place).write_bytes(content)
    say(f"{len(files)} files looked through, {len(told)} withheld.")
    summary, page = published / SUMMARY, environment.get("GITHUB_STEP_SUMMARY")
    if page and summary.is_file():
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary.read_bytes()[:LIMIT_BYTES].decode("utf-8", errors="ignore"))
    if page and told:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write("".join(f"\n> [!CAUTION]\n> {sentence}\n" for sentence in told))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
