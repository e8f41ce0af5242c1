import json

import pytest

from couch_explorers.aws.discovery import WorkspaceError
from couch_explorers.local import users
from couch_explorers.local.users import Keys
from couch_explorers.paths import Home

OPERATOR_KEYS = Keys("AKIAOPERATOR", "secret")


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.users_file.write_text(json.dumps({"version": "1", "users": {"operator": OPERATOR_KEYS.arguments}}))
    return home


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(None, users.ROOT_KEYS), ("", users.ROOT_KEYS), ("root", users.ROOT_KEYS), ("operator", OPERATOR_KEYS)],
)
def test_variable_chooses_the_user(monkeypatch, home, chosen, expected):
    monkeypatch.delenv("COUCH_LOCAL_USER", raising=False)
    if chosen is not None:
        monkeypatch.setenv("COUCH_LOCAL_USER", chosen)

    assert users.chosen(home) == expected


def test_unknown_user_is_refused_with_the_known_ones(monkeypatch, home):
    monkeypatch.setenv("COUCH_LOCAL_USER", "admin")

    with pytest.raises(WorkspaceError, match=r"COUCH_LOCAL_USER .* 'admin'\. Known: root, deploy, operator"):
        users.chosen(home)


@pytest.mark.parametrize("content", [None, "not JSON", "[]", '{"users": null}', '{"users": {}}'])
def test_user_that_is_not_made_yet_is_refused_with_the_command(tmp_path, content):
    home = Home(tmp_path)
    if content is not None:
        home.users_file.write_text(content)

    with pytest.raises(WorkspaceError, match="does not have the user deploy yet"):
        users.keys_of(home, "deploy")


def test_environment_makes_other_tools_act_as_the_user():
    assert OPERATOR_KEYS.environment == {"AWS_ACCESS_KEY_ID": "AKIAOPERATOR", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_users_are_named_beyond_what_a_deploy_may_change():
    assert users.user_name("42", "deploy") == "deploy-couch-explorers-42"
