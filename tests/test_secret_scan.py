"""The look for secrets: each kind is found, whatever the file, and nothing is found where there is none."""

import json

import pytest

from couch_explorers.secret_scan import PATTERNS, SECRET_VARIABLES, secrets_in, withheld, without_secrets
from tests.secret_samples import PLANTED, SECRET


@pytest.fixture
def nobody(tmp_path):
    """An environment without a file of credentials."""
    return {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}


def test_each_kind_has_a_sample():
    assert PLANTED.keys() == PATTERNS.keys()


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("write", [str, json.dumps, lambda text: json.dumps(f"refused:\n{text}")])
def test_each_kind_is_found(nobody, kind, write):
    assert list(secrets_in(write(PLANTED[kind]).encode(), nobody)) == [kind]


def test_text_without_secrets_is_clean(nobody):
    image = "iVBORw0KGgo" + "A" * 5000
    text = f"AKIA is how ids begin; the session token has expired; aws_secret_access_key is missing; {image}"

    assert list(secrets_in(text.encode(), nobody)) == []


def test_secret_behind_an_image_is_found(nobody):
    assert list(secrets_in(b"A" * 5000 + b" " + PLANTED["a GitHub token"].encode(), nobody)) == ["a GitHub token"]


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_values_of_the_environment_are_found(nobody, name):
    assert list(secrets_in(f"so it is {SECRET}.".encode(), nobody | {name: SECRET})) == [f"the value of {name}"]


def test_values_of_each_profile_are_found(tmp_path):
    file = tmp_path / "credentials"
    file.write_text(f"[default]\nregion = eu-west-1\n[beta]\naws_secret_access_key = {SECRET}%\n", encoding="utf-8")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}

    assert list(secrets_in(f"{SECRET}%".encode(), environment)) == [
        "the value of aws_secret_access_key of the profile beta"
    ]


@pytest.mark.parametrize("content", [b"\xff", b"no profile = 1", b"[a]\n[a]\n"])
def test_unreadable_file_of_credentials_holds_nothing_to_look_for(tmp_path, content):
    file = tmp_path / "credentials"
    file.write_bytes(content)

    assert list(secrets_in(b"all is well", {"AWS_SHARED_CREDENTIALS_FILE": str(file)})) == []


def test_short_values_are_no_secrets(nobody):
    assert list(secrets_in(b"a local cloud", nobody | {"AWS_SECRET_ACCESS_KEY": "local"})) == []


def test_line_with_a_secret_is_replaced(nobody):
    shown = without_secrets(["before", f"key {PLANTED['an AWS access key id']}", "after"], nobody)

    assert shown == ["before", withheld("This line", ["an AWS access key id"]), "after"]
    assert "AKIA" not in shown[1]
