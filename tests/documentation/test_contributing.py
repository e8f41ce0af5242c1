"""The examples of CONTRIBUTING.md, "How to add": each applies to the project as it is, is short, and adds what it says."""

import re

import pytest

from tests.project_copy import ProjectCopy

from . import pages
from .pages import ROOT

ADDED = ROOT / "tests" / "documentation" / "added"
# By a file that the example changes: the tests that its effect has, and the folder whose fixtures they use.
EXAMPLES = {
    "couch_explorers/core/model_families.py": ("family", "tests/exploration"),
    "couch_explorers/metrics/series.py": ("metric", "tests/metrics"),
    "couch_explorers/smoke/queue.py": ("check", "tests/smoke"),
    "notebooks/picture_prices.ipynb": ("notebook", "tests"),
}
BLOCKS = [block for block in pages.read("CONTRIBUTING.md").blocks if block.language == "diff"]
MOST_LINES = 20

every_example = pytest.mark.parametrize("block", BLOCKS, ids=str)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return ProjectCopy.make(tmp_path_factory.mktemp("project"))


@pytest.fixture
def applied(copy):
    """Apply an example to the copy, which is as before afterwards."""

    def apply(block):
        done = copy.run("git", "apply", "-", text=block.text)
        assert done.returncode == 0, f"{block} does not apply to the project as it is:\n{done.stdout}"

    yield apply
    copy.run("git", "reset", "--quiet", "--hard")
    copy.run("git", "clean", "--quiet", "--force", "-d")


def changed(block):
    """The lines that an example adds or takes away."""
    return [line for line in block.text.splitlines() if re.match(r"[+-](?!--|\+\+)", line)]


def files(block):
    return re.findall(r"^\+\+\+ b/(\S+)$", block.text, re.MULTILINE)


def test_there_is_an_example_of_each_kind():
    shown = {name for block in BLOCKS for name in files(block)}

    assert len(BLOCKS) == len(EXAMPLES)
    assert set(EXAMPLES) <= shown


@every_example
def test_an_example_is_short(block):
    assert 0 < len(changed(block)) < MOST_LINES


@every_example
def test_an_example_adds_what_it_says(block, copy, applied):
    (kind, folder) = next(EXAMPLES[name] for name in files(block) if name in EXAMPLES)
    tests = copy.root / folder / f"test_added_{kind}.py"

    applied(block)
    tests.write_bytes((ADDED / f"{kind}.py").read_bytes())
    done = copy.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests))

    assert done.returncode == 0, done.stdout


def test_without_the_examples_none_of_these_tests_passes(copy, applied):
    """Otherwise they would prove nothing."""
    tests = [copy.root / folder / f"test_added_{kind}.py" for kind, folder in EXAMPLES.values()]
    for path in tests:
        path.write_bytes((ADDED / path.name.removeprefix("test_added_")).read_bytes())

    done = copy.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", *map(str, tests)
    )

    assert re.fullmatch(r"\d+ failed, 1 error in .*", done.stdout.splitlines()[-1]), done.stdout


def test_the_examples_together_are_formatted_linted_and_stripped_as_everything_else(copy, applied):
    for block in BLOCKS:
        applied(block)

    done = copy.run("python", "tools/check.py", "ruff format", "ruff check", "notebooks", "text files")

    assert done.returncode == 0, done.stdout


def test_a_notebook_that_is_added_keeps_the_rules_of_all_notebooks(copy, applied):
    for block in BLOCKS:
        applied(block)

    done = copy.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_notebooks.py")

    assert done.returncode == 0, done.stdout
