from dataclasses import replace

import pytest

from couch_explorers.figures.architecture import drawing, reading
from couch_explorers.figures.canvas import SMALLEST_SIZE
from tests.figures.architecture.test_plan import long_named
from tests.metrics.plots import legible


@pytest.fixture
def deployed(workspace):
    return reading.read(workspace)


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
    figure = drawing.draw(SITUATIONS[situation](deployed))

    assert figure.get_size_inches()[0] == pytest.approx(160 / 25.4)
    assert faults(figure) == ([], [])
    assert min(text.get_fontsize() for text in legible.texts(figure)) >= SMALLEST_SIZE


def test_names_and_settings_are_those_that_are_deployed(deployed, written):
    told = written(drawing.draw(deployed)).replace("\n", " ").replace("- ", "-")

    for text in (
        "couch-explorers-42-jobs",
        "visibility timeout 360 s",
        "after 10 receives",
        "Maximum of each minute > 300 s",
    ):
        assert text in told


def test_the_legend_explains_what_is_drawn_and_nothing_else(deployed, written):
    whole, bare = (written(drawing.draw(SITUATIONS[name](deployed))) for name in ("everything", "no queue"))

    assert "a prompt by the queue" in whole
    assert "not deployed" not in whole
    assert "a prompt by the queue" not in bare
    assert "not deployed" in bare


def test_the_same_deploy_gives_the_same_drawing(deployed, written):
    assert written(drawing.draw(deployed)) == written(drawing.draw(deployed))
