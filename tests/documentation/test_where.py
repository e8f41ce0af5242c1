"""The table "Where is …" of docs/architecture.md: each file exists and defines the name."""

import ast
import re

import pytest

from .pages import ROOT

HEADING = "## Where is …"
# What a newcomer looks for first: each has a line.
WANTED = (
    "an alarm's threshold",
    "a model's price",
    "a verdict's rule",
    "a caption's wording",
    "the retry of a throttled cell",
    "the state of a local alarm",
)


def rows():
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    return [(what, re.search(r"`([\w/]+\.\w+)`", place)[1], name.strip(" `|")) for what, place, name in table]


def defined_in(path, text):
    """The names that a file defines: of Python at the top level, of Terraform each block's labels, of YAML each key."""
    if path.suffix == ".yaml":
        return set(re.findall(r"^ *(\w+):", text, re.MULTILINE))
    if path.suffix != ".py":
        return set(re.findall(r'"(\w+)"', "\n".join(re.findall(r"^\w+ .*\{", text, re.MULTILINE))))
    names = set()
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        names |= {getattr(target, "id", getattr(target, "name", None)) for target in targets}
    return names


def test_first_questions_have_a_line():
    asked = [what for what, *_ in rows()]

    assert [question for question in WANTED if not any(what.startswith(question) for what in asked)] == []


@pytest.mark.parametrize(("what", "file", "name"), rows(), ids=[what for what, *_ in rows()])
def test_file_defines_the_name(what, file, name):
    path = ROOT / file

    assert name in defined_in(path, path.read_text(encoding="utf-8"))


def test_a_name_that_is_only_used_is_not_defined(tmp_path):
    assert defined_in(tmp_path / "a.py", "ATTEMPTS = 5\nother(postpone)\n") == {"ATTEMPTS", None}
    assert defined_in(tmp_path / "a.yaml", "Api:\n  Responses: {Header: 1}\n") == {"Api", "Responses"}
    assert defined_in(tmp_path / "a.tf", 'variable "age" {\n  default = "there"\n}\n') == {"age"}
