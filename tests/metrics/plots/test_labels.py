import numpy as np
import pytest

from couch_explorers.metrics.plots import labels, lines


@pytest.mark.parametrize(
    ("wished", "placed"),
    [
        ([10, 50, 90], [10, 50, 90]),  # nothing to do
        ([50, 50], [45, 55]),  # two on one place move apart by equal parts
        ([10, 50, 52, 54], [10, 42, 52, 62]),  # only those that touch
        ([99, 100], [85, 95]),  # nothing above the upper edge
    ],
)
def test_labels_move_apart_as_little_as_possible(wished, placed):
    np.testing.assert_allclose(labels.apart(wished, [10] * len(wished), 100), placed)


def test_the_lowest_label_may_stand_with_its_middle_on_the_axis():
    np.testing.assert_allclose(labels.apart([0, 0], [10, 10], 100), [0, 10])


def test_a_label_of_two_lines_takes_more_room():
    np.testing.assert_allclose(labels.apart([50, 50], [10, 20], 100), [42.5, 57.5])


def test_what_was_never_measured_has_no_label(ax):
    found = labels.Labels(ax)

    found.add("nothing", float("nan"), lines.NOW)
    found.place()

    assert [text.get_text() for text in ax.texts] == []


def test_each_label_has_a_sample_of_its_line(ax):
    ax.set_ylim(0, 10)
    found = labels.Labels(ax)
    found.add("p95", 4, lines.THRESHOLD)

    found.place()

    assert [text.get_text() for text in ax.texts] == ["p95"]
    (sample,) = ax.lines
    assert sample.get_color() == lines.THRESHOLD.colour
    assert not sample.get_clip_on()
