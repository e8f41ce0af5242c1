import ast

import pytest

from couch_explorers.reports.parameter_types import fits, from_text


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
