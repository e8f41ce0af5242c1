from __future__ import annotations

import hashlib
import json
from contextlib import suppress

import pytest
from hypothesis import example, given, strategies

from couch_explorers.core import image_models, jobs
from couch_explorers.core.errors import InvalidJobError, UnknownModelError
from tests import hostile

CORE = image_models.get("stability.stable-image-core-v1:1")
TITAN = image_models.get("amazon.titan-image-generator-v1")
ARNS = [CORE.arn, TITAN.arn]


def parse(body, fallback_id="message-1", model_arns=ARNS):
    return jobs.parse(body, fallback_id=fallback_id, model_arns=model_arns)


def test_a_bare_prompt_is_a_job_with_every_default():
    job = parse("  A fjord at dusk\n")

    assert (job.prompt, job.id, job.model, job.size) == ("A fjord at dusk", "message-1", CORE, "1024x1024")
    assert (job.cfg_scale, job.negative_prompt) == (None, None)


def test_a_json_object_gives_every_field():
    job = parse(
        '{"prompt": "A fjord", "id": "a_B-9", "model": "amazon.titan-image-generator-v1", "seed": 5,'
        ' "size": "512x512", "cfg_scale": 7, "negative_prompt": "boats"}'
    )

    assert job == jobs.Job("a_B-9", TITAN, "A fjord", 5, "512x512", 7.0, "boats")


def test_a_prompt_in_quotes_or_brackets_is_a_bare_prompt():
    assert parse('"Vintage" Paris').prompt == '"Vintage" Paris'
    assert parse("[castle] in [fog]").prompt == "[castle] in [fog]"


def test_the_prompt_is_kept_as_given_within_its_outer_blanks():
    assert parse('{"prompt": "  two  blanks\\nand a line 🛋️ "}').prompt == "two  blanks\nand a line 🛋️"


def test_a_byte_order_mark_before_the_json_is_passed_over():
    assert parse('\ufeff {"prompt": "A fjord"}').prompt == "A fjord"


def test_fields_that_are_null_count_as_absent():
    body = '{"prompt": "A fjord", "id": null, "model": null, "seed": null, "size": null, "cfg_scale": null}'

    assert parse(body) == parse("A fjord")


FIX = 'fix the JSON, or send a prompt that starts with "{" as {"prompt": "{…"}'


@pytest.mark.parametrize(
    ("body", "place", "advice"),
    [
        ("{", " (line 1, column 2)", FIX),
        ('{"prompt": "A"} and more', " (line 1, column 17)", FIX),
        ('{"prompt":\n A}', " (line 2, column 2)", FIX),
        # No error of the syntax, so without a place.
        ('{"a": ' * 100_000, "", FIX),
        ('{"prompt": "A", "seed": ' + "9" * 10_000 + "}", "", FIX),
        ("{prompt}", " (line 1, column 2)", 'send such a prompt as {"prompt": "{prompt}"}'),
        ("{å}", " (line 1, column 2)", 'send such a prompt as {"prompt": "{å}"}'),
        (f"{{{'x' * 59}", " (line 1, column 2)", f'send such a prompt as {{"prompt": "{{{"x" * 59}"}}'),
        (f"{{{'x' * 60}", " (line 1, column 2)", f'send such a prompt as {{"prompt": "{{{"x" * 58}…"}}'),
    ],
    ids=["brace", "more", "lines", "deep", "number", "prompt", "letter", "60", "61"],
)
def test_a_body_that_begins_as_json_and_is_none_is_refused(body, place, advice):
    with pytest.raises(InvalidJobError) as refused:
        parse(body)

    assert refused.value.detail == f'The body starts with "{{" but is no valid JSON{place}: {advice}.'


BRACES = strategies.text(
    strategies.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1
)


@given(BRACES)
@example("cat|dog} in a hat")
@example('{a}} back\\slash and "quotes"')
def test_a_prompt_in_braces_is_refused_with_the_way_to_send_it(rest):
    prompt = "{" + rest
    with suppress(ValueError):
        json.loads(prompt)
        return

    with pytest.raises(InvalidJobError) as caught:
        parse(prompt)

    _, advised, body = caught.value.detail.rpartition("send such a prompt as ")
    if not advised:
        assert rest[0] in "\"'}\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"
        assert 'fix the JSON, or send a prompt that starts with "{" as {"prompt": "{…"}' in caught.value.detail
    elif len(prompt) <= jobs.LONGEST_EXAMPLE:
        assert parse(body.removesuffix(".")).prompt == prompt
    else:
        assert json.loads(body.removesuffix("."))["prompt"] == f"{prompt[: jobs.LONGEST_EXAMPLE - 1]}…"


@pytest.mark.parametrize("size", ["512x512", "512X512", "512\u00d7512", " 512 \u00d7 512 ", "512 x 512"])
def test_a_size_may_be_written_with_the_multiplication_sign(size):
    assert parse(json.dumps({"prompt": "A", "size": size})).size == "512x512"


@pytest.mark.parametrize("body", ["", "   \n", '{"prompt": " "}'])
def test_a_job_with_an_empty_prompt_is_refused(body):
    with pytest.raises(InvalidJobError, match="The prompt is empty"):
        parse(body)


@pytest.mark.parametrize("body", ["{}", '{"prompt": null}'])
def test_a_job_without_a_prompt_is_refused(body):
    with pytest.raises(InvalidJobError) as refused:
        parse(body)

    assert refused.value.detail == 'The job has no prompt: give {"prompt": "…"} or the bare prompt.'


def test_an_unknown_field_is_refused_by_name_with_those_known():
    with pytest.raises(InvalidJobError, match='no field "colour", "weight": its fields are prompt, id, model, seed'):
        parse('{"prompt": "A", "colour": 1, "weight": 2}')


def test_five_unknown_fields_are_named():
    with pytest.raises(InvalidJobError, match='A job has no field "a", "b", "c", "d", "e": its fields are prompt, id'):
        parse(json.dumps(dict.fromkeys("abcdef")))


def test_a_field_given_twice_is_refused():
    with pytest.raises(InvalidJobError, match='"seed" twice'):
        parse('{"prompt": "A", "seed": 1, "seed": 2}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number):
    with pytest.raises(InvalidJobError, match=f"{number}, which is no JSON number"):
        parse('{"prompt": "A", "cfg_scale": ' + number + "}")


@pytest.mark.parametrize(
    "job_id", ['"a/b"', '""', '"a.b"', '"ø"', '"a b"', '"a\\n"', f'"{"x" * 65}"', "7", "true", "[]"]
)
def test_an_id_that_could_not_stand_in_a_key_is_refused(job_id):
    with pytest.raises(InvalidJobError) as refused:
        parse('{"prompt": "A", "id": ' + job_id + "}")

    assert refused.value.detail == (
        f"The id {job_id} is not valid: use 1 to 64 of the characters A-Z, a-z, 0-9, _ and -."
    )


def test_an_id_of_64_characters_is_taken():
    assert parse('{"prompt": "A", "id": "' + "x" * 64 + '"}').id == "x" * 64


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "true"),
        ("seed", "1.0"),
        ("seed", "-1"),
        ("seed", "1e400"),
        ("seed", '"1"'),
        ("size", "1024"),
        ("size", '"big"'),
        ("prompt", "7"),
        ("negative_prompt", "[]"),
        ("negative_prompt", '""'),
        ("cfg_scale", "7"),
        ("prompt", '"\\ud83d"'),
        ("prompt", '"a\\u0000b"'),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(field, value):
    others = "" if field == "prompt" else '"prompt": "A", '

    with pytest.raises(InvalidJobError, match=field):
        parse("{" + others + f'"{field}": {value}' + "}")


@pytest.mark.parametrize("model", ["7", '["a"]'])
def test_a_model_that_is_no_text_is_refused(model):
    with pytest.raises(InvalidJobError) as refused:
        parse('{"prompt": "A", "model": ' + model + "}")

    assert refused.value.detail == f"The model must be a text, not {model}: give a model id."


@pytest.mark.parametrize(
    "name", ["amazon.nova-canvas-v1:0", "dall-e-3", "arn:aws:bedrock:eu-west-1::foundation-model/x"]
)
def test_a_model_that_is_not_allowed_here_is_refused_with_those_that_are(name):
    with pytest.raises(UnknownModelError) as refused:
        parse(json.dumps({"prompt": "A", "model": name}))

    assert refused.value.detail == f'The model "{name}" is not allowed here: use one of {CORE.id}, {TITAN.id}.'


def test_a_model_is_named_by_its_arn_as_well_and_stands_where_the_allowed_arn_says():
    elsewhere = TITAN.arn.replace("us-east-1", "us-west-2")

    by_id = parse(json.dumps({"prompt": "A", "model": TITAN.id}), model_arns=[elsewhere])
    by_arn = parse(json.dumps({"prompt": "A", "model": elsewhere}), model_arns=[elsewhere])

    assert by_id == by_arn
    assert by_id.model.region == "us-west-2"


def test_a_deployment_without_any_model_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match=r"^No model is allowed here: model_arns must name at least one\.$"):
        parse("A fjord", model_arns=[])


def test_an_absent_seed_follows_from_the_id_so_that_a_retry_asks_for_the_same_picture():
    first, again, other = parse("A"), parse("A"), parse("A", fallback_id="message-2")

    assert first.seed == again.seed != other.seed
    assert first.seed == jobs.seed_of("message-1") == 686_613_872
    assert all(1 <= jobs.seed_of(f"id-{number}") <= 858_993_459 for number in range(1000))


def test_the_canonical_request_has_all_six_keys_with_defaults_filled_in():
    stability, titan = parse("A fjord"), parse(json.dumps({"prompt": "A", "model": TITAN.id, "seed": 3}))

    assert set(stability.request) == {"cfg_scale", "model", "negative_prompt", "prompt", "seed", "size"}
    assert jobs.canonical_json(titan.request) == (
        '{"cfg_scale":8.0,"model":"amazon.titan-image-generator-v1","negative_prompt":null,'
        '"prompt":"A","seed":3,"size":"1024x1024"}'
    )


def test_the_request_hash_does_not_depend_on_how_the_request_was_written():
    short = parse(json.dumps({"prompt": "Å", "model": TITAN.id, "seed": 3}))
    long = parse('{"size":"1024x1024", "cfg_scale": 8, "seed":3, "model":"' + TITAN.arn + '", "prompt":"\\u00c5 "}')
    other = parse(json.dumps({"prompt": "Å", "model": TITAN.id, "seed": 4}))

    assert short.request_hash == long.request_hash != other.request_hash
    assert short.request_hash == hashlib.sha256(jobs.canonical_json(short.request).encode()).hexdigest()


def test_the_request_of_a_job_made_by_hand_hashes_as_that_of_one_read():
    by_hand = jobs.Job(id="x", model=TITAN, prompt="A", seed=3, cfg_scale=8)

    assert by_hand.request_hash == parse(json.dumps({"prompt": "A", "model": TITAN.id, "seed": 3})).request_hash


def test_a_job_has_one_key_for_its_picture_and_one_for_its_error():
    job = parse('{"prompt": "A", "id": "paris"}')

    assert (job.key("42"), job.error_key("42")) == ("42/paris.png", "42/paris.error.json")
    assert jobs.timeouts_prefix("42", job.id) == "42/paris.timeouts/"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("A fjord", "fallback"),
        ('{"id": "mine", "prompt": ""}', "mine"),
        ('{"id": "mine", "nonsense": 1}', "mine"),
        ('{"id": "a/b"}', "fallback"),
        ('{"id": 7}', "fallback"),
        ('{"id": "mine"', "fallback"),
        ('{"id": NaN}', "fallback"),
        ('{"id": "mine", "cfg_scale": NaN}', "mine"),
        ('["id"]', "fallback"),
        ("", "fallback"),
    ],
)
def test_even_a_broken_job_has_a_name(body, named):
    assert jobs.id_of(body, "fallback") == named


def test_a_message_to_send_leaves_absent_fields_out_and_is_read_back_as_it_was():
    body = jobs.message_body("A fjørd 🛋", id="x", seed=0, cfg_scale=None)

    assert body == '{"prompt": "A fjørd 🛋", "id": "x", "seed": 0}'
    assert parse(body).seed == 0


def test_message_with_a_number_that_json_does_not_have_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        jobs.message_body("A fjord", cfg_scale=float("nan"))


def test_a_message_with_a_field_that_no_job_has_is_not_even_written():
    with pytest.raises(InvalidJobError, match="colour"):
        jobs.message_body("A fjord", colour="red")


def test_canonical_json_sorts_its_keys_keeps_characters_and_refuses_nan():
    assert jobs.canonical_json({"b": 1, "a": ["ø", None, 8.0]}) == '{"a":["ø",null,8.0],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        jobs.canonical_json(float("nan"))


@pytest.mark.parametrize("body", ["A fjord", '{"prompt": "A fjord"}', '\ufeff {"prompt": "A fjord"} '])
def test_a_body_without_an_id_gets_one_and_stays_the_same_job(body):
    named = jobs.with_id(body, "job-1")

    job = jobs.parse(named, fallback_id="another", model_arns=ARNS)
    assert (job.id, job.prompt) == ("job-1", "A fjord")
    assert named.isascii()


def test_a_body_that_has_an_id_stays_as_it_is():
    body = '{"id": "first", "prompt": "A fjord \\u00e5"}'

    assert jobs.with_id(body, "second") == body


@pytest.mark.parametrize("lead", ["{", "{\x7f", '[{"', "prompt=", '--x\r\nContent-Disposition: form-data; name="'])
@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_refusal_repeats_nothing_that_steers_a_terminal(lead, text):
    with pytest.raises(InvalidJobError) as refused:
        parse(f"{lead}{text}")

    assert not hostile.unprintable(refused.value.detail)


def test_example_of_a_job_can_be_sent_as_it_is():
    text = "{\x7f\u202e\U0001f6cb" * 30

    with pytest.raises(InvalidJobError) as refused:
        parse(text)

    written = refused.value.detail.partition("send such a prompt as ")[2].rstrip(".")
    assert json.loads(written) == {"prompt": text[: jobs.LONGEST_EXAMPLE - 1] + "…"}
