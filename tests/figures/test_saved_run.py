import pytest

from couch_explorers.figures import saved_run
from couch_explorers.figures.errors import FigureError


def test_a_run_is_read_with_its_figures(saved):
    run = saved_run.read("java_client", saved())

    assert run.measured.isoformat() == "2026-11-24T21:40:05+00:00"
    assert run.figures["image.plain_size"].budget == 72
    assert run.figures["exam.to_id"].budget is None
    assert run.figures["exam.to_id"].minimum < run.figures["exam.to_id"].median < run.figures["exam.to_id"].maximum


def test_a_run_that_is_not_there_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(
        FigureError, match=r"is not there: make it with `.venv/bin/python benchmarks/java_client.py --save`"
    ):
        saved_run.read("java_client", tmp_path)


def test_a_file_that_holds_no_json_is_told_as_such(tmp_path):
    (tmp_path / "java_client.json").write_text("{", encoding="utf-8")

    with pytest.raises(FigureError, match="holds no JSON"):
        saved_run.read("java_client", tmp_path)


@pytest.mark.parametrize(
    "changes", [{"figures": {"image.to_id": {"unit": "s"}}}, {"measured": "yesterday"}, {"machine": None}]
)
def test_a_run_of_another_shape_is_refused_with_what_is_wrong(saved, changes):
    folder = saved(**changes) if "figures" not in changes else saved()
    if "figures" in changes:
        (folder / "java_client.json").write_text(
            '{"benchmark": "x", "figures": {"a.b": {"unit": "s"}}}', encoding="utf-8"
        )

    with pytest.raises(FigureError, match="not of the shape that is expected"):
        saved_run.read("java_client", folder)


def test_a_machine_of_which_little_is_known_is_told_all_the_same(saved):
    assert saved_run.read("java_client", saved(machine={})).machine_text == "a processor that is not known"
