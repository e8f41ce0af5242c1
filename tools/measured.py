"""Put measured numbers into the documentation: a comment behind a number names the saved benchmark that it comes from.

    0.23 s<!-- java_client image.to_id -->              the median in benchmarks/results/java_client.json
    8 %<!-- java_client image.part_of_exam maximum -->  or minimum, or the budget; a ratio may be shown in per cent
    9<!-- java_client runs -->                          how often it was measured

GitHub does not show comments. As many digits as the number has, it keeps. `python tools/measured.py` writes the numbers anew,
`--check` only says which ones differ (exit 1). In fenced code and code spans nothing is looked for.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from couch_explorers.files import read_json, write_whole  # noqa: E402 - found through the path set above

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STATISTICS = ("median", "minimum", "maximum", "budget")
RUNS = "runs"

COMMENT = re.compile(r"<!--[ \t]*(?P<words>[^\n]*?)[ \t]*-->")
KEY = re.compile(r"\w+(?:\.\w+)+")
FENCED = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)

# 1,234.5 or 1234.5, and as Norwegian has it: 1 234,5 (with any kind of space) or 0,5. Where both could be meant, as in 1,234, it is a thousand.
SPACES = " \u00a0\u202f"
NUMBER = re.compile(
    rf"""(?<![\w.,])(?P<number>
          [1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?
        | [1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:,\d+)?
        | (?:0|[1-9]\d*)(?:[.,]\d+)?
    )(?:[{SPACES}]?(?P<unit>[^\s\d|*_()`.,;:]{{1,12}}))?[*_)]*$""",
    re.VERBOSE,
)  # fmt: skip

# What a unit measures and how much of it; a word that is not here ("pictures") is taken for what is counted.
UNITS = {
    "ms": ("time", 1e-3), "milliseconds": ("time", 1e-3), "s": ("time", 1.0), "seconds": ("time", 1.0), "sekunder": ("time", 1.0),
    "min": ("time", 60.0), "minutes": ("time", 60.0), "minutter": ("time", 60.0),
    "kB": ("size", 1e3), "MB": ("size", 1e6), "GB": ("size", 1e9),
    "": ("ratio", 1.0), "×": ("ratio", 1.0), "%": ("ratio", 1e-2),  # noqa: RUF001 - the sign for "times"
}  # fmt: skip


class MeasuredError(ValueError):
    """A marker that cannot be followed; the message says what is wrong with it."""


@dataclass(frozen=True)
class Finding:
    """What is wrong on a line of a document; `mendable` when writing the number anew is enough."""

    line: int
    sentence: str
    mendable: bool = False


def correct(text: str, saved: Mapping[str, Any]) -> tuple[str, list[Finding]]:
    """Give the text with every marked number as it was measured, and what was found wrong with it as it stood."""
    kept, written, findings = 0, "", []
    plain = without_code(text)
    for comment, words in markers(plain, saved):
        line = plain.count("\n", 0, comment.start()) + 1
        name = f"<!-- {' '.join(words)} -->"
        begin = plain.rfind("\n", 0, comment.start()) + 1
        try:
            value, unit = look_up(words, saved)
            shown = number_at_the_end(plain[begin : comment.start()])
            number = written_like(shown["number"], converted(value, unit, shown["unit"] or ""))
        except MeasuredError as error:
            findings.append(Finding(line, f"{name}: {error}"))
            continue
        if number != shown["number"]:
            findings.append(Finding(line, f"{shown['number']} is {number} by {name}", mendable=True))
            written += text[kept : begin + shown.start("number")] + number
            kept = begin + shown.end("number")
    return written + text[kept:], findings


def without_code(text: str) -> str:
    """Blank out fenced code and code spans, so that whoever explains a marker sets none; every character keeps its place."""
    for code in (FENCED, SPAN):
        text = code.sub(lambda found: re.sub(r"[^\n]", "`", found[0]), text)
    return text


def markers(text: str, saved: Mapping[str, Any]) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Find the comments that name a figure, as far as one can tell: by a benchmark that is there, or by a key's look."""
    for comment in COMMENT.finditer(text):
        words = comment["words"].split()
        if words and (words[0] in saved or (len(words) > 1 and words[0].isidentifier() and KEY.fullmatch(words[1]))):
            yield comment, words


def look_up(words: Sequence[str], saved: Mapping[str, Any]) -> tuple[float, str]:
    """Give the value that a marker's words stand for, and its unit; MeasuredError says what is not there and what is."""
    benchmark, key, *rest = [*words, ""] if len(words) == 1 else words
    if benchmark not in saved:
        raise MeasuredError(f"there is no saved run of {benchmark}; there are {', '.join(saved) or 'none'}")
    if [key, *rest] == [RUNS]:
        return float(saved[benchmark]["runs"]), RUNS
    figures = saved[benchmark]["figures"]
    if key not in figures:
        raise MeasuredError(f"{benchmark} has no figure {key!r}; it has {', '.join(figures)}")
    statistic = " ".join(rest) or STATISTICS[0]
    if statistic not in STATISTICS:
        raise MeasuredError(f"{statistic!r} is none of {', '.join(STATISTICS)}")
    if figures[key][statistic] is None:
        raise MeasuredError("no budget was set for it")
    return float(figures[key][statistic]), str(figures[key]["unit"])


def number_at_the_end(text: str) -> re.Match[str]:
    """Find the number, and the unit behind it, with which a piece of a line ends."""
    found = NUMBER.search(text)
    if found is None:
        raise MeasuredError("there is no number in front of it")
    return found


def converted(value: float, unit: str, wanted: str) -> float:
    """Give a value in the unit in which it is shown; MeasuredError where that unit measures something else."""
    if wanted not in UNITS or not wanted:
        return value
    kind, size = UNITS[wanted]
    measured_kind, measured_size = UNITS.get(unit, (unit, 1.0))
    if kind != measured_kind:
        raise MeasuredError(f"it is shown in {wanted} and measured in {unit or 'parts of one'}")
    # Six digits are saved: what a conversion adds beyond them is noise that could tip a rounding.
    return float(f"{value * measured_size / size:.6g}")


def written_like(shown: str, value: float) -> str:
    """Write a value with the decimals of the number shown, and its way to set decimals and thousands apart."""
    space = next((character for character in SPACES if character in shown), "")
    comma_is_point = "," in shown and (bool(space) or not re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", shown))
    point = "," if comma_is_point else "."
    whole, _, decimals = shown.partition(point)
    thousands = space or ("\u00a0" if comma_is_point else ",")
    if re.fullmatch(r"\d{4,}", whole):
        thousands = ""
    number = f"{value:,.{len(decimals)}f}"
    return number.translate({ord(","): thousands, ord("."): point})


def read_saved(folder: Path) -> dict[str, Any]:
    """Read the saved runs by the benchmark's name; MeasuredError names a file that holds none."""
    saved = {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
    for name, run in saved.items():
        if not isinstance(run, dict) or not {"runs", "figures"} <= run.keys():
            raise MeasuredError(f"{folder / name}.json is no saved run of a benchmark; measure it again with --save")
    return saved


def documents(root: Path) -> list[Path]:
    """List the files whose numbers are kept right."""
    fixed = [root / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    return [path for path in [*fixed, *sorted((root / "docs").rglob("*.md"))] if path.is_file()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the numbers, or with `--check` only compare them; 1 when something is left for a person to mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say which numbers differ")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    options = parser.parse_args(arguments)
    try:
        saved = read_saved(options.root / "benchmarks" / "results")
    except MeasuredError as error:
        print(error)
        return 1
    left = 0
    for path in documents(options.root):
        text = path.read_text(encoding="utf-8")
        mended, findings = correct(text, saved)
        if mended != text and not options.check:
            write_whole(path, mended)
        for finding in findings:
            print(f"{path.relative_to(options.root)}:{finding.line}: {finding.sentence}")
            left += options.check or not finding.mendable
    if options.check and left:
        print("Write the numbers anew: python tools/measured.py")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
