import re

from couch_explorers.metrics.plots import svg

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
    return svg.inline(DRAWN, name="age", label=label)


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
    first, second = (svg.standing_alone(DRAWN, name="age", label="A figure") for _ in range(2))

    assert first == second
    assert first.startswith("<?xml")
    assert 'width="10pt"' in first
