import json
import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers import reports
from couch_explorers.core.image_models import COMMON_SEED_RANGE, DEFAULT_MODEL_ID
from couch_explorers.exploration.axes import ExplorationError
from couch_explorers.exploration.form_state import FormState, drawn_seeds, parse_seeds
from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.reports import parameters as notebook_parameters

TITAN = "amazon.titan-image-generator-v2:0"
VARIABLES = {"medium": ["photo", "oil painting"], "style": {"none": "", "fog": " in fog", "sum": "1 = 1"}}
SWEEP = Sweep(
    {"cow": "A {medium} of a cow{style}", "goat": "A goat\non a {medium}"},
    models=[DEFAULT_MODEL_ID, TITAN],
    seeds=[7, 21],
    sizes=["1024x1024", "512x512"],
    cfg_scales=[None, 7.5],
    negative_prompts=[None, "people, cars"],
    title="Cows",
    purpose="Which?",
    variables=VARIABLES,
)
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize("sweep", [SWEEP, Sweep("A {cat|dog} and {json}"), Sweep(["A cow", "A goat"])])
def test_a_sweep_typed_into_the_form_is_that_sweep(sweep):
    assert FormState.of(sweep).sweep() == sweep


@given(st.dictionaries(LINE.map(str.strip).filter(bool), LINE, min_size=1, max_size=4))
def test_values_of_a_variable_are_read_back_or_refused(values):
    try:
        sweep = Sweep("A {x}", variables={"x": values})
        state = FormState.of(sweep)
    except ExplorationError:
        return
    assert state.sweep().variables == sweep.variables


@pytest.mark.parametrize(
    ("sweep", "sentence"),
    [
        (Sweep({"two": "A cow\n \nand a goat"}), 'the prompt "two" has one in it'),
        (Sweep("A {x}", variables={"x": ["a\nb"]}), "one line for each value of a variable"),
    ],
)
def test_what_the_form_cannot_write_is_refused(sweep, sentence):
    with pytest.raises(ExplorationError, match=sentence):
        FormState.of(sweep)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), (" 7, 21 ,42", [7, 21, 42]), ("1-4, 9", [1, 2, 3, 4, 9]), ("4 - 4", [4]), ("9-1", []), ("", [])],
)
def test_seeds_are_read_as_typed(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seven", 'The seed "seven" is no whole number'),
        ("-1", 'The seed "-1"'),
        ("1-999999999999", "are 999,999,999,999"),
    ],
)
def test_what_is_no_seed_is_refused(text, sentence):
    with pytest.raises(ExplorationError, match=sentence):
        parse_seeds(text)


def test_random_seeds_are_drawn_once_within_what_every_model_takes():
    drawn = parse_seeds(drawn_seeds("4 random"))

    low, high = COMMON_SEED_RANGE
    assert len(set(drawn)) == 4
    assert all(low <= seed <= high for seed in drawn)
    assert drawn_seeds("7, 21") == "7, 21"
    assert drawn_seeds("0 random") == "0 random"


def test_braces_are_left_alone_until_a_variable_has_a_value():
    state = FormState(prompts="A {medium} of a cow", models=(DEFAULT_MODEL_ID,))

    assert state.sweep().cells()[0].prompt == "A {medium} of a cow"
    assert state.used_variables == {"medium": ""}
    (cell,) = FormState("A {medium} of a cow", {"medium": "photo"}, models=(DEFAULT_MODEL_ID,)).sweep().cells()
    assert cell.prompt == "A photo of a cow"


def test_parameters_are_what_the_notebook_and_papermill_read():
    state = FormState.of(SWEEP, via="queue", max_cost_usd=2.5)

    words = shlex.split(state.command("aws"))

    assert words[:5] == ["couch", "run", "prompt_exploration", "--target", "aws"]
    given = dict(zip(words[6::3], words[7::3], strict=True))
    path = reports.find("prompt_exploration")
    known = notebook_parameters.read(notebook_parameters.load(path), path.name)
    read = notebook_parameters.convert(known, given, path.stem)
    assert read == state.parameters() == yaml.safe_load(state.yaml())
    axes = {name: read[name] for name in SWEEP.axes()}
    assert Sweep(**axes, title=read["title"], purpose=read["purpose"]) == SWEEP
    assert (read["via"], read["max_cost_usd"]) == ("queue", 2.5)


def test_varying_a_cell_puts_its_values_into_the_form(cows):
    cell = cell_views(cows)[3]

    state = FormState.of(SWEEP, via="queue").varying(cell)

    (only,) = state.sweep().cells()
    assert only.id == cell.id
    assert (only.prompt_name, only.variables) == ("cow", cell.variables)
    assert (state.title, state.via) == ("Cows", "queue")


def test_a_state_survives_json():
    state = FormState.of(SWEEP)

    kept = json.loads(json.dumps(state.__dict__))

    assert FormState(**kept | {"models": tuple(kept["models"])}) == state
