"""The result of a sweep as a frame, and the runs that are kept."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from couch_explorers.exploration import results
from couch_explorers.exploration.results import COLUMNS, Outcome, Status
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.paths import Home
from tests.exploration.scenario import make_cells

NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return Home.current()


@pytest.fixture
def cells():
    """Three cells: one made, one refused, one that was stopped."""
    made, refused, stopped = make_cells(3)
    refused = replace(refused, prompt='NA, "null"\r\nnone\r', cfg_scale=8.1, negative_prompt="blur", job=None)
    return made, refused, stopped


@pytest.fixture
def outcomes(home):
    path = home.images("local") / "image-1.png"
    return {
        1: Outcome(1, Status.MADE, "", 1.25, 0.04, path, "42/image-1.png", 1024, 1024),
        2: Outcome(2, Status.REFUSED, "Stable Image Core has no cfg_scale: leave it out."),
    }


@pytest.fixture
def frame(cells, outcomes):
    return results.to_frame(cells, outcomes)


@pytest.fixture
def rows(cells, outcomes):
    return results.result_rows(cells, outcomes)


@pytest.fixture
def about():
    return {
        "title": "Morning",
        "purpose": "A picture for the wall",
        "target": "local",
        "candidate": "42",
        "via": "direct",
        "started": NOON.isoformat(),
        "seconds": 8.1,
        "axes": {"prompts": {"fjord": "A fjord"}, "models": ["m"]},
        "totals": {"requests": 3, "pictures": 1, "made": 1, "usd": 0.04},
    }


def test_a_frame_has_one_row_a_cell_in_order_and_all_columns(frame, home):
    assert tuple(frame.columns) == COLUMNS
    assert frame["number"].tolist() == [1, 2, 3]
    assert frame["status"].tolist() == ["made", "refused", "stopped"]
    assert frame.loc[0, "path"] == str(home.images("local") / "image-1.png")
    assert frame.loc[0, ["seconds", "usd", "width", "height"]].tolist() == [1.25, 0.04, 1024, 1024]


def test_what_a_cell_does_not_have_is_missing(frame):
    assert frame["path"].notna().tolist() == [True, False, False]
    assert frame["key"].notna().tolist() == [True, False, False]
    assert frame["width"].notna().tolist() == [True, False, False]
    assert frame["seconds"].notna().tolist() == [True, False, False]
    assert frame["negative_prompt"].notna().tolist() == [False, True, False]
    assert frame["cfg_scale"].notna().tolist() == [False, True, False]
    assert frame["usd"].tolist() == [0.04, 0.0, 0.0]
    assert frame["reason"].tolist()[0] == ""
    assert frame["id"].tolist()[1] == ""


def test_a_cell_without_an_outcome_was_stopped_and_says_what_to_do(frame):
    assert frame.loc[2, "reason"] == results.STOPPED_REASON


def test_a_sweep_without_any_picture_has_the_same_types(frame):
    nothing = results.to_frame(make_cells(2), {})

    assert nothing.dtypes.equals(frame.dtypes)


def test_totals_count_pictures_whatever_their_origin():
    outcomes = {
        1: Outcome(1, Status.MADE, usd=0.04),
        2: Outcome(2, Status.CACHED),
        3: Outcome(3, Status.SAME),
        4: Outcome(4, Status.FILTERED, "no"),
    }
    totals = results.run_totals(results.result_rows(make_cells(5), outcomes))

    assert totals == {"requests": 5, "pictures": 3, "made": 1, "usd": 0.04}
    assert json.loads(json.dumps(totals)) == totals


def test_a_saved_run_is_read_back_as_it_was(rows, frame, about):
    folder = results.save_run(rows, results.new_run_folder("local", "Morning", NOON), about)

    read = results.load(folder)

    pd.testing.assert_frame_equal(read, frame)
    assert read.context == results.RunContext("local", folder, "Morning", "A picture for the wall")


def test_a_home_that_moved_takes_its_runs_along(rows, about, home, monkeypatch):
    folder = results.save_run(rows, results.new_run_folder("local", "Morning", NOON), about)
    moved = home.path.with_name("elsewhere")
    home.path.rename(moved)
    monkeypatch.setenv("COUCH_HOME", str(moved))

    read = results.load(moved / folder.relative_to(home.path))

    assert read.loc[0, "path"] == str(moved / "images" / "local" / "image-1.png")


def test_a_picture_outside_the_home_folder_keeps_its_whole_path(about, tmp_path):
    path = tmp_path / "own cache" / "image-1.png"
    rows = results.result_rows(make_cells(1), {1: Outcome(1, Status.MADE, path=path)})

    folder = results.save_run(rows, results.new_run_folder("local", "", NOON), about)

    assert results.load(folder).loc[0, "path"] == str(path)


def test_half_a_character_pair_in_a_refused_prompt_does_not_lose_the_run(about):
    (cell,) = make_cells(1)
    rows = results.result_rows([replace(cell, prompt="\ud800", job=None)], {1: Outcome(1, Status.REFUSED, "No text.")})

    folder = results.save_run(rows, results.new_run_folder("local", "", NOON), about)

    assert results.load(folder).loc[0, "prompt"] == "\\ud800"


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Smørbrød & café, no. 3!", "smrbrd-cafe-no-3"), ("", None), ("日本", None), ("x" * 100, "x" * 40)],
)
def test_a_run_is_named_by_time_and_title(title, slug, home):
    folder = results.new_run_folder("aws", title, NOON)

    stem, _, digits = folder.name.rpartition("-")
    assert folder.parent == home.path / "runs" / "aws"
    assert stem == "-".join(filter(None, ["20261123-120005", slug]))
    assert len(digits) == 4


def test_runs_are_listed_newest_first_and_by_target(rows, frame, about):
    for hour in (9, 11, 10):
        started = NOON.replace(hour=hour)
        results.save_run(rows, results.new_run_folder("local", "", started), about | {"started": started.isoformat()})

    runs = results.runs("local")

    assert [run.started.hour for run in runs] == [11, 10, 9]
    assert runs[0].prompts == {"fjord": "A fjord"}
    assert (runs[0].requests, runs[0].pictures, runs[0].made, runs[0].usd) == (3, 1, 1, 0.04)
    pd.testing.assert_frame_equal(runs[0].frame(), frame)
    assert results.runs("aws") == []


@pytest.mark.parametrize("content", [None, "{", "[]", '{"title": "x"}', '"text"'])
def test_a_folder_that_is_no_run_is_left_out_of_the_list_and_refused_by_name(content, home):
    folder = home.runs("local") / "20261123-120005-x-0000"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / results.RUN_FILE).write_text(content)

    assert results.runs("local") == []
    with pytest.raises(ExplorationError, match=r"20261123-120005-x-0000 is no saved run: results\.runs\(\)"):
        results.load(folder)


@pytest.mark.parametrize("content", [None, "number,prompt\n1,x\n", '"', b"\xff\xfe"])
def test_a_run_whose_rows_cannot_be_read_is_refused(rows, about, content):
    folder = results.save_run(rows, results.new_run_folder("local", "", NOON), about)
    table = folder / results.RESULTS_FILE
    table.unlink()
    if content is not None:
        table.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ExplorationError, match=r"results\.csv"):
        results.load(folder)


def test_a_run_that_cannot_be_saved_says_that_its_pictures_are_there(rows, about, home):
    home.path.mkdir()
    (home.path / "runs").write_text("a file in its place")

    with pytest.raises(ExplorationError, match=r"could not be saved .* pictures are in the cache"):
        results.save_run(rows, results.new_run_folder("local", "", NOON), about)


def test_a_sweep_with_variables_has_their_names_and_texts_as_columns_and_is_read_back_so(home, about):
    variables = {"style": {"none": "", "fog": " in fog"}, "place": ["Norway"]}
    cells = Sweep({"cow": "A cow{style}", "goat": "A goat in {place}", "jeep": "A jeep"}, variables=variables).cells()
    columns = (*COLUMNS, "template", "variables.style", "texts.style", "variables.place", "texts.place")

    frame = results.to_frame(cells, {})
    rows = results.result_rows(cells, {})
    folder = results.save_run(rows, results.new_run_folder("local", "", NOON), about, results.columns_of(cells))

    assert tuple(frame.columns) == results.columns_of(cells) == columns
    assert frame["template"].dropna().tolist() == ["A cow{style}", "A cow{style}", "A goat in {place}", "A jeep"]
    assert frame["variables.style"].dropna().tolist() == ["none", "fog"]
    assert frame["texts.style"].dropna().tolist() == ["", " in fog"]
    assert frame["variables.place"].notna().tolist() == [False, False, True, False]
    pd.testing.assert_frame_equal(results.load(folder), frame)


def test_a_run_with_a_variable_that_lacks_its_texts_is_refused(home, about):
    cells = Sweep({"cow": "A cow{style}"}, variables={"style": {"fog": " in fog"}}).cells()
    folder = results.save_run(
        results.result_rows(cells, {}), results.new_run_folder("local", "", NOON), about, results.columns_of(cells)
    )
    table = folder / results.RESULTS_FILE
    table.write_text(table.read_text().replace("texts.style", "words.style"))

    with pytest.raises(ExplorationError, match="lacks columns or has others"):
        results.load(folder)
