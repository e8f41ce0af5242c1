import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.winners import best

TITAN = "amazon.titan-image-generator-v2:0"


def numbers(frame, n=10):
    return best(frame, n)["number"].tolist()


def test_kept_pictures_come_first_then_those_with_more_stars_then_the_earlier(painted):
    pictures = painted(seeds=(1, 2, 3, 4, 5))
    rate(1, pictures, stars=5)
    rate(2, pictures, verdict="keep")
    rate(3, pictures, verdict="keep", stars=2)
    rate(4, pictures, stars=5)
    rate(6, pictures, verdict="keep", stars=4)

    assert numbers(pictures) == [6, 3, 2, 1, 4]
    assert numbers(pictures, n=2) == [6, 3]


def test_rejected_pictures_and_those_without_a_star_never_win(pictures):
    rate(1, pictures, verdict="reject", stars=5)
    rate(2, pictures, stars=0)
    rate(3, pictures, note="hm")

    assert numbers(pictures) == []


def test_a_winner_carries_everything_needed_to_make_it_again(painted):
    pictures = painted(
        {"jeep": "A jeep"},
        models=TITAN,
        seeds=7,
        sizes="512x512",
        cfg_scales=6.5,
        negative_prompts="people",
    )
    rate(1, pictures, verdict="keep", stars=4, note="warm")

    (row,) = best(pictures).to_dict("records")

    asked = {name: row[name] for name in ("prompt", "model", "seed", "size", "cfg_scale", "negative_prompt")}
    assert asked == {
        "prompt": "A jeep", "model": TITAN, "seed": 7, "size": "512x512", "cfg_scale": 6.5, "negative_prompt": "people",
    }  # fmt: skip
    assert (row["verdict"], row["stars"], row["note"]) == ("keep", 4, "warm")
    assert (row["path"], row["key"]) == (pictures["path"][0], f"42/{row['id']}.png")


def test_without_ratings_the_frame_is_empty_and_a_notebook_says_how_to_rate(pictures):
    nobody = best(pictures)

    rate(1, pictures, verdict="keep")
    assert list(nobody.columns) == list(best(pictures).columns)
    assert len(nobody) == 0
    assert "No picture is kept or has a star yet" in nobody._repr_html_()


def test_a_notebook_shows_each_winner_with_its_picture_and_its_whole_command(painted):
    pictures = painted({"<jeep>": "A jeep & a <lion>"}, seeds=7)
    rate(1, pictures, verdict="keep", stars=4, note="<b>warm</b>")

    shown = best(pictures)._repr_html_()

    assert "data:image/jpeg;base64," in shown
    assert "&lt;jeep&gt;" in shown
    assert "&lt;b&gt;warm&lt;/b&gt;" in shown
    assert best(pictures)["command"][0] in shown
    assert "★★★★☆" in shown
    assert "<script" not in shown


def test_what_is_cut_out_of_the_winners_is_an_ordinary_frame(pictures):
    rate(1, pictures, verdict="keep")

    winners = best(pictures)

    assert "command" in winners[["command"]]._repr_html_()
    assert winners.context.target == "local"


def test_one_picture_of_two_cells_wins_once(painted):
    pictures = painted({"jeep": "A jeep"}, seeds=7, sizes=("512x512", "1024x1024"))
    rate(2, pictures, verdict="keep")

    assert numbers(pictures) == [1]


def test_the_command_names_the_file_whatever_the_folder_is_called(pictures, home, monkeypatch, tmp_path):
    elsewhere = home.path.rename(tmp_path / "Kari's $HOME folder")
    monkeypatch.setenv("COUCH_HOME", str(elsewhere))
    pictures["path"] = [path.replace(str(home.path), str(elsewhere)) for path in pictures["path"]]
    rate(1, pictures, verdict="keep")

    setting, *words = shlex.split(best(pictures)["command"][0])

    assert setting == f"COUCH_HOME={elsewhere}"
    assert words == ["couch", "reproduce", pictures["path"][0]]


def test_a_winner_whose_file_is_gone_is_asked_for_anew(pictures):
    rate(1, pictures, verdict="keep")
    Path(pictures["path"][0]).unlink()

    (row,) = best(pictures).to_dict("records")

    assert row["command"] == row["paint_command"]
    assert row["command"].startswith("couch paint ")


def test_the_command_is_plain_where_the_home_folder_is_the_projects_own(pictures, home, monkeypatch):
    rate(1, pictures, verdict="keep")
    for module in ("paths", "exploration.winners"):
        monkeypatch.setattr(f"couch_explorers.{module}.PROJECT_ROOT", home.path.parent)
    home.path.rename(home.path.with_name(".couch"))
    monkeypatch.delenv("COUCH_HOME")
    pictures["path"] = [path.replace("/home/images", "/.couch/images") for path in pictures["path"]]

    shown = Path(pictures["path"][0]).relative_to(home.path.parent)
    assert shlex.split(best(pictures)["command"][0]) == ["couch", "reproduce", str(shown)]


def test_on_aws_the_commands_name_the_target_and_the_candidate(pictures):
    pictures.context = replace(pictures.context, target="aws")
    rate(1, pictures, verdict="keep")

    (row,) = best(pictures).to_dict("records")

    assert shlex.split(row["command"])[-4:] == ["--target", "aws", "--candidate", "42"]
    assert "--target aws --candidate 42" in row["paint_command"]


def test_the_request_can_be_given_away_without_the_file(painted):
    prompt = "- a jeep's\nshadow; $(rm -rf /) “quoted”"
    pictures = painted({"jeep": prompt}, seeds=7)
    rate(1, pictures, verdict="keep")

    words = shlex.split(best(pictures)["paint_command"][0])

    assert words == [
        "couch", "paint", "--model", "stability.stable-image-core-v1:1", "--seed", "7", "--size", "1024x1024", "--", prompt,
    ]  # fmt: skip


def test_cfg_scale_and_negative_prompt_are_given_away_too(painted):
    pictures = painted(
        {"jeep": "A jeep"},
        models=TITAN,
        seeds=7,
        sizes="512x512",
        cfg_scales=6.5,
        negative_prompts="-a b",
    )
    rate(1, pictures, verdict="keep")

    words = shlex.split(best(pictures)["paint_command"][0])

    assert words[-5:] == ["--cfg-scale", "6.5", "--negative-prompt", "-a b", "A jeep"]


def test_cells_without_a_picture_are_no_winners(painted):
    pictures = painted()
    rate(1, pictures, verdict="keep")

    refused = painted(without={1: (Status.FAILED, "ModelUnavailable: gone.")})

    assert numbers(refused) == []


def test_less_than_one_winner_is_refused(pictures):
    with pytest.raises(ExplorationError, match="0 winners cannot be shown: ask for 1 or more"):
        best(pictures, 0)


def test_a_winner_of_a_template_shows_its_variables(cows):
    rate(2, cows, verdict="keep")

    winners = best(cows)

    assert winners.loc[0, ["variables.medium", "variables.place", "texts.place"]].tolist() == ["photo", "Egypt", "Giza"]
    assert "medium: photo · place: Egypt · seed 7" in winners._repr_html_()
