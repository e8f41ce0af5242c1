"""The environments beside the project's own: which Python they run on, and what is made again."""

import sys
from types import SimpleNamespace

import pytest

from tools import environments


@pytest.fixture
def uv(monkeypatch, tmp_path):
    """Calls of uv in place of uv; `venv` makes a folder with an interpreter that starts."""
    calls = []
    python = sys.executable

    def run(*arguments, environment=None):
        calls.append(arguments[0])
        if arguments[0] == "venv":
            folder = tmp_path / "made"
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            (folder / "bin" / "python").unlink(missing_ok=True)
            (folder / "bin" / "python").symlink_to(python)
            (folder / "made-with").unlink(missing_ok=True)

    monkeypatch.setattr(environments, "run_uv", run)
    return SimpleNamespace(calls=calls, folder=tmp_path / "made")


def make(uv):
    uv.calls.clear()
    environments.make("engine", sys.executable, uv.folder)
    return uv.calls


def test_environment_is_made_once_and_then_only_synced(uv):
    assert make(uv) == ["venv", "pip"]
    assert make(uv) == ["pip"]


def test_environment_whose_making_was_interrupted_is_made_from_the_start(uv, monkeypatch):
    make(uv)
    whole = environments.run_uv

    def interrupted(*arguments, environment=None):
        if arguments[0] == "pip":
            raise KeyboardInterrupt
        whole(*arguments, environment=environment)

    monkeypatch.setattr(environments, "run_uv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(uv)
    monkeypatch.setattr(environments, "run_uv", whole)

    assert make(uv) == ["venv", "pip"]


def test_environment_whose_python_is_gone_is_made_anew(uv):
    make(uv)
    (uv.folder / "bin" / "python").unlink()
    (uv.folder / "bin" / "python").symlink_to("/nonexistent/python")

    assert make(uv) == ["venv", "pip"]


def test_environment_of_another_version_is_made_anew(uv, monkeypatch):
    make(uv)
    monkeypatch.setattr(environments, "version_of", lambda _: "3.99.0")

    assert make(uv) == ["venv", "pip"]


def test_own_python_is_taken_when_it_is_new_enough(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))

    assert environments.engine_python() == sys.executable


def test_python_that_is_here_is_taken_before_one_that_must_be_fetched(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    monkeypatch.setattr(environments, "find", lambda version, download=False: {"3.12": "/here"}.get(version))

    assert environments.engine_python() == "/here"


def test_no_python_at_all_ends_with_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    monkeypatch.setattr(environments, "find", lambda _version, download=False: None)

    with pytest.raises(SystemExit) as ended:
        environments.engine_python()

    assert "needs a Python 3.12 or newer" in str(ended.value)
    assert "make PYTHON=python3.13" in str(ended.value)


def test_failure_of_uv_ends_with_its_words(monkeypatch, tmp_path):
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\necho 'no room left' >&2; exit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(environments, "UV", program)

    with pytest.raises(SystemExit) as ended:
        environments.make("engine", sys.executable, tmp_path / "made")

    assert str(ended.value) == "uv venv --clear failed, so the local cloud cannot start: no room left"
