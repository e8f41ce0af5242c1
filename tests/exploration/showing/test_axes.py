import pandas as pd
import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.showing.axes import arrange, grouped, label
from couch_explorers.exploration.showing.tiles import tiles_of

NOVA = "amazon.nova-canvas-v1:0"
THREE = {"jeep": "A jeep", "cliff": "A cliff", "paris": "A café"}


def arranged(frame, **places):
    tiles = tiles_of(frame)
    arrangement = arrange(tiles, **places)
    return arrangement, grouped(tiles, arrangement)


def numbers(group):
    return [[cell and cell.number for cell in row.cells] for row in group.rows]


def test_prompts_go_to_the_rows_and_seeds_to_the_columns(painted):
    arrangement, (group,) = arranged(painted(THREE, seeds=(1, 2)))

    assert (arrangement.rows, arrangement.columns, arrangement.groups) == ("prompt", "seed", ())
    assert numbers(group) == [[1, 2], [3, 4], [5, 6]]
    assert arrangement.shared == ("model", "size", "cfg_scale", "negative_prompt")


def test_without_prompts_the_axis_with_most_values_goes_to_the_columns(painted):
    frame = painted({"jeep": "A jeep"}, models=NOVA, seeds=(1, 2), sizes=("512x512", "768x768", "1024x512"))

    arrangement, _ = arranged(frame)

    assert (arrangement.rows, arrangement.columns) == ("seed", "size")


def test_further_axes_make_groups_in_the_order_of_the_sweep(painted):
    frame = painted(THREE, models=(DEFAULT_MODEL_ID, NOVA), seeds=(1, 2, 3), negative_prompts=(None, "people"))

    arrangement, groups = arranged(frame)

    assert arrangement.groups == ("model", "negative_prompt")
    assert [(group.head.model, group.head.negative_prompt) for group in groups] == [
        (DEFAULT_MODEL_ID, None), (DEFAULT_MODEL_ID, "people"), (NOVA, None), (NOVA, "people"),
    ]  # fmt: skip
    assert numbers(groups[1]) == [[4, 5, 6], [16, 17, 18], [28, 29, 30]]


def test_pictures_along_a_single_axis_follow_each_other(painted):
    arrangement, (group,) = arranged(painted(THREE, seeds=1))

    assert (arrangement.rows, arrangement.columns) == (None, "prompt")
    assert numbers(group) == [[1, 2, 3]]


def test_rows_and_columns_can_be_chosen(painted):
    frame = painted(THREE, seeds=(1, 2))

    arrangement, (group,) = arranged(frame, columns="prompt")

    assert (arrangement.rows, arrangement.columns) == ("seed", "prompt")
    assert numbers(group) == [[1, 3, 5], [2, 4, 6]]
    assert arranged(frame, rows="seed", columns="prompt_name")[0] == arrangement


def test_rows_can_be_asked_for_along_a_single_axis(painted):
    arrangement, (group,) = arranged(painted(THREE, seeds=1), rows="prompt")

    assert (arrangement.rows, arrangement.columns) == ("prompt", None)
    assert numbers(group) == [[1], [2], [3]]


def test_an_axis_that_is_not_known_is_refused_with_those_that_are(pictures):
    with pytest.raises(ExplorationError, match="no axis 'sead' for the columns: use one of prompt, model, size"):
        arranged(pictures, columns="sead")


def test_an_axis_cannot_be_in_two_places(pictures):
    with pytest.raises(ExplorationError, match="seed cannot be both"):
        arranged(pictures, rows="seed", columns="seed")


def test_a_gap_in_the_grid_stays_free(painted):
    frame = painted(THREE, seeds=(1, 2))

    _, (group,) = arranged(frame[frame["number"] != 3])

    assert numbers(group) == [[1, 2], [None, 4], [5, 6]]


def test_a_hand_picked_selection_is_no_grid(painted):
    frame = painted(THREE, seeds=(1, 2, 3))

    arrangement, (group,) = arranged(frame[frame["number"].isin([1, 5, 9])])

    assert (arrangement.rows, arrangement.columns, arrangement.varying) == (None, None, ("prompt", "seed"))
    assert numbers(group) == [[1, 5, 9]]


def test_cells_of_one_request_get_rows_of_their_own(painted):
    frame = painted(THREE, seeds=(1, 2))

    _, (group,) = arranged(pd.concat([frame, frame[frame["number"] < 3]]))

    assert numbers(group) == [[1, 2], [1, 2], [3, 4], [5, 6]]


def test_one_name_for_two_texts_makes_two_rows(painted):
    frame = pd.concat([painted({"jeep": text}, seeds=(1, 2)) for text in ("A jeep", "A red jeep")])

    _, (group,) = arranged(frame)

    assert [row.head.prompt for row in group.rows] == ["A jeep", "A red jeep"]


def test_a_label_explains_itself(painted):
    (tile,) = tiles_of(
        painted({"jeep": "A jeep"}, models=NOVA, seeds=7, sizes="512x768", cfg_scales=4, negative_prompts="people")
    )

    labels = [label(axis, tile) for axis in ("prompt", "model", "size", "cfg_scale", "negative_prompt", "seed")]

    assert labels == ["jeep", "Nova Canvas", "512 \u00d7 768", "cfg 4", "without “people”", "seed 7"]


def test_what_was_left_to_the_model_is_told_as_such(pictures):
    tile = tiles_of(pictures)[0]

    assert (label("cfg_scale", tile), label("negative_prompt", tile)) == ("cfg default", "no negative prompt")
