"""`couch deliverables` as a person calls it, where nothing runs and nothing is deployed."""

import json
import shutil
import sys

import pytest
from typer.testing import CliRunner

from couch_explorers import cli, paths
from couch_explorers.deliverables.model import NOTHING_DEPLOYED
from couch_explorers.deliverables.render import POSTMAN_COLLECTION, in_language, markdown
from tests.command_line import couch

pytestmark = pytest.mark.usefixtures("no_user_settings")


@pytest.mark.parametrize("language", ["en", "nb"])
def test_the_list_before_any_deploy_needs_nothing_but_the_command(language):
    done = couch("deliverables", "--empty", "--language", language)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == markdown(NOTHING_DEPLOYED, in_language(language))


def test_a_program_gets_json():
    done = couch("deliverables", "--empty", "--json")

    assert [task["task"] for task in json.loads(done.stdout)["tasks"]] == [1, 2, 3, 4, 5]


def test_what_was_written_and_what_is_still_empty_is_reported_apart_from_the_list(monkeypatch, tmp_path):
    (tmp_path / "README.md").write_text("<!-- deliverables -->\n<!-- /deliverables -->\n", encoding="utf-8")
    (tmp_path / POSTMAN_COLLECTION).parent.mkdir()
    shutil.copy(paths.PROJECT_ROOT / POSTMAN_COLLECTION, tmp_path / POSTMAN_COLLECTION)
    monkeypatch.setattr(paths, "PROJECT_ROOT", tmp_path)

    done = CliRunner().invoke(cli.app, ["deliverables", "--empty", "--write"])

    assert done.exit_code == 0
    assert done.stdout == markdown(NOTHING_DEPLOYED, in_language("en"))
    assert "written: README.md" in done.stderr
    assert "empty: 7 rows, each of which says why" in done.stderr


def test_a_page_without_the_marks_is_one_sentence_with_what_to_do(monkeypatch, capsys, tmp_path):
    (tmp_path / "README.md").write_text("# Title\n", encoding="utf-8")
    monkeypatch.setattr(paths, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["couch", "deliverables", "--empty", "--write"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("couch: README.md has no line `<!-- deliverables -->`: put ")
