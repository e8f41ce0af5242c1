"""Pictures come from a bucket and a model in memory."""

import io
import itertools

import pytest
from PIL import Image

from couch_explorers.exploration import ExplorationError
from couch_explorers.figures import contact_sheet
from couch_explorers.figures.figure import FigureError
from couch_explorers.figures.provenance import Kind
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal
from tests.exploration.scenario import fake_workspace

pytestmark = pytest.mark.drawing


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return fake_workspace()


def make(workspace, seed=7, max_cost_usd=0.20):
    return contact_sheet.make(workspace, seed=seed, max_cost_usd=max_cost_usd)


def test_the_three_sample_prompts_are_painted_once_and_never_again(workspace):
    first, second = make(workspace), make(workspace)

    assert len(workspace.session.models.asked) == 3
    assert "3 of them new; on AWS these would have cost USD 0.12" in first.panel.sentence
    assert "none of them new: nothing was paid" in second.panel.sentence
    assert "$" not in first.panel.sentence


def test_the_seed_is_the_one_that_is_asked_for(workspace):
    assert "seed 21" in make(workspace, seed=21).panel.sentence
    assert set(workspace.session.models.asked) == {21}


def test_it_says_that_the_stand_in_painted_on_the_local_cloud(workspace):
    source = make(workspace).source

    assert source.kind is Kind.LOCAL
    assert "no image model was asked" in source.sentence


def test_the_page_has_300_dots_an_inch_at_the_width_of_print(workspace):
    image = Image.open(io.BytesIO(make(workspace).panel.rendered("png")))

    assert image.width == pytest.approx(160 / 25.4 * 300, abs=1)
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_pictures_and_page_are_pixels_inside_of_the_svg(workspace):
    assert "data:image/png;base64," in make(workspace).panel.svg()


def test_a_notebook_shows_a_light_copy_with_an_alternative_text(workspace):
    picture = make(workspace).picture

    assert picture.startswith('<img src="data:image/jpeg;base64,')
    assert 'alt="Contact sheet of 3 pictures' in picture


def test_a_picture_that_did_not_come_is_reported_and_the_others_are_shown(workspace):
    calls = itertools.count(1)

    def answer(seed):
        if next(calls) == 1:
            raise refusal("AccessDeniedException", 403)
        return drawn(seed)

    workspace.session.models.answer = answer
    made = make(workspace)

    assert made.missing.startswith("AccessDenied: No right to use stability.stable-image-core-v1:1")
    assert "2 of 3 pictures are there" in made.panel.sentence


def test_without_any_picture_there_is_no_sheet_but_the_reason(workspace):
    def answer(_seed):
        raise refusal("AccessDeniedException", 403)

    workspace.session.models.answer = answer

    with pytest.raises(FigureError, match="No picture came: AccessDenied: No right to use"):
        make(workspace)


def test_pictures_that_would_cost_too_much_are_not_begun(workspace):
    with pytest.raises(ExplorationError, match=r"more than max_cost_usd=0\.1"):
        make(workspace, max_cost_usd=0.10)

    assert workspace.session.models.asked == []
