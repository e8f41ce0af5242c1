import json

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.smoke import api

GOOD = "api: a prompt becomes a picture"
NO_SLEEP = {"sleep": lambda _seconds: None}
BAD_NAMES = [f"api: {name} is refused" for name in api.BAD_BODIES]


@pytest.fixture
def ask(workspace, clients):
    return lambda prompt="a quay at dawn": api.check(workspace, clients, prompt, "smoke-1", **NO_SLEEP)


def test_an_api_that_works_passes_every_check_and_shows_its_picture(ask):
    part = ask()

    assert [check.verdict for check in part.checks] == [Verdict.OK] * 7
    assert part.pictures[0].prompt == "a quay at dawn"


def test_the_good_prompt_travels_with_an_id_of_its_own(ask, system):
    ask()

    assert json.loads(system.api_bodies[0]) == {"prompt": "a quay at dawn", "id": "smoke-1-api"}


def test_the_bad_prompts_are_an_empty_one_one_too_long_and_broken_json(ask, system):
    ask()

    empty, long, broken = system.api_bodies[1:]
    assert json.loads(empty)["prompt"] == ""
    assert len(json.loads(long)["prompt"]) == 10_001
    assert broken.startswith("{")
    assert not broken.endswith("}")


def test_an_error_of_the_model_is_reported_and_nothing_is_looked_for(ask, system, named):
    system.api_answers = [(504, {"error": "ModelTimeout", "detail": "The model did not answer.", "request_id": "r"})]

    part = ask()

    assert named(part, GOOD).verdict is Verdict.BAD
    assert named(part, GOOD).detail == "HTTP 504: The model did not answer."
    assert named(part, "api: the picture lies in the bucket").verdict is Verdict.SKIPPED
    assert not part.pictures


def test_a_throttled_call_is_repeated_and_warned_about(ask, system, named):
    system.api_answers = [(429, {"error": "Throttled", "detail": "Too many.", "request_id": "r"})]

    check = named(ask(), GOOD)

    assert check.verdict is Verdict.WARN
    assert "2 calls" in check.detail


def test_an_api_that_throttles_for_good_is_bad(ask, system, named):
    system.api_answers = [(429, {"error": "Throttled", "detail": "Too many.", "request_id": "r"})] * 3

    check = named(ask(), GOOD)

    assert (check.verdict, check.detail) == (Verdict.BAD, "HTTP 429: Too many.")


def test_a_picture_under_another_key_is_bad(ask, system, named):
    system.api_answers = [(200, {"bucket": "pgr301-couch-explorers", "key": "7/other.png"})]

    assert named(ask(), GOOD).verdict is Verdict.BAD


def test_a_picture_that_tells_another_prompt_is_bad(ask, system, named):
    store = system.store
    system.store = lambda job: store(job, prompt="something else")

    check = named(ask(), "api: the picture contains its parameters")

    assert check.verdict is Verdict.BAD
    assert "something else" in check.detail


def test_a_picture_that_is_not_in_the_bucket_is_bad_by_the_name_of_the_error(ask, system, named):
    system.s3.get_object = lambda **_arguments: (_ for _ in ()).throw(KeyError("gone"))

    check = named(ask(), "api: the picture lies in the bucket")

    assert (check.verdict, check.detail) == (Verdict.BAD, "KeyError: 'gone'")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_prompt_that_is_served_is_bad(ask, system, named, name):
    good = system.answer('{"prompt": "a quay at dawn", "id": "smoke-1-api"}')
    system.api_answers = [good, *[(200, {"key": "42/x.png"})] * 3]

    check = named(ask(), name)

    assert check.verdict is Verdict.BAD
    assert "HTTP 200" in check.detail


def test_a_refusal_that_left_a_picture_behind_is_bad(ask, system, named):
    system.s3.put("42/request-1.png", b"")

    check = named(ask(), "api: malformed JSON is refused")

    assert (check.verdict, check.detail) == (Verdict.BAD, "Refused, yet 42/request-1.png was stored.")


def test_a_refusal_that_is_no_json_is_bad(ask, system, named):
    good = system.answer('{"prompt": "a quay at dawn", "id": "smoke-1-api"}')
    system.api_answers = [good, (400, b"<html>Bad Request</html>")]

    check = named(ask(), "api: an empty prompt is refused")

    assert check.verdict is Verdict.BAD
    assert "without error, detail and request_id" in check.detail


def test_an_api_that_does_not_answer_is_bad_in_every_row_that_asks_it(workspace, clients):
    workspace.api_url = "http://127.0.0.1:9/prod/generate-image"

    part = api.check(workspace, clients, "a quay at dawn", "smoke-1", **NO_SLEEP)

    verdicts = [check.verdict for check in part.checks]
    assert verdicts == [*(Verdict.BAD, Verdict.SKIPPED, Verdict.SKIPPED), *[Verdict.BAD] * 3, Verdict.SKIPPED]
    assert part.checks[0].detail.startswith("URLError: ")


@pytest.mark.parametrize(("target", "command"), [("local", "couch up"), ("aws", "sam deploy")])
def test_an_api_that_is_not_deployed_says_how_to_deploy_it(workspace, clients, target, command):
    workspace.api_url, workspace.target = None, target

    (check,) = api.check(workspace, clients, "a quay at dawn", "smoke-1", **NO_SLEEP).checks

    assert check.verdict is Verdict.BAD
    assert command in check.detail
