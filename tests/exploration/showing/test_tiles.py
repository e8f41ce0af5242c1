from pathlib import Path

import pandas as pd
import pytest

from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Status
from couch_explorers.exploration.showing.tiles import tile_of, tiles_of

TITAN = "amazon.titan-image-generator-v2:0"


def test_a_row_is_read_with_what_it_lacks_as_none(painted):
    frame = painted(without={2: (Status.FILTERED, "ContentFiltered: withheld")})

    first, second, *_ = tiles_of(frame)

    assert (first.number, first.prompt_name, first.seed, first.size) == (1, "jeep", 7, "1024x1024")
    assert (first.cfg_scale, first.negative_prompt, first.reason) == (None, None, "")
    assert first.path == Path(frame["path"][0])
    assert (second.path, second.status, second.reason) == (None, Status.FILTERED, "ContentFiltered: withheld")


def test_given_values_stay_values(painted):
    (tile,) = tiles_of(painted({"a": "A lion"}, models=TITAN, seeds=3, cfg_scales=4.5, negative_prompts="people"))

    assert (tile.cfg_scale, tile.negative_prompt, tile.model_name) == (4.5, "people", "Titan Image Generator v2")


def test_the_shape_of_a_picture_that_is_not_there_is_the_one_that_was_asked_for(painted):
    (tile,) = tiles_of(painted({"a": "A lion"}, seeds=3, sizes="1280x720", without={1: (Status.FAILED, "x")}))

    # Stability paints the nearest aspect ratio, 16:9, with about a megapixel.
    assert tile.picture_size == (1344, 768)


def test_a_path_below_the_home_folder_is_found_there(pictures, home):
    relative = pictures.assign(path=[str(Path(path).relative_to(home.path)) for path in pictures["path"]])

    assert tiles_of(relative) == tiles_of(pictures)


def test_one_row_reads_like_the_frame(pictures):
    assert tile_of(pictures.iloc[2]) == tiles_of(pictures)[2]


@pytest.mark.parametrize("frame", [None, pd.DataFrame({"number": [1]}), "results.csv"])
def test_something_else_is_refused_with_what_to_give(frame):
    with pytest.raises(ExplorationError, match=r"give what Sweep\.run or results\.load gave back"):
        tiles_of(frame)


def test_a_frame_without_rows_is_refused(pictures):
    with pytest.raises(ExplorationError, match="no rows"):
        tiles_of(pictures[pictures["seed"] == 99])


def test_a_plan_is_refused(pictures):
    with pytest.raises(ExplorationError, match="has the status 'new'"):
        tiles_of(pictures.assign(status="new"))
