import pytest

from couch_explorers.figures import benchmark_results
from couch_explorers.figures.figure import FigureError
from couch_explorers.figures.provenance import Kind
from tests.metrics.plots import legible
from tests.wording import numbers


def test_a_run_is_read_with_its_figures(saved):
    run = benchmark_results.read("java_client", saved())

    assert run.measured.isoformat() == "2026-11-24T21:40:05+00:00"
    assert run.figures["image.plain_size"].budget == 72
    assert run.figures["exam.to_id"].budget is None
    assert run.figures["exam.to_id"].minimum < run.figures["exam.to_id"].median < run.figures["exam.to_id"].maximum


def test_a_run_that_is_not_there_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(
        FigureError, match=r"is not there: make it with `.venv/bin/python benchmarks/java_client.py --save`"
    ):
        benchmark_results.read("java_client", tmp_path)


def test_a_file_that_holds_no_json_is_reported_as_such(tmp_path):
    (tmp_path / "java_client.json").write_text("{", encoding="utf-8")

    with pytest.raises(FigureError, match="holds no JSON"):
        benchmark_results.read("java_client", tmp_path)


@pytest.mark.parametrize(
    "changes", [{"figures": {"image.to_id": {"unit": "s"}}}, {"measured": "yesterday"}, {"machine": None}]
)
def test_a_run_of_another_shape_is_refused_with_what_is_wrong(saved, changes):
    folder = saved(**changes) if "figures" not in changes else saved()
    if "figures" in changes:
        (folder / "java_client.json").write_text(
            '{"benchmark": "x", "figures": {"a.b": {"unit": "s"}}}', encoding="utf-8"
        )

    with pytest.raises(FigureError, match="is invalid"):
        benchmark_results.read("java_client", folder)


def test_a_machine_of_which_little_is_known_is_described_all_the_same(saved):
    assert benchmark_results.read("java_client", saved(machine={})).machine_text == "a processor that is not known"


def test_every_figure_of_the_run_stands_there_with_its_budget(saved, written):
    made = benchmark_results.make(saved())

    drawn = written(made.panel.figure)
    for text in ("0.23 s", "2.88 s", "217 MB", "6.9 MB", "70.3 MB", "budget 72 MB", "budget 32 MB", "budget 0.2"):
        assert text in drawn
    assert "median and range of 9 runs" in drawn
    assert made.missing == ""
    assert made.source.kind is Kind.SAVED_RUN


def test_the_sentence_compares_image_and_exams_client(saved, snapshot):
    sentence = benchmark_results.make(saved()).panel.sentence
    assert sentence == snapshot
    assert numbers(sentence) == ["0.23", "2.88", "64.2", "217", "6.9", "20.2"]


def test_a_budget_that_is_not_kept_is_named(saved, tmp_path):
    folder = saved()
    path = folder / "java_client.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"budget": 32', '"budget": 30'), encoding="utf-8")

    assert "over budget: the same, compressed" in benchmark_results.make(folder).panel.sentence


def test_a_figure_that_is_missing_is_named_with_the_command_and_the_rest_is_drawn(saved, written):
    made = benchmark_results.make(saved(without=("image.to_id", "image.part_of_exam", "jar.part_of_exam")))

    assert made.missing.startswith("Not in the saved run: image.to_id and image.part_of_exam.")
    assert "benchmarks/java_client.py --save" in made.missing
    assert "2.88 s" in written(made.panel.figure)
    assert "From its start" not in made.panel.sentence


def test_the_jars_part_of_the_exams_client_may_be_missing(saved):
    assert benchmark_results.make(saved(without=("jar.part_of_exam",))).missing == ""


def test_a_run_without_any_of_the_figures_is_no_figure(saved):
    keys = [key for names in benchmark_results.GROUPS.values() for key in names]

    with pytest.raises(FigureError, match="none of the figures"):
        benchmark_results.make(saved(without=keys))


def test_every_word_can_be_read(saved, faults):
    figure = benchmark_results.make(saved()).panel.figure

    assert faults(figure) == ([], [])
    assert min(text.get_fontsize() for text in legible.texts(figure)) >= 7
