from pathlib import Path

import pandas as pd
import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.grid import arrange, axes_of, axis_label, cell_view, cell_views, group_cells
from couch_explorers.exploration.prompt_templates import VariableValue
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError

TITAN = "amazon.titan-image-generator-v2:0"


def test_a_row_is_read_with_what_it_lacks_as_none(painted):
    frame = painted(without={2: (Status.FILTERED, "ContentFiltered: withheld")})

    first, second, *_ = cell_views(frame)

    assert (first.number, first.prompt_name, first.seed, first.size) == (1, "jeep", 7, "1024x1024")
    assert (first.cfg_scale, first.negative_prompt, first.reason) == (None, None, "")
    assert first.path == Path(frame["path"][0])
    assert (second.path, second.status, second.reason) == (None, Status.FILTERED, "ContentFiltered: withheld")


def test_given_values_stay_values(painted):
    (tile,) = cell_views(painted({"a": "A lion"}, models=TITAN, seeds=3, cfg_scales=4.5, negative_prompts="people"))

    assert (tile.cfg_scale, tile.negative_prompt, tile.model_name) == (4.5, "people", "Titan Image Generator v2")


def test_the_shape_of_a_picture_that_is_not_there_is_the_one_that_was_asked_for(painted):
    (tile,) = cell_views(painted({"a": "A lion"}, seeds=3, sizes="1280x720", without={1: (Status.FAILED, "x")}))

    # Stability paints the nearest aspect ratio, 16:9, with about a megapixel.
    assert tile.picture_size == (1344, 768)


def test_a_path_below_the_home_folder_is_found_there(pictures, home):
    relative = pictures.assign(path=[str(Path(path).relative_to(home.path)) for path in pictures["path"]])

    assert cell_views(relative) == cell_views(pictures)


def test_one_row_reads_like_the_frame(pictures):
    assert cell_view(pictures.iloc[2]) == cell_views(pictures)[2]


@pytest.mark.parametrize("frame", [None, pd.DataFrame({"number": [1]}), "results.csv"])
def test_something_else_is_refused_with_what_to_give(frame):
    with pytest.raises(ExplorationError, match=r"pass what Sweep\.run or results\.load returned"):
        cell_views(frame)


def test_a_frame_without_rows_is_refused(pictures):
    with pytest.raises(ExplorationError, match="no rows"):
        cell_views(pictures[pictures["seed"] == 99])


def test_a_plan_is_refused(pictures):
    with pytest.raises(ExplorationError, match="has the status 'new'"):
        cell_views(pictures.assign(status="new"))


NOVA = "amazon.nova-canvas-v1:0"
THREE = {"jeep": "A jeep", "cliff": "A cliff", "paris": "A café"}


def arranged(frame, **places):
    tiles = cell_views(frame)
    arrangement = arrange(tiles, **places)
    return arrangement, group_cells(tiles, arrangement)


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
    (tile,) = cell_views(
        painted({"jeep": "A jeep"}, models=NOVA, seeds=7, sizes="512x768", cfg_scales=4, negative_prompts="people"),
    )

    labels = [axis_label(axis, tile) for axis in ("prompt", "model", "size", "cfg_scale", "negative_prompt", "seed")]

    assert labels == ["jeep", "Nova Canvas", "512 \u00d7 768", "cfg 4", "without “people”", "seed 7"]


def test_what_was_left_to_the_model_is_labelled_as_such(pictures):
    tile = cell_views(pictures)[0]

    assert (axis_label("cfg_scale", tile), axis_label("negative_prompt", tile)) == ("cfg default", "no negative prompt")


def test_variables_are_axes_and_the_last_makes_the_columns(cows):
    tiles = cell_views(cows)

    arrangement = arrange(tiles)

    assert (arrangement.rows, arrangement.columns, arrangement.groups) == ("medium", "place", ())
    assert arrangement.varying == ("medium", "place")
    assert axes_of(tiles) == ("prompt", "medium", "place", "model", "size", "cfg_scale", "negative_prompt", "seed")
    assert [axis_label("place", tile) for tile in tiles] == ["place: Norway", "place: Egypt"] * 2
    assert tiles[0].variable("place") == VariableValue("place", "Norway", "a fjord at dusk")


def test_a_variable_is_chosen_by_its_name_or_its_column(cows):
    tiles = cell_views(cows)

    assert arrange(tiles, rows="variables.place", columns="medium").rows == "place"
    with pytest.raises(
        ExplorationError, match="no axis 'colour' for the rows: use one of prompt, medium, place, model"
    ):
        arrange(tiles, rows="colour")


def test_a_cell_whose_prompt_does_not_name_a_variable_has_none(painted):
    tiles = cell_views(painted({"a": "A {x} cow", "b": "A cow"}, seeds=1, variables={"x": ["red", "blue"]}))

    assert [axis_label("x", tile) for tile in tiles] == ["x: red", "x: blue", "x: none"]
    assert [tile.template for tile in tiles] == ["A {x} cow", "A {x} cow", "A cow"]


def test_one_row_is_read_with_its_variables(cows):
    tile = cell_view(cows.iloc[3])

    assert [value.name for value in tile.variables] == ["oil painting", "Egypt"]
