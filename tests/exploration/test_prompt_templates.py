from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers.core import image_models, png
from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration import prompt_templates
from couch_explorers.exploration.axes import MAX_CELLS, ExplorationError
from couch_explorers.exploration.prompt_templates import VariableValue
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import picture_job
from tests.exploration.scenario import make_cells, painted

TITAN = "amazon.titan-image-generator-v2:0"
COW = {"trip": "A {medium} of a cow in {place}"}
VARIABLES = {"medium": ["photo", "watercolour"], "place": {"Norway": "a Norwegian fjord at dusk", "Egypt": "Giza"}}

# What a person may type, braces more often than chance would have them.
PROMPTS = st.lists(st.sampled_from("{}|ab \n") | st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
PROMPTS = PROMPTS.map("".join).filter(str.strip)
NAMES = st.from_regex(r"[a-z]{1,4}", fullmatch=True).map("v_{}".format)
TEXTS = st.text(st.sampled_from("{}xyz "), min_size=1, max_size=6).filter(lambda text: text.strip() == text)


def escaped(text):
    return text.replace("{", "{{").replace("}", "}}")


def test_a_template_becomes_a_prompt_for_each_combination_and_the_last_variable_changes_fastest():
    cells = Sweep(COW, variables=VARIABLES).cells()

    assert [cell.prompt for cell in cells] == [
        "A photo of a cow in a Norwegian fjord at dusk",
        "A photo of a cow in Giza",
        "A watercolour of a cow in a Norwegian fjord at dusk",
        "A watercolour of a cow in Giza",
    ]
    assert {cell.prompt_name for cell in cells} == {"trip"}
    assert {cell.template for cell in cells} == {COW["trip"]}
    assert cells[0].variables == (
        VariableValue("medium", "photo", "photo"),
        VariableValue("place", "Norway", "a Norwegian fjord at dusk"),
    )


def test_each_template_varies_only_what_it_names():
    prompts = COW | {"plain": "A cow", "medium": "A {medium} of a goat"}

    sweep = Sweep(prompts, variables=VARIABLES, seeds=[1, 2])

    assert len(sweep) == len(sweep.cells()) == (4 + 1 + 2) * 2
    assert [cell.variables for cell in sweep.cells() if cell.prompt_name == "plain"] == [(), ()]


@given(PROMPTS)
def test_a_prompt_without_variables_is_sent_exactly_as_written(text):
    (cell,) = Sweep({"a": text}).cells()

    job = picture_job(image_models.get(DEFAULT_MODEL_ID), text, seed=1, size="1024x1024")
    assert (cell.prompt, cell.job, cell.template, cell.variables) == (text.strip(), job, None, ())


@given(PROMPTS)
def test_a_template_with_doubled_braces_is_the_picture_of_the_plain_prompt(text):
    (plain,) = Sweep({"a": text}).cells()

    (filled,) = Sweep({"a": escaped(text) + "{nothing}"}, variables={"nothing": {"none": ""}}).cells()

    assert (filled.id, filled.job) == (plain.id, plain.job)


@given(st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3, unique=True), min_size=1, max_size=3), TEXTS)
def test_the_prompts_are_the_product_of_the_values_whatever_these_hold(variables, between):
    template = escaped(between).join(f"{{{name}}}" for name in variables)

    cells = Sweep({"a": template}, variables=variables).cells()

    assert [cell.prompt for cell in cells] == [between.join(values) for values in product(*variables.values())]
    assert len(cells) == prompt_templates.count_prompts(
        {"a": template}, Sweep({"a": template}, variables=variables).variables
    )


def test_two_templates_that_come_to_one_prompt_are_one_picture():
    first, _, _, fourth = Sweep({"a": "{x}{y}"}, variables={"x": ["ab", "a"], "y": ["c", "bc"]}).cells()

    assert first.prompt == fourth.prompt == "abc"
    assert fourth.same_as == first.number


def test_a_value_may_be_empty_and_its_blanks_stay():
    cells = Sweep({"a": "A cow{style}"}, variables={"style": {"none": "", "fog": " in fog", "oil": ", oil"}}).cells()

    assert [cell.prompt for cell in cells] == ["A cow", "A cow in fog", "A cow, oil"]


@pytest.mark.parametrize(
    ("prompt", "variables", "sentence"),
    [
        ("A {cat|dog} {medium}", VARIABLES | {"place": "x"}, r'"a" names \{cat\|dog\}, and there is no such variable: use \{medium\}'),
        ("A {} {medium} {place}", VARIABLES, r"names \{\}, and there is no such variable"),
        ("A { medium } {place}", VARIABLES, r"names \{ medium \}, .* use \{medium\} or \{place\}, or write \{\{ medium \}\}"),
        ("A {medium", {"medium": "x"}, r'"a" has a single \{ at character 3: name a variable, \{medium\}, or write \{\{'),
        ("A {medium}}", {"medium": "x"}, r"has a single \} at character 11"),
        ("A {medium}", VARIABLES, r"No prompt names the variable place: write \{place\} into one, or leave it out"),
        ("A cow", VARIABLES, "No prompt names the variables medium, place"),
        ("A {x}", {"x": []}, "x .a variable. has no values"),
        ("A {x}", {"x": {}}, "The variable x has no values"),
        ("A {x}", {"x": ["a", "a"]}, 'holds "a" 2 times'),
        ("A {x}", {"x": {"a": "1", "b": "1"}}, 'holds "1" 2 times'),
        ("A {x}", {"x": {"a": "1", "a ": "2"}}, 'holds "a" 2 times'),
        ("A {x}", {"x": [""]}, "has a value without a name"),
        ("A {x}", {"x": [7]}, "x has the value 7: give plain Unicode texts"),
        ("A {x}", {"x": ["\ud800"]}, "give plain Unicode texts"),
        ("A {x}", {"x y": ["a"]}, 'The variable "x y" cannot be named in braces'),
        ("A {x}", {7: ["a"]}, "The variable 7 cannot be named in braces"),
        ("A {seed}", {"seed": ["a"]}, "The variable seed has the name of another axis"),
        ("A {x}", ["x"], "give their values by their names"),
    ],
)  # fmt: skip
def test_a_wrong_template_or_variable_is_refused_in_one_sentence(prompt, variables, sentence):
    with pytest.raises(ExplorationError, match=sentence) as refused:
        Sweep({"a": prompt}, variables=variables)

    assert "\n" not in str(refused.value)


def test_a_million_combinations_are_refused_with_the_count_before_anything_is_built(monkeypatch):
    digits = {name: [str(number) for number in range(10)] for name in "abcdef"}
    monkeypatch.setattr(prompt_templates, "expand", lambda *_: pytest.fail("expanded"))

    with pytest.raises(ExplorationError, match=r"1,000,000 combinations \(of 1,000,000 prompts\), and at most 100,000"):
        Sweep({"number": "{a}{b}{c}{d}{e}{f}"}, variables=digits)
    with pytest.raises(ExplorationError, match=r"1,000,000 combinations \(of 1,000 prompts, 1,000 seeds\)"):
        Sweep({"number": "{a}{b}{c}"}, variables={name: digits[name] for name in "abc"}, seeds=range(1000))


@pytest.mark.parametrize("seeds", [range(10**12), iter(range(10**12))], ids=["range", "iterator"])
def test_an_axis_longer_than_a_sweep_is_not_read_to_its_end(seeds):
    with pytest.raises(ExplorationError, match=r"The axis seeds has .* values, and a sweep has at most 100,000 cells"):
        Sweep("A cow", seeds=seeds)


def test_as_many_cells_as_allowed_are_taken():
    assert len(Sweep("A cow", seeds=range(MAX_CELLS))) == MAX_CELLS


def test_an_expansion_over_one_models_limit_is_refused_there_alone():
    variables = {"what": {"short": "A cow", "long": "A " + "very " * 110 + "long cow"}}

    cells = Sweep({"a": "{what}"}, models=[TITAN, DEFAULT_MODEL_ID], variables=variables).cells()

    refused = [(cell.variables[0].name, cell.model) for cell in cells if cell.job is None]
    assert refused == [("long", TITAN)]
    assert next(cell.refusal for cell in cells if cell.job is None) == (
        "The prompt has 560 characters: Titan Image Generator v2 takes at most 512."
    )


def test_an_empty_expansion_is_a_refused_cell():
    empty, full = Sweep({"a": "{x}"}, variables={"x": {"nothing": " ", "cow": "A cow"}}).cells()

    assert (empty.job, empty.refusal) == (None, "The prompt is empty: give 1 to 10000 characters.")
    assert full.job is not None


def test_variables_are_axes_from_which_the_same_sweep_is_made_again():
    sweep = Sweep(COW, variables=VARIABLES)

    again = Sweep(**sweep.axes())

    assert again == sweep
    assert again.cells() == sweep.cells()


def test_a_template_is_added_to_a_picture_made_of_its_prompt_and_only_once():
    (cell,) = make_cells(1)
    picture = painted(cell.job)
    values = (VariableValue("place", "Norway", "a fjord"),)

    kept = prompt_templates.with_template(picture, "A cow in {place}", values)

    parameters = png.read_parameters(kept)
    assert parameters["template"] == {
        "text": "A cow in {place}",
        "values": {"place": {"name": "Norway", "text": "a fjord"}},
    }
    assert {name: parameters[name] for name in parameters if name != "template"} == png.read_parameters(picture)
    assert prompt_templates.with_template(kept, "Another {place}", values) == kept
    assert prompt_templates.with_template(picture, None, ()) == picture
