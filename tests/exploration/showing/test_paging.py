import pytest

from couch_explorers.exploration.showing.axes import arrange, grouped
from couch_explorers.exploration.showing.lines import Line
from couch_explorers.exploration.showing.measures import MOST_COLUMNS
from couch_explorers.exploration.showing.paging import Paging, measures_for
from couch_explorers.exploration.showing.tiles import tiles_of

ROOM = 2000
FOUR = {name: f"A {name} in the evening light" for name in ("jeep", "cliff", "tent", "boat")}


def paging_of(frame, **places):
    tiles = tiles_of(frame)
    arrangement = arrange(tiles, **places)
    groups = grouped(tiles, arrangement)
    return Paging(tiles, arrangement, groups, measures_for(groups, arrangement))


def lines_of(body):
    return [element for element in body.placed if isinstance(element, Line)]


@pytest.mark.parametrize(("seeds", "columns"), [(1, 1), (2, 2), (6, 6), (7, 4), (12, 6), (13, 5), (100, 6)])
def test_a_row_that_is_too_long_is_broken_into_lines_of_equal_length(seeds, columns, painted):
    paging = paging_of(painted({"jeep": "A jeep"}, seeds=range(1, seeds + 1)))

    assert paging.measures.columns == columns <= MOST_COLUMNS


@pytest.mark.parametrize(("seeds", "beside"), [((1, 2), True), ((1, 2, 3), False)])
def test_prompts_stand_beside_few_pictures_and_above_many(seeds, beside, painted):
    assert paging_of(painted(FOUR, seeds=seeds)).measures.beside is beside


def test_a_prompt_too_long_to_stand_beside_stands_above(painted):
    long = FOUR | {"long": "words " * 150}

    assert not paging_of(painted(long, seeds=(1, 2))).measures.beside


def test_a_page_ends_before_a_line_that_does_not_fit(painted):
    paging = paging_of(painted(FOUR, seeds=range(1, 13)))

    bodies = paging.bodies(ROOM)

    assert len(bodies) > 1
    for body in bodies:
        assert sum(element.height for element in paging.elements(body)) <= ROOM


def test_a_line_too_high_for_any_page_has_a_page_of_its_own(painted):
    bodies = paging_of(painted(FOUR, seeds=(1, 2, 3))).bodies(room=10)

    assert [len(lines_of(body)) for body in bodies] == [1, 1, 1, 1]


def test_each_page_lists_the_prompts_of_its_own_pictures(painted):
    many = {f"prompt {number}": f"Prompt number {number}" for number in range(60)}

    bodies = paging_of(painted(many, seeds=1)).bodies(ROOM)

    for body in bodies:
        assert [tile.number for tile in body.prompts] == [tile.number for line in lines_of(body) for tile in line.tiles]
