import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from couch_explorers.exploration import results
from couch_explorers.exploration.contact_sheet import contact_sheet
from couch_explorers.exploration.gallery import MAX_PICTURES_PER_RUN, gallery
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.scores import Judgement, Score, scores_file
from couch_explorers.exploration.sweep_spec import ExplorationError

COWS = {"medium": ["photo", "oil painting"], "place": {"Norway": "a fjord at dusk", "Egypt": "Giza"}}
NOVA = "amazon.nova-canvas-v1:0"


@pytest.fixture
def saved(painted, home):
    """Save a run of a sweep as the runner does, and give back its result; `hour` is when it was."""

    def make(title, hour, *arguments, purpose="", **axes):
        frame = painted(*arguments, **axes)
        missing = frame.isna()
        rows = [
            tuple(None if missing.loc[place, name] else value for name, value in row.items())
            for place, row in zip(frame.index, frame.to_dict("records"), strict=True)
        ]
        started = datetime(2026, 11, 23, hour, tzinfo=UTC)
        prompts = dict(zip(frame["prompt_name"], frame["prompt"], strict=True))
        run = {
            "title": title, "purpose": purpose, "target": "local", "via": "direct", "started": started.isoformat(),
            "seconds": 3.0, "totals": results.run_totals(rows), "axes": {"prompts": prompts, "models": sorted(set(frame["model"]))},
        }  # fmt: skip
        return results.load(
            results.save_run(rows, results.new_run_folder("local", title, started), run, tuple(frame.columns))
        )

    return make


def html_of(found):
    return found._repr_mimebundle_()["text/html"]


def titles(found):
    return [run.info.title for run in found.runs]


def test_all_runs_are_there_newest_first(saved):
    saved("Morning", 7)
    saved("Noon", 12)
    saved("Evening", 19)

    found = gallery()

    assert titles(found) == ["Evening", "Noon", "Morning"]
    html = html_of(found)
    assert html.index("Evening") < html.index("Noon") < html.index("Morning")
    assert html.startswith('<div class="couch-gallery"><p>12 pictures in 3 runs.</p>')


def test_a_run_shows_its_title_purpose_date_and_cost(saved):
    saved("Which journey?", 7, purpose="The poster <of> autumn")

    shown = gallery()._repr_mimebundle_()

    assert "<b>Which journey?</b>" in shown["text/html"]
    assert "The poster &lt;of&gt; autumn" in shown["text/html"]
    assert (
        "2026-11-23 07:00 UTC · 4 of 4 pictures, 4 new · nothing paid; on AWS $0.16 (prices of" in shown["text/plain"]
    )
    assert shown["text/html"].count('<img src="data:image/jpeg;base64,') == 4


def test_a_run_that_nobody_named_is_named_by_its_prompts(saved):
    saved("", 7)

    assert "<b>cliff, jeep</b>" in html_of(gallery())


def test_a_prompt_is_found_by_a_part_of_its_text_or_name_in_any_letters(saved):
    saved("Both", 7)
    saved("Lion", 8, {"cat": "A LION at noon"})

    assert titles(gallery(text="savanna")) == ["Both"]
    assert titles(gallery(text="lion")) == ["Lion"]
    assert titles(gallery(text="CAT")) == ["Lion"]
    assert gallery(text="savanna").frame["prompt_name"].unique().tolist() == ["jeep"]


def test_a_model_is_found_by_a_part_of_its_id_or_its_name(saved):
    saved("Core", 7)
    saved("Canvas", 8, models=NOVA)

    assert titles(gallery(model="stability.")) == ["Core"]
    assert titles(gallery(model="nova canvas")) == ["Canvas"]
    assert titles(gallery(model=NOVA)) == ["Canvas"]


def test_pictures_are_found_by_their_ratings(saved):
    frame = saved("Rated", 7)
    rate(1, frame, verdict="keep", stars=5, note="warm <light>")
    rate(2, frame, verdict="reject")
    rate(3, frame, stars=3)

    assert gallery(rating="keep").frame["seed"].tolist() == [7]
    assert gallery(rating="reject").frame["prompt_name"].tolist() == ["jeep"]
    assert len(gallery(rating=3).frame) == 2
    assert len(gallery(rating=5).frame) == 1
    assert "warm &lt;light&gt;" in html_of(gallery(rating="keep"))


def test_a_picture_that_several_runs_have_is_shown_in_each_and_counted_once_in_the_frame(saved):
    saved("First", 7)
    saved("Again", 8)

    found = gallery()

    assert html_of(found).count("<img") == 8
    assert len(found.frame) == 4
    assert found.frame["number"].tolist() == [1, 2, 3, 4]


def test_what_was_found_can_go_on_a_sheet(saved):
    saved("First", 7)
    saved("Second", 8, {"lion": "A lion"})

    sheet = contact_sheet(gallery(text="a").frame)

    assert sheet.title == "6 pictures in 2 runs: “a” in the prompt."
    assert sheet.pages[0].width > 0


def test_nothing_found_is_a_sentence(saved):
    assert (
        html_of(gallery())
        == '<div class="couch-gallery"><p>There is no run yet: run a sweep, and it is here.</p>\n</div>'
    )

    saved("Morning", 7)
    found = gallery(text="zebra", rating=4)

    assert str(found) == "Nothing was found for “zebra” in the prompt, 4 stars or more."
    assert "Nothing was found for “zebra”" in html_of(found)
    with pytest.raises(ExplorationError, match="needs at least one picture"):
        _ = found.frame


def test_cells_without_a_picture_are_counted_and_missing_files_reported(saved):
    frame = saved("Mixed", 7, None, {2: (Status.FILTERED, "Withheld."), 3: (Status.FAILED, "No answer.")})
    Path(frame["path"][3]).unlink()

    html = html_of(gallery())

    assert "Without a picture: 1 filtered, 1 failed." in html
    assert "file is gone" in html
    assert html.count("<img") == 1


def test_a_large_run_does_not_hide_those_before_it(saved):
    saved("Before", 7)
    large = saved("Large", 8, {"jeep": "A jeep"}, seeds=range(1, 31))

    html = html_of(gallery())

    assert html.count("<img") == MAX_PICTURES_PER_RUN + 4
    (folder,) = re.findall(r"18 more: <code>contact_sheet\(load\(&#34;(.*?)&#34;\)\)</code>", html)
    assert len(results.load(folder)) == len(large)


def test_no_more_pictures_are_shown_than_the_limit_and_older_runs_are_counted(saved):
    for hour in range(5):
        saved(f"Run {hour}", hour)

    found = gallery(limit=6)

    assert titles(found) == ["Run 4", "Run 3"]
    html = html_of(found)
    assert html.count("<img") == 6
    assert "3 older runs not looked through: ask for less, or give a limit above 6." in html


def test_a_run_that_cannot_be_read_is_reported_and_the_others_are_shown(saved):
    saved("Good", 7)
    broken = saved("Broken", 8).context.run
    (broken / results.RESULTS_FILE).write_text("nothing\n")

    html = html_of(gallery())

    assert "remove the folder" in html
    assert html.count("<img") == 4


@pytest.mark.parametrize("rating", ["good", 0, 6, 2.5, True])
def test_a_rating_that_is_none_is_refused(rating):
    with pytest.raises(ExplorationError, match="ask for keep, reject, or at least 1 to 5 stars"):
        gallery(rating=rating)


@pytest.mark.parametrize("limit", [0, -1, 2.5, True, None])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(ExplorationError, match="give 1 or more"):
        gallery(limit=limit)


def test_a_target_that_is_none_is_refused(home):
    with pytest.raises(ExplorationError, match='no target "mars"'):
        gallery(target="mars")


def test_the_limit_is_reached_without_reading_older_runs(saved, monkeypatch):
    for hour in range(4):
        saved(f"Run {hour}", hour)
    read = []
    load = results.load
    monkeypatch.setattr(results, "load", lambda folder: read.append(Path(folder).name) or load(folder))

    gallery(limit=4)

    assert [name[:18] for name in read] == ["20261123-030000-ru"]


@pytest.mark.parametrize(
    ("variables", "numbers"),
    [({"medium": "OIL"}, [3, 4]), ({"place": "fjord"}, [1, 3]), ({"medium": "photo", "place": "Egypt"}, [2]), ({"place": ""}, [1, 2, 3, 4])],
)  # fmt: skip
def test_pictures_are_found_by_their_variables(saved, variables, numbers):
    saved("Jeeps", 9)
    saved("Cows", 7, {"cow": "A {medium} of a cow in {place}"}, seeds=7, variables=COWS)

    found = gallery(variables=variables)

    assert titles(found) == ["Cows"]
    assert [tile.number for tile in found.runs[0].pictures] == numbers
    assert found.frame["variables.place"].notna().all()


def test_variables_that_are_none_are_refused(home):
    with pytest.raises(ExplorationError, match="ask for parts of their values"):
        gallery(variables=["medium"])


def test_pictures_are_found_by_all_that_can_be_asked_at_once(saved):
    frame = saved("Cows", 7, {"cow": "A {medium} of a cow in {place}"}, seeds=7, variables=COWS)
    for number, score in enumerate((5, 4, 5, 2)):
        scores = {"look": Score(score, "x")}
        name = frame["id"][number]
        scores_file("local").add(Judgement(f"k{number}", name, "m", scores, 0.0, True, "2026-11-26T12:00:00Z"))  # noqa: FBT003
    for number in (1, 3, 4):
        rate(number, frame, stars=number)

    def numbers(**asked):
        return [cell.number for cell in gallery(**asked).runs[0].pictures]

    assert numbers(score=4) == [1, 2, 3]
    assert numbers(score=4.5) == [1, 3]
    assert numbers(score=4, rating=3) == [3]
    asked = {"text": "cow", "model": "core", "rating": 1, "score": 5, "variables": {"medium": "oil"}}
    assert numbers(**asked) == [3]
    assert "judged 5.0 (stand-in)" in html_of(gallery(**asked))
