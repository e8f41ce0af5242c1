from pathlib import Path

import pytest

from couch_explorers import paths
from couch_explorers.paths import PROJECT_ROOT


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (PROJECT_ROOT / ".couch" / "runs" / "local" / "one", ".couch/runs/local/one"),
        (PROJECT_ROOT, "."),
        (Path("/elsewhere/one"), "/elsewhere/one"),
        (f"{PROJECT_ROOT}-other/one", f"{PROJECT_ROOT}-other/one"),
    ],
)
def test_a_path_is_shown_from_the_projects_folder(path, shown):
    assert paths.display(path) == shown


def test_a_path_that_was_shown_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert paths.resolve(paths.display(PROJECT_ROOT / "notebooks")) == PROJECT_ROOT / "notebooks"
    (tmp_path / "notebooks").mkdir()
    assert paths.resolve("notebooks") == Path("notebooks")
    assert paths.resolve("no-such-file") == Path("no-such-file")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"File {PROJECT_ROOT}/couch_explorers/api.py:3", "File couch_explorers/api.py:3"),
        (f"{PROJECT_ROOT.as_uri()}/reports/a.html", "reports/a.html"),
        ("in /home/kari/x and '/home/kari/y'", "in ~/x and '~/y'"),
        ("https://example.org/home/kari/x", "https://example.org/home/kari/x"),
        ("/srv/home/kari/x /home/karin/x", "/srv/home/kari/x /home/karin/x"),
    ],
)
def test_what_others_read_names_no_own_folder(monkeypatch, text, plain):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/kari"))

    assert paths.redact_folders(text) == plain


def test_a_user_without_a_folder_of_their_own_is_no_slash(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))

    assert paths.redact_folders("/a/b //c") == "/a/b //c"
