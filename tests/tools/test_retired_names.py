import json
import subprocess

import pytest

from tools import retired_names

TABLE = """
[module]
"metrics.words" = "formatting"
[identifier]
"Errand" = { use = "QueueJob", allowed = ["old/*"] }
[command]
"again" = "reproduce"
[heading]
"As files" = "Export"
[phrase]
"held against" = "compared with"
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# A title\n", "## As files"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "Errand(1)"]},
    ]
}


@pytest.fixture
def project(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "tools").mkdir()
    (tmp_path / retired_names.TABLE).write_text(TABLE)
    return tmp_path


def found_in(project, path, text):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(text)
    return retired_names.find(retired_names.table(project), retired_names.sources(project))


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("couch_explorers/metrics/words.py", "", "module"),
        ("couch_explorers/metrics/words/__init__.py", "", "module"),
        ("a.py", "from couch_explorers.metrics import review, words\n", "module"),
        ("a.py", "from couch_explorers.metrics.words import number\n", "module"),
        ("a.py", "patch('couch_explorers.metrics.words.number')\n", "module"),
        ("a.py", "class Errand:\n    pass\n", "identifier"),
        ("a.ipynb", json.dumps(NOTEBOOK), "identifier"),
        ("a.ipynb", json.dumps(NOTEBOOK), "heading"),
        ("a.md", "Run `couch again FILE`.\n", "command"),
        ("a.py", "run(['couch', 'again'])\n", "command"),
        ("Makefile", "\t$(COUCH) again\n", "command"),
        ("a.md", "### As files\n", "heading"),
        ("a.py", "# It is held\n# against the limit.\n", "phrase"),
        ("a.toml", 'x = "Held against"\n', "phrase"),
    ],
)
def test_retired_name_is_found(project, path, text, kind):
    assert any(f"{path}: {kind} " in place for place in found_in(project, path, text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "from couch_explorers.metrics import wordsmith\n"),
        ("a.py", '"""An Errand, once."""\nErrands = 1\n'),
        ("old/a.py", "Errand = 1\n"),
        ("a.md", "Try couch against-it again.\n"),
        ("a.md", "As files\n\n## As files and more\n"),
        ("a.md", "They held again\nst\n"),
        ("CHANGELOG.md", "held against\n"),
    ],
)
def test_other_names_are_left_alone(project, path, text):
    assert found_in(project, path, text) == []


def test_project_has_no_retired_names():
    assert retired_names.find(retired_names.table(), retired_names.sources()) == []
