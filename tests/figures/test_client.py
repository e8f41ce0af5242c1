import pytest

from couch_explorers.figures import client
from couch_explorers.figures.errors import FigureError
from couch_explorers.figures.sources import Kind
from tests.metrics.plots import legible


def test_every_figure_of_the_run_stands_there_with_its_budget(saved, written):
    made = client.make(saved())

    told = written(made.panel.figure)
    for text in ("0.23 s", "2.88 s", "217 MB", "6.9 MB", "70.3 MB", "budget 72 MB", "budget 32 MB", "budget 0.2"):
        assert text in told
    assert "median and range of 9 runs" in told
    assert made.missing == ""
    assert made.source.kind is Kind.SAVED_RUN


def test_the_sentence_compares_image_and_exams_client(saved):
    assert client.make(saved()).panel.sentence == (
        "From its start to the message's id the image takes 0.23 s, a client like the exam's 2.88 s; at most it needs 64.2 MB "
        "of memory, that one 217 MB; their jars have 6.9 MB and 20.2 MB; every budget is kept."
    )


def test_a_budget_that_is_not_kept_is_named(saved, tmp_path):
    folder = saved()
    path = folder / "java_client.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"budget": 32', '"budget": 30'), encoding="utf-8")

    assert "over budget: the same, compressed" in client.make(folder).panel.sentence


def test_a_figure_that_is_missing_is_named_with_the_command_and_the_rest_is_drawn(saved, written):
    made = client.make(saved(without=("image.to_id", "image.part_of_exam", "jar.part_of_exam")))

    assert made.missing.startswith("Not in the saved run: image.to_id and image.part_of_exam.")
    assert "benchmarks/java_client.py --save" in made.missing
    assert "2.88 s" in written(made.panel.figure)
    assert "From its start" not in made.panel.sentence


def test_the_jars_part_of_the_exams_client_may_be_missing(saved):
    assert client.make(saved(without=("jar.part_of_exam",))).missing == ""


def test_a_run_without_any_of_the_figures_is_no_figure(saved):
    keys = [key for names in client.GROUPS.values() for key in names]

    with pytest.raises(FigureError, match="none of the figures"):
        client.make(saved(without=keys))


def test_every_word_can_be_read(saved, faults):
    figure = client.make(saved()).panel.figure

    assert faults(figure) == ([], [])
    assert min(text.get_fontsize() for text in legible.texts(figure)) >= 7
