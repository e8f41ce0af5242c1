"""Make a report fit to be shown: look for secrets in every file, then hand the summary on to the job's page.

    python tools/publish_report.py reports

What may be shown is copied to reports/published, which alone is uploaded: a file that holds a secret, or that nobody came to look
through, is not there. The former is named, without the secret. Exit 1 when there was one. What GitHub masks in its log it does
not mask in files.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from job_page import LIMIT_BYTES, annotation, caution

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from couch_explorers.secret_scan import secrets_in, withheld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What `couch run` writes for the page of the job.
SUMMARY = "summary.md"
# Below the folder of the reports.
PUBLISHED = "published"


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
    withheld_sentences: list[str] = []
    for path in files:
        content, place = path.read_bytes(), path.relative_to(folder)
        if kinds := list(secrets_in(content, environment)):
            sentence = withheld(str(place), kinds)
            withheld_sentences.append(sentence)
            say(annotation(sentence, environment))
            continue
        # The very bytes that were looked through.
        (published / place).parent.mkdir(parents=True, exist_ok=True)
        (published / place).write_bytes(content)
    say(f"{len(files)} files looked through, {len(withheld_sentences)} withheld.")
    summary, page = published / SUMMARY, environment.get("GITHUB_STEP_SUMMARY")
    if page and summary.is_file():
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary.read_bytes()[:LIMIT_BYTES].decode("utf-8", errors="ignore"))
    if page and withheld_sentences:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write("".join(map(caution, withheld_sentences)))
    return 1 if withheld_sentences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
