"""What can be said of the collection without sending it; tests/end_to_end/test_postman.py sends it."""

import json
import re

import pytest

from couch_explorers.core import image_models
from couch_explorers.deliverables.render import POSTMAN_COLLECTION, as_text
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.sample_prompts import SAMPLE_PROMPTS

TEXT = (PROJECT_ROOT / POSTMAN_COLLECTION).read_text(encoding="utf-8")
FOLDERS = {folder["name"]: folder for folder in json.loads(TEXT)["item"]}
REQUESTS = {item["name"]: item for folder in FOLDERS.values() for item in folder["item"]}

every_request = pytest.mark.parametrize("item", REQUESTS.values(), ids=list(REQUESTS))


def script(item, kind):
    return "\n".join(line for event in item["event"] if event["listen"] == kind for line in event["script"]["exec"])


def test_it_is_a_collection_of_good_and_bad_requests():
    assert json.loads(TEXT)["info"]["schema"].endswith("/collection/v2.1.0/collection.json")
    assert {name: len(folder["item"]) for name, folder in FOLDERS.items()} == {"Good requests": 3, "Bad requests": 4}


def test_it_is_written_as_the_command_writes_it():
    assert as_text(json.loads(TEXT)) == TEXT


@every_request
def test_a_request_goes_to_the_endpoint_and_says_what_it_shows(item):
    assert (item["request"]["method"], item["request"]["url"]) == ("POST", "{{endpoint}}")
    assert len(item["request"]["description"]) > 20


@every_request
def test_a_request_asserts_status_and_body(item):
    folder = next(folder for folder in FOLDERS.values() if item in folder["item"])
    tests = script(folder, "test") + script(item, "test")

    assert "to.have.status(" in tests
    assert "pm.response.json()" in script(item, "test")
    assert script(item, "test").count("pm.test(") >= 2


def test_the_bare_prompt_is_one_of_the_exams_sent_as_text():
    request = REQUESTS["A bare prompt"]["request"]

    assert request["body"]["raw"] in SAMPLE_PROMPTS.values()
    assert request["header"] == [{"key": "Content-Type", "value": "text/plain"}]


def test_the_same_id_again_is_the_very_same_request():
    first, again = (
        REQUESTS[name]["request"]["body"]["raw"] for name in ("A prompt with seed and size", "The same id again")
    )
    other = json.loads(REQUESTS["The same id with another request"]["request"]["body"]["raw"])

    assert first == again
    assert other["id"] == json.loads(first)["id"]
    assert other["prompt"] != json.loads(first)["prompt"]


def test_the_prompt_that_is_too_long_is_so_for_every_model_by_one_character():
    limit = max(model.prompt_limit for model in image_models.MODELS.values())
    item = REQUESTS["A prompt that is too long"]

    assert f'"x".repeat({limit + 1})' in script(item, "prerequest")
    assert f"{limit + 1} characters" in script(item, "test")


def test_a_clean_machine_gets_the_newman_that_the_skipped_test_asks_for():
    installed, asked_for = (
        re.findall(r"newman@([\d.]+)", (PROJECT_ROOT / name).read_text(encoding="utf-8"))
        for name in (".ci/run", "tests/end_to_end/test_postman.py")
    )

    assert installed == asked_for
    assert len(installed) == 1
