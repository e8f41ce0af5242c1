"""The examples of CONTRIBUTING.md, "Extending the project": each applies to the project as it is, is short, and adds what it says."""

import re

import pytest

from tests.project_copy import ProjectCopy

from . import pages
from .pages import ROOT

pytestmark = pytest.mark.programs

ADDED = ROOT / "tests" / "documentation" / "added"
# By a file that the example changes: the tests of its effect, and the folder whose fixtures they use.
EXAMPLES = {
    "couch_explorers/core/model_families.py": ("family.py", "tests/exploration"),
    "couch_explorers/metrics/series.py": ("metric.py", "tests/metrics"),
    "couch_explorers/smoke/queue.py": ("check.py", "tests/smoke"),
    "notebooks/picture_prices.ipynb": ("notebook.py", "tests"),
}
BLOCKS = [block for block in pages.read("CONTRIBUTING.md").blocks if block.language == "diff"]
MOST_LINES = 20

every_example = pytest.mark.parametrize("block", BLOCKS, ids=str)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project as it is, and beside its tests those of the examples."""
    made = ProjectCopy.make(tmp_path_factory.mktemp("project"))
    for name, folder in EXAMPLES.values():
        (made.root / folder / f"test_added_{name}").write_bytes((ADDED / name).read_bytes())
    return made


@pytest.fixture(scope="module")
def copy_with_all(copy):
    """The same with all examples applied; tests that want the project as it is come before."""
    for block in BLOCKS:
        copy.run("git", "apply", "-", text=block.text)
    return copy


def run_tests(copy, *more):
    tests = [f"{folder}/test_added_{name}" for name, folder in EXAMPLES.values()]
    return copy.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *more)


def changed(block):
    """The lines that an example adds or takes away."""
    return [line for line in block.text.splitlines() if re.match(r"[+-](?!--|\+\+)", line)]


def test_there_is_an_example_of_each_kind():
    shown = {name for block in BLOCKS for name in re.findall(r"^\+\+\+ b/(\S+)$", block.text, re.MULTILINE)}

    assert len(BLOCKS) == len(EXAMPLES)
    assert set(EXAMPLES) <= shown


@every_example
def test_an_example_is_short(block):
    assert 0 < len(changed(block)) < MOST_LINES


@every_example
def test_an_example_applies_to_the_project_as_it_is(block, copy):
    done = copy.run("git", "apply", "--check", "-", text=block.text)

    assert done.returncode == 0, done.stdout


def test_without_the_examples_none_of_the_tests_of_their_effects_passes(copy):
    """Otherwise they would prove nothing."""
    done = run_tests(copy, "--continue-on-collection-errors")

    assert re.fullmatch(r"\d+ failed, 1 error in .*", done.stdout.splitlines()[-1]), done.stdout


def test_the_examples_add_what_they_say_and_a_notebook_that_keeps_the_rules_of_all_notebooks(copy_with_all):
    done = run_tests(copy_with_all, "tests/test_notebooks.py")

    assert done.returncode == 0, done.stdout


def test_the_examples_are_formatted_linted_and_stripped_as_everything_else(copy_with_all):
    done = copy_with_all.run("python", "tools/check.py", "ruff format", "ruff check", "notebooks", "text files")

    assert done.returncode == 0, done.stdout
