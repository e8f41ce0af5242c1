import json

import pytest

from couch_explorers import smoke
from couch_explorers.checks import CHECKS_MIME, Check, Verdict
from couch_explorers.sample_prompts import SAMPLE_PROMPTS
from couch_explorers.smoke.parts import Part, ShownPicture


def test_a_deploy_that_works_is_concluded_in_one_sentence(workspace):
    test = smoke.start(workspace, prompt="a quay at dawn")

    assert test.conclusion() == "**The deploy works**: 21 checks, 4 pictures under `s3://pgr301-couch-explorers/42/`."


def test_on_aws_the_conclusion_tells_what_the_pictures_cost(workspace):
    workspace.target = "aws"

    sentence = smoke.start(workspace, prompt="a quay at dawn").conclusion()

    assert "4 pictures under `s3://pgr301-couch-explorers/42/` for about $0.16 (prices of " in sentence


def test_without_prompts_the_exams_samples_go_to_the_queue(workspace, system):
    smoke.start(workspace, prompt="a quay at dawn").queue()

    assert [json.loads(body)["prompt"] for body in system.sqs.bodies] == list(SAMPLE_PROMPTS.values())


def test_only_the_api_is_asked_when_only_that_is_selected(workspace, system):
    test = smoke.start(workspace, prompt="a quay at dawn", checks="api")

    assert test.api().checks
    assert (test.queue().checks, test.alarms().checks) == ((), ())
    assert not system.sqs.bodies
    assert "checks only the api" in test.queue().remark


def test_only_the_queue_and_its_alarms_are_asked_when_only_that_is_selected(workspace, system):
    test = smoke.start(workspace, prompt="a quay at dawn", checks="queue")

    assert test.queue().checks
    assert test.alarms().checks
    assert not test.api().checks
    assert not system.api_bodies


def test_two_runs_never_share_an_id(workspace):
    first = smoke.start(workspace, prompt="a quay at dawn", checks="api")
    second = smoke.start(workspace, prompt="a quay at dawn", checks="api")

    assert first.api().checks[0].verdict is second.api().checks[0].verdict is Verdict.OK
    assert first.run_id != second.run_id


def test_an_unknown_selection_is_refused_with_the_list(workspace):
    with pytest.raises(ValueError, match="all, api, queue, not 'quue'"):
        smoke.start(workspace, prompt="a quay at dawn", checks="quue")


def test_what_a_part_did_not_foresee_is_a_bad_check_and_the_others_go_on(workspace):
    workspace.model_arns = ("no-arn",)

    test = smoke.start(workspace, prompt="a quay at dawn", checks="queue")

    (check,) = test.platform().checks
    assert (check.name, check.verdict) == ("platform", Verdict.BAD)
    assert "Error: " in check.detail
    assert test.queue().checks[0].verdict is Verdict.OK


def test_the_conclusion_names_what_failed(workspace):
    part = Part(
        (Check("api: x", Verdict.BAD, 0, ""), Check("y", Verdict.OK, 0, ""), Check("z", Verdict.SKIPPED, 0, ""))
    )

    assert smoke.conclude([part], workspace) == "**The deploy does not work**: 1 of 2 checks failed (api: x)."


def test_the_conclusion_names_warnings_and_what_was_skipped(workspace):
    part = Part((Check("y", Verdict.WARN, 0, ""), Check("z", Verdict.SKIPPED, 0, "")))

    assert smoke.conclude([part], workspace) == "**The deploy works**: 1 check; worth a look: y; skipped: z."


def test_a_part_shows_its_checks_as_a_table_and_as_data():
    part = Part((Check("a <b>", Verdict.OK, 1.25, "seen & done"),))

    bundle = part._repr_mimebundle_()

    assert "a &lt;b&gt;" in bundle["text/html"]
    assert "seen &amp; done" in bundle["text/html"]
    assert bundle[CHECKS_MIME] == [{"name": "a <b>", "verdict": "OK", "seconds": 1.25, "detail": "seen & done"}]


def test_a_part_shows_its_pictures_small_and_without_another_file(plain_png):
    part = Part((), (ShownPicture(plain_png(1200, 600), 'a "quay"', "by API"),))

    html = part._repr_mimebundle_()["text/html"]

    assert html.count("data:image/jpeg;base64,") == 1
    assert "a &#34;quay&#34;" in html
    assert len(html) < 20_000


def test_a_client_is_made_once_for_each_service_and_region(workspace):
    made = []
    workspace.client = lambda *key: made.append(key) or object()
    clients = smoke.Clients(workspace)

    assert clients("s3") is clients("s3")
    assert clients("bedrock", "us-west-2") is not clients("bedrock", "us-east-1")
    assert len(made) == 3
