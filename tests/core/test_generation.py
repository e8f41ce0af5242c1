from __future__ import annotations

import base64
import dataclasses
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from couch_explorers.core import generation, image_models, png
from couch_explorers.core.errors import (
    BlockedError,
    ConflictError,
    InvalidJobError,
    ModelAnswerError,
    ModelTimeoutError,
    RetiredModelError,
    StorageError,
    ThrottledError,
)
from tests.aws_fakes.models import ScriptedModels
from tests.aws_fakes.validated import checked

TITAN = "amazon.titan-image-generator-v1"
BUCKET = "pictures"
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def bedrock_with(*answers):
    """Make a client whose calls get these answers in turn."""
    return checked("bedrock-runtime", ScriptedModels(*answers))


@pytest.fixture
def stability_answer(picture):
    return {"seeds": [9], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}


@pytest.fixture
def stubbed():
    session = boto3.session.Session("access", "secret")
    client = generation.bedrock_client("us-west-2", attempts=1, read_timeout_s=1, session=session)
    with Stubber(client) as stub:
        yield client, stub
    client.close()


def generate(job, bedrock, s3, **more):
    return generation.generate(
        job, bedrock=lambda region: bedrock, s3=s3, bucket=BUCKET, prefix="42", now=lambda: NOON, **more
    )


def test_a_job_becomes_a_picture_under_its_key_with_its_parameters_inside(make_job, s3, stability_answer):
    job = make_job(id="paris", seed=9)
    bedrock = bedrock_with(stability_answer)

    made = generate(job, bedrock, s3)

    stored = s3.objects["42/paris.png"]
    assert made == generation.Picture(BUCKET, "42/paris.png", job.model.id, 9, made.milliseconds, already_there=False)
    assert made.uri == "s3://pictures/42/paris.png"
    assert isinstance(made.milliseconds, int)
    assert stored.content_type == "image/png"
    assert stored.metadata == {
        "couch-request-hash": job.request_hash,
        "couch-model": job.model.id,
        "couch-seed": "9",
        "couch-id": "paris",
    }
    assert png.read_parameters(stored.body) == {
        "created": "2026-11-23T12:00:00Z",
        "id": "paris",
        "model": job.model.id,
        "request": job.request,
        "seed": 9,
    }


def test_picture_tells_how_long_it_took(make_job, s3, stability_answer, monkeypatch):
    moments = iter([10.0, 12.5])
    monkeypatch.setattr(generation.time, "perf_counter", lambda: next(moments))

    assert generate(make_job(), bedrock_with(stability_answer), s3).milliseconds == 2500


def test_the_model_is_asked_in_its_own_region_with_its_own_body(make_job, s3, stability_answer):
    job = make_job(seed=9, size="1280x720")
    bedrock = bedrock_with(stability_answer)
    regions = []

    generation.generate(
        job, bedrock=lambda region: regions.append(region) or bedrock, s3=s3, bucket=BUCKET, prefix="42"
    )

    (request,) = bedrock.requests
    assert regions == ["us-west-2"]
    assert request["modelId"] == job.model.id
    assert json.loads(request["body"]) == job.model.build_request(job.prompt, seed=9, size="1280x720")


def test_model_is_asked_with_every_field_of_the_job(make_job, stability_answer):
    job = make_job(TITAN, seed=9, size="512x512", cfg_scale=7.5, negative_prompt="boats")
    bedrock = bedrock_with(stability_answer)

    generation.invoke(bedrock, job)

    assert json.loads(bedrock.requests[0]["body"]) == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "A fjord at dusk", "negativeText": "boats"},
        "imageGenerationConfig": {
            "numberOfImages": 1,
            "quality": "standard",
            "cfgScale": 7.5,
            "height": 512,
            "width": 512,
            "seed": 9,
        },
    }


def test_model_that_names_no_seed_used_the_one_asked_for(make_job, picture):
    answer = {"images": [base64.b64encode(picture).decode()]}

    assert generation.ask(bedrock_with(answer), make_job(TITAN, seed=9)) == (picture, 9)


def test_a_job_delivered_again_is_one_picture_and_one_paid_call(make_job, s3, stability_answer):
    job = make_job(id="paris")
    bedrock = bedrock_with(stability_answer)

    first, again = generate(job, bedrock, s3), generate(job, bedrock, s3)

    assert (first.already_there, again.already_there) == (False, True)
    assert (first.key, first.seed) == (again.key, again.seed)
    assert len(bedrock.requests) == len(s3.objects) == 1


class WaitingAttempts:
    """Allows so many calls, and does something in each wait."""

    def __init__(self, limit, meanwhile=lambda: None):
        self.limit, self.meanwhile = limit, meanwhile
        self.made = []

    def wait(self, made):
        self.made.append(made)
        self.meanwhile()
        return made < self.limit


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 429), ("ServiceUnavailableException", 503)])
def test_repeated_call_follows_another_look_for_the_picture(make_job, s3, client_error, stability_answer, code, status):
    bedrock = bedrock_with(client_error(code, status), client_error(code, status), stability_answer)
    attempts = WaitingAttempts(3)

    made = generate(make_job(id="paris"), bedrock, s3, attempts=attempts)

    assert not made.already_there
    assert attempts.made == [1, 2]
    assert s3.calls == ["list"] * 3 + ["put"]


def test_picture_stored_during_a_wait_is_not_paid_for_again(make_job, s3, client_error, stability_answer):
    job = make_job(id="any", seed=0)
    bedrock = bedrock_with(client_error("ThrottlingException", 429), stability_answer)
    attempts = WaitingAttempts(4, meanwhile=lambda: generate(job, bedrock_with(stability_answer | {"seeds": [1]}), s3))

    second = generate(job, bedrock, s3, attempts=attempts)

    assert (second.already_there, second.seed) == (True, 1)
    assert len(bedrock.requests) == 1


def test_calls_are_repeated_as_often_as_allowed(make_job, s3, client_error):
    bedrock = bedrock_with(*[client_error("ThrottlingException", 429)] * 3)

    with pytest.raises(ThrottledError):
        generate(make_job(), bedrock, s3, attempts=WaitingAttempts(2))

    assert len(bedrock.requests) == 2


@pytest.mark.parametrize("cause", [("ModelTimeoutException", 408), ("ValidationException", 400)])
def test_call_that_may_have_been_billed_is_not_repeated(make_job, s3, client_error, cause):
    bedrock, attempts = bedrock_with(client_error(*cause)), WaitingAttempts(4)

    with pytest.raises((ModelTimeoutError, ModelAnswerError)):
        generate(make_job(), bedrock, s3, attempts=attempts)

    assert attempts.made == []


def test_an_id_that_belongs_to_another_request_is_a_conflict_and_nothing_is_paid(make_job, s3, stability_answer):
    generate(make_job(id="paris", prompt="Paris"), bedrock_with(stability_answer), s3)
    bedrock = bedrock_with()

    with pytest.raises(ConflictError, match="paris belongs to another request"):
        generate(make_job(id="paris", prompt="Rome"), bedrock, s3)

    assert bedrock.requests == []


def test_an_object_that_somebody_else_put_there_is_a_conflict(make_job, s3):
    s3.put("42/paris.png", b"")

    with pytest.raises(ConflictError):
        generate(make_job(id="paris"), bedrock_with(), s3)


def test_a_longer_key_is_not_taken_for_the_picture(make_job, s3, stability_answer):
    s3.put("42/paris.png.bak", b"")

    assert not generate(make_job(id="paris"), bedrock_with(stability_answer), s3).already_there
    assert generation.find(s3, BUCKET, "42/paris.png")
    assert not generation.find(s3, BUCKET, "42/pari")


def test_two_workers_with_the_same_job_leave_one_picture(make_job, s3, picture):
    job = make_job(id="paris")

    assert generation.store(s3, BUCKET, "42/paris.png", picture, job)
    assert not generation.store(s3, BUCKET, "42/paris.png", b"the other's", job)
    assert s3.objects["42/paris.png"].body == picture


def test_a_worker_that_comes_second_reports_the_picture_that_stands(make_job, s3, stability_answer):
    job = make_job(id="any", seed=0)
    faster = bedrock_with(stability_answer | {"seeds": [1]})
    generate(job, faster, s3)
    # Both have looked for the key before either wrote it.
    s3.list_objects_v2 = lambda **_: {}

    second = generate(job, bedrock_with(stability_answer), s3)

    assert (second.already_there, second.seed) == (True, 1)

    del s3.objects["42/any.png"].metadata["couch-seed"]
    assert generate(job, bedrock_with(stability_answer), s3).seed == job.seed


def test_stored_picture_carries_the_seed_of_its_job(make_job, s3, picture):
    generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris", seed=7))

    assert s3.objects["42/paris.png"].metadata["couch-seed"] == "7"


@pytest.mark.parametrize("seed", [{}, {"couch-seed": ""}, {"couch-seed": "seven"}])
def test_picture_without_a_seed_of_its_own_has_that_of_its_job(make_job, s3, seed):
    job = make_job(id="paris", seed=7)
    s3.put("42/paris.png", b"", **{"couch-request-hash": job.request_hash, **seed})

    assert generate(job, bedrock_with(), s3).seed == 7


def test_two_workers_with_different_jobs_and_one_id_conflict(make_job, s3, picture):
    generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris", seed=1))

    with pytest.raises(ConflictError):
        generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris", seed=2))


def test_a_write_that_meets_another_at_the_same_moment_is_tried_again(make_job, s3, client_error, picture):
    s3.failures["put"] = [client_error("ConditionalRequestConflict", 409)]

    assert generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris"))
    assert s3.calls == ["put", "put"]


@pytest.mark.parametrize("error", [EndpointConnectionError(endpoint_url="s3"), ("AccessDenied", 403)])
@pytest.mark.parametrize(
    ("call", "verb"),
    [
        (lambda s3, *_: generation.find(s3, BUCKET, "42/paris.png"), "list"),
        (lambda s3, job, png: generation.store(s3, BUCKET, "42/paris.png", png, job), "write"),
    ],
)
def test_a_failure_of_s3_names_what_was_tried(make_job, s3, client_error, picture, call, verb, error):
    raised = client_error(*error) if isinstance(error, tuple) else error
    s3.failures = {name: [raised] for name in ("list", "put")}

    with pytest.raises(StorageError, match=f" {verb} the bucket pictures"):
        call(s3, make_job(id="paris"), picture)


def test_a_write_that_never_gets_through_passes(make_job, s3, client_error, picture):
    s3.failures["put"] = [client_error("ConditionalRequestConflict", 409)] * 3

    with pytest.raises(StorageError) as failed:
        generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris"))

    assert failed.value.passing
    assert s3.calls == ["put"] * 3


def test_a_picture_that_vanishes_between_two_looks_passes(make_job, s3, client_error, picture):
    s3.failures["put"] = [client_error("PreconditionFailed", 412)]

    with pytest.raises(StorageError, match="was there and is gone") as failed:
        generation.store(s3, BUCKET, "42/paris.png", picture, make_job(id="paris"))

    assert failed.value.passing


@pytest.mark.parametrize(("call", "verb"), [("list", "list"), ("put", "write"), ("head", "read")])
@pytest.mark.parametrize("passing", [True, False])
def test_a_failure_of_s3_is_reported_in_our_words(make_job, s3, client_error, stability_answer, call, verb, passing):
    s3.failures[call] = [EndpointConnectionError(endpoint_url="s3") if passing else client_error("AccessDenied", 403)]
    if call == "head":
        s3.put("42/paris.png", b"")

    with pytest.raises(StorageError) as failed:
        generate(make_job(id="paris"), bedrock_with(stability_answer), s3)

    assert failed.value.passing is passing
    assert failed.value.__cause__ is not None
    assert failed.value.detail == (
        f"Could not {verb} the bucket pictures (EndpointConnectionError): try again later."
        if passing
        else f"No right to {verb} the bucket pictures: grant it to the caller."
    )


def test_nothing_is_stored_and_the_cause_kept_when_the_model_fails(make_job, s3, client_error):
    cause = client_error("ThrottlingException", 429, "Too many requests")

    with pytest.raises(ThrottledError) as failed:
        generate(make_job(), bedrock_with(cause), s3)

    assert failed.value.__cause__ is cause
    assert s3.objects == {}


def test_a_picture_withheld_after_it_was_painted_is_not_stored(make_job, s3):
    blocked = {"images": [], "error": "All of the generated images have been blocked by our content filters."}

    with pytest.raises(BlockedError):
        generate(make_job(TITAN), bedrock_with(blocked), s3)

    assert s3.objects == {}


def test_a_job_that_breaks_its_models_limits_never_leaves_the_machine(make_job):
    bedrock = bedrock_with()

    with pytest.raises(InvalidJobError):
        generation.invoke(bedrock, dataclasses.replace(make_job(), prompt="x" * 10_001))

    assert bedrock.requests == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"<html>", "something that is no JSON."),
        (b"\xff", "something that is no JSON."),
        (b"[]", "something that is no JSON object."),
        (b"null", "something that is no JSON object."),
        (
            {"images": [base64.b64encode(b"GIF89a").decode()]},
            "a picture that cannot be read: The file is no PNG picture.",
        ),
        (
            {"images": [base64.b64encode(png.SIGNATURE).decode()]},
            "a picture that cannot be read: The picture is cut off after 8 bytes: fetch it again.",
        ),
    ],
)
def test_an_answer_that_is_no_picture_is_a_wrong_answer(make_job, answer, problem):
    with pytest.raises(ModelAnswerError) as wrong:
        generation.invoke(bedrock_with(answer), make_job(TITAN))

    assert wrong.value.detail == f"Titan Image Generator v1 answered with {problem}"


def test_the_seed_that_the_model_drew_is_the_one_written_down(make_job, s3, stability_answer):
    job = make_job(id="any", seed=0)

    first, again = generate(job, bedrock_with(stability_answer), s3), generate(job, bedrock_with(), s3)

    assert first.seed == again.seed == 9
    assert png.read_parameters(s3.objects["42/any.png"].body)["seed"] == 9


@pytest.mark.usefixtures("tokyo")
def test_the_time_in_the_picture_is_utc(make_job):
    oslo = datetime(2026, 11, 23, 13, 0, 0, tzinfo=timezone(timedelta(hours=1)))

    assert generation.parameters_of(make_job(), seed=1, created=oslo)["created"] == "2026-11-23T12:00:00Z"


def test_the_real_client_sends_what_the_service_model_takes(stubbed, make_job, picture, stability_answer):
    client, stub = stubbed
    job = make_job(seed=9)
    raw = json.dumps(stability_answer).encode()
    stub.add_response(
        "invoke_model",
        {"body": StreamingBody(io.BytesIO(raw), len(raw)), "contentType": "application/json"},
        {
            "modelId": job.model.id,
            "body": json.dumps(job.model.build_request(job.prompt, seed=9)),
            "contentType": "application/json",
            "accept": "application/json",
        },
    )

    assert generation.invoke(client, job) == picture


def test_a_retired_model_is_known_by_the_real_clients_error(stubbed, make_job):
    client, stub = stubbed
    stub.add_client_error(
        "invoke_model", "ResourceNotFoundException", "This model version has reached the end of its life.", 404
    )

    with pytest.raises(RetiredModelError, match=f"use {image_models.DEFAULT_MODEL_ID}"):
        generation.invoke(client, make_job(TITAN))
