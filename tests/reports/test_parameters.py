import ast
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies

from couch_explorers.reports import parameters as notebook_parameters
from couch_explorers.reports.parameters import NotebookError, Parameter, ParameterError, fits, from_text

SOURCE = """target: Literal["local", "aws"] = "local"  # where it runs
count: int | None = None  # pictures
threshold = -0.5
prompts: list[str] = [  # one each
    "a",
]
"""


def notebook(source, tags=("parameters",)):
    return {"cells": [{"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}]}


def read(source):
    return notebook_parameters.read(notebook(source), "sample")


def test_names_types_defaults_and_comments_come_from_the_cell():
    assert read(SOURCE) == (
        Parameter("target", "Literal['local', 'aws']", "local", "where it runs"),
        Parameter("count", "int | None", None, "pictures"),
        Parameter("threshold", "float", -0.5, ""),
        Parameter("prompts", "list[str]", ["a"], "one each"),
    )


def test_a_cells_source_may_be_a_list_of_lines():
    assert notebook_parameters.read(notebook(["a: int = 1\n", "b: int = 2"]), "sample")[1].default == 2


def test_a_notebook_without_a_parameters_cell_takes_none():
    assert notebook_parameters.read(notebook("a = 1", tags=()), "sample") == ()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import os", "a parameter is written `name: type = literal`"),
        ("a: int", "a parameter is written"),
        ("a = b = 1", "a parameter is written"),
        ("a: str = str(1)", "a default is a literal"),
        ("a: int = 'x'", "the default is not of the annotated type"),
        ("a: Path = 'x'", "the type Path is not among"),
        ("a: float = 1e999", "a default is finite"),
        ("a: int =", "is not Python"),
    ],
)
def test_a_parameters_cell_that_breaks_the_rules_is_refused_by_its_line(source, problem):
    with pytest.raises(NotebookError) as caught:
        read(source)

    assert problem in str(caught.value)
    assert "sample" in str(caught.value)


def test_two_parameters_cells_are_refused():
    twice = {"cells": notebook("a = 1")["cells"] * 2}

    with pytest.raises(NotebookError, match="2 cells tagged"):
        notebook_parameters.read(twice, "sample")


def test_given_texts_become_values_and_the_rest_keeps_its_default():
    values = notebook_parameters.convert(read(SOURCE), {"count": "3", "target": "aws"}, "sample")

    assert values == {"count": 3, "target": "aws"}


def test_values_that_are_no_texts_are_taken_as_they_are():
    assert notebook_parameters.convert(read(SOURCE), {"prompts": ["x"]}, "sample") == {"prompts": ["x"]}


def test_an_unknown_parameter_is_refused_with_its_neighbour_and_the_list():
    with pytest.raises(ParameterError) as caught:
        notebook_parameters.convert(read(SOURCE), {"treshold": "1"}, "sample")

    message = str(caught.value)
    assert "sample has no parameter 'treshold'. Did you mean 'threshold'?" in message
    assert "  target: Literal['local', 'aws'] = 'local'  # where it runs" in message
    assert "  count: int | None = None  # pictures" in message


@pytest.mark.parametrize(
    ("name", "value"), [("count", "three"), ("target", "azure"), ("prompts", [1]), ("count", True)]
)
def test_a_value_of_another_type_is_refused_with_the_list(name, value):
    with pytest.raises(ParameterError) as caught:
        notebook_parameters.convert(read(SOURCE), {name: value}, "sample")

    assert f"{name} takes " in str(caught.value)
    assert repr(value) in str(caught.value)
    assert "It takes:" in str(caught.value)


def test_a_notebook_that_takes_nothing_says_so():
    with pytest.raises(ParameterError, match="It takes no parameters"):
        notebook_parameters.convert((), {"a": "1"}, "sample")


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "null", "3", '{"cells": 3}', '{"cells": [3]}', '{"cells": [{"cell_type": "code"}]}', "not json", "[" * 100_000,
        '{"cells": [{"cell_type": "code", "source": [1]}]}', '{"cells": [{"cell_type": "code", "source": "", "metadata": []}]}',
        '{"cells": [{"cell_type": "code", "source": "", "metadata": {"tags": "parameters"}}]}', '{"nbformat": 5, "cells": []}',
        '{"nbformat": "4", "cells": []}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_notebook_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_text(content)

    with pytest.raises(NotebookError, match=r"broken\.ipynb is not a notebook"):
        notebook_parameters.load(path)


def test_a_notebook_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "good.ipynb"
    path.write_text(json.dumps(notebook("a: int = 1")))

    assert notebook_parameters.load(path)["cells"][0]["source"] == "a: int = 1"


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00", b"\x00", b"\xe9", b"\x89PNG\r\n"])
def test_bytes_that_are_no_text_are_no_notebook(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content)

    with pytest.raises(NotebookError, match=r"broken\.ipynb is not a notebook"):
        notebook_parameters.load(path)


def test_a_folder_is_no_notebook(tmp_path):
    (tmp_path / "folder.ipynb").mkdir()

    with pytest.raises(NotebookError, match=r"folder\.ipynb cannot be read: Is a directory\."):
        notebook_parameters.load(tmp_path / "folder.ipynb")


def test_a_notebook_of_nbformat_3_is_refused_with_the_command_that_rewrites_it(tmp_path):
    path = tmp_path / "old.ipynb"
    cell = {
        "cell_type": "code",
        "collapsed": False,
        "input": "1 + 1",
        "language": "python",
        "metadata": {},
        "outputs": [],
    }
    sheets = [{"cells": [cell], "metadata": {}}]
    path.write_text(json.dumps({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}))

    with pytest.raises(NotebookError) as refused:
        notebook_parameters.load(path)

    message, _, command = str(refused.value).partition("Rewrite it in nbformat 4: ")
    assert message == "old.ipynb is of nbformat 3, which is not run any more. "
    program, *arguments = command.split()
    subprocess.run([Path(sys.executable).with_name(program), *arguments], check=True, capture_output=True)
    assert notebook_parameters.load(path)["cells"][0]["source"] == ["1 + 1"]


JSON_VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-2, 9) | strategies.text(max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["cells", "nbformat", "cell_type", "source", "metadata", "tags", "outputs"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES | strategies.builds(lambda cells: {"cells": cells, "nbformat": 4}, strategies.lists(JSON_VALUES)))
def test_whatever_json_a_file_holds_it_is_read_or_refused_in_a_sentence(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_text(json.dumps(value))

    with suppress(NotebookError):
        notebook_parameters.read(notebook_parameters.load(path), "any")


def annotation(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("42", "str", "42"),
        ("  a b ", "str", "  a b "),
        ("", "str", ""),
        ("-7", "int", -7),
        ("0.5", "float", 0.5),
        ("3", "float", 3.0),
        ("1e-3", "float", 0.001),
        ("TRUE", "bool", True),
        ("no", "bool", False),
        ("none", "int | None", None),
        ("5", "int | None", 5),
        ("null", "Optional[str]", None),
        ("x", "None | str", "x"),
        ("5", "str | int", 5),
        ("5", "'int | None'", 5),
        ("api", 'Literal["all", "api"]', "api"),
        ("2", "Literal[1, 2]", 2),
        ('["a", "b"]', "list[str]", ["a", "b"]),
        ("['a', 'b']", "list[str]", ["a", "b"]),
        ("[]", "list[int]", []),
        ("[1, 2]", "list", [1, 2]),
        ('{"a": 1}', "dict[str, int]", {"a": 1}),
        ("[[1], [2, 3]]", "list[list[int]]", [[1], [2, 3]]),
        ("[1, null]", "list[int | None]", [1, None]),
    ],
)
def test_text_becomes_a_value_of_its_type(text, kind, value):
    read = from_text(text, annotation(kind))

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4.0", "int"),
        ("1_000", "int"),
        ("", "int"),
        ("nan", "float"),
        ("inf", "float"),
        ("1e999", "float"),
        ("maybe", "bool"),
        ("2", "bool"),
        ("quue", 'Literal["all", "queue"]'),
        ("a prompt", "list[str]"),
        ("[1]", "list[str]"),
        ("[true]", "list[int]"),
        ('{"a": "b"}', "dict[str, int]"),
        ("{", "dict"),
        ("x", "int | None"),
    ],
)
def test_text_of_another_type_is_refused(text, kind):
    with pytest.raises(ValueError, match=" is no "):
        from_text(text, annotation(kind))


def test_a_bool_is_no_number():
    assert not fits(value=True, annotation=annotation("int"))
    assert not fits(value=True, annotation=annotation("float"))


def test_a_type_that_no_parameter_can_have_is_refused_by_name():
    with pytest.raises(ValueError, match=r"the type Path is not among"):
        fits("x", annotation("Path"))
