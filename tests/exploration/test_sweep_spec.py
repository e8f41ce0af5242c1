import dataclasses
import json

import numpy as np
import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError, picture_job

TITAN = "amazon.titan-image-generator-v2:0"
NOVA = "amazon.nova-canvas-v1:0"
JEEP = {"jeep": "A jeep on the savanna"}


def arn(region, model):
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


def test_a_sweep_is_every_combination_and_the_seed_changes_fastest():
    sweep = Sweep(
        {"jeep": "A jeep", "boat": "A boat"},
        models=[TITAN, NOVA],
        seeds=[1, 2],
        sizes=["512x512", "1024x1024"],
        cfg_scales=[5, 6],
        negative_prompts=[None, "people"],
    )

    cells = sweep.cells()

    axes = ("prompt_name", "model", "size", "cfg_scale", "negative_prompt", "seed")
    assert len(sweep) == len(cells) == 64
    assert [cell.number for cell in cells] == list(range(1, 65))
    for place, axis in enumerate(reversed(axes)):
        first, second = (getattr(cells[number], axis) for number in (0, 2**place))
        assert first != second
        assert {getattr(cell, axis) for cell in cells[: 2**place]} == {first}


def test_a_cell_carries_the_job_whose_id_follows_from_its_request():
    (cell,) = Sweep(JEEP, models=TITAN, seeds=7, sizes="512x512", cfg_scales=5, negative_prompts="people").cells()

    expected = picture_job(MODELS[TITAN], JEEP["jeep"], seed=7, size="512x512", cfg_scale=5.0, negative_prompt="people")
    assert cell.job == expected
    assert (cell.prompt_name, cell.prompt, cell.model, cell.id) == ("jeep", JEEP["jeep"], TITAN, expected.id)


def test_without_more_a_sweep_is_one_picture_of_the_default_model():
    (cell,) = Sweep("A jeep on the savanna").cells()

    assert (cell.model, cell.seed, cell.size) == (DEFAULT_MODEL_ID, 1, "1024x1024")
    assert (cell.cfg_scale, cell.negative_prompt, cell.refusal) == (None, None, "")


@pytest.mark.parametrize("seeds", [range(1, 4), np.arange(1, 4), (seed for seed in (1, 2, 3))])
def test_any_iterable_of_whole_numbers_gives_the_seeds(seeds):
    sweep = Sweep(JEEP, seeds=seeds)

    assert sweep.seeds == (1, 2, 3)
    assert {type(seed) for seed in sweep.seeds} == {int}


def test_the_outer_blanks_of_texts_and_the_line_breaks_of_labels_are_taken_off():
    sweep = Sweep({" a\njeep ": "\n A jeep "}, negative_prompts=" people ", title=" Two\n jeeps ", purpose=" Which? ")

    assert sweep.prompts == {"a jeep": "A jeep"}
    assert sweep.negative_prompts == ("people",)
    assert (sweep.title, sweep.purpose) == ("Two jeeps", "Which?")


def test_texts_without_names_are_named_by_the_first_words_that_tell_them_apart():
    sweep = Sweep(["A jeep on the savanna at dawn.", "A jeep on the savanna at dusk.", "A boat, in the harbour today"])

    assert list(sweep.prompts) == ["A jeep on the savanna at dawn", "A jeep on the savanna at dusk", "A boat"]


def test_texts_that_begin_alike_for_long_are_numbered():
    beginning = "one two three four five six seven eight nine ten eleven twelve thirteen"

    sweep = Sweep([f"{beginning} a", f"{beginning} b"])

    first, second = sweep.prompts
    assert second == f"{first} (2)"
    assert len(first) <= 60


def test_prompts_may_be_pairs_of_name_and_text():
    sweep = Sweep([("jeep", "A jeep"), ("boat", "A boat")])

    assert sweep.prompts == {"jeep": "A jeep", "boat": "A boat"}


@pytest.mark.parametrize("axis", ["prompts", "models", "seeds", "sizes", "cfg_scales", "negative_prompts"])
def test_an_axis_without_values_makes_an_empty_grid_and_is_named(axis):
    arguments = {"prompts": JEEP} | {axis: []}

    with pytest.raises(ExplorationError, match=f"sweep is empty: the axis {axis} has no values"):
        Sweep(**arguments)


def test_an_empty_mapping_of_prompts_is_an_empty_grid():
    with pytest.raises(ExplorationError, match="the axis prompts has no values"):
        Sweep({})


def test_two_prompts_of_one_name_are_refused():
    with pytest.raises(ExplorationError, match='2 prompts have the name "jeep"'):
        Sweep([("jeep", "A jeep"), ("jeep ", "Another jeep")])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"prompts": ["A jeep", "A jeep "]}, 'prompts holds "A jeep" 2 times'),
        ({"prompts": {"a": "A jeep", "b": "A jeep"}}, 'prompts holds "A jeep" 2 times'),
        ({"models": [TITAN, arn("us-east-1", TITAN)]}, f'models holds "{TITAN}" 2 times'),
        ({"seeds": [1, 2, 1, 1]}, "seeds holds 1 3 times"),
        ({"sizes": ["512x512", "512x512"]}, 'sizes holds "512x512" 2 times'),
        ({"cfg_scales": [5, 5.0]}, "cfg_scales holds 5.0 2 times"),
        ({"cfg_scales": [None, None]}, "cfg_scales holds null 2 times"),
        ({"negative_prompts": ["people", " people"]}, 'negative_prompts holds "people" 2 times'),
    ],
)
def test_a_value_that_stands_twice_on_its_axis_is_refused(values, shown):
    with pytest.raises(ExplorationError, match=shown):
        Sweep(**({"prompts": JEEP} | values))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"models": "dall-e"}, 'The model "dall-e" is not known: use one of .*stability.stable-image-core-v1:1'),
        ({"models": [7]}, "The model 7 is not known"),
        ({"models": "arn:aws:bedrock:nowhere"}, "is no ARN of a foundation model"),
        ({"seeds": [1.5]}, "seeds holds 1.5, which is no whole number"),
        ({"seeds": [True]}, "seeds holds true, which is no whole number"),
        ({"seeds": ["7"]}, 'seeds holds "7", which is no whole number'),
        ({"seeds": None}, "seeds holds null, which is no whole number"),
        ({"sizes": "big"}, 'The size "big" is not valid'),
        ({"sizes": [(512, 512)]}, "is not valid: give width x height"),
        ({"cfg_scales": ["7"]}, 'cfg_scales holds "7", which is no number'),
        ({"cfg_scales": [float("nan")]}, "cfg_scales holds NaN, which is no number"),
        ({"cfg_scales": [True]}, "cfg_scales holds true"),
        ({"negative_prompts": [""]}, 'negative_prompts holds "", which is no text with words: give texts, or None'),
        ({"prompts": {"jeep": "  "}}, 'prompts holds "  ", which is no text'),
        ({"prompts": {"jeep": None}}, "prompts holds null, which is no text"),
        ({"prompts": {"": "A jeep"}}, 'name "" is empty'),
        ({"prompts": {7: "A jeep"}}, "prompt's name 7 is no plain Unicode text"),
        ({"prompts": None}, "prompts holds null, which is no text"),
        ({"prompts": [("jeep", "A jeep"), "A boat"]}, r'prompts holds "A boat" among \(name, text\) pairs'),
        ({"prompts": "A jeep\x00"}, "with a NUL or half a character pair"),
        ({"prompts": "A jeep \ud800"}, "with a NUL or half a character pair"),
        ({"title": "\ud800"}, "The title .* is no plain Unicode text"),
        ({"purpose": None}, "The purpose null is no plain Unicode text"),
        ({"seeds": {1: 2}}, "seeds takes a list of values"),
        ({"sizes": object()}, "sizes takes a list of values"),
    ],
)
def test_what_is_wrong_whatever_the_model_is_refused_with_the_axis_and_the_value(values, sentence):
    with pytest.raises(ExplorationError, match=sentence) as refused:
        Sweep(**({"prompts": JEEP} | values))

    assert "\n" not in str(refused.value)


def test_a_seed_out_of_range_for_every_model_is_refused():
    with pytest.raises(
        ExplorationError,
        match="The seed 858993460 is out of range for Nova Canvas: give 0 to 858993459",
    ):
        Sweep(JEEP, models=NOVA, seeds=[1, 858_993_460])

    with pytest.raises(ExplorationError, match="The seed -1 is out of range"):
        Sweep(JEEP, models=list(MODELS), seeds=-1)


def test_a_seed_out_of_range_for_one_of_the_models_is_refused_there_alone():
    nova, stability = Sweep(JEEP, models=[NOVA, DEFAULT_MODEL_ID], seeds=858_993_460).cells()

    assert nova.job is None
    assert nova.refusal == "Nova Canvas does not take the seed 858993460: give 0 to 858993459, or none."
    assert stability.job is not None


def test_a_prompt_over_a_models_limit_is_refused_there_alone_with_the_limit():
    titan, stability = Sweep({"long": "x" * 600}, models=[TITAN, DEFAULT_MODEL_ID]).cells()

    assert (titan.job, titan.id) == (None, "")
    assert titan.refusal == "The prompt has 600 characters: Titan Image Generator v2 takes at most 512."
    assert stability.job is not None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"models": TITAN, "sizes": "500x500"}, "does not paint 500x500"),
        ({"cfg_scales": 5}, "Stable Image Core has no cfg_scale"),
        ({"models": TITAN, "cfg_scales": 99}, "does not take the cfg_scale 99"),
        ({"models": TITAN, "cfg_scales": 5.55}, "more than one decimal"),
        ({"models": TITAN, "negative_prompts": "x" * 600}, "negative_prompt has 600 characters"),
    ],
)
def test_a_combination_that_its_model_does_not_take_becomes_a_refused_cell(values, sentence):
    (cell,) = Sweep(JEEP, **values).cells()

    assert cell.job is None
    assert sentence in cell.refusal


def test_sizes_that_share_an_aspect_ratio_are_the_same_picture_on_stability():
    first, second, third = Sweep(JEEP, sizes=["512x512", "1024x1024", "1280x720"]).cells()

    assert (first.same_as, second.same_as, third.same_as) == (None, 1, None)
    assert first.id != second.id


def test_the_default_cfg_scale_and_its_number_are_the_same_picture():
    default, named, other = Sweep(JEEP, models=TITAN, cfg_scales=[None, 8, 7]).cells()

    assert (default.same_as, named.same_as, other.same_as) == (None, 1, None)
    assert default.id == named.id


def test_two_models_never_make_the_same_picture():
    cells = Sweep(JEEP, models=[name for name in MODELS if name.startswith("stability")]).cells()

    assert [cell.same_as for cell in cells] == [None, None, None]


def test_the_workspaces_region_for_a_model_counts_and_leaves_the_id_as_it_is():
    sweep = Sweep(JEEP, models=[arn("us-east-1", DEFAULT_MODEL_ID), arn("us-west-2", TITAN), NOVA])

    default, titan, nova = sweep.cells([arn("eu-central-1", DEFAULT_MODEL_ID)])

    assert [cell.job.model.region for cell in (default, titan, nova)] == ["eu-central-1", "us-west-2", "us-east-1"]
    assert default.model == DEFAULT_MODEL_ID
    assert default.id == Sweep(JEEP).cells()[0].id


def test_a_deployed_model_that_is_not_known_here_disturbs_no_sweep():
    (cell,) = Sweep(JEEP).cells([arn("us-east-1", "newer.model-v9:0"), arn("eu-west-1", DEFAULT_MODEL_ID)])

    assert cell.job.model.region == "eu-west-1"


def test_the_axes_are_plain_values_from_which_the_same_sweep_is_made_again():
    sweep = Sweep(JEEP, models=TITAN, seeds=range(3), cfg_scales=[None, 5], title="Jeeps", purpose="Which?")

    again = Sweep(**json.loads(json.dumps(sweep.axes())), title="Jeeps", purpose="Which?")

    assert again == sweep
    assert again.cells() == sweep.cells()


def test_a_sweep_does_not_change_but_a_changed_copy_is_made_and_checked():
    sweep = Sweep(JEEP)

    assert dataclasses.replace(sweep, seeds=[1, 2]).seeds == (1, 2)
    with pytest.raises(ExplorationError, match="seeds"):
        dataclasses.replace(sweep, seeds=[])
    with pytest.raises(dataclasses.FrozenInstanceError):
        sweep.seeds = (3,)
