import pytest
from matplotlib.figure import Figure

from couch_explorers.metrics.plots.panel import Panel


@pytest.fixture
def panel():
    figure = Figure(figsize=(2, 1))
    figure.add_axes((0.2, 0.2, 0.7, 0.7)).plot([1, 2])
    return Panel("age", "Age of the oldest job", "It was < 5 s.", "A line. It was < 5 s.", figure)


def test_a_notebook_shows_the_figure_with_its_sentence(panel):
    shown = panel._repr_mimebundle_()

    assert shown["text/html"].startswith('<figure class="couch-figure"')
    assert "<svg" in shown["text/html"]
    assert "It was &lt; 5 s.</figcaption></figure>" in shown["text/html"]
    assert shown["text/plain"] == "Age of the oldest job. It was < 5 s."


def test_it_is_saved_in_each_format_under_its_name(panel, tmp_path):
    paths = panel.save(tmp_path / "new")

    assert [path.name for path in paths] == ["age.svg", "age.pdf", "age.png"]
    assert paths[1].read_bytes().startswith(b"%PDF")


def test_pixels_are_saved_at_300_an_inch(panel, tmp_path):
    (path,) = panel.save(tmp_path, "png")

    width = int.from_bytes(path.read_bytes()[16:20], "big")
    assert width == 600


def test_saving_twice_gives_the_same_files(panel, tmp_path):
    first = [path.read_bytes() for path in panel.save(tmp_path / "first")]
    panel._rendered.clear()

    assert [path.read_bytes() for path in panel.save(tmp_path / "second")] == first


def test_an_unknown_format_is_named_with_those_that_there_are(panel, tmp_path):
    with pytest.raises(ValueError, match="saved as gif: choose among svg, pdf, png"):
        panel.save(tmp_path, ["png", "gif"])

    assert list(tmp_path.iterdir()) == []
