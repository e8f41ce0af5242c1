# ruff: noqa: N803 - the fakes take boto3's argument names

import io
import math
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from couch_explorers.core import image_models
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.planning import plan
from couch_explorers.exploration.planning.plan import Planned
from couch_explorers.exploration.planning.sweep import Sweep
from couch_explorers.exploration.running.cache import ImageCache
from couch_explorers.paths import Home

DEFAULT = image_models.DEFAULT_MODEL_ID
TITAN = "amazon.titan-image-generator-v2:0"
JEEP = {"jeep": "A jeep on the savanna"}


class FakeTarget(SimpleNamespace):
    """A workspace whose models are ACTIVE but for those in `lifecycles`; it counts who asks."""

    def __init__(self, **names):
        usual = {
            "target": "local",
            "queue_url": "http://127.0.0.1/queue",
            "functions": {},
            "model_arns": tuple(model.arn for model in image_models.MODELS.values()),
        }
        super().__init__(lifecycles={}, asked=[], **(usual | names))

    def client(self, service, region=None):
        assert service == "bedrock"

        def get_foundation_model(modelIdentifier):
            self.asked.append((modelIdentifier, region))
            answer = self.lifecycles.get(modelIdentifier, "ACTIVE")
            if isinstance(answer, Exception):
                raise answer
            return {"modelDetails": {"modelLifecycle": {"status": answer}}}

        return SimpleNamespace(get_foundation_model=get_foundation_model)


@pytest.fixture
def target():
    return FakeTarget()


@pytest.fixture
def cache(tmp_path):
    return ImageCache(tmp_path / "images")


@pytest.fixture
def kept(cache):
    """Keep a cell's picture in the cache, as a run before did."""

    def keep(cell, seconds=3.0):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 6)).save(buffer, "PNG")
        cache.note_request(cell.job)
        return cache.keep(cell.job, buffer.getvalue(), seconds=seconds, usd=0.04)

    return keep


def gone(message="This model version has reached the end of its life."):
    return ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": message}}, "GetFoundationModel")


def statuses(rows):
    return [row.status for row in rows]


def test_what_is_not_there_is_new_at_its_models_price(target, cache):
    rows = plan.rows(Sweep(JEEP, models=[DEFAULT, TITAN], sizes="512x512"), target, cache)

    assert statuses(rows) == [Planned.NEW, Planned.NEW]
    assert [row.usd for row in rows] == [0.04, 0.008]
    assert [(row.reason, row.warning) for row in rows] == [("", ""), ("", "")]


def test_what_is_in_the_cache_costs_nothing_and_comes_with_its_picture(target, cache, kept):
    sweep = Sweep(JEEP, seeds=[1, 2])
    picture = kept(sweep.cells()[1])

    new, cached = plan.rows(sweep, target, cache)

    assert (new.status, cached.status) == (Planned.NEW, Planned.CACHED)
    assert (cached.usd, cached.picture.path, cached.picture.width) == (0.0, picture.path, 8)


def test_a_truncated_picture_in_the_cache_is_new_again_and_says_why(target, cache, kept):
    sweep = Sweep(JEEP)
    path = kept(sweep.cells()[0]).path
    path.write_bytes(path.read_bytes()[:-20])

    (row,) = plan.rows(sweep, target, cache)

    assert (row.status, row.usd) == (Planned.NEW, 0.04)
    assert str(path) in row.reason


def test_the_same_picture_is_paid_for_once_and_the_later_cell_names_the_earlier(target, cache):
    first, second = plan.rows(Sweep(JEEP, sizes=["512x512", "1024x1024"]), target, cache)

    assert (first.status, first.usd) == (Planned.NEW, 0.04)
    assert (second.status, second.usd) == (Planned.SAME, 0.0)
    assert second.reason == "The same picture as cell 1."


def test_a_prompt_over_a_models_limit_is_planned_as_refused_with_the_models_sentence(target, cache):
    titan, stability = plan.rows(Sweep({"long": "x" * 600}, models=[TITAN, DEFAULT]), target, cache)

    assert (titan.status, titan.usd) == (Planned.REFUSED, 0.0)
    assert titan.reason == "The prompt has 600 characters: Titan Image Generator v2 takes at most 512."
    assert stability.status is Planned.NEW


def test_the_lifecycle_is_asked_once_a_model_where_the_workspace_has_it(cache):
    here = f"arn:aws:bedrock:eu-central-1::foundation-model/{DEFAULT}"
    target = FakeTarget(model_arns=(here,))

    rows = plan.rows(Sweep(JEEP, models=[DEFAULT, TITAN], seeds=range(1, 5)), target, cache)

    assert sorted(target.asked) == [(TITAN, "us-east-1"), (DEFAULT, "eu-central-1")]
    assert rows[0].cell.job.model.region == "eu-central-1"


def test_nobody_is_asked_for_a_model_of_which_all_pictures_are_here_or_refused(target, cache, kept):
    sweep = Sweep(JEEP, seeds=[1, 2])
    for cell in sweep.cells():
        kept(cell)

    plan.rows(sweep, target, cache)
    plan.rows(Sweep({"long": "x" * 600}, models=TITAN), target, cache)

    assert target.asked == []


def test_a_legacy_model_is_planned_with_a_warning_that_names_the_alternative(target, cache):
    target.lifecycles[TITAN] = "LEGACY"

    titan, stability = plan.rows(Sweep(JEEP, models=[TITAN, DEFAULT]), target, cache)

    assert titan.status is Planned.NEW
    assert "LEGACY" in titan.warning
    assert DEFAULT in titan.warning
    assert stability.warning == ""


def test_a_model_that_the_target_does_not_offer_is_refused_with_the_alternative(target, cache, kept):
    target.lifecycles[TITAN] = gone()
    sweep = Sweep(JEEP, models=[TITAN], seeds=[1, 2], cfg_scales=[None, 8])
    kept(sweep.cells()[0])

    cached, refused, same_as_cached, same_as_refused = plan.rows(sweep, target, cache)

    assert statuses([cached, same_as_cached]) == [Planned.CACHED, Planned.SAME]
    assert statuses([refused, same_as_refused]) == [Planned.REFUSED, Planned.REFUSED]
    assert DEFAULT in refused.reason
    assert "end of its life" in refused.reason
    assert same_as_refused.reason == refused.reason
    assert refused.usd == 0.0


def test_a_caller_who_may_not_ask_for_lifecycles_is_warned_and_may_run(target, cache):
    target.lifecycles[DEFAULT] = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFoundationModel")

    (row,) = plan.rows(Sweep(JEEP), target, cache)

    assert row.status is Planned.NEW
    assert "bedrock:GetFoundationModel" in row.warning


@pytest.mark.parametrize(("target_name", "command"), [("local", "couch up"), ("aws", "terraform apply")])
def test_a_queue_that_is_not_deployed_is_told_before_anything_else(cache, target_name, command):
    target = FakeTarget(target=target_name, queue_url=None)

    with pytest.raises(ExplorationError, match=f'The queue is not deployed: .*{command}.*via="direct"'):
        plan.rows(Sweep(JEEP), target, cache, via="queue")

    assert target.asked == []
    assert plan.rows(Sweep(JEEP), target, cache)[0].status is Planned.NEW


def test_a_model_that_the_deployed_queue_does_not_take_is_refused_by_that_way_alone(cache):
    target = FakeTarget(model_arns=(image_models.get(DEFAULT).arn,))
    sweep = Sweep(JEEP, models=[TITAN, DEFAULT])

    by_queue, direct = plan.rows(sweep, target, cache, via="queue"), plan.rows(sweep, target, cache)

    assert statuses(by_queue) == [Planned.REFUSED, Planned.NEW]
    assert f"not deployed for Titan Image Generator v2 ({TITAN}), only for {DEFAULT}" in by_queue[0].reason
    assert statuses(direct) == [Planned.NEW, Planned.NEW]


def test_an_unknown_way_is_refused_with_those_known(target, cache):
    with pytest.raises(ExplorationError, match='no way named "pigeon": use via="direct" or "queue"'):
        plan.rows(Sweep(JEEP), target, cache, via="pigeon")


def test_a_cost_above_the_limit_is_refused_with_the_sum_and_the_prices_date(target, cache):
    rows = plan.rows(Sweep(JEEP, seeds=range(1, 13)), target, cache)

    with pytest.raises(ExplorationError) as refused:
        plan.check_cost(rows, 0.2)

    assert str(refused.value) == (
        f"12 new pictures cost $0.48 (prices of {image_models.PRICES_AS_OF}), more than max_cost_usd=0.2: "
        "raise the limit, or ask for fewer prompts, models, seeds or sizes."
    )


@pytest.mark.parametrize("limit", [None, 0.12, 1, math.inf])
def test_a_cost_within_the_limit_is_let_pass(target, cache, limit):
    rows = plan.rows(Sweep(JEEP, seeds=range(1, 4)), target, cache)

    plan.check_cost(rows, limit)


def test_a_limit_of_nothing_lets_pass_what_is_all_here(target, cache, kept):
    sweep = Sweep(JEEP)
    kept(sweep.cells()[0])

    plan.check_cost(plan.rows(sweep, target, cache), 0)

    with pytest.raises(ExplorationError, match="1 new picture costs"):
        plan.check_cost(plan.rows(Sweep(JEEP, seeds=2), target, cache), 0)


@pytest.mark.parametrize("limit", [-1, math.nan, "1", True])
def test_a_limit_that_is_no_amount_is_refused(limit):
    with pytest.raises(ExplorationError, match=r"max_cost_usd is .*: give an amount in USD"):
        plan.check_cost([], limit)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "8", True, None])
def test_a_number_of_pictures_at_a_time_that_is_none_is_refused(concurrency):
    with pytest.raises(ExplorationError, match=r"concurrency is .*: give the number of pictures at a time"):
        plan.check_concurrency(concurrency)


def test_the_frame_has_one_row_a_cell_and_one_type_a_column(target, cache, kept):
    target.lifecycles[TITAN] = "LEGACY"
    sweep = Sweep(JEEP, models=[DEFAULT, TITAN], cfg_scales=[None, 5], negative_prompts=[None, "people"], title="Jeeps")
    kept(sweep.cells()[0], seconds=4.0)
    rows = plan.rows(sweep, target, cache)

    frame = plan.frame(rows, workspace=target, cache=cache, concurrency=4, title=sweep.title)

    assert tuple(frame.columns) == plan.PLAN_COLUMNS
    assert frame["number"].tolist() == list(range(1, 9))
    assert frame["status"].tolist() == ["cached", "new", "refused", "refused", "new", "new", "new", "new"]
    assert frame["cfg_scale"].isna().tolist() == [True, True, False, False] * 2
    assert frame["negative_prompt"].isna().tolist() == [True, False] * 4
    assert frame["id"].isna().tolist() == [row.cell.job is None for row in rows]
    assert frame["usd"].sum() == pytest.approx(0.04 + 4 * 0.01)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: plan.DTYPES.get(name, "str") for name in plan.PLAN_COLUMNS
    }
    assert frame.attrs == {
        "target": "local",
        "via": "direct",
        "title": "Jeeps",
        "at_a_time": 4,
        "seconds_by_model": {DEFAULT: 4.0, TITAN: 1.0},
    }


def test_a_plan_is_made_with_the_cache_of_its_target(target, kept, cache, monkeypatch):
    monkeypatch.setattr(Home, "images", lambda _home, name: cache.folder if name == "local" else None)
    sweep = Sweep(JEEP, seeds=[1, 2], title="Jeeps")
    kept(sweep.cells()[0])

    frame = sweep.plan(target, concurrency=2)

    assert frame["status"].tolist() == ["cached", "new"]
    assert str(sweep.summary(target)).startswith("Jeeps\n2 requests: 1 new, 1 in the cache.")


def test_a_plan_for_no_pictures_at_a_time_is_refused(target):
    with pytest.raises(ExplorationError, match="concurrency is 0"):
        Sweep(JEEP).plan(target, concurrency=0)
