import re

import pytest
from matplotlib.figure import Figure

from couch_explorers import plot_style
from couch_explorers.metrics.plots import figure
from couch_explorers.metrics.plots.figure import Panel, Subplot


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
    again = Panel(panel.name, panel.title, panel.sentence, panel.alternative, panel.figure)

    assert [path.read_bytes() for path in again.save(tmp_path / "second")] == first


def test_an_unknown_format_is_named_with_those_that_there_are(panel, tmp_path):
    with pytest.raises(ValueError, match="saved as gif: choose among svg, pdf, png"):
        panel.save(tmp_path, ["png", "gif"])

    assert list(tmp_path.iterdir()) == []


def chart_of(*subplots):
    return figure.Chart("parts", "A chart", "A line chart", subplots, lambda _data: "It went well.")


def draw(_frame, ax):
    ax.set_title("A part", loc="left")
    ax.set_xticks([0, 1], ["first", "last"])
    return ax


def test_each_part_has_its_height_and_all_are_as_wide(frame_of):
    panel = figure.make_panel(frame_of(), chart_of(Subplot(draw, 100, "Age", ()), Subplot(draw, 50, "Age", ())))

    inch = panel.figure.get_size_inches()
    upper, lower = (ax.get_position() for ax in panel.figure.axes)
    assert inch[0] * 72 == plot_style.WIDTH_PT
    assert round(upper.height * inch[1] * 72) == 100
    assert round(lower.height * inch[1] * 72) == 50
    assert upper.x0 == lower.x0
    assert upper.y0 > lower.y1


def test_only_the_lowest_part_is_labelled_with_times(frame_of):
    panel = figure.make_panel(frame_of(), chart_of(Subplot(draw, 100, "Age", ()), Subplot(draw, 50, "Age", ())))

    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in panel.figure.axes] == [False, True]


def test_the_alternative_text_says_kind_window_and_reading(frame_of):
    panel = figure.make_panel(frame_of(), chart_of(Subplot(draw, 100, "Age", ())))

    assert panel.alternative == ("A line chart, Tue 24 Nov 09:00 to Wed 25 Nov 09:00 Europe/Oslo. It went well.")
    assert (panel.name, panel.title, panel.sentence) == ("parts", "A chart", "It went well.")


DRAWN = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"
  "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg width="10pt" height="5pt" viewBox="0 0 10 5" xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><date>today</date></metadata>
 <defs>
  <style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>
 </defs>
 <g id="figure_1">
  <!-- a letter -->
  <defs><path id="A" d="M 0.123456 1.5
L 2.000001 -3.999999
" transform="scale(0.015625)"/></defs>
  <use href="#A" clip-path="url(#p1)"/>
 </g>
</svg>
"""


def inline(label="A figure"):
    return figure.inline_svg(DRAWN, name="age", label=label)


def test_it_can_stand_inside_a_page():
    text = inline()

    assert text.startswith("<svg")
    for foreign in ("<?xml", "<!DOCTYPE", "<style", "<metadata", "<!--"):
        assert foreign not in text


def test_it_is_as_wide_as_the_page_allows():
    text = inline()

    assert "width:100%" in text
    assert not re.search(r'<svg[^>]* width="', text)
    assert 'viewBox="0 0 10 5"' in text


def test_every_reference_follows_its_id():
    text = inline()

    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert len(ids) == 2
    assert set(re.findall(r'href="#([^"]+)"', text)) < ids


def test_the_same_figure_twice_on_a_page_has_no_id_in_common():
    first, second = (set(re.findall(r'\bid="([^"]+)"', inline())) for _ in range(2))

    assert not first & second


def test_coordinates_are_short_but_a_scale_keeps_its_digits():
    text = inline()

    assert "M 0.12 1.5 L 2 -4" in text
    assert "scale(0.015625)" in text


def test_it_reads_its_label_aloud():
    text = inline('The "oldest" job waited < 5 s')

    assert 'role="img" aria-label="The &quot;oldest&quot; job waited &lt; 5 s"' in text


def test_a_file_keeps_its_size_and_is_the_same_each_time():
    first, second = (figure.standalone_svg(DRAWN, name="age", label="A figure") for _ in range(2))

    assert first == second
    assert first.startswith("<?xml")
    assert 'width="10pt"' in first
