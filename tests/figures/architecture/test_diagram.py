from dataclasses import replace
from itertools import combinations

import pytest

from couch_explorers import plot_style
from couch_explorers.figures.architecture import deployment, diagram
from couch_explorers.figures.architecture.deployment import Queue
from couch_explorers.figures.architecture.diagram import PAD_PT, PLACES, TEXT_SIZE, TITLE_SIZE, plan
from couch_explorers.figures.architecture.labels import boxes
from couch_explorers.figures.charts import SMALLEST_SIZE, WIDTH_PT
from tests.metrics.plots import legible

pytestmark = pytest.mark.drawing


@pytest.fixture
def deployed(workspace):
    return deployment.read(workspace)


def planned(deployed):
    return plan(boxes(deployed), deployed)


def long_named(deployed):
    """The same with names as long as AWS takes, and a candidate number of ten digits."""
    parts = ("gateway", "api_function", "queue", "dead_letters", "worker", "topic")
    longer = {
        part: replace(getattr(deployed, part), name=f"couch-explorers-1234567890-{'x' * 30}-{part}") for part in parts
    }
    return replace(deployed, **longer, bucket=replace(deployed.bucket, name="b" * 63), prefix="1234567890")


@pytest.mark.parametrize("change", [lambda same: same, long_named])
def test_no_box_lies_on_another_and_each_holds_its_words(deployed, change):
    made = planned(change(deployed))

    for one, other in combinations(made.placed.values(), 2):
        apart = one.x + one.width < other.x or other.x + other.width < one.x
        assert apart or one.y + one.height < other.y or other.y + other.height < one.y
    for placed in made.placed.values():
        room = placed.width - 2 * PAD_PT
        assert plot_style.text_width(placed.box.title, TITLE_SIZE, bold=True) <= room
        assert all(plot_style.text_width(line, TEXT_SIZE) <= room for line in (*placed.name, *placed.lines))
        assert 0 <= placed.x <= placed.x + placed.width <= WIDTH_PT


def test_every_box_has_a_place(deployed):
    assert boxes(deployed).keys() == PLACES.keys()


def test_arrows_begin_and_end_at_the_edge_of_a_box_or_of_the_frame(deployed):
    made = planned(deployed)
    edges = [(placed.x, placed.y, placed.width, placed.height) for placed in made.placed.values()] + [made.frame]

    def on_an_edge(point):
        return any(
            (point[0] in (pytest.approx(x), pytest.approx(x + w)) and y <= point[1] <= y + h)
            or (point[1] in (pytest.approx(y), pytest.approx(y + h)) and x <= point[0] <= x + w)
            for x, y, w, h in edges
        )

    assert all(on_an_edge(arrow.points[0]) and on_an_edge(arrow.points[-1]) for arrow in made.arrows)


def test_an_arrow_to_a_part_that_is_not_deployed_is_not_real(deployed):
    whole, without = planned(deployed), planned(replace(deployed, queue=None))

    assert all(arrow.real for arrow in whole.arrows)
    assert not all(arrow.real for arrow in without.arrows if arrow.style == "queue")
    assert all(arrow.real for arrow in without.arrows if arrow.style == "api")


def test_without_a_mapping_nothing_goes_from_the_queue_to_the_worker(deployed):
    arrows = [arrow for arrow in planned(replace(deployed, mapping=None)).arrows if arrow.style == "queue"]

    assert [arrow.real for arrow in arrows] == [True, False]


def test_a_queue_without_a_redrive_policy_and_alarms_that_tell_nobody_have_no_real_arrow(deployed):
    loose = replace(
        deployed,
        queue=replace(deployed.queue, max_receives=None),
        alarms=tuple(replace(alarm, is_wired=False) for alarm in deployed.alarms),
    )

    whole, left = ([arrow.real for arrow in planned(each).arrows] for each in (deployed, loose))
    assert left.count(False) == whole.count(False) + 2


def test_a_queue_whose_settings_are_not_known_is_not_drawn_as_giving_nothing_up(deployed):
    unknown = replace(deployed, queue=Queue(deployed.queue.name))

    assert all(arrow.real for arrow in planned(unknown).arrows)


def test_after_how_many_receives_a_job_is_given_up_stands_at_its_arrow(deployed):
    assert "after 10 receives" in [arrow.label for arrow in planned(deployed).arrows]


SITUATIONS = {
    "everything": lambda deployed: deployed,
    "long names": long_named,
    "the local cloud": lambda deployed: replace(deployed, target="local"),
    "no queue": lambda deployed: replace(
        deployed, queue=None, dead_letters=None, worker=None, mapping=None, alarms=(), topic=None
    ),
    "no API": lambda deployed: replace(deployed, gateway=None, api_function=None),
    "nothing": lambda deployed: replace(
        deployed, gateway=None, api_function=None, queue=None, dead_letters=None, worker=None, mapping=None, alarms=(),
        topic=None, bucket=None, models=(),
    ),
    "alarms that may not be read": lambda deployed: replace(deployed, alarms=None),
}  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_is_as_wide_as_printed_text_and_every_word_can_be_read(deployed, faults, situation):
    figure = diagram.draw(SITUATIONS[situation](deployed))

    assert figure.get_size_inches()[0] == pytest.approx(160 / 25.4)
    assert faults(figure) == ([], [])
    assert min(text.get_fontsize() for text in legible.texts(figure)) >= SMALLEST_SIZE


def test_names_and_settings_are_those_that_are_deployed(deployed, written):
    drawn = written(diagram.draw(deployed)).replace("\n", " ").replace("- ", "-")

    for text in (
        "couch-explorers-42-jobs",
        "visibility timeout 360 s",
        "after 10 receives",
        "Maximum of each minute > 300 s",
    ):
        assert text in drawn


def test_the_legend_explains_what_is_drawn_and_nothing_else(deployed, written):
    whole, bare = (written(diagram.draw(SITUATIONS[name](deployed))) for name in ("everything", "no queue"))

    assert "a prompt by the queue" in whole
    assert "not deployed" not in whole
    assert "a prompt by the queue" not in bare
    assert "not deployed" in bare


def test_the_same_deploy_gives_the_same_drawing(deployed, written):
    assert written(diagram.draw(deployed)) == written(diagram.draw(deployed))
