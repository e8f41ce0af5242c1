"""The stand-in for the image models, compared with the shapes that Bedrock's documentation gives."""

import asyncio
import base64
import io
import json
import random
import subprocess
import sys
import threading

import botocore.parsers
import botocore.session
import psutil
import pytest
from PIL import Image

from couch_explorers.core import errors, image_models, model_families
from couch_explorers.local.bedrock import rendering, requests
from couch_explorers.local.bedrock.emulator import CallLog, ImageModelEmulator
from couch_explorers.local.bedrock.responses import BLOCKED_IN_PICTURE, BLOCKED_IN_PROMPT, PROMPT_BLOCKED
from couch_explorers.local.faults import HANG_S, Faults

TITAN = image_models.get("amazon.titan-image-generator-v1")
NOVA = image_models.get("amazon.nova-canvas-v1:0")
CORE = image_models.get(image_models.DEFAULT_MODEL_ID)
FAMILIES = [TITAN, NOVA, CORE]


class Pace:
    """A clock that only sleeping moves, and that remembers how long was slept."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now


class Painter:
    """Paints nothing, but remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, prompt, **rest):
        self.asked.append({"prompt": prompt, **rest})
        return f"picture {rest['seed']}".encode()


@pytest.fixture
def pace():
    return Pace()


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture
def models(pace, painter):
    emulator = ImageModelEmulator(rng=random.Random(1), paint=painter, sleep=pace.sleep, clock=pace.clock)
    yield emulator
    emulator.close()


def ask(models, model, body, region=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(models.invoke_model(model.id, raw, region or model.region))


def body_for(model, prompt="a jeep at sunset", **rest):
    return model.build_request(prompt, **{"seed": 5, **rest})


def changed(body, path, value):
    """A copy of a request in which one field, given by its path, has another value (or is gone, for `...`)."""
    copy = json.loads(json.dumps(body))
    target = copy
    for name in path[:-1]:
        target = target[name]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return copy


def message_of(answer):
    return json.loads(answer.body)["message"]


@pytest.mark.parametrize("model", image_models.MODELS.values(), ids=lambda model: model.id)
def test_every_model_answers_what_the_core_asks_and_reads(models, painter, model):
    answer = ask(models, model, body_for(model))

    assert answer.status == 200
    assert model.read_response(json.loads(answer.body)) == [b"picture 5"]
    assert (painter.asked[0]["width"], painter.asked[0]["height"]) == model.picture_size("1024x1024")
    assert painter.asked[0]["model"] == model.id
    assert models.stats.to_json() == {"calls": 1, "images": 1, "throttled": 0, "errors": 0, "blocked": 0}


def test_an_amazon_answer_has_images_and_error(models):
    answer = json.loads(ask(models, TITAN, body_for(TITAN)).body)

    assert answer == {"images": [base64.b64encode(b"picture 5").decode()], "error": None}


def test_a_stability_answer_has_seeds_reasons_and_images(models):
    answer = json.loads(ask(models, CORE, body_for(CORE)).body)

    assert answer == {
        "seeds": [5],
        "finish_reasons": [None],
        "images": [base64.b64encode(b"picture 5").decode()],
    }


def test_several_images_have_seeds_of_their_own_and_are_all_billed(models):
    body = changed(body_for(NOVA), ("imageGenerationConfig", "numberOfImages"), 3)

    answer = json.loads(ask(models, NOVA, body).body)

    assert [base64.b64decode(image) for image in answer["images"]] == [b"picture 5", b"picture 6", b"picture 7"]
    assert models.stats.images == 3


def test_seed_0_is_any_seed_on_stability_and_reported(models):
    first, second = (json.loads(ask(models, CORE, body_for(CORE, seed=0)).body)["seeds"][0] for _ in range(2))

    assert first != second
    assert 0 < first < 2**32


def test_seed_0_is_a_seed_on_amazon_s_models(models, painter):
    ask(models, TITAN, body_for(TITAN, seed=0))

    assert painter.asked[0]["seed"] == 0


def test_settings_may_be_left_out(models, painter):
    ask(models, NOVA, {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "fjord"}})
    ask(models, CORE, {"prompt": "fjord"})

    assert [(call["width"], call["height"]) for call in painter.asked] == [(1024, 1024), (1024, 1024)]
    assert painter.asked[0]["cfg_scale"] == NOVA.default_cfg_scale


CONFIG = "imageGenerationConfig"


@pytest.mark.parametrize(
    ("model", "path", "value", "expected"),
    [
        (TITAN, ("taskType",), ..., "required key [taskType] not found"),
        (TITAN, ("taskType",), "INPAINTING", "required key [inPaintingParams] not found"),
        (TITAN, ("textToImageParams",), ..., "required key [textToImageParams] not found"),
        (TITAN, ("textToImageParams",), "text", "expected type: JSONObject"),
        (TITAN, ("textToImageParams", "text"), "", "minLength: 1"),
        (TITAN, ("textToImageParams", "text"), "   ", "minLength: 1"),
        (TITAN, ("textToImageParams", "text"), 7, "expected type: String"),
        (TITAN, ("textToImageParams", "text"), "x" * 513, "maxLength: 512, actual: 513"),
        (TITAN, ("textToImageParams", "negativeText"), "x" * 513, "negativeText"),
        (TITAN, ("textToImageParams", "images"), [], "extraneous key [images]"),
        (TITAN, ("style",), "photo", "extraneous key [style]"),
        (TITAN, (CONFIG, "steps"), 30, "extraneous key [steps]"),
        (TITAN, (CONFIG, "seed"), 2_147_483_647, "less or equal to 2147483646"),
        (TITAN, (CONFIG, "seed"), -1, "greater or equal to 0"),
        (TITAN, (CONFIG, "seed"), "1", "expected type: Integer"),
        (TITAN, (CONFIG, "seed"), True, "expected type: Integer"),
        (TITAN, (CONFIG, "cfgScale"), 1.0, "greater or equal to 1.1"),
        (TITAN, (CONFIG, "cfgScale"), 10.1, "less or equal to 10"),
        (TITAN, (CONFIG, "cfgScale"), float("nan"), "greater or equal"),
        (TITAN, (CONFIG, "cfgScale"), None, "expected type: Number"),
        (TITAN, (CONFIG, "quality"), "best", "not a valid enum value"),
        (TITAN, (CONFIG, "numberOfImages"), 0, "numberOfImages"),
        (TITAN, (CONFIG, "numberOfImages"), 6, "less or equal to 5"),
        (TITAN, (CONFIG, "width"), 1000, "does not paint 1000x1024"),
        (NOVA, ("textToImageParams", "text"), "x" * 1025, "maxLength: 1024"),
        (NOVA, (CONFIG, "width"), 1023, "multiple of 16"),
        (NOVA, (CONFIG, "width"), 304, "320 to 4096"),
        (NOVA, (CONFIG, "width"), 4112, "less or equal to 4096"),
        (NOVA, (CONFIG, "width"), 4096.5, "expected type: Integer"),
        (NOVA, (CONFIG, "height"), 4096 + 16, "4096"),
        (NOVA, (CONFIG, "seed"), 858_993_460, "858993459"),
        (CORE, ("prompt",), ..., "required key [prompt] not found"),
        (CORE, ("prompt",), "x" * 10_001, "maxLength: 10000"),
        (CORE, ("negative_prompt",), "x" * 10_001, "maxLength: 10000"),
        (CORE, ("aspect_ratio",), "4:3", "not a valid enum value"),
        (CORE, ("aspect_ratio",), ["1:1"], "not a valid enum value"),
        (CORE, ("mode",), "image-to-image", "not a valid enum value"),
        (CORE, ("output_format",), "gif", "not a valid enum value"),
        (CORE, ("seed",), 4_294_967_296, "4294967295"),
        (CORE, ("cfg_scale",), 7, "extraneous key [cfg_scale]"),
        (CORE, ("width",), 512, "extraneous key [width]"),
    ],
)
def test_a_request_that_breaks_a_limit_is_refused_and_not_billed(models, painter, model, path, value, expected):
    answer = ask(models, model, changed(body_for(model), path, value))

    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    assert message_of(answer).startswith("Malformed input request: ")
    assert expected in message_of(answer)
    assert painter.asked == []
    assert models.stats.to_json() == {"calls": 1, "images": 0, "throttled": 0, "errors": 0, "blocked": 0}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe\xfa", b'"prompt"', b"null", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(models, body):
    answer = ask(models, CORE, body)

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")


def test_every_family_of_models_is_understood():
    assert requests.READERS.keys() == model_families.FAMILIES.keys()


def test_a_family_that_nobody_taught_the_stand_in_is_refused_by_name(models, monkeypatch):
    monkeypatch.delitem(requests.READERS, CORE.family)

    answer = ask(models, CORE, body_for(CORE))

    assert answer.status == 400
    assert b"the local stand-in knows no request of the family stability" in answer.body


def test_a_prompt_of_exactly_the_limit_is_taken(models):
    assert ask(models, TITAN, body_for(TITAN, prompt="x" * 512)).status == 200


@pytest.mark.parametrize(
    ("model_id", "region"),
    [
        (CORE.id, "us-east-1"),
        (TITAN.id, "eu-west-1"),
        ("anthropic.claude-v2", "us-east-1"),
        ("", "us-east-1"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{CORE.id}", "us-east-1"),
        (f"arn:aws:bedrock:us-west-2::foundation-model/{CORE.id}", "us-east-1"),
        ("arn:nonsense", "us-east-1"),
    ],
)
def test_a_model_that_the_region_does_not_have_is_an_invalid_identifier(models, model_id, region):
    answer = asyncio.run(models.invoke_model(model_id, b"{}", region))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert message_of(answer) == "The provided model identifier is invalid."


def test_a_model_may_be_named_by_its_arn(models):
    answer = asyncio.run(models.invoke_model(CORE.arn, json.dumps(body_for(CORE)).encode(), CORE.region))

    assert answer.status == 200


@pytest.mark.parametrize("model", [TITAN, NOVA])
def test_amazon_refuses_a_blocked_prompt_with_an_error(models, model):
    answer = ask(models, model, body_for(model, prompt=f"Something {BLOCKED_IN_PROMPT[0].upper()}, please"))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert message_of(answer) == PROMPT_BLOCKED
    assert (models.stats.blocked, models.stats.images) == (1, 0)


def test_stability_refuses_a_blocked_prompt_with_a_finish_reason(models):
    answer = ask(models, CORE, body_for(CORE, prompt="nsfw"))

    assert answer.status == 200
    assert json.loads(answer.body) == {"seeds": [], "finish_reasons": ["Filter reason: prompt"], "images": []}
    assert (models.stats.blocked, models.stats.images) == (1, 0)


def test_a_blocked_word_within_another_word_passes(models):
    assert ask(models, NOVA, body_for(NOVA, prompt="unblocked-words and Gorée")).status == 200
    assert models.stats.blocked == 0


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("way", ["by the word", "by the fault"])
def test_a_picture_that_the_filter_withholds_is_read_as_blocked_and_not_billed(models, model, way):
    prompt = BLOCKED_IN_PICTURE[0] if way == "by the word" else "harmless"
    models.faults = Faults(filter=1.0 if way == "by the fault" else 0.0)

    answer = ask(models, model, body_for(model, prompt=prompt))

    assert answer.status == 200
    with pytest.raises(errors.BlockedError):
        model.read_response(json.loads(answer.body))
    assert (models.stats.blocked, models.stats.images) == (1, 0)


def test_all_and_some_of_the_pictures_are_told_apart(models):
    body = changed(body_for(NOVA), (CONFIG, "numberOfImages"), 5)
    models.faults = Faults(filter=1.0)
    none_passed = json.loads(ask(models, NOVA, body).body)
    models.faults = Faults(filter=0.5)
    some_passed = json.loads(ask(models, NOVA, body).body)

    assert none_passed == {
        "images": [],
        "error": "All of the generated images have been blocked by our content filters.",
    }
    assert some_passed["error"] == "Some of the generated images have been blocked by our content filters."
    assert 0 < len(some_passed["images"]) < 5
    assert models.stats.images == len(some_passed["images"])


def test_a_retired_model_says_so_and_the_others_go_on(models):
    models.faults = Faults(retired=(TITAN.id,))

    answer = ask(models, TITAN, body_for(TITAN))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert message_of(answer) == "This model version has reached the end of its life."
    assert ask(models, NOVA, body_for(NOVA)).status == 200


@pytest.mark.parametrize(
    ("faults", "status", "error", "counted"),
    [
        ({"throttle": 1.0}, 429, "ThrottlingException", "throttled"),
        ({"error": 1.0}, 503, "ServiceUnavailableException", "errors"),
    ],
)
def test_failed_call_is_answered_promptly_and_not_billed(models, pace, painter, faults, status, error, counted):
    models.faults = Faults(latency=30.0, **faults)

    answer = ask(models, CORE, body_for(CORE))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (status, error)
    assert pace.now < 0.1
    assert painter.asked == []
    none = {"calls": 1, "images": 0, "throttled": 0, "errors": 0, "blocked": 0}
    assert models.stats.to_json() == none | {counted: 1}


def test_faults_come_in_about_their_share_and_the_counters_add_up(models):
    models.faults = Faults(throttle=0.6, error=0.1, latency=0.0)

    statuses = [ask(models, CORE, body_for(CORE)).status for _ in range(400)]

    stats = models.stats
    assert stats.calls == 400 == stats.throttled + stats.errors + stats.images
    assert 200 < stats.throttled < 280
    assert (statuses.count(429), statuses.count(503), statuses.count(200)) == (
        stats.throttled, stats.errors, stats.images,
    )  # fmt: skip


def test_the_latency_is_exact_when_a_fault_sets_it(models, pace):
    models.faults = Faults(latency=2.0)

    ask(models, CORE, body_for(CORE))

    assert pace.now == 2.0


# The painter begins once a burst of calls has been let in.
@pytest.mark.parametrize(("takes_s", "answered_s"), [(0.75, 2.0), (3.0, 3.3)])
def test_painting_goes_on_within_the_latency(takes_s, answered_s):
    pace = Pace()
    began = []

    def slow(_prompt, **_rest):
        began.append(pace.now)
        pace.now += takes_s
        return b"picture"

    models = ImageModelEmulator(paint=slow, sleep=pace.sleep, clock=pace.clock)
    models.faults = Faults(latency=2.0)
    ask(models, CORE, body_for(CORE))
    models.close()

    assert (began, pace.now) == ([0.3], answered_s)


def test_the_usual_latency_spreads_around_a_second(models, pace):
    seconds = []
    for _ in range(300):
        before = pace.now
        ask(models, CORE, body_for(CORE))
        seconds.append(pace.now - before)
    seconds.sort()

    assert 0.9 < seconds[150] < 1.1
    assert seconds[0] > 0.3
    assert 1.3 < seconds[285] < 1.8


def test_a_seeded_stand_in_repeats_its_run(painter):
    def run():
        pace = Pace()
        models = ImageModelEmulator(rng=random.Random(3), paint=painter, sleep=pace.sleep, clock=pace.clock)
        models.faults = Faults(throttle=0.3, error=0.2, filter=0.2)
        statuses = [ask(models, CORE, body_for(CORE)).status for _ in range(30)]
        models.close()
        return statuses, pace.slept, models.stats

    assert run() == run()


def test_a_caller_that_goes_away_is_not_billed(painter):
    async def go_away():
        waiting, never = asyncio.Event(), asyncio.Event()

        async def sleep(_seconds):
            waiting.set()
            await never.wait()

        models = ImageModelEmulator(paint=painter, sleep=sleep)
        models.faults = Faults(latency=60.0)
        call = asyncio.ensure_future(models.invoke_model(CORE.id, json.dumps(body_for(CORE)).encode(), CORE.region))
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        models.close()
        return models.stats

    assert asyncio.run(go_away()).to_json() == {"calls": 1, "images": 0, "throttled": 0, "errors": 0, "blocked": 0}


def test_a_painter_s_mistake_is_an_internal_error_and_not_billed(pace):
    def broken(_prompt, **_rest):
        raise ZeroDivisionError

    models = ImageModelEmulator(paint=broken, sleep=pace.sleep, clock=pace.clock)
    answer = ask(models, CORE, body_for(CORE))
    models.close()

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (500, "InternalServerException")
    assert models.stats.to_json() == {"calls": 1, "images": 0, "throttled": 0, "errors": 1, "blocked": 0}


def test_calls_at_the_same_time_are_painted_side_by_side_and_off_the_event_loop():
    async def eight_at_once():
        models = ImageModelEmulator()
        models.faults = Faults(latency=0.0)
        bodies = [json.dumps(body_for(NOVA, seed=seed, size="320x320")).encode() for seed in range(8)]
        answered = await asyncio.gather(*(models.invoke_model(NOVA.id, body, NOVA.region) for body in bodies))
        models.close()
        return [NOVA.read_response(json.loads(answer.body))[0] for answer in answered]

    pictures = asyncio.run(eight_at_once())

    assert len(set(pictures)) == 8
    assert Image.open(io.BytesIO(pictures[0])).size == (320, 320)


@pytest.mark.programs
def test_a_painting_process_that_is_killed_fails_its_picture_and_is_replaced(monkeypatch):
    sent, send = threading.Event(), rendering.write_message

    def send_and_note(*message):
        send(*message)
        sent.set()

    monkeypatch.setattr(rendering, "write_message", send_and_note)
    before = set(psutil.Process().children())

    async def kill_between():
        models = ImageModelEmulator()
        models.faults = Faults(latency=0.0)
        body = json.dumps(body_for(NOVA, size="320x320")).encode()
        first = await models.invoke_model(NOVA.id, body, NOVA.region)
        (process,) = set(psutil.Process().children()) - before
        process.suspend()
        sent.clear()
        waiting = asyncio.ensure_future(models.invoke_model(NOVA.id, body, NOVA.region))
        assert await asyncio.to_thread(sent.wait, 30)
        process.kill()
        killed, again = await waiting, await models.invoke_model(NOVA.id, body, NOVA.region)
        models.close()
        return first, killed, again

    first, killed, again = asyncio.run(kill_between())

    assert [answer.status for answer in (first, killed, again)] == [200, 500, 200]
    assert first.body == again.body
    assert set(psutil.Process().children()) <= before


@pytest.mark.programs
def test_a_painting_process_ends_with_its_server_however_that_ended():
    server = """
import psutil, time
from couch_explorers.core import image_models
from couch_explorers.local.bedrock.requests import ImageRequest
from couch_explorers.local.bedrock.rendering import RenderPool
model = image_models.get(image_models.DEFAULT_MODEL_ID)
request = ImageRequest("a castle", None, 320, 320, 1)
print(len(RenderPool().submit(model.id, request, 1).result()), psutil.Process().children()[0].pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True) as process:
        size, pid = map(int, process.stdout.readline().split())
        painter = psutil.Process(pid)
        process.kill()

    assert size > 1000
    assert psutil.wait_procs([painter], timeout=30)[1] == []


def test_a_jpeg_is_a_jpeg_that_says_what_it_is():
    models = ImageModelEmulator()
    models.faults = Faults(latency=0.0)

    answer = ask(models, CORE, changed(body_for(CORE), ("output_format",), "jpeg"))

    models.close()
    image = Image.open(io.BytesIO(CORE.read_response(json.loads(answer.body))[0]))
    assert (image.format, image.info["comment"]) == ("JPEG", b"couch-stand-in")


def test_a_model_is_described_with_its_lifecycle(models):
    assert models.foundation_model(NOVA.id, "us-east-1") == {
        "modelArn": NOVA.arn,
        "modelId": NOVA.id,
        "modelName": "Nova Canvas",
        "providerName": "Amazon",
        "inputModalities": ["TEXT"],
        "outputModalities": ["IMAGE"],
        "responseStreamingSupported": False,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "LEGACY", "endOfLifeTime": "2026-09-30T00:00:00Z"},
    }
    assert models.foundation_model(CORE.arn, "us-west-2")["modelLifecycle"] == {"status": "ACTIVE"}


def test_a_region_lists_only_its_own_models(models):
    by_region = {
        region: {
            summary["modelId"]
            for summary in models.foundation_models(region)
            if summary["outputModalities"] == ["IMAGE"]
        }
        for region in ("us-east-1", "us-west-2", "eu-west-1")
    }

    assert by_region["eu-west-1"] == set()
    assert by_region["us-east-1"] | by_region["us-west-2"] == set(image_models.MODELS)
    assert CORE.id in by_region["us-west-2"]
    assert models.foundation_model(CORE.id, "us-east-1") is None


def test_botocore_reads_the_descriptions(models):
    session = botocore.session.get_session()
    model = session.get_service_model("bedrock").operation_model("GetFoundationModel")
    content = json.dumps({"modelDetails": models.foundation_model(NOVA.id, "us-east-1")}).encode()
    raw = {"headers": {"content-type": "application/json"}, "status_code": 200, "body": content}

    parsed = botocore.parsers.create_parser("rest-json").parse(raw, model.output_shape)

    assert parsed["modelDetails"]["modelLifecycle"]["endOfLifeTime"].year == 2026


def test_botocore_reads_the_errors(models):
    models.faults = Faults(throttle=1.0)
    answer = ask(models, CORE, body_for(CORE))
    model = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("InvokeModel")
    raw = {"headers": answer.headers, "status_code": answer.status, "body": answer.body}

    parsed = botocore.parsers.create_parser("rest-json").parse(raw, model.output_shape)

    assert parsed["Error"]["Code"] == "ThrottlingException"


def test_hanging_call_is_billed_and_answered_when_nobody_waits_any_more(models, pace):
    models.faults = Faults(hang=1, latency=2)

    answer = ask(models, CORE, body_for(CORE))

    assert answer.status == 200
    assert models.stats.images == 1
    assert pace.now == pytest.approx(2 + HANG_S)


def test_call_log_holds_what_was_billed_and_what_was_not(tmp_path, painter, pace):
    file = tmp_path / "models.jsonl"
    models = ImageModelEmulator(paint=painter, sleep=pace.sleep, clock=pace.clock, log=CallLog(file))
    ask(models, CORE, body_for(CORE, "a jeep"))
    for faults in (Faults(throttle=1), Faults(error=1)):
        models.faults = faults
        ask(models, CORE, body_for(CORE, "a lion"))
    models.close()

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    by_call = {}
    for line in lines:
        by_call.setdefault(line["call"], []).append(line)
    painted, throttled, failed = by_call.values()
    assert [line["event"] for line in painted] == ["begun", "billed", "ended"]
    assert (painted[0]["prompt"], painted[1]["images"], painted[1]["hanging"]) == ("a jeep", 1, False)
    assert [(line["event"], line["status"]) for line in throttled] == [("ended", 429)]
    assert [line["event"] for line in failed] == ["begun", "ended"]


def test_call_that_hangs_stands_in_the_log_before_it_ends(tmp_path, painter, pace):
    """What is in flight when the process is killed: begun, perhaps billed, and never ended."""
    file = tmp_path / "models.jsonl"
    events = []

    async def sleep(seconds):
        if seconds == HANG_S:
            events.extend(json.loads(line)["event"] for line in file.read_text().splitlines())
        await pace.sleep(seconds)

    models = ImageModelEmulator(paint=painter, sleep=sleep, clock=pace.clock, log=CallLog(file))
    models.faults = Faults(hang=1)
    ask(models, CORE, body_for(CORE))
    models.close()

    assert events == ["begun", "billed"]
