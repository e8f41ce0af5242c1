"""What of a job's page is the same in every run: everything but times, ids, ports, sizes, and what a plan or a review says in detail."""

import re
from collections.abc import Callable, Iterable

# In this order: what stands further up is taken out of the way of what stands below.
VARYING = (
    (r"smoke-\d{8}-\d{6}-[0-9a-f]+", "smoke-TIME-ID"),
    (r"\b\d{8}-\d{6}(?:-[0-9a-f]+)?\b", "TIME-ID"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:Z|\+\d\d:\d\d)?", "TIME"),
    # The hour that a clock change repeats is written with its zone.
    (r"\b[0-2]\d:[0-5]\d(?: CES?T)?\b", "CLOCK"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"(?<=://)(?:127\.0\.0\.1|localhost):\d+", "HOST"),
    (r"(?<=/_aws/execute-api/)[0-9a-z]+", "ID"),
    (r"\b[0-9a-f]{40}\b", "COMMIT"),
    (r"\bseed \d+", "seed N"),
    (r"\b\d+(?:\.\d+)? to \d+(?:\.\d+)? s\b", "N to N s"),
    (r"\b\d+(?:\.\d+)? (ms|s|kB|MB)\b", r"N \1"),
    # The last of at least three columns: seconds. A parameter's value stands in the last of two.
    (r"^(\|(?:[^|]*\|){2,}) \d+\.\d+ \|$", r"\1 N |"),
)
CELLS = "| Cell | Under | Seconds |"
CHECKS = "| Verdict | Check | What was seen | Seconds |"
PLAN = "<details><summary>Plan</summary>"
# What is worth comparing of a plan: each resource with what becomes of it, and the sum. Each release of the provider words the rest again.
PLANNED = re.compile(r"\s*# \S+ (?:will|must) be |Plan: |No changes\.")
REVIEW = re.compile(r"## \S+ metric\\_review ")


def mask(summary: str) -> str:
    """Put a word in the place of whatever differs between two runs that did the same."""
    lines = _plan_in_short(summary.splitlines())
    lines = _table(CELLS, lines, lambda rows: sorted(rows, key=lambda row: int(_columns(row)[0])))
    lines = _review_in_short(lines)
    for pattern, word in VARYING:
        lines = [re.sub(pattern, word, line) for line in lines]
    return "\n".join(lines).rstrip() + "\n"


def _plan_in_short(lines: list[str]) -> list[str]:
    kept, inside = [], False
    for line in lines:
        inside = inside or line == PLAN
        if not inside or line == PLAN or PLANNED.match(line) or line == "</details>":
            kept.append(line)
        inside = inside and line != "</details>"
    return kept


def _review_in_short(lines: list[str]) -> list[str]:
    """Keep which checks a review made, and what it says of those that failed or that no figure can change.

    A deploy was judged a moment before, and whether the minute of it has ended by now is the clock's matter.
    """
    begin = next((number for number, line in enumerate(lines) if REVIEW.match(line)), len(lines))
    before, after = lines[:begin], lines[begin:]
    after = [re.sub(r"^\d+ [A-Z ]+(, \d+ [A-Z ]+)*(?= · target)", "COUNTS", line) for line in after]
    return [*before, *_table(CHECKS, after, _checks_in_short)]


def _checks_in_short(rows: list[str]) -> list[str]:
    short = []
    for verdict, check, seen, seconds in map(_columns, rows):
        if "BAD" in verdict or seen.startswith("Missing: "):
            short.append((check, f"| {verdict} | {check} | {seen} | {seconds} |"))
        else:
            short.append((check, f"| not BAD | {check} | FIGURES | N |"))
    return [row for _, row in sorted(short)]


def _table(header: str, lines: list[str], change: Callable[[list[str]], Iterable[str]]) -> list[str]:
    """Change the rows of each table that has this header."""
    kept: list[str] = []
    rows: list[str] = []
    inside = False
    for line in [*lines, ""]:
        if inside and line.startswith("|"):
            (kept if line.startswith("| ---") else rows).append(line)
            continue
        kept += [*change(rows), line]
        rows, inside = [], line == header
    return kept[:-1]


def _columns(row: str) -> list[str]:
    return [column.strip() for column in row.strip("|").split(" | ")]
