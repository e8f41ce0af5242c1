import io
import math
from types import SimpleNamespace

import pandas as pd
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from couch_explorers.core import image_models
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration import plan
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.frames import PlanFrame
from couch_explorers.exploration.plan import Planned
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.local.bedrock.emulator import MEDIAN_LATENCY_S
from couch_explorers.paths import Home
from tests.aws_fakes.models import ModelCatalogue
from tests.aws_fakes.validated import checked

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

        def get_foundation_model(modelIdentifier):  # noqa: N803 - boto3's name
            self.asked.append((modelIdentifier, region))
            return ModelCatalogue(**self.lifecycles).get_foundation_model(modelIdentifier=modelIdentifier)

        return checked("bedrock", SimpleNamespace(get_foundation_model=get_foundation_model))


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
    rows = plan.plan_rows(Sweep(JEEP, models=[DEFAULT, TITAN], sizes="512x512"), target, cache)

    assert statuses(rows) == [Planned.NEW, Planned.NEW]
    assert [row.usd for row in rows] == [0.04, 0.008]
    assert [(row.reason, row.warning) for row in rows] == [("", ""), ("", "")]


def test_what_is_in_the_cache_costs_nothing_and_comes_with_its_picture(target, cache, kept):
    sweep = Sweep(JEEP, seeds=[1, 2])
    picture = kept(sweep.cells()[1])

    new, cached = plan.plan_rows(sweep, target, cache)

    assert (new.status, cached.status) == (Planned.NEW, Planned.CACHED)
    assert (cached.usd, cached.picture.path, cached.picture.width) == (0.0, picture.path, 8)


def test_a_truncated_picture_in_the_cache_is_new_again_and_says_why(target, cache, kept):
    sweep = Sweep(JEEP)
    path = kept(sweep.cells()[0]).path
    path.write_bytes(path.read_bytes()[:-20])

    (row,) = plan.plan_rows(sweep, target, cache)

    assert (row.status, row.usd) == (Planned.NEW, 0.04)
    assert str(path) in row.reason


def test_the_same_picture_is_paid_for_once_and_the_later_cell_names_the_earlier(target, cache):
    first, second = plan.plan_rows(Sweep(JEEP, sizes=["512x512", "1024x1024"]), target, cache)

    assert (first.status, first.usd) == (Planned.NEW, 0.04)
    assert (second.status, second.usd) == (Planned.SAME, 0.0)
    assert second.reason == "The same picture as cell 1."


def test_a_prompt_over_a_models_limit_is_planned_as_refused_with_the_models_sentence(target, cache):
    titan, stability = plan.plan_rows(Sweep({"long": "x" * 600}, models=[TITAN, DEFAULT]), target, cache)

    assert (titan.status, titan.usd) == (Planned.REFUSED, 0.0)
    assert titan.reason == "The prompt has 600 characters: Titan Image Generator v2 takes at most 512."
    assert stability.status is Planned.NEW


def test_the_lifecycle_is_asked_once_a_model_where_the_workspace_has_it(cache):
    here = f"arn:aws:bedrock:eu-central-1::foundation-model/{DEFAULT}"
    target = FakeTarget(model_arns=(here,))

    rows = plan.plan_rows(Sweep(JEEP, models=[DEFAULT, TITAN], seeds=range(1, 5)), target, cache)

    assert sorted(target.asked) == [(TITAN, "us-east-1"), (DEFAULT, "eu-central-1")]
    assert rows[0].cell.job.model.region == "eu-central-1"


def test_nobody_is_asked_for_a_model_of_which_all_pictures_are_here_or_refused(target, cache, kept):
    sweep = Sweep(JEEP, seeds=[1, 2])
    for cell in sweep.cells():
        kept(cell)

    plan.plan_rows(sweep, target, cache)
    plan.plan_rows(Sweep({"long": "x" * 600}, models=TITAN), target, cache)

    assert target.asked == []


def test_a_legacy_model_is_planned_with_a_warning_that_names_the_alternative(target, cache):
    target.lifecycles[TITAN] = "LEGACY"

    titan, stability = plan.plan_rows(Sweep(JEEP, models=[TITAN, DEFAULT]), target, cache)

    assert titan.status is Planned.NEW
    assert "LEGACY" in titan.warning
    assert DEFAULT in titan.warning
    assert stability.warning == ""


def test_a_model_that_the_target_does_not_offer_is_refused_with_the_alternative(target, cache, kept):
    target.lifecycles[TITAN] = gone()
    sweep = Sweep(JEEP, models=[TITAN], seeds=[1, 2], cfg_scales=[None, 8])
    kept(sweep.cells()[0])

    cached, refused, same_as_cached, same_as_refused = plan.plan_rows(sweep, target, cache)

    assert statuses([cached, same_as_cached]) == [Planned.CACHED, Planned.SAME]
    assert statuses([refused, same_as_refused]) == [Planned.REFUSED, Planned.REFUSED]
    assert DEFAULT in refused.reason
    assert "end of its life" in refused.reason
    assert same_as_refused.reason == refused.reason
    assert refused.usd == 0.0


def test_a_caller_who_may_not_ask_for_lifecycles_is_warned_and_may_run(target, cache):
    target.lifecycles[DEFAULT] = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFoundationModel")

    (row,) = plan.plan_rows(Sweep(JEEP), target, cache)

    assert row.status is Planned.NEW
    assert "bedrock:GetFoundationModel" in row.warning


@pytest.mark.parametrize(("target_name", "command"), [("local", "couch up"), ("aws", "terraform apply")])
def test_a_queue_that_is_not_deployed_is_reported_before_anything_else(cache, target_name, command):
    target = FakeTarget(target=target_name, queue_url=None)

    with pytest.raises(ExplorationError, match=f'The queue is not deployed: .*{command}.*via="direct"'):
        plan.plan_rows(Sweep(JEEP), target, cache, via="queue")

    assert target.asked == []
    assert plan.plan_rows(Sweep(JEEP), target, cache)[0].status is Planned.NEW


def test_a_model_that_the_deployed_queue_does_not_take_is_refused_by_that_way_alone(cache):
    target = FakeTarget(model_arns=(image_models.get(DEFAULT).arn,))
    sweep = Sweep(JEEP, models=[TITAN, DEFAULT])

    by_queue, direct = plan.plan_rows(sweep, target, cache, via="queue"), plan.plan_rows(sweep, target, cache)

    assert statuses(by_queue) == [Planned.REFUSED, Planned.NEW]
    assert f"not deployed for Titan Image Generator v2 ({TITAN}), only for {DEFAULT}" in by_queue[0].reason
    assert statuses(direct) == [Planned.NEW, Planned.NEW]


def test_an_unknown_way_is_refused_with_those_known(target, cache):
    with pytest.raises(ExplorationError, match='no way named "pigeon": use via="direct" or "queue"'):
        plan.plan_rows(Sweep(JEEP), target, cache, via="pigeon")


def test_a_cost_above_the_limit_is_refused_with_the_sum_and_the_prices_date(target, cache):
    rows = plan.plan_rows(Sweep(JEEP, seeds=range(1, 13)), target, cache)

    with pytest.raises(ExplorationError) as refused:
        plan.check_cost(rows, 0.2)

    assert str(refused.value) == (
        f"12 new pictures cost $0.48 (prices of {image_models.PRICES_AS_OF}), more than max_cost_usd=0.2: "
        "raise the limit, or ask for fewer prompts, models, seeds or sizes."
    )


@pytest.mark.parametrize("limit", [None, 0.12, 1, math.inf])
def test_a_cost_within_the_limit_is_let_pass(target, cache, limit):
    rows = plan.plan_rows(Sweep(JEEP, seeds=range(1, 4)), target, cache)

    plan.check_cost(rows, limit)


def test_a_limit_of_nothing_lets_pass_what_is_all_here(target, cache, kept):
    sweep = Sweep(JEEP)
    kept(sweep.cells()[0])

    plan.check_cost(plan.plan_rows(sweep, target, cache), 0)

    with pytest.raises(ExplorationError, match="1 new picture costs"):
        plan.check_cost(plan.plan_rows(Sweep(JEEP, seeds=2), target, cache), 0)


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
    rows = plan.plan_rows(sweep, target, cache)

    frame = plan.plan_frame(rows, workspace=target, cache=cache, concurrency=4, title=sweep.title)

    assert tuple(frame.columns) == plan.PLAN_COLUMNS
    assert frame["number"].tolist() == list(range(1, 9))
    assert frame["status"].tolist() == ["cached", "new", "refused", "refused", "new", "new", "new", "new"]
    assert frame["cfg_scale"].isna().tolist() == [True, True, False, False] * 2
    assert frame["negative_prompt"].isna().tolist() == [True, False] * 4
    assert frame["id"].isna().tolist() == [row.cell.job is None for row in rows]
    assert frame["usd"].sum() == pytest.approx(0.04 + 4 * 0.01)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: plan.PLAN_DTYPES.get(name, "str") for name in plan.PLAN_COLUMNS
    }
    assert frame.context == plan.PlanContext("local", "direct", "Jeeps", 4, {DEFAULT: 4.0, TITAN: 1.0})


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


MODEL, OTHER = "stability.stable-image-core-v1:1", "amazon.nova-canvas-v1:0"


def timed_cache(*records):
    return SimpleNamespace(records=lambda: iter(records))


def workspace(mappings, **names):
    def list_event_source_mappings(**_arguments):
        if isinstance(mappings, Exception):
            raise mappings
        return {"EventSourceMappings": mappings}

    fake = checked("lambda", SimpleNamespace(list_event_source_mappings=list_event_source_mappings))
    return SimpleNamespace(functions={"worker": "couch-worker"} | names, client=lambda _service: fake)


def test_a_picture_takes_the_median_of_those_that_were_timed():
    records = [{"model": MODEL, "seconds": seconds} for seconds in (2.0, 9.0, 4.0)]
    untimed = [{"model": MODEL}, {"model": MODEL, "seconds": None}, {"model": OTHER, "seconds": 99.0}, {}]

    assert plan.seconds_by_model(timed_cache(*untimed, *records), [MODEL], "aws") == {MODEL: 4.0}


@pytest.mark.parametrize(("target", "seconds"), [("aws", 10.0), ("local", 1.0)])
def test_a_model_that_was_never_timed_takes_what_is_usual_on_its_target(target, seconds):
    assert plan.seconds_by_model(timed_cache(), [MODEL], target) == {MODEL: seconds}


def test_this_process_asks_for_as_many_pictures_at_a_time_as_it_was_given():
    assert plan.effective_concurrency(workspace([]), 8, via="direct") == 8


def test_the_queue_makes_as_many_pictures_at_a_time_as_its_lambda_may():
    mappings = [{"UUID": "1" * 36}, {"UUID": "2" * 36, "ScalingConfig": {"MaximumConcurrency": 5}}]

    assert plan.effective_concurrency(workspace(mappings), 8, via="queue") == 5


@pytest.mark.parametrize("answer", [[], ClientError({"Error": {"Code": "AccessDeniedException"}}, "List")])
def test_a_queue_whose_limit_is_not_known_is_taken_to_keep_pace(answer):
    assert plan.effective_concurrency(workspace(answer), 8, via="queue") == 8


def test_a_queue_without_a_known_worker_is_taken_to_keep_pace():
    assert plan.effective_concurrency(SimpleNamespace(functions={}), 8, via="queue") == 8


def test_the_expected_time_is_the_work_by_how_much_is_done_at_once_and_never_less_than_the_longest():
    assert plan.expected_seconds([1.0] * 64, 8) == 8.0
    assert plan.expected_seconds([1.0, 1.0, 12.0], 8) == 12.0
    assert plan.expected_seconds([], 8) == 0.0


CORE, TITAN_V2 = "stability.stable-image-core-v1:1", "amazon.titan-image-generator-v2:0"


def planned(*rows, **context):
    """A plan of (model, status, usd, reason, warning), the last two optional."""
    names = ("model", "status", "usd", "reason", "warning")
    frame = PlanFrame([row + ("",) * (5 - len(row)) for row in rows], columns=names)
    usual = {
        "target": "aws",
        "via": "direct",
        "title": "",
        "at_a_time": 8,
        "seconds_by_model": dict.fromkeys((CORE, TITAN_V2), 10.0),
    }
    frame.context = plan.PlanContext(**usual | context)
    return frame


def text(*rows, **context):
    return str(plan.summarize_plan(planned(*rows, **context)))


def test_a_summary_counts_and_prices_by_model():
    summary = plan.summarize_plan(
        planned(
            *[(CORE, "new", 0.04)] * 12,
            (CORE, "cached", 0.0),
            (CORE, "same", 0.0),
            *[(TITAN_V2, "new", 0.008)] * 2,
            (TITAN_V2, "refused", 0.0, "Titan does not."),
        ),
    )

    assert (summary.requests, summary.new, summary.cached, summary.same, summary.refused) == (17, 14, 1, 1, 1)
    assert (summary.usd, summary.prices_as_of) == (0.496, PRICES_AS_OF)
    assert [(line.name, line.usd) for line in summary.models] == [(CORE, 0.48), (TITAN_V2, 0.016)]
    assert summary.refusals == (("Titan does not.", 1),)
    assert summary.seconds == 14 * 10.0 / 8


def test_the_sentence_states_the_cost_its_date_and_the_time():
    assert plan.summarize_plan(planned(*[(CORE, "new", 0.04)] * 12, (CORE, "cached", 0.0))).sentence == (
        f"13 requests: 12 new, 1 in the cache. The new ones cost $0.48 (prices of {PRICES_AS_OF}) and take about 15 s, "
        "8 at a time."
    )


def test_the_sentence_of_one_picture_is_in_the_singular():
    assert plan.summarize_plan(planned((CORE, "new", 0.04))).sentence == (
        f"1 request: 1 new. The new one costs $0.04 (prices of {PRICES_AS_OF}) and takes about 10 s."
    )


def test_the_local_cloud_costs_nothing_and_its_plan_says_what_aws_would():
    sentence = plan.summarize_plan(planned(*[(CORE, "new", 0.04)] * 2, target="local")).sentence

    assert f"would cost $0.08 (prices of {PRICES_AS_OF}) on AWS, here nothing, and take about 10 s" in sentence


def test_a_plan_by_queue_names_who_makes_the_pictures():
    sentence = plan.summarize_plan(planned(*[(CORE, "new", 0.04)] * 100, via="queue", at_a_time=5)).sentence

    assert sentence.endswith("take about 4 min, 5 at a time by the queue's Lambda.")


def test_where_nothing_is_new_nothing_is_paid():
    summary = plan.summarize_plan(planned((CORE, "cached", 0.0), (CORE, "refused", 0.0, "It does not.")))

    assert summary.sentence == "2 requests: 1 in the cache, 1 refused. Nothing is asked for and nothing is paid."
    assert summary.seconds == 0.0


@pytest.mark.parametrize(
    ("pictures", "shown"),
    [(95, "about 119 s"), (97, "about 3 min"), (5759, "about 120 min"), (10_000, "about 3 h 28 min")],
)
def test_a_long_time_is_given_in_minutes_and_hours(pictures, shown):
    assert shown in plan.summarize_plan(planned(*[(CORE, "new", 0.04)] * pictures)).sentence


def test_the_text_fits_a_terminal_of_80_columns_and_breaks_no_name():
    warning = f"Titan Image Generator v2 ({TITAN_V2}) is LEGACY in us-east-1 (end of life 2026-06-30): use {CORE}, which works."
    shown = text(
        *[(CORE, "new", 0.04)] * 2000,
        *[(TITAN_V2, "new", 0.008, "", warning)] * 3,
        (TITAN_V2, "refused", 0.0, "Not " * 40),
    )

    assert max(len(line) for line in shown.splitlines()) <= 80
    assert shown.count(TITAN_V2) == 2
    assert shown.count("us-east-1") == 1


def test_the_amounts_of_a_table_stand_under_each_other():
    shown = text((CORE, "new", 0.04), (TITAN_V2, "new", 0.008))

    assert [line.split()[-1] for line in shown.splitlines() if line.startswith((CORE, TITAN_V2, "all"))] == [
        "0.040",
        "0.008",
        "0.048",
    ]


def test_a_single_model_needs_no_line_for_all():
    assert "\nall " not in text((CORE, "new", 0.04))


def test_warnings_and_refusals_are_reported_once_each():
    refusals = [(CORE, "refused", 0.0, "It does not.")] * 3
    shown = text(
        (CORE, "new", 0.04, "x.png was not whole.", "Careful."),
        (CORE, "new", 0.04, "", "Careful."),
        *refusals,
    )

    assert shown.count("! Careful.") == 1
    assert "! x.png was not whole." in shown
    assert "! 3 refused: It does not." in shown


def test_many_reasons_are_cut_and_counted():
    shown = text(*[(CORE, "refused", 0.0, f"Reason {number}.") for number in range(12)])

    assert shown.count("refused: Reason") == 5
    assert "! 7 more reasons for refusals in the rows of the plan." in shown


def test_a_notebook_gets_a_table_in_which_nothing_is_taken_for_html():
    summary = plan.summarize_plan(planned((CORE, "new", 0.04, "", "<b>careful</b>"), title="<Jeeps>"))

    html = summary._repr_html_()

    assert "<strong>&lt;Jeeps&gt;</strong>" in html
    assert "&lt;b&gt;careful&lt;/b&gt;" in html
    assert f">{CORE}</td>" in html
    assert repr(summary) == str(summary)


def test_some_rows_of_a_plan_are_summed_up_too():
    frame = planned((CORE, "new", 0.04), (TITAN_V2, "new", 0.008))

    assert plan.summarize_plan(frame[frame["model"] == TITAN_V2]).usd == 0.008
    assert plan.summarize_plan(frame[:0]).sentence.startswith("0 requests: nothing to do.")


def test_another_frame_is_refused():
    with pytest.raises(ExplorationError, match="is not a plan"):
        plan.summarize_plan(pd.DataFrame({"model": [CORE]}))


def test_expected_time_of_a_local_picture_is_the_emulators_latency():
    # The plan does not import the local cloud, so the number stands in both.
    assert plan.TYPICAL_PICTURE_S["local"] == MEDIAN_LATENCY_S


def test_a_plan_has_the_variables_of_its_cells(target, monkeypatch, tmp_path):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))

    frame = Sweep({"cow": "A {medium} of a cow"}, variables={"medium": {"a": "photo", "b": "sketch"}}).plan(target)

    assert tuple(frame.columns) == (*plan.PLAN_COLUMNS, "template", "variables.medium", "texts.medium")
    assert frame["variables.medium"].tolist() == ["a", "b"]
    assert frame["texts.medium"].tolist() == ["photo", "sketch"]
