import pytest

from couch_explorers.checks import Verdict
from couch_explorers.figures import charts
from couch_explorers.figures.figure import Figure, MissingFigure, RenderedFigure
from couch_explorers.figures.provenance import Kind, Source
from couch_explorers.metrics.plots.figure import Panel


@pytest.fixture
def figure():
    def make(missing="", picture=""):
        panel = Panel("age", "Age of the oldest job", "It was < 5 s.", "A line.", charts.blank(40).figure)
        return Figure(3, RenderedFigure(panel, Source(Kind.AWS, "Measured on AWS."), missing, picture), seconds=0.5)

    return make


def test_a_notebook_shows_number_title_sentence_and_the_source_with_its_badge(figure):
    html = figure()._repr_mimebundle_()["text/html"]

    assert html.startswith('<figure class="couch-figure"')
    assert "<b>Figure 3. Age of the oldest job.</b> It was &lt; 5 s." in html
    assert "● AWS</span>" in html
    assert "Measured on AWS." in html
    assert "<svg" in html


def test_what_is_made_of_pixels_is_shown_by_its_light_copy(figure):
    html = figure(picture='<img src="data:,">')._repr_mimebundle_()["text/html"]

    assert '<img src="data:,">' in html
    assert "<svg" not in html


def test_a_whole_figure_is_ok_and_says_its_source(figure):
    check = figure().check

    assert (check.name, check.verdict) == ("figure 3: age of the oldest job", Verdict.OK)
    assert (check.detail, check.seconds) == ("AWS: Measured on AWS.", 0.5)


def test_a_figure_that_lacks_something_warns_and_says_what(figure):
    made = figure(missing="The queue is not deployed: run `couch up`.")

    assert made.check.verdict is Verdict.WARN
    assert "run `couch up`" in made.check.detail
    assert "run <code>couch up</code>" in made._repr_mimebundle_()["text/html"]
    assert made.caption == "It was < 5 s. The queue is not deployed: run `couch up`."


def test_a_figure_without_data_says_why_and_what_to_do():
    absent = MissingFigure(5, "client", "Size of the Java client", "There is no run: make it with `make it`.")

    assert absent.check.verdict is Verdict.NO_DATA
    assert absent.check.name == "figure 5: size of the Java client"
    html = absent._repr_mimebundle_()["text/html"]
    assert "? NO DATA" in html
    assert "<code>make it</code>" in html


def test_a_figure_that_broke_is_bad():
    assert MissingFigure(5, "client", "Size", "KeyError: 'x'", broken=True).check.verdict is Verdict.BAD


def test_a_terminal_reads_the_same_words(figure):
    assert str(figure()) == "Figure 3. Age of the oldest job. It was < 5 s. AWS: Measured on AWS."
    assert str(MissingFigure(5, "client", "Size", "None.")) == "Figure 5. Size. NO DATA: None."
