import io
import json
from datetime import UTC, datetime

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from couch_explorers.core import generation, image_models, png
from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.core.jobs import Job
from couch_explorers.exploration.reproduce import read_recipe, reproduce
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.files import OutputError
from tests.aws_fakes.models import drawn
from tests.aws_fakes.validated import refusal

from .scenario import fake_workspace

TITAN = image_models.get("amazon.titan-image-generator-v2:0")
CORE = image_models.get(DEFAULT_MODEL_ID)


@pytest.fixture
def workspace():
    return fake_workspace()


@pytest.fixture
def models(workspace):
    return workspace.session.models


@pytest.fixture
def make_picture(tmp_path):
    """Write a picture as both Lambdas and a sweep do; `request` and `more` replace what it holds."""

    def make(name="fjord.png", *, model=CORE, seed=7, used=None, request=None, content=None, **more):
        job = Job("paint-1", model, "A fjord", seed, "1024x1024", model.default_cfg_scale)
        used = seed if used is None else used
        parameters = generation.parameters_of(job, seed=used, created=datetime(2026, 11, 23, 12, tzinfo=UTC))
        parameters |= more
        if request is not None:
            parameters["request"] = parameters["request"] | request
        path = tmp_path / name
        path.write_bytes(png.add_parameters(drawn(used) if content is None else content, parameters))
        return path

    return make


def refused(path, workspace, out=None):
    """The sentence with which a picture is refused, which must be one line."""
    with pytest.raises(ExplorationError) as refusal:
        reproduce(path, workspace, out)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("model", [CORE, TITAN], ids=["Stability", "Titan"])
def test_a_model_that_repeats_itself_gives_the_same_bytes(make_picture, workspace, model):
    original = make_picture(model=model)

    made = reproduce(str(original), workspace)

    assert made.path == original.with_name("fjord-again.png")
    assert made.path.read_bytes() == original.read_bytes()
    assert (made.same_bytes, made.same_pixels, made.different_pixels) == (True, True, 0)
    assert made.sentence == "The same picture: every byte is the same."
    assert (made.model, made.seed, made.usd) == (model.id, 7, model.price_usd("1024x1024"))


def test_the_model_is_asked_once_and_nobody_else_is(make_picture, workspace, models):
    reproduce(make_picture(), workspace)

    assert models.asked == [7]
    assert workspace.session.s3.calls == []


def test_a_picture_of_any_seed_is_made_again_with_the_seed_that_was_used(make_picture, workspace, models):
    original = make_picture(seed=0, used=4711)

    made = reproduce(original, workspace)

    assert models.asked == [4711]
    assert made.same_bytes


def test_a_model_that_paints_something_else_says_how_many_pixels_differ(make_picture, workspace, models):
    models.answer = lambda seed: drawn(seed + 1)

    made = reproduce(make_picture(), workspace)

    assert (made.same_bytes, made.same_pixels, made.different_pixels) == (False, False, 48 * 32)
    assert made.sentence.startswith("Another picture: 1,536 of 1,536 pixels differ.")


def test_a_model_that_paints_another_size_says_so(make_picture, workspace, models):
    models.answer = lambda seed: drawn(seed, (32, 32))

    made = reproduce(make_picture(), workspace)

    assert (made.same_pixels, made.different_pixels) == (False, None)
    assert "size" in made.sentence


def test_a_file_that_was_packed_anew_still_has_the_same_pixels(make_picture, workspace, tmp_path):
    packed = tmp_path / "packed.png"
    Image.open(io.BytesIO(drawn(7))).save(packed, compress_level=0)
    original = make_picture(content=packed.read_bytes())

    made = reproduce(original, workspace)

    assert (made.same_bytes, made.same_pixels) == (False, True)
    assert made.sentence == "The same picture: every pixel is the same, only the file differs."


def test_the_model_of_the_deploy_is_asked_where_the_deploy_names_it(make_picture, workspace, monkeypatch):
    regions = []

    def client(region, **_):
        regions.append(region)
        return workspace.session.models

    monkeypatch.setattr(generation, "bedrock_client", client)
    moved = CORE.arn.replace("us-west-2", "eu-central-1")

    reproduce(make_picture(), workspace)
    reproduce(make_picture(), type(workspace)(**vars(workspace) | {"model_arns": (moved,)}))

    assert regions == ["us-west-2", "eu-central-1"]


def test_a_picture_can_be_made_again_twice(make_picture, workspace):
    original = make_picture()

    assert reproduce(original, workspace).path == reproduce(original, workspace).path


def test_another_file_is_written_where_it_is_asked_for(make_picture, workspace, tmp_path):
    out = tmp_path / "new" / "copy.png"

    assert reproduce(make_picture(), workspace, out).path == out
    assert out.exists()


def test_the_original_is_never_overwritten(make_picture, workspace, models):
    original = make_picture()
    before = original.read_bytes()

    assert "is the original" in refused(original, workspace, original)
    (original.parent / "link.png").symlink_to(original)
    assert "is the original" in refused(original, workspace, original.parent / "link.png")

    assert original.read_bytes() == before
    assert models.asked == []


@pytest.mark.parametrize("content", [b"a letter", drawn()])
def test_another_file_in_the_way_stays_and_nothing_is_paid(make_picture, workspace, models, tmp_path, content):
    other = tmp_path / "fjord-again.png"
    other.write_bytes(content)

    assert "is another picture" in refused(make_picture(), workspace)
    assert other.read_bytes() == content
    assert models.asked == []


def test_a_folder_in_the_way_is_reported(make_picture, workspace, tmp_path):
    assert "is a folder" in refused(make_picture(), workspace, tmp_path)


def test_a_place_that_cannot_be_written_is_reported_before_anything_is_paid(make_picture, workspace, models, tmp_path):
    (tmp_path / "file").write_text("in the place of a folder")

    with pytest.raises(OutputError, match=r"file \(it is a file\): give another file with --out\.$"):
        reproduce(make_picture(), workspace, tmp_path / "file" / "copy.png")
    assert models.asked == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (drawn(), "holds no couch parameters"),
        (b"\xff\xd8\xff\xe0 a JPEG", "is no PNG picture"),
        (b"", "cut off after 0 bytes"),
        (drawn()[:40], "cut off after 40 bytes"),
    ],
    ids=["foreign", "no PNG", "empty", "truncated"],
)
def test_what_is_no_whole_picture_of_ours_is_refused(tmp_path, workspace, models, content, expected):
    path = tmp_path / "other.png"
    path.write_bytes(content)

    sentence = refused(path, workspace)

    assert expected in sentence
    assert str(path) in sentence
    assert models.asked == []


def test_a_picture_that_is_cut_off_behind_its_parameters_is_refused(make_picture, workspace, models):
    path = make_picture()
    path.write_bytes(path.read_bytes()[:-7])

    assert "cut off" in refused(path, workspace)
    assert models.asked == []


def test_a_picture_that_is_not_there_is_refused(tmp_path, workspace):
    assert refused(tmp_path / "none.png", workspace) == f"There is no picture {tmp_path / 'none.png'}."


def test_a_folder_is_no_picture(tmp_path, workspace):
    assert "cannot be read: Is a directory" in refused(tmp_path, workspace)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"model": "no.such-model"}, "is not known"),
        ({"model": 7}, "is not known"),
        ({"prompt": "x" * 10_001}, "at most 10000"),
        ({"prompt": None}, "must be a text"),
        ({"size": "9x9"}, "does not paint 9x9"),
        ({"cfg_scale": 3.0}, "has no cfg_scale"),
        ({"negative_prompt": ""}, "is empty"),
    ],
)
def test_a_request_that_its_model_does_not_take_any_more_is_refused(
    make_picture, workspace, models, request_, expected
):
    path = make_picture(request=request_)

    assert expected in refused(path, workspace)
    assert models.asked == []


@pytest.mark.parametrize(
    "changed",
    [{"request": "a text"}, {"request": {}}, {"id": 7}, {"seed": "7"}, {"seed": -1}, {"more": float("nan")}],
    ids=["request no object", "request empty", "id no text", "seed no number", "seed out of range", "no JSON number"],
)
def test_parameters_that_hold_no_request_are_refused(workspace, models, make_picture, changed):
    path = make_picture()
    text = json.dumps(png.read_parameters(path.read_bytes()) | changed)
    marks = PngInfo()
    marks.add_itxt("couch", text)
    Image.open(io.BytesIO(drawn())).save(path, "PNG", pnginfo=marks)

    assert str(path) in refused(path, workspace)
    assert models.asked == []


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDeniedException", 403, "No right to use"),
        ("ThrottlingException", 429, "asked too often"),
        ("ValidationException", 400, "refused the request"),
    ],
)
def test_a_model_that_gives_no_picture_is_reported_and_leaves_no_file(
    make_picture, workspace, models, code, status, expected
):
    def fail(_seed):
        raise refusal(code, status)

    models.answer = fail
    path = make_picture()

    assert expected in refused(path, workspace)
    assert list(path.parent.iterdir()) == [path]


def test_a_retired_model_is_reported_with_one_that_works(make_picture, workspace, models):
    def fail(_seed):
        error = refusal("ResourceNotFoundException", 404)
        error.response["Error"]["Message"] = "This model version has reached the end of its life."
        raise error

    models.answer = fail

    sentence = refused(make_picture(model=TITAN), workspace)

    assert "is retired" in sentence
    assert DEFAULT_MODEL_ID in sentence


def test_a_recipe_is_read_without_asking_anybody_and_states_its_price(make_picture):
    recipe = read_recipe(make_picture(model=TITAN))

    assert recipe.usd == TITAN.price_usd("1024x1024")
    assert str(recipe).startswith(f'"A fjord": {TITAN.id}, seed 7, 1024x1024, $0.01 (prices of ')
    assert json.loads(json.dumps(recipe.parameters)) == recipe.parameters
