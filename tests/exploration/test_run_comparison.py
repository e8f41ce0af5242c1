import pytest
from PIL import Image, ImageDraw

from couch_explorers import checks
from couch_explorers.checks import ChecksFailedError, Verdict
from couch_explorers.exploration.ratings import rate
from couch_explorers.exploration.results import Status
from couch_explorers.exploration.run_comparison import Change, compare_runs
from couch_explorers.exploration.scores import Judgement, Score, scores_file
from couch_explorers.exploration.sweep_spec import ExplorationError

OLD, NEW = "amazon.titan-image-generator-v2:0", "stability.stable-image-core-v1:1"


def scene(shift=0, grain=0, *, night=False):
    """A picture that is recognised again after a small shift or with grain, and not at night."""
    image = Image.new("RGB", (256, 256), (20, 20, 60) if night else (240, 200, 120))
    draw = ImageDraw.Draw(image)
    if night:
        for place in range(0, 256, 32):
            draw.ellipse((place, 255 - place, place + 20, 275 - place), fill=(250, 250, 250))
    else:
        draw.polygon([(20 + shift, 220), (128 + shift, 40), (236 + shift, 220)], fill=(90, 60, 40))
    if grain:
        image = Image.blend(image, Image.effect_noise((256, 256), 60).convert("RGB"), grain)
    return image


@pytest.fixture
def two(painted):
    """Two runs of four cells, the old by Titan and the new by Stability, whose pictures are these."""

    def make(new=None):
        frames = [painted(models=model, sizes="1024x1024") for model in (OLD, NEW)]
        for frame, images in zip(frames, ([scene()] * 4, new or [scene()] * 4), strict=True):
            for path, image in zip(frame["path"], images, strict=True):
                image.save(path)
        return frames

    return make


def verdicts(found):
    return {check.name: str(check.verdict) for check in found.checks}


def test_pairs_differ_in_the_model_only(two):
    found = compare_runs(*two())

    assert [(pair.old.model, pair.new.model) for pair in found.pairs] == [(OLD, NEW)] * 4
    assert [(pair.old.prompt, pair.old.seed) for pair in found.pairs] == [
        (pair.new.prompt, pair.new.seed) for pair in found.pairs
    ]
    assert list(found.frame["model_new"]) == [NEW] * 4


def test_pictures_are_the_same_near_or_changed(two):
    found = compare_runs(*two(new=(scene(), scene(shift=2), scene(grain=0.15), scene(night=True))))

    assert [pair.change for pair in found.pairs] == [Change.SAME, Change.NEAR, Change.NEAR, Change.CHANGED]
    assert found.pairs[0].distance == 0
    assert found.pairs[3].distance > 10
    assert verdicts(found)["pictures"] == "WARN"


def test_lost_picture_is_bad_and_fails_a_workflow(two):
    old, new = two()
    new.loc[1, ["status", "reason", "path"]] = [str(Status.FILTERED), "The filter refused it.", None]
    lost = compare_runs(old, new)

    assert lost.pairs[1].change is Change.LOST
    assert "The filter refused it." in lost.checks[0].detail
    with pytest.raises(ChecksFailedError, match="pictures is BAD"):
        checks.raise_for_verdicts(lost)


@pytest.mark.parametrize(("fail_on", "fails"), [("NOTHING", False), ("BAD", False), ("WARN", True)])
def test_changed_picture_fails_a_workflow_that_asks_for_it(two, fail_on, fails):
    found = compare_runs(*two(new=(scene(), scene(), scene(), scene(night=True))))

    if fails:
        with pytest.raises(ChecksFailedError):
            checks.raise_for_verdicts(found, fail_on)
    else:
        checks.raise_for_verdicts(found, fail_on)


def test_kept_picture_that_changed_is_to_be_rated_again(two):
    old, new = two(new=(scene(), scene(), scene(), scene(night=True)))
    rate(1, old, verdict="keep", by="ann")
    assert verdicts(compare_runs(old, new))["kept pictures"] == "OK"

    rate(4, old, verdict="keep", stars=5, by="ann")
    found = compare_runs(old, new)

    assert verdicts(found)["kept pictures"] == "WARN"
    assert found.frame["stars_old"][3] == 5
    assert found.frame["verdict_old"][3] == "keep"


@pytest.mark.parametrize(("after", "verdict"), [(4, "OK"), (5, "OK"), (3, "WARN")])
def test_scores_that_fall_are_a_warning(two, after, verdict):
    old, new = two()
    for frame, score in ((old, 4), (new, after)):
        for name in frame["id"]:
            given = {"look": Score(score, "x")}
            scores_file("local").add(
                Judgement(f"{name}-{score}", name, "m", given, 0.0, stand_in=True, at="2026-11-26T12:00:00Z")
            )

    found = compare_runs(old, new)

    assert verdicts(found)["judge's scores"] == verdict
    assert "stand-in" in next(check.detail for check in found.checks if check.name == "judge's scores")
    assert found.pairs[0].score_change == after - 4


def test_nothing_rated_or_judged_is_no_data(two):
    found = verdicts(compare_runs(*two()))

    assert found["kept pictures"] == found["judge's scores"] == str(Verdict.NO_DATA)


def test_cells_without_a_counterpart_are_named(two):
    old, new = two()

    found = compare_runs(old, new[:3].copy())

    assert [cell.number for cell in found.only_old] == [4]
    assert verdicts(found)["cells"] == "BAD"
    assert verdicts(compare_runs(old[:3].copy(), new))["cells"] == "WARN"


def test_strength_that_one_model_lacks_keeps_no_cells_apart(painted):
    old = painted(models=OLD, cfg_scales=(4.0, 9.0), seeds=7)
    new = painted(models=NEW, seeds=7)

    found = compare_runs(old, new)

    assert len(found.pairs) == 2
    assert len(found.only_old) == 2


def test_runs_without_a_common_cell_are_refused(painted):
    with pytest.raises(ExplorationError, match="no cell in common"):
        compare_runs(painted({"a": "A cow"}), painted({"a": "A dog"}))


def test_damaged_picture_counts_as_none(two):
    old, new = two()
    with open(new["path"][0], "wb") as file:  # noqa: PTH123 - a text
        file.write(b"broken")

    assert compare_runs(old, new).pairs[0].change is Change.LOST


def test_sheet_of_pairs_is_written_and_the_page_shows_both_sides(two, tmp_path):
    found = compare_runs(*two(new=(scene(), scene(), scene(), scene(night=True))))

    (page,) = found.save(tmp_path)
    shown = found._repr_mimebundle_()

    with Image.open(page) as drawn:
        assert drawn.width > 800
    assert shown["text/html"].count("data:image/jpeg") == 8
    assert shown[checks.CHECKS_MIME][0]["verdict"] == "WARN"
