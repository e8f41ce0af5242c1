"""Change what ships in the Lambdas in thousands of small ways (mutmut) and see whether a test fails for each.

    python tools/mutants.py                                   all of it, for hours
    python tools/mutants.py "couch_explorers.core.retries*"   what matches, by mutmut's names

A change that no test sees must be in tools/mutants_kept.toml with the reason why it changes nothing, and what is there must be one that
no test sees: anything else ends with exit code 1.

Each module is changed under the tests that mirror it alone, which is most of what makes this affordable: a function that all others
call would run all tests for each of its changes. mutmut runs these tests in one process and forks, which is fast, but does not see
changes of what runs at import, and takes a busy machine's slowness for an endless loop. So whatever it does not find is tried once
more in a process of its own, under all tests of the Lambdas. It leaves out functions with decorators (properties, and the entry of
each handler) and whatever stands outside of functions.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
# Where the changed copies lie.
COPY = ROOT / ".mutants"
PROGRAMS = ROOT / ".venv-mutants" / "bin"
KEPT = ROOT / "tools" / "mutants_kept.toml"
SELECTION = re.compile(r"^(pytest_add_cli_args_test_selection = )\[[^\]]*\]\n", re.MULTILINE)
RESULT = re.compile(r"^\s*(?P<name>\S+__mutmut_\d+): (?P<status>.+)$", re.MULTILINE)
NOT_RUN, KILLED = "not checked", "killed"
# Seconds for all tests of the Lambdas in a process of their own.
PATIENCE_S = 600


class Mutant(NamedTuple):
    """A change that no test sees: the function, the lines without it and those with it."""

    function: str
    without: str
    changed: str


def settings() -> dict[str, Any]:
    """What pyproject.toml sets for mutmut."""
    section: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    return section


def tracked() -> list[str]:
    """The files of the project that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name]


def modules(files: Iterable[str], patterns: Sequence[str]) -> dict[str, list[str]]:
    """The modules to change, by their dotted names, each with the patterns for its own changes.

    Args:
        files: Names of files; those that `only_mutate` lists are changed.
        patterns: Of changes, with *; none for all.

    """
    globs = settings()["only_mutate"]
    found = {}
    for file in sorted(files):
        path = PurePosixPath(file)
        # A package's own file holds no function.
        if path.stem == "__init__" or not any(fnmatch.fnmatch(file, each) for each in globs):
            continue
        module = ".".join(path.with_suffix("").parts)
        whole = not patterns or any(fnmatch.fnmatch(f"{module}.x", pattern) for pattern in patterns)
        within = [f"{module}.*"] if whole else [pattern for pattern in patterns if pattern.startswith(f"{module}.")]
        if within:
            found[module] = within
    return found


def mirrors(module: str) -> list[str]:
    """The tests that mirror a module: core/png.py has tests/core/test_png.py; none where there is no such file."""
    package, *_, name = module.removeprefix("couch_explorers.").split(".")
    path = f"tests/{package}/test_{name}.py"
    return [path] if (ROOT / path).is_file() else []


def select_tests(paths: Sequence[str]) -> None:
    """Set in the copy's pyproject.toml which tests mutmut runs."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    selection, count = SELECTION.subn(f"\\g<1>{json.dumps(list(paths))}\n", text)
    if count != 1:
        sys.exit("pyproject.toml does not set pytest_add_cli_args_test_selection of mutmut.")
    (COPY / "pyproject.toml").write_text(selection, encoding="utf-8")


def copy_tree() -> None:
    """Copy all files of the project that git knows, over those of the last run."""
    for name in tracked():
        source, target = ROOT / name, COPY / name
        if not source.is_file():
            target.unlink(missing_ok=True)
        elif not target.exists() or source.read_bytes() != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def environment() -> dict[str, str]:
    """The environment of the tests: few examples of each, and nothing of this machine's AWS configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_"))}
    return clean | {"COUCH_HYPOTHESIS_PROFILE": "mutants", "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}


def mutmut(*arguments: str) -> str:
    """Run mutmut on the copy and return what it printed; ends the program with that where it fails."""
    done = subprocess.run(
        [PROGRAMS / "mutmut", *arguments], cwd=COPY, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"mutmut {arguments[0]} failed ({done.returncode}).\n{done.stdout}{done.stderr}")
    return done.stdout


def results() -> dict[str, str]:
    """What became of each change, by its name."""
    return {found["name"]: found["status"] for found in RESULT.finditer(mutmut("results", "--all", "true"))}


def is_seen_alone(name: str) -> bool:
    """Whether a test fails, or hangs, with this change in a process of its own."""
    # Those that mirror the module come first, because to collect all tests takes longer than these.
    first = mirrors(name.rpartition(".")[0]) if name else []
    return bool(first and is_seen_by(name, first)) or is_seen_by(name, settings()["pytest_add_cli_args_test_selection"])


def is_seen_by(name: str, tests: Sequence[str]) -> bool:
    """Whether one of these tests fails, or hangs, with this change in a process of its own."""
    try:
        done = subprocess.run(
            [PROGRAMS / "python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--rootdir=.", *tests],
            cwd=COPY / "mutants",
            env=environment() | {"MUTANT_UNDER_TEST": name, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return True
    # Not only 1, for tests that fail: a change of what runs at import can keep pytest from finding them.
    return done.returncode != 0


def describe(name: str) -> Mutant:
    """Read what a change is from its diff: names of changes are numbers, which move."""
    lines = mutmut("show", name).splitlines()
    parts = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign) and not line.startswith(sign * 3))
        for sign in "-+"
    )
    return Mutant(function_of(name), *parts)


def function_of(name: str) -> str:
    """The function that a change is in: mutmut's names mark functions with x_ and methods with xǁ."""
    return re.sub(r"(\.)x_?(?=[^.]*$)", r"\1", name.rpartition("__mutmut_")[0]).replace("ǁ", ".").replace("..", ".")


def kept(functions: set[str] | None = None) -> set[Mutant]:
    """The changes that are known to change nothing, by default those of all functions."""
    listed = tomllib.loads(KEPT.read_text(encoding="utf-8")).get("kept", [])
    mutants = {Mutant(each["function"], each["without"], each["changed"]) for each in listed}
    if len(mutants) < len(listed) or not all(each["reason"].strip() for each in listed):
        sys.exit(f"{KEPT.name} lists a change twice, or without a reason.")
    return {mutant for mutant in mutants if functions is None or mutant.function in functions}


def report(survivors: Iterable[Mutant], known: set[Mutant]) -> int:
    """Print what no test sees and is not kept, and what is kept and seen; returns the exit code."""
    found = set(survivors)
    for mutant in sorted(found - known):
        print(f"\nNo test sees this change of {mutant.function}:\n  - {mutant.without}\n  + {mutant.changed}")
    for mutant in sorted(known - found):
        print(f"\nA test sees this change of {mutant.function}, or it is none any more: remove it from {KEPT.name}:")
        print(f"  + {mutant.changed}")
    return 1 if found != known else 0


def run(patterns: Sequence[str], processes: int) -> dict[str, str]:
    """Try all changes, or those that match, module by module; returns what became of each."""
    copy_tree()
    # What mutmut remembers would hide that a test is gone.
    shutil.rmtree(COPY / "mutants", ignore_errors=True)
    statuses: dict[str, str] = {}
    for module, within in modules(tracked(), patterns).items():
        started = time.monotonic()
        select_tests(mirrors(module) or settings()["pytest_add_cli_args_test_selection"])
        mutmut("run", "--max-children", str(processes), *within)
        of_module = {
            name: status
            for name, status in results().items()
            if name.rpartition(".")[0] == module and status != NOT_RUN
        }
        seen = sum(status == KILLED for status in of_module.values())
        print(f"{module}: {len(of_module)} changes, {seen} seen, {time.monotonic() - started:.0f} s", flush=True)
        statuses |= of_module
    return statuses


def main(arguments: Sequence[str]) -> int:
    """Run all changes, or those that match."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", help="names of changes with *, by default all")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default 2)")
    options = parser.parse_args(arguments)
    statuses = run(options.patterns, options.processes)
    if not statuses:
        sys.exit(f"No change matches {' '.join(options.patterns)}.")
    unseen = [name for name, status in statuses.items() if status != KILLED]
    print(f"\nOnce more, in a process of its own: {len(unseen)}", flush=True)
    if unseen and is_seen_alone(""):
        sys.exit("The tests fail without any change.")
    with ThreadPoolExecutor(options.processes) as pool:
        seen = list(pool.map(is_seen_alone, unseen))
    survivors = [describe(name) for name, found in zip(unseen, seen, strict=True) if not found]
    known = kept({function_of(name) for name in statuses} if options.patterns else None)
    code = report(survivors, known)
    counted = Counter(survivors)
    print(
        f"\n{len(statuses)} changes, {len(statuses) - counted.total()} seen by a test, {counted.total()} not; kept: {len(known)}."
    )
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
