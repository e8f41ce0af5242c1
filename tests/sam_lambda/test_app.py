from __future__ import annotations

import base64
import json

import pytest

from couch_explorers.core import clock
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    ConflictError,
    GenerationError,
    ModelTimeoutError,
    RetiredModelError,
    ThrottledError,
)
from tests.handlers import logged_by


class UnexpectedStatusError(GenerationError):
    """The first of the server's own failures."""

    reason = "Unexpected"
    status = 500


REQUEST_ID = "6f0c2f4e-2a0e-4b7d-9a55-0d6f3f1f8f11"


def test_a_bare_prompt_becomes_a_picture_named_after_the_request(api, request_event):
    status, body = api.call(request_event("A fjord at dusk"))

    assert status == 200
    assert body == {
        "bucket": "pictures",
        "key": f"42/{REQUEST_ID}.png",
        "uri": f"s3://pictures/42/{REQUEST_ID}.png",
        "model": "stability.stable-image-core-v1:1",
        "seed": api.studio.jobs[0].seed,
        "milliseconds": 1234,
        "already_there": False,
    }
    assert api.studio.jobs[0].prompt == "A fjord at dusk"


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "text/plain", None])
def test_a_json_job_keeps_its_id_its_model_and_its_seed(api, request_event, content_type):
    job = {"prompt": "A fjord", "id": "fjord-1", "model": "amazon.nova-canvas-v1:0", "seed": 7}

    status, body = api.call(request_event(json.dumps(job), content_type))

    assert status == 200
    assert (body["key"], body["model"], body["seed"]) == ("42/fjord-1.png", "amazon.nova-canvas-v1:0", 7)


def test_a_body_in_base64_is_read(api, request_event):
    encoded = base64.b64encode("Sofa på tur 🛋️".encode()).decode()

    status, _ = api.call(request_event(encoded, is_base64=True))

    assert status == 200
    assert api.studio.jobs[0].prompt == "Sofa på tur 🛋️"


def metrics_in(capsys):
    """The EMF documents that were printed since the last look."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


def test_a_new_picture_is_counted_and_of_one_that_was_there_only_the_time(api, request_event, capsys):
    api.call(request_event())
    made = metrics_in(capsys)
    api.studio.already_there = True
    status, body = api.call(request_event())
    again = metrics_in(capsys)

    assert [document["PicturesMade"] for document in made] == [[1.0]]
    assert made[0]["GenerationTime"] == [1234.0]
    assert made[0]["service"] == "couch-explorers-42-generate-image"
    assert made[0]["model"] == "stability.stable-image-core-v1:1"
    assert made[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [
        {"Name": "PicturesMade", "Unit": "Count"},
        {"Name": "GenerationTime", "Unit": "Milliseconds"},
        {"Name": "TimeToPicture", "Unit": "Milliseconds"},
    ]
    dimensions = made[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert [sorted(names) for names in dimensions] == [["service"], ["model", "service"]]
    assert (status, body["already_there"]) == (200, True)
    assert [sorted({"PicturesMade", "GenerationTime", "TimeToPicture"} & document.keys()) for document in again] == [
        ["TimeToPicture"]
    ]


def test_the_time_to_picture_counts_from_the_request_at_the_gateway(api, request_event, capsys, monkeypatch):
    event = request_event()
    asked_s = event["requestContext"]["requestTimeEpoch"] / 1000
    monkeypatch.setattr(clock.time, "time", lambda: asked_s + 20.25)

    api.call(event)

    [document] = metrics_in(capsys)
    assert document["TimeToPicture"] == [20_250.0]
    assert {"Name": "TimeToPicture", "Unit": "Milliseconds"} in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    stored = next(json.loads(line) for line in api.log.getvalue().splitlines() if "Picture stored" in line)
    assert (stored["time_to_picture"], stored["late"]) == (20_250, True)


def test_an_event_without_the_gateways_time_gives_no_time_to_picture(api, request_event, capsys):
    event = request_event()
    del event["requestContext"]["requestTimeEpoch"]

    status, _ = api.call(event)

    [document] = metrics_in(capsys)
    assert status == 200
    assert "TimeToPicture" not in document


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ThrottledError("Busy."), "Throttled"),
        (BlockedError("No."), "ContentFiltered"),
        (OSError("Disk."), "Unexpected"),
    ],
)
def test_a_request_without_a_picture_is_counted_by_its_reason(api, request_event, capsys, failure, reason):
    api.studio.failures = [failure]

    api.call(request_event())

    [document] = metrics_in(capsys)
    assert (document["FailedRequests"], document["reason"]) == ([1.0], reason)
    assert document["service"] == "couch-explorers-42-generate-image"
    assert document["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "FailedRequests", "Unit": "Count"}]
    dimensions = document["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert [sorted(names) for names in dimensions] == [["service"], ["reason", "service"]]
    assert "TimeToPicture" not in document


@pytest.mark.parametrize(
    "event",
    [
        {"body": None},
        {"body": ""},
        {"body": " \n "},
        {"body": "x" * 10_001},
        {"body": '{"prompt": ""}'},
        {"body": '{"prompt": 5}'},
        {"body": '{"prompt": "A fjord"'},
        {"body": '{"prompt": "A fjord", "id": "a/b"}'},
        {"body": '{"prompt": "A fjord", "promt": 1}'},
        {"body": '{"prompt": "A fjord", "seed": true}'},
        {"body": "{}"},
        {"body": "/////w==", "isBase64Encoded": True},
        {"body": "no base64!", "isBase64Encoded": True},
        {"body": "å", "isBase64Encoded": True},
        {"body": "\ud800"},
        {"body": "p\ufffd tur"},
    ],
    # Without backslashes: pytest writes those once more when it runs twice in a process, as it does in `make mutants`.
    ids=lambda event: ascii(event["body"])[:30].replace("\\", "/"),
)
def test_a_body_that_is_no_job_is_answered_400(api, request_event, event):
    status, body = api.call({**request_event(), **event})

    assert status == 400
    assert body["error"] == "InvalidRequest"
    assert body["detail"].endswith((".", "}"))
    assert body["request_id"] == REQUEST_ID
    assert set(body) == {"error", "detail", "request_id"}
    assert api.studio.jobs == []


@pytest.mark.parametrize("body", ['"A fjord"', '["A fjord"]', "A fjord", "5", "null"])
@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.couch+json"])
def test_a_json_content_type_asks_for_an_object(api, request_event, body, content_type):
    status, answer = api.call(request_event(body, content_type))

    assert (status, answer["error"]) == (400, "InvalidRequest")
    assert "no JSON object" in answer["detail"]


def test_an_unlisted_model_is_answered_400_with_those_that_are(api, request_event):
    status, body = api.call(request_event('{"prompt": "A fjord", "model": "amazon.titan-image-generator-v1"}'))

    assert (status, body["error"]) == (400, "UnknownModel")
    assert "amazon.nova-canvas-v1:0" in body["detail"]


@pytest.mark.parametrize("is_base64", [False, True])
def test_64_kib_are_read_and_one_byte_more_is_answered_413(api, request_event, is_base64):
    def sized(length):
        text = '{"prompt": "' + "å" * 100 + '"}'
        text += " " * (length - len(text.encode()))
        return base64.b64encode(text.encode()).decode() if is_base64 else text

    fits, _ = api.call(request_event(sized(64 * 1024), is_base64=is_base64))
    status, body = api.call(request_event(sized(64 * 1024 + 1), is_base64=is_base64))

    assert fits == 200
    assert (status, body["error"], body["request_id"]) == (413, "TooLarge", REQUEST_ID)


@pytest.mark.parametrize(
    ("failure", "status", "error"),
    [
        (BlockedError("The filter said no."), 400, "ContentFiltered"),
        (ConflictError("Another request."), 409, "Conflict"),
        (ThrottledError("Busy."), 429, "Throttled"),
        (RetiredModelError("Gone."), 502, "ModelRetired"),
        (AccessDeniedError("No right."), 502, "AccessDenied"),
        (ModelTimeoutError("Late."), 504, "ModelTimeout"),
    ],
)
def test_what_the_model_answered_reaches_the_caller_as_json(api, request_event, failure, status, error):
    api.studio.failures.append(failure)

    answer = api.call(request_event())

    assert answer == (status, {"error": error, "detail": failure.detail, "request_id": REQUEST_ID})


def test_an_unforeseen_failure_is_answered_500_and_its_trace_stays_in_the_log(api, request_event):
    api.studio.failures.append(RuntimeError("secret inner matter"))

    status, body = api.call(request_event())

    assert status == 500
    assert body["error"] == "Unexpected"
    assert body["request_id"] == REQUEST_ID
    assert "secret" not in json.dumps(body)
    assert "Traceback" not in json.dumps(body)
    assert "secret inner matter" in api.log.getvalue()
    assert "Traceback" in api.log.getvalue()


def test_a_direct_call_without_a_gateway_names_the_functions_own_request(api):
    status, body = api.call({"body": ""})

    assert (status, body["request_id"]) == (400, "5e0d2c1b-0000-4000-8000-000000000001")


def test_the_log_names_the_job_and_never_its_prompt(api, request_event):
    api.call(request_event('{"prompt": "my secret place", "id": "fjord-1"}'))

    line = json.loads(api.log.getvalue().splitlines()[-1])
    assert line["job_id"] == "fjord-1"
    assert line["api_request_id"] == REQUEST_ID
    assert "secret" not in api.log.getvalue()


def test_bedrock_gets_two_attempts_and_20_seconds(api):
    client = api.module.bedrock("us-east-1")

    assert client is api.module.bedrock("us-east-1")
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.read_timeout == 20
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert (api.module.attempts.limit, api.module.attempts.answer_s) == (2, 20)
    assert api.module.attempts.time_left_s == api.module.clock.left_s


def test_a_missing_variable_stops_the_function_at_import_by_its_name(environment, load, monkeypatch):
    for missing in environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv(missing)

        with pytest.raises(KeyError, match=missing):
            load()


BOUNDARY = "------------------------d74496d66958873e"
MULTIPART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nA castle\r\n--{BOUNDARY}--\r\n'
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (MULTIPART, f"multipart/form-data; boundary={BOUNDARY}"),
        (MULTIPART, "text/plain"),
        (MULTIPART, None),
        ("A castle", "multipart/mixed"),
        ("prompt=A castle", FORM),
        ("prompt=A castle", f"{FORM}; charset=UTF-8"),
        ("prompt=A castle", "text/plain"),
        ("prompt=A%20castle&seed=7", FORM),
        ("text=A+castle", FORM),
        ("seed=7&prompt=A", FORM),
        ("A%20castle", FORM),
        ("%7B%22prompt%22%3A%22A%22%7D", FORM),
        ("<prompt>A castle</prompt>", "application/xml"),
        ("<prompt>A castle</prompt>", "image/svg+xml"),
        ("<p>A castle</p>", "text/html; charset=utf-8"),
        ("A castle", "image/png"),
    ],
)
def test_a_form_or_another_kind_of_content_is_refused_with_the_forms_that_work(api, request_event, body, content_type):
    status, answer = api.call(request_event(body, content_type))

    assert (status, answer["error"]) == (400, "InvalidRequest")
    assert '{"prompt": "…"}' in answer["detail"]
    assert api.studio.jobs == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("A castle", FORM),
        ("A castle, 100% stone", FORM),
        ('{"prompt": "A castle"}', FORM),
        ('{"prompt": "A castle=%20"}', FORM),
        ("A castle = home", "text/plain"),
        ("A%20castle", "text/plain"),
        ("A castle", "application/octet-stream"),
        ("A castle", "nonsense"),
        ("A castle", ""),
    ],
)
def test_a_prompt_or_a_job_is_taken_by_the_content_types_that_clients_send_unasked(
    api, request_event, body, content_type
):
    assert api.call(request_event(body, content_type))[0] == 200


@pytest.mark.parametrize(
    "body", ["null", "[]", '"A castle"', "7", '{"Type": "Notification", "Message": "A castle"}', "\u200b", "\u2800"]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", FORM, None])
def test_what_is_no_job_is_refused_by_every_content_type(api, request_event, body, content_type):
    status, _ = api.call(request_event(body, content_type))

    assert status == 400
    assert api.studio.jobs == []


@pytest.mark.parametrize(
    ("already_there", "waited_ms", "late"), [(True, 20_000, False), (False, 20_000, False), (False, 20_001, True)]
)
def test_log_says_what_was_stored_and_how_late(api, request_event, monkeypatch, already_there, waited_ms, late):
    event = request_event('{"prompt": "A fjord", "id": "fjord-1"}')
    asked_s = event["requestContext"]["requestTimeEpoch"] / 1000
    monkeypatch.setattr(clock.time, "time", lambda: asked_s + waited_ms / 1000)
    api.studio.already_there = already_there

    api.call(event)

    assert logged_by(api) == [
        {
            "level": "INFO",
            "message": "Picture stored",
            "api_request_id": REQUEST_ID,
            "job_id": "fjord-1",
            "model": "stability.stable-image-core-v1:1",
            "key": "42/fjord-1.png",
            "milliseconds": 1234,
            "time_to_picture": waited_ms,
            "late": late,
            "already_there": already_there,
        }
    ]


def test_picture_whose_request_has_no_time_is_not_late(api, request_event):
    event = request_event()
    del event["requestContext"]["requestTimeEpoch"]

    api.call(event)

    [line] = logged_by(api)
    assert {"time_to_picture", "late"}.isdisjoint(line)


@pytest.mark.parametrize(
    ("failure", "level", "reason", "status"),
    [
        (BlockedError("No."), "INFO", "ContentFiltered", 400),
        (ThrottledError("No."), "INFO", "Throttled", 429),
        (ModelTimeoutError("No."), "WARNING", "ModelTimeout", 504),
        (UnexpectedStatusError("No."), "WARNING", "Unexpected", 500),
    ],
)
def test_log_says_why_there_is_no_picture(api, request_event, failure, level, reason, status):
    api.studio.failures = [failure]

    api.call(request_event('{"prompt": "A fjord", "id": "fjord-1"}'))

    assert logged_by(api) == [
        {
            "level": level,
            "message": "No picture",
            "api_request_id": REQUEST_ID,
            "job_id": "fjord-1",
            "model": "stability.stable-image-core-v1:1",
            "reason": reason,
            "detail": "No.",
            "status": status,
        }
    ]


def test_log_keeps_the_trace_of_a_failure_nobody_foresaw(api, request_event):
    api.studio.failures = [OSError("Disk.")]

    status, body = api.call(request_event())

    [line] = logged_by(api)
    assert (line["level"], line["message"]) == ("ERROR", "The request failed in a way nobody foresaw")
    assert line["exception"].endswith("OSError: Disk.")
    assert (status, body["error"]) == (500, "Unexpected")
    assert body["detail"] == (
        "Something failed here that should not; try again, and name the request id if it stays so."
    )


def test_model_is_asked_with_the_functions_own_clients_and_names(api, request_event, monkeypatch):
    given = {}
    monkeypatch.setattr(
        api.module.generation, "generate", lambda job, **rest: given.update(rest) or api.studio.generate(job, **rest)
    )

    api.call(request_event())

    assert given == {
        "bedrock": api.module.bedrock,
        "s3": api.module.s3,
        "bucket": "pictures",
        "prefix": "42",
        "attempts": api.module.attempts,
    }


HOW = 'send the prompt as text/plain, or {"prompt": "…"} as application/json'


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ({"body": "QSBm!am9yZA==", "isBase64Encoded": True}, "The body is no text in UTF-8: send the prompt as UTF-8."),
        ({"body": "/////w==", "isBase64Encoded": True}, "The body is no text in UTF-8: send the prompt as UTF-8."),
        ({"body": "p\ufffd tur"}, "The body held bytes that are no UTF-8: send the prompt as UTF-8."),
        ({"headers": {"A": "b", "CONTENT-TYPE": "text/html"}}, f'The content type "text/html" is not taken: {HOW}.'),
        ({"headers": {"Content-Type": "a/b+xml; c=d"}}, f'The content type "a/b+xml" is not taken: {HOW}.'),
        (
            {"body": "prompt=A", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            f"The body is a form, not a job: {HOW}.",
        ),
        (
            {"headers": {"Content-Type": "application/json"}},
            'The content type says JSON, but the body is no JSON object: send {"prompt": "…"}, or the prompt as text/plain.',
        ),
    ],
)
def test_refused_body_is_answered_with_what_to_send(api, request_event, event, detail):
    status, body = api.call(request_event() | event)

    assert (status, body["detail"]) == (400, detail)


def test_job_with_a_percent_sign_is_no_form(api, request_event):
    status, _ = api.call(request_event('{"prompt":"100%25"}', "application/x-www-form-urlencoded"))

    assert (status, api.studio.jobs[0].prompt) == (200, "100%25")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (None, ""),
        ({"Content-Type": None}, ""),
        ({"accept": "*/*"}, ""),
        ({"CONTENT-type": " Text/HTML ; charset=x"}, "text/html"),
    ],
)
def test_content_type_is_read_from_any_headers(api, headers, kind):
    assert api.module.media_type({"headers": headers}) == kind
