from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from couch_explorers.core import clock, jobs
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    ConflictError,
    ModelTimeoutError,
    OutOfTimeError,
    RetiredModelError,
    StorageError,
    SubscriptionPendingError,
    ThrottledError,
)
from couch_explorers.secret_scan import secrets_in
from tests.aws_fakes.models import ImageModels
from tests.aws_fakes.queues import Queues
from tests.aws_fakes.services import Bucket, StoredObject
from tests.aws_fakes.validated import client
from tests.handlers import logged_by
from tests.secret_samples import PLANTED

MESSAGE_ID = "059f36b4-87a3-44ab-83d2-661975830a7d"
KEPT_IN_QUEUE = {"batchItemFailures": [{"itemIdentifier": MESSAGE_ID}]}
TAKEN_FROM_QUEUE = {"batchItemFailures": []}


def metrics_in(output):
    """The EMF documents among the printed lines."""
    return [json.loads(line) for line in output.splitlines() if '"_aws"' in line]


def logged(worker):
    """What the worker says of a job: each line without what every line of Lambda has."""
    lines = logged_by(worker, "job_id", "message_id", "receives")
    return [line for line in lines if line["message"] != "Cold start"]


def values_of(documents, name):
    return [document[name] for document in documents if name in document]


def test_each_message_of_a_batch_becomes_a_picture(worker, batch, context, capsys):
    answer = worker.module.lambda_handler(batch, context)

    assert answer == TAKEN_FROM_QUEUE
    assert [job.id for job in worker.studio.jobs] == [MESSAGE_ID, "safari-1"]
    assert worker.sqs.sent == worker.sqs.visibility == []
    documents = metrics_in(capsys.readouterr().out)
    assert values_of(documents, "PicturesMade") == [[1.0], [1.0]]
    assert values_of(documents, "GenerationTime") == [[1234.0], [1234.0]]
    metric = documents[0]["_aws"]["CloudWatchMetrics"][0]
    assert metric["Namespace"] == "CouchExplorers"
    assert [sorted(dimensions) for dimensions in metric["Dimensions"]] == [["service"], ["model", "service"]]
    assert documents[0]["model"] == worker.studio.jobs[0].model.id
    assert documents[0]["service"] == "couch-explorers-42-worker"
    assert metric["Metrics"] == [
        {"Name": "PicturesMade", "Unit": "Count"},
        {"Name": "GenerationTime", "Unit": "Milliseconds"},
        {"Name": "TimeToPicture", "Unit": "Milliseconds"},
    ]


def test_the_time_to_picture_counts_from_the_sending_of_the_message_over_all_deliveries(
    worker, message, context, capsys, monkeypatch
):
    event = message("A fjord", receives=4)
    sent_s = int(event["Records"][0]["attributes"]["SentTimestamp"]) / 1000
    monkeypatch.setattr(clock.time, "time", lambda: sent_s + 61.5)

    worker.module.lambda_handler(event, context)

    [document] = metrics_in(capsys.readouterr().out)
    assert document["TimeToPicture"] == [61_500.0]
    assert {"Name": "TimeToPicture", "Unit": "Milliseconds"} in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    stored = next(json.loads(line) for line in worker.log.getvalue().splitlines() if "Picture stored" in line)
    assert (stored["time_to_picture"], stored["late"]) == (61_500, True)


def test_a_picture_that_an_earlier_delivery_made_is_acknowledged_and_not_counted_again(
    worker, message, context, capsys
):
    worker.studio.already_there = True

    answer = worker.module.lambda_handler(message("A fjord", receives=2), context)

    assert answer == TAKEN_FROM_QUEUE
    assert metrics_in(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    "failure",
    [ThrottledError("busy"), ModelTimeoutError("late"), StorageError("slow", passing=True), KeyError("a bug")],
    ids=lambda failure: type(failure).__name__,
)
def test_a_passing_failure_stays_in_the_queue_and_is_put_off(worker, message, context, failure):
    worker.studio.failures = [failure]

    answer = worker.module.lambda_handler(message("A fjord", receives=3), context)

    assert answer == KEPT_IN_QUEUE
    assert worker.sqs.sent == []
    assert worker.s3.notes == {}
    [(queue, handle, seconds)] = worker.sqs.visibility
    assert queue == worker.module.QUEUE_URL
    assert handle == "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"
    assert 1 <= seconds <= 20


@pytest.mark.parametrize(("seconds", "answer"), [(899, KEPT_IN_QUEUE), (900, TAKEN_FROM_QUEUE)])
def test_pending_subscription_is_retried_for_15_minutes(worker, message, context, monkeypatch, seconds, answer):
    event = message("A fjord", receives=3)
    first_s = 1_700_000_000
    monkeypatch.setattr(worker.module.time, "time", lambda: float(first_s + seconds))
    event["Records"][0]["attributes"]["ApproximateFirstReceiveTimestamp"] = str(int(first_s * 1000))
    worker.studio.failures = [SubscriptionPendingError("Not yet.")]

    assert worker.module.lambda_handler(event, context) == answer

    assert [letter.attributes["reason"] for letter in worker.sqs.sent] == (
        [] if answer is KEPT_IN_QUEUE else ["SubscriptionPending"]
    )


def timed_out(worker, message, context, failure, deliveries):
    """Deliver a message so often, each time with this failure; gives the answers."""
    worker.studio.failures = [failure] * len(deliveries)
    return [worker.module.lambda_handler(message("A fjord", receives=number), context) for number in deliveries]


def test_model_that_is_always_too_slow_is_given_up(worker, message, context):
    answers = timed_out(worker, message, context, ModelTimeoutError("The model did not answer."), [1, 2, 4])

    assert answers == [KEPT_IN_QUEUE, KEPT_IN_QUEUE, TAKEN_FROM_QUEUE]
    assert worker.s3.timeouts == [f"42/{MESSAGE_ID}.timeouts/{MESSAGE_ID}/{number}" for number in (1, 2, 4)]
    [letter] = worker.sqs.sent
    assert letter.attributes["reason"] == "ModelTimeout"
    assert letter.attributes["detail"] == (
        "The model did not answer. It timed out in 3 deliveries, each of which may have been billed."
    )


@pytest.mark.parametrize("failure", [OutOfTimeError("Not asked."), ThrottledError("busy")])
def test_failures_that_cost_nothing_are_not_limited(worker, message, context, failure):
    answers = timed_out(worker, message, context, failure, [1, 2, 3, 4])

    assert answers == [KEPT_IN_QUEUE] * 4
    assert worker.s3.timeouts == []


def test_each_message_has_its_own_time_outs(worker, message, context):
    for number in (1, 2, 3):
        worker.s3.put(f"42/{MESSAGE_ID}.timeouts/another-message/{number}", b"")

    assert timed_out(worker, message, context, ModelTimeoutError("late"), [1]) == [KEPT_IN_QUEUE]


def test_bucket_that_cannot_count_time_outs_leaves_the_job_in_the_queue(worker, message, context):
    worker.s3.failures["put"] = ConnectionError("no route")

    answers = timed_out(worker, message, context, ModelTimeoutError("late"), [1, 2, 3, 4])

    assert answers == [KEPT_IN_QUEUE] * 4
    assert "could not be counted" in worker.log.getvalue()


def test_one_failure_does_not_keep_the_rest_of_the_batch(worker, batch, context):
    worker.studio.failures = [ThrottledError("busy")]

    answer = worker.module.lambda_handler(batch, context)

    assert answer == KEPT_IN_QUEUE
    assert [job.id for job in worker.studio.jobs] == [MESSAGE_ID, "safari-1"]


def test_a_batch_in_which_every_message_fails_is_reported_and_not_raised(worker, batch, context):
    worker.studio.failures = [ThrottledError("busy"), ThrottledError("busy")]

    answer = worker.module.lambda_handler(batch, context)

    assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == [
        record["messageId"] for record in batch["Records"]
    ]


def test_postponed_jobs_are_counted_by_reason_but_are_no_failed_jobs(worker, message, context, capsys):
    worker.studio.failures = [ThrottledError("busy")]

    worker.module.lambda_handler(message("A fjord"), context)

    [document] = metrics_in(capsys.readouterr().out)
    assert document["PostponedJobs"] == [1.0]
    assert document["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "PostponedJobs", "Unit": "Count"}]
    assert (document["service"], document["reason"]) == ("couch-explorers-42-worker", "Throttled")
    assert "FailedJobs" not in document


def test_a_job_stays_in_the_queue_even_when_its_visibility_cannot_be_changed(worker, message, context):
    worker.studio.failures = [ThrottledError("busy")]
    worker.sqs.failures["postpone"] = ConnectionError("no route")

    answer = worker.module.lambda_handler(message("A fjord"), context)

    assert answer == KEPT_IN_QUEUE


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (BlockedError("The filter said no."), "ContentFiltered"),
        (ConflictError("Another request."), "Conflict"),
        (AccessDeniedError("No right."), "AccessDenied"),
        (RetiredModelError("Gone."), "ModelRetired"),
        (StorageError("No right to write.", passing=False), "Storage"),
    ],
)
def test_a_permanent_failure_becomes_a_dead_letter_with_its_reason(worker, message, context, capsys, failure, reason):
    worker.studio.failures = [failure]

    answer = worker.module.lambda_handler(message('{"prompt": "A fjord", "id": "fjord-1"}'), context)

    assert answer == TAKEN_FROM_QUEUE
    assert worker.sqs.visibility == []
    [letter] = worker.sqs.sent
    assert letter.queue == worker.module.DEAD_LETTER_URL
    assert letter.body == '{"prompt": "A fjord", "id": "fjord-1"}'
    assert letter.attributes == {"reason": reason, "detail": failure.detail, "job_id": "fjord-1"}
    [document] = metrics_in(capsys.readouterr().out)
    assert document["FailedJobs"] == [1.0]
    assert document["reason"] == reason
    assert document["service"] == "couch-explorers-42-worker"
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "reason"]]


@pytest.mark.usefixtures("tokyo")
def test_a_permanent_failure_leaves_a_note_for_whoever_waits(worker, message, context):
    worker.studio.failures = [BlockedError("The filter said no.")]
    before = datetime.now(UTC).replace(microsecond=0)

    worker.module.lambda_handler(message('{"prompt": "A fjord", "id": "fjord-1", "seed": 5}'), context)

    assert worker.s3.objects["42/fjord-1.error.json"].content_type == "application/json"
    note = worker.s3.notes["42/fjord-1.error.json"]
    written = note.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written)
    assert before <= datetime.fromisoformat(written) <= datetime.now(UTC)
    assert note == {
        "detail": "The filter said no.",
        "id": "fjord-1",
        "reason": "ContentFiltered",
        "request": worker.studio.jobs[0].request,
    }


def test_a_passing_failure_at_the_last_receive_becomes_a_dead_letter(worker, message, context, capsys):
    worker.studio.failures = [ThrottledError("busy")]

    answer = worker.module.lambda_handler(message("A fjord", receives=10), context)

    assert answer == TAKEN_FROM_QUEUE
    assert worker.sqs.sent[0].attributes["reason"] == "Throttled"
    assert values_of(metrics_in(capsys.readouterr().out), "FailedJobs") == [[1.0]]


def test_a_failure_nobody_foresaw_ends_as_a_dead_letter_and_its_trace_in_the_log(worker, message, context):
    worker.studio.failures = [KeyError("a bug")]

    answer = worker.module.lambda_handler(message("A fjord", receives=10), context)

    assert answer == TAKEN_FROM_QUEUE
    assert worker.sqs.sent[0].attributes["reason"] == "Unexpected"
    assert "KeyError" in worker.sqs.sent[0].attributes["detail"]
    assert "Traceback" in worker.log.getvalue()


def test_a_dead_letter_that_cannot_be_sent_keeps_the_job_in_the_queue(worker, message, context, capsys):
    worker.studio.failures = [BlockedError("no")]
    worker.sqs.failures["send"] = ConnectionError("no route")

    answer = worker.module.lambda_handler(message("A fjord"), context)

    assert answer == KEPT_IN_QUEUE
    assert worker.s3.notes == {}
    assert len(worker.sqs.visibility) == 1
    assert values_of(metrics_in(capsys.readouterr().out), "FailedJobs") == []


def test_a_note_that_cannot_be_written_does_not_send_the_dead_letter_twice(worker, message, context):
    worker.studio.failures = [BlockedError("no")]
    worker.s3.failures["put"] = ConnectionError("no route")

    answer = worker.module.lambda_handler(message("A fjord"), context)

    assert answer == TAKEN_FROM_QUEUE
    assert len(worker.sqs.sent) == 1
    assert "The note could not be written" in worker.log.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        "A fjord at dusk",
        '{"prompt": "A fjord at dusk", "seed": 5}',
        '\ufeff {"prompt": "A fjord", "id": null}',
        "🛋️ på tur",
    ],
)
def test_a_job_without_an_id_keeps_the_one_it_got_when_it_is_sent_again(worker, message, context, body):
    worker.studio.failures = [BlockedError("no")]
    worker.module.lambda_handler(message(body), context)
    letter = worker.sqs.sent[0]

    redriven = jobs.parse(letter.body, fallback_id="another-message-id", model_arns=worker.module.MODEL_ARNS)

    assert redriven == worker.studio.jobs[0]
    assert redriven.id == MESSAGE_ID == letter.attributes["job_id"]


def test_a_job_for_an_unlisted_model_keeps_its_id_because_the_list_may_grow(worker, message, context):
    worker.module.lambda_handler(message('{"prompt": "A fjord", "model": "amazon.titan-image-generator-v1"}'), context)

    [letter] = worker.sqs.sent
    assert letter.attributes["reason"] == "UnknownModel"
    assert json.loads(letter.body)["id"] == MESSAGE_ID


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "A fjord"',
        '{"prompt": "A fjord", "promt": 1}',
        '{"prompt": "A fjord", "seed": NaN}',
        '{"prompt": "   "}',
        "   ",
        "{" * 100_000,
        "x" * 10_001,
    ],
    ids=lambda body: body[:24],
)
def test_a_broken_job_is_kept_as_it_came_with_its_id_beside_it(worker, message, context, body):
    answer = worker.module.lambda_handler(message(body), context)

    assert answer == TAKEN_FROM_QUEUE
    assert worker.studio.jobs == []
    [letter] = worker.sqs.sent
    assert letter.body == body
    assert letter.attributes["reason"] == "InvalidRequest"
    assert letter.attributes["job_id"] == MESSAGE_ID
    assert worker.s3.notes[f"42/{MESSAGE_ID}.error.json"]["reason"] == "InvalidRequest"


def test_a_slash_in_an_id_reaches_no_other_prefix(worker, message, context):
    worker.module.lambda_handler(message('{"prompt": "A fjord", "id": "../43/theirs"}'), context)

    assert list(worker.s3.notes) == [f"42/{MESSAGE_ID}.error.json"]


@pytest.mark.parametrize("character", ["x", "é", "🛋"])
def test_a_dead_letter_as_large_as_the_queue_takes_still_fits_with_its_attributes(worker, message, context, character):
    limit = 256 * 1024
    body = character * (limit // len(character.encode()))

    answer = worker.module.lambda_handler(message(body), context)

    assert answer == TAKEN_FROM_QUEUE
    [letter] = worker.sqs.sent
    attributes = sum(len(name) + len("String") + len(value.encode()) for name, value in letter.attributes.items())
    assert limit - 4 < len(letter.body.encode()) + attributes <= limit
    assert body.startswith(letter.body)


def test_a_body_that_its_id_would_make_too_long_keeps_its_form(worker, message, context):
    body = json.dumps({"prompt": "é" * 90_000, "model": "amazon.titan-image-generator-v1"}, ensure_ascii=False)

    worker.module.lambda_handler(message(body), context)

    assert worker.sqs.sent[0].body == body
    assert worker.sqs.sent[0].attributes["job_id"] == MESSAGE_ID


def test_characters_that_sqs_refuses_do_not_keep_a_dead_letter_from_being_sent(worker, message, context):
    body = r'{"prompt": "A fjord", "model": "\uffff\u0000\ud800"}'

    worker.module.lambda_handler(message(body), context)

    [letter] = worker.sqs.sent
    assert worker.module.NOT_FOR_SQS.search(letter.body + letter.attributes["detail"]) is None
    assert json.loads(letter.body) == {**json.loads(body), "id": MESSAGE_ID}


@pytest.mark.parametrize(
    ("detail", "sent"), [("a\x00b", "a\ufffdb"), ("", "ContentFiltered"), ("x" * 1001, "x" * 1000)]
)
def test_detail_of_a_dead_letter_is_what_sqs_takes(worker, message, context, detail, sent):
    worker.studio.failures = [BlockedError(detail)]

    worker.module.lambda_handler(message("A fjord"), context)

    assert worker.sqs.sent[0].attributes["detail"] == sent


@pytest.mark.parametrize(("more", "cut"), [(0, 0), (1, 1)])
def test_dead_letter_is_cut_only_where_it_is_too_long(worker, more, cut):
    failure = BlockedError("no")
    room = len(worker.module.dead_letter("x" * 256 * 1024, "an-id", failure)["MessageBody"])
    worker.log.truncate(0)

    letter = worker.module.dead_letter("x" * (room + more), "an-id", failure)

    assert len(letter["MessageBody"]) == room
    assert worker.log.getvalue().count("is truncated") == cut


def test_the_wait_grows_with_the_receives_up_to_a_quarter_of_an_hour(worker):
    longest = {receives: max(worker.module.backoff_s(receives) for _ in range(2000)) for receives in (1, 2, 5, 9, 500)}

    assert longest[1] == 5
    assert longest[2] == 10
    assert 60 < longest[5] <= 80
    assert 800 < longest[9] <= 900
    assert 800 < longest[500] <= 900


def test_the_wait_is_spread_over_its_whole_range(worker):
    waits = {worker.module.backoff_s(1) for _ in range(500)}

    assert waits == {1, 2, 3, 4, 5}


def test_bedrock_is_asked_in_the_models_own_region_and_given_less_time_than_the_function_has(worker):
    client = worker.module.bedrock("us-east-1")

    assert client is worker.module.bedrock("us-east-1")
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.read_timeout == 45
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert (worker.module.attempts.limit, worker.module.attempts.answer_s) == (4, 45)
    assert worker.module.attempts.time_left_s == worker.module.clock.left_s


def test_the_log_names_the_job_and_never_its_prompt(worker, message, context):
    worker.module.lambda_handler(message('{"prompt": "my secret place", "id": "fjord-1"}'), context)

    line = json.loads(worker.log.getvalue().splitlines()[-1])
    assert (line["job_id"], line["message_id"], line["receives"]) == ("fjord-1", MESSAGE_ID, 1)
    assert "secret" not in worker.log.getvalue()


def test_a_missing_variable_stops_the_worker_at_import_by_its_name(environment, load, monkeypatch):
    for missing in environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv(missing)

        with pytest.raises(KeyError, match=missing):
            load()


@pytest.mark.parametrize(
    "body",
    [
        "null",
        '["A castle"]',
        '"A castle"',
        "prompt=A castle",
        '--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nA castle\r\n--b--',
        '{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "A castle"}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
        "\u200b\u2800",
    ],
)
def test_what_is_no_job_becomes_a_dead_letter_as_it_came_and_no_picture(worker, message, context, body):
    assert worker.module.lambda_handler(message(body), context) == TAKEN_FROM_QUEUE

    assert [(letter.body, letter.attributes["reason"]) for letter in worker.sqs.sent] == [(body, "InvalidRequest")]
    assert worker.studio.jobs == []


@pytest.fixture
def whole_worker(loaded_worker, monkeypatch):
    """The worker with its core, before S3, SQS and Bedrock in memory; gives (handler, bucket, models, log)."""
    bucket, models, log = Bucket(), ImageModels(), io.StringIO()
    bedrock = client("bedrock-runtime", models, "us-west-2")
    monkeypatch.setattr(loaded_worker, "s3", client("s3", bucket))
    sqs = client("sqs", Queues())
    monkeypatch.setattr(loaded_worker, "sqs", lambda: sqs)
    monkeypatch.setattr(loaded_worker, "bedrock", lambda _region: bedrock)
    loaded_worker.logger.logger_handler.setStream(log)
    return SimpleNamespace(handle=loaded_worker.lambda_handler, bucket=bucket, log=log)


def texts_of(stored):
    """What S3 keeps of an object: its bytes, its metadata as headers, its content type."""
    headers = "\n".join(f"x-amz-meta-{name}: {value}" for name, value in stored.metadata.items())
    return stored.body + f"\n{headers}\n{stored.content_type}".encode()


def test_images_their_metadata_notes_and_log_hold_no_secret_of_the_environment(whole_worker, message, context, planted):
    whole_worker.handle(message('{"prompt": "A fjord", "id": "fjord-1"}'), context)
    whole_worker.handle(message('{"prompt": 7, "id": "broken-1"}'), context)

    assert whole_worker.bucket.objects.keys() == {"42/fjord-1.png", "42/broken-1.error.json"}
    assert whole_worker.bucket.objects["42/fjord-1.png"].metadata
    for stored in whole_worker.bucket.objects.values():
        assert list(secrets_in(texts_of(stored), planted)) == []
    assert list(secrets_in(whole_worker.log.getvalue().encode(), planted)) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_secret_in_the_metadata_of_an_image_is_seen(planted, kind):
    stored = StoredObject(b"", "image/png", {"couch-note": PLANTED[kind]})

    assert list(secrets_in(texts_of(stored), planted)) == [kind]


NO_ROUTE = {"exception": "ConnectionError: no route"}


def with_short_exception(lines):
    """Lines with the last line of a trace in its place."""
    return [line | {"exception": line["exception"].splitlines()[-1]} if "exception" in line else line for line in lines]


def test_log_says_why_and_how_long_a_job_is_postponed(worker, message, context):
    worker.studio.failures = [ThrottledError("busy")]
    worker.sqs.failures["postpone"] = ConnectionError("no route")

    worker.module.lambda_handler(message("A fjord"), context)

    postponed, unchanged = with_short_exception(logged(worker))
    assert 1 <= postponed.pop("seconds") <= 5
    assert postponed == {"level": "WARNING", "message": "Job postponed", "reason": "Throttled", "detail": "busy"}
    assert unchanged == {"level": "ERROR", "message": "The visibility could not be changed"} | NO_ROUTE


def test_log_says_why_a_job_is_given_up(worker, message, context):
    worker.studio.failures = [BlockedError("no")]
    worker.s3.failures["put"] = ConnectionError("no route")

    worker.module.lambda_handler(message("A fjord"), context)

    assert with_short_exception(logged(worker)) == [
        {"level": "ERROR", "message": "Job given up", "reason": "ContentFiltered", "detail": "no"},
        {"level": "ERROR", "message": "The note could not be written", "key": f"42/{MESSAGE_ID}.error.json"} | NO_ROUTE,
    ]


def test_log_says_that_a_dead_letter_could_not_be_sent(worker, message, context):
    worker.studio.failures = [BlockedError("no")]
    worker.sqs.failures["send"] = ConnectionError("no route")

    worker.module.lambda_handler(message("A fjord"), context)

    unsent, postponed = with_short_exception(logged(worker))
    assert unsent == {
        "level": "ERROR", "message": "The dead-letter message could not be sent", "reason": "ContentFiltered"
    } | NO_ROUTE  # fmt: skip
    assert (postponed["message"], postponed["reason"]) == ("Job postponed", "ContentFiltered")


def test_log_says_that_nobody_foresaw_a_failure(worker, message, context):
    worker.studio.failures = [KeyError("a bug")]

    worker.module.lambda_handler(message("A fjord"), context)

    unforeseen, postponed = with_short_exception(logged(worker))
    assert unforeseen == {
        "level": "ERROR", "message": "The job failed in a way nobody foresaw", "exception": "KeyError: 'a bug'"
    }  # fmt: skip
    assert postponed["detail"] == "The worker failed with KeyError; its log tells where, under the job's id."


def test_log_says_that_time_outs_could_not_be_counted(worker, message, context):
    worker.studio.failures = [ModelTimeoutError("late")]
    worker.s3.failures["put"] = ConnectionError("no route")

    worker.module.lambda_handler(message("A fjord"), context)

    uncounted, _ = with_short_exception(logged(worker))
    assert uncounted == {"level": "ERROR", "message": "The time-outs of the model could not be counted"} | NO_ROUTE


def test_log_says_how_much_of_a_dead_letter_is_cut(worker, message, context):
    body = "x" * 256 * 1024

    worker.module.lambda_handler(message(body), context)

    cut, _ = logged(worker)
    left = len(worker.sqs.sent[0].body)
    assert cut == {
        "level": "ERROR", "message": "The body of the dead-letter message is truncated", "bytes": len(body), "left": left
    }  # fmt: skip


@pytest.mark.parametrize(
    ("already_there", "waited_ms", "late"), [(True, 60_000, False), (False, 60_000, False), (False, 60_001, True)]
)
def test_log_says_what_was_stored_and_how_late(worker, message, context, monkeypatch, already_there, waited_ms, late):
    event = message("A fjord")
    sent_s = int(event["Records"][0]["attributes"]["SentTimestamp"]) / 1000
    monkeypatch.setattr(clock.time, "time", lambda: sent_s + waited_ms / 1000)
    worker.studio.already_there = already_there

    worker.module.lambda_handler(event, context)

    [job] = worker.studio.jobs
    assert logged(worker) == [
        {
            "level": "INFO",
            "message": "Picture stored",
            "key": f"42/{MESSAGE_ID}.png",
            "model": job.model.id,
            "seed": job.seed,
            "milliseconds": 1234,
            "time_to_picture": waited_ms,
            "late": late,
            "already_there": already_there,
        }
    ]


@pytest.mark.parametrize(("more", "named"), [(0, True), (1, False)])
def test_id_is_written_into_a_body_of_at_most_half_a_message(worker, more, named):
    limit = 128 * 1024
    empty = len(worker.module.body_with_id("", "an-id"))
    body = "x" * (limit - empty + more)

    assert (worker.module.body_with_id(body, "an-id") != body) is named


def test_model_is_asked_with_the_workers_own_clients_and_names(worker, message, context, monkeypatch):
    given = {}
    monkeypatch.setattr(
        worker.module.generation,
        "generate",
        lambda job, **rest: given.update(rest) or worker.studio.generate(job, **rest),
    )

    worker.module.lambda_handler(message("A fjord"), context)

    assert given == {
        "bedrock": worker.module.bedrock,
        "s3": worker.s3,
        "bucket": "pictures",
        "prefix": "42",
        "attempts": worker.module.attempts,
    }
