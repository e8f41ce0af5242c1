"""Keep measured numbers in the documentation equal to the saved benchmark runs.

In prose, a comment behind a number names the saved run that it comes from:

    0.23 s<!-- java_client image.to_id -->              the median in benchmarks/results/java_client.json
    8 %<!-- java_client image.part_of_exam maximum -->  or minimum, maximum, budget; a ratio may be shown in per cent
    9<!-- java_client runs -->                          how often it was measured

A table stands between two comments and is rendered from a template, here benchmarks/tables/image.md.tmpl:

    <!-- figures image -->
    | image | 0.23 s |
    <!-- end -->

In the template, `{java_client image.to_id: 0.00 s}` stands for the number; what follows the colon shows its decimals and
its unit. `python tools/measured.py` updates the pages, `--check` only reports what differs (exit 1). Fenced code and code
spans are skipped. GitHub does not show comments. `docs/benchmarks.md` is rendered as a whole, from all saved runs.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from couch_explorers.files import read_json, write_whole  # noqa: E402 - found through the path set above

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STATISTICS = ("median", "minimum", "maximum", "budget")
RUNS = "runs"
TEMPLATE = ".md.tmpl"
# Rendered as a whole, where it exists.
PAGE = "docs/benchmarks.md"
PAGE_WIDTH = 100
HEAD = """# Benchmarks

Every figure of every saved run in `benchmarks/results/`, beside its budget where it has one.
Written by `python tools/measured.py`: don't edit it.
[benchmarks/README.md](../benchmarks/README.md) says what each program measures and how to run it;
figures of a peer (the exam's client and worker, a plain thread pool, SimPy) stand in the same run,
measured on the same machine. A commit with a plus sign had uncommitted changes.
"""
COLUMNS = "| | minimum | median | maximum | budget |\n|---|---:|---:|---:|---:|\n"
DIGITS = 3

COMMENT = re.compile(r"<!--[ \t]*(?P<words>[^\n]*?)[ \t]*-->")
KEY = re.compile(r"\w+(?:\.\w+)+")
FENCED = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)

# A table's two marks with the lines between them; and a number in a template.
TABLE = re.compile(
    r"^<!-- figures (?P<name>\S+) -->\n(?P<body>(?:(?!<!-- (?:figures|end)\b).*\n)*)(?P<end><!-- end -->$)?",
    re.MULTILINE,
)
PLACEHOLDER = re.compile(r"\{(?P<words>[\w. ]+): *(?P<example>[^{}\n]+)\}")

# 1,234.5 or 1234.5, and the Norwegian 1 234,5 (with any kind of space) or 0,5. 1,234 could be either: it is read as 1234.
SPACES = " \u00a0\u202f"
NUMBER = re.compile(
    rf"""(?<![\w.,])(?P<number>
          [1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d+)?
        | [1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:,\d+)?
        | (?:0|[1-9]\d*)(?:[.,]\d+)?
    )(?:[{SPACES}]?(?P<unit>[^\s\d|*_()`.,;:]{{1,12}}))?[*_)]*$""",
    re.VERBOSE,
)  # fmt: skip

# What a unit measures, and its size. Any other word ("pictures") names what was counted.
UNITS = {
    "ms": ("time", 1e-3), "milliseconds": ("time", 1e-3), "s": ("time", 1.0), "seconds": ("time", 1.0), "sekunder": ("time", 1.0),
    "min": ("time", 60.0), "minutes": ("time", 60.0), "minutter": ("time", 60.0),
    "kB": ("size", 1e3), "MB": ("size", 1e6), "GB": ("size", 1e9),
    "": ("ratio", 1.0), "×": ("ratio", 1.0), "%": ("ratio", 1e-2),  # noqa: RUF001 - the sign for "times"
}  # fmt: skip


class MeasuredError(ValueError):
    """A marker, a template or a saved run that cannot be used; the message says why."""


@dataclass(frozen=True)
class Finding:
    """A line of a page that differs from the saved runs; `fixable` if this program can update it."""

    line: int
    sentence: str
    fixable: bool = False


def correct(text: str, saved: Mapping[str, Any], templates: Mapping[str, str]) -> tuple[str, list[Finding]]:
    """Update every table and every marked number of a page.

    Args:
        text: The page.
        saved: The saved runs, by benchmark.
        templates: The tables' templates, by name.

    Returns:
        The updated page, and what differed in the page as it stood, by line.
    """
    with_tables, of_tables = update_tables(text, saved, templates)
    # Numbers are looked up in the page as it stood, so that findings name its lines; a table has no markers of its own.
    _, of_numbers = update_numbers(text, saved)
    updated, _ = update_numbers(with_tables, saved)
    return updated, sorted([*of_tables, *of_numbers], key=lambda finding: finding.line)


def update_tables(text: str, saved: Mapping[str, Any], templates: Mapping[str, str]) -> tuple[str, list[Finding]]:
    """Render each table that stands between `<!-- figures NAME -->` and `<!-- end -->`."""
    kept, written, findings = 0, "", []
    for table in TABLE.finditer(without_code(text)):
        line = text.count("\n", 0, table.start()) + 1
        name = table["name"]
        if table["end"] is None:
            findings.append(Finding(line, f"<!-- figures {name} -->: there is no line <!-- end --> behind the table"))
            continue
        try:
            rendered = render(name, templates, saved)
        except MeasuredError as error:
            findings.append(Finding(line, f"<!-- figures {name} -->: {error}"))
            continue
        shown = text[table.start("body") : table.end("body")]
        if rendered != shown:
            pairs = zip_longest(shown.splitlines(), rendered.splitlines())
            offset, (old, new) = next((place, pair) for place, pair in enumerate(pairs, 1) if pair[0] != pair[1])
            sentence = f"{old or 'a missing line'} is {new or 'no line'} in the table {name}"
            findings.append(Finding(line + offset, sentence, fixable=True))
            written += text[kept : table.start("body")] + rendered
            kept = table.end("body")
    return written + text[kept:], findings


def render(name: str, templates: Mapping[str, str], saved: Mapping[str, Any]) -> str:
    """Fill in the numbers of a table's template; MeasuredError names the template or the placeholder that is wrong."""
    if name not in templates:
        raise MeasuredError(f"there is no template {name}; there are {', '.join(templates) or 'none'}")

    def number(placeholder: re.Match[str]) -> str:
        example = placeholder["example"]
        try:
            shown = number_at_the_end(example)
            value, unit = look_up(placeholder["words"].split(), saved)
            written = written_like(shown["number"], converted(value, unit, shown["unit"] or ""))
        except MeasuredError as error:
            raise MeasuredError(f"{placeholder[0]}: {error}") from None
        return example[: shown.start("number")] + written + example[shown.end("number") :]

    return PLACEHOLDER.sub(number, templates[name])


def update_numbers(text: str, saved: Mapping[str, Any]) -> tuple[str, list[Finding]]:
    """Update each number that has a marker behind it."""
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
            findings.append(Finding(line, f"{shown['number']} is {number} by {name}", fixable=True))
            written += text[kept : begin + shown.start("number")] + number
            kept = begin + shown.end("number")
    return written + text[kept:], findings


def without_code(text: str) -> str:
    """Blank out fenced code and code spans, which may show markers as examples; every character keeps its place."""
    for code in (FENCED, SPAN):
        text = code.sub(lambda found: re.sub(r"[^\n]", "`", found[0]), text)
    return text


def markers(text: str, saved: Mapping[str, Any]) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Find the comments that name a figure: those that begin with a saved benchmark, or whose second word looks like a key."""
    for comment in COMMENT.finditer(text):
        words = comment["words"].split()
        if (
            words
            and words[0] != "figures"
            and (words[0] in saved or (len(words) > 1 and words[0].isidentifier() and KEY.fullmatch(words[1])))
        ):
            yield comment, words


def look_up(words: Sequence[str], saved: Mapping[str, Any]) -> tuple[float, str]:
    """Look up the value that a marker names, and its unit; MeasuredError lists what there is if it is missing."""
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
    """Find the number at the end of a text, and the unit behind it; MeasuredError if there is none."""
    found = NUMBER.search(text)
    if found is None:
        raise MeasuredError("there is no number in front of it")
    return found


def converted(value: float, unit: str, wanted: str) -> float:
    """Convert a value to the unit in which it is shown; MeasuredError if that unit measures something else."""
    if wanted not in UNITS or not wanted:
        return value
    kind, size = UNITS[wanted]
    measured_kind, measured_size = UNITS.get(unit, (unit, 1.0))
    if kind != measured_kind:
        raise MeasuredError(f"it is shown in {wanted} and measured in {unit or 'parts of one'}")
    # Six digits are saved: digits that a conversion adds beyond them are noise that could change the rounding.
    return float(f"{value * measured_size / size:.6g}")


def written_like(shown: str, value: float) -> str:
    """Write a value with the decimals of the number shown, and with its decimal and thousands separators."""
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
    """Read the saved runs by the benchmark's name; MeasuredError names a file that is not a saved run."""
    saved = {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
    for name, run in saved.items():
        if not isinstance(run, dict) or not {"runs", "figures"} <= run.keys():
            raise MeasuredError(f"{folder / name}.json is no saved run of a benchmark; measure it again with --save")
    return saved


def read_templates(folder: Path) -> dict[str, str]:
    """Read the tables' templates by name."""
    return {path.name.removesuffix(TEMPLATE): path.read_text("utf-8") for path in sorted(folder.glob(f"*{TEMPLATE}"))}


def documents(root: Path) -> list[Path]:
    """List the pages whose numbers are checked."""
    fixed = [root / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    return [path for path in [*fixed, *sorted((root / "docs").rglob("*.md"))] if path.is_file()]


def render_page(saved: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the page.

    Args:
        saved: The saved runs, by benchmark, as `benchmarks/results.py` writes them.

    Returns:
        Markdown.
    """
    return HEAD + "".join(f"\n{section}" for section in map(_run_section, saved.values()))


def _run_section(run: Mapping[str, Any]) -> str:
    machine = run["machine"]
    times = "once" if run["runs"] == 1 else f"{run['runs']} times"
    about = (
        f"Measured {times} on {datetime.fromisoformat(run['measured']):%d %B %Y at %H:%M} UTC, at commit `{run['commit']}`: "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}."
    )
    wrapped = textwrap.fill(about, PAGE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return f"## {run['benchmark']}\n\n{wrapped}\n\n{COLUMNS}{''.join(_figure_rows(run['figures']))}"


def _figure_rows(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for figure in figures.values():
        varies = figure["minimum"] != figure["maximum"]
        cells = [figure["minimum"] if varies else None, figure["median"], figure["maximum"] if varies else None]
        shown = [_figure_cell(value, figure["unit"]) for value in (*cells, figure["budget"])]
        yield f"| {figure['title'].replace('|', '/')} | {' | '.join(shown)} |\n"


def _figure_cell(value: float | None, unit: str) -> str:
    """A number with three digits that count, thousands separated, and its unit; nothing for None."""
    if value is None:
        return ""
    if float(value).is_integer() or abs(value) >= 10**DIGITS:
        text = f"{value:,.0f}"
    else:
        text = f"{float(f'{value:.{DIGITS}g}'):.10f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Update the pages, or with `--check` only compare them; return 1 if something has to be corrected by hand."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; report which numbers differ")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    options = parser.parse_args(arguments)
    try:
        saved = read_saved(options.root / "benchmarks" / "results")
    except MeasuredError as error:
        print(error)
        return 1
    templates = read_templates(options.root / "benchmarks" / "tables")
    left = 0
    for path in documents(options.root):
        text = path.read_text(encoding="utf-8")
        updated, findings = correct(text, saved, templates)
        if updated != text and not options.check:
            write_whole(path, updated)
        for finding in findings:
            print(f"{path.relative_to(options.root)}:{finding.line}: {finding.sentence}")
            left += options.check or not finding.fixable
    whole = options.root / PAGE
    if whole.is_file() and whole.read_text(encoding="utf-8") != (rendered := render_page(saved)):
        if options.check:
            print(f"{PAGE}: differs from the saved runs")
            left += 1
        else:
            write_whole(whole, rendered)
    if options.check and left:
        print("Update the pages: python tools/measured.py (a table's words stand in benchmarks/tables/)")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
