from pathlib import Path

import pytest

from . import conftest
from .act_log import read

SUMMARY = '{"command": "summary", "content": "## passed in 3.1 s", "stepID": ["1"]}'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(conftest, "SUMMARIES", tmp_path)
    monkeypatch.delenv(conftest.WRITE, raising=False)
    return tmp_path


@pytest.fixture
def rehearsal():
    return read(0, [SUMMARY], Path())


def test_a_page_that_is_not_as_it_was_written_down_fails_its_test(folder, rehearsal, same_summary):
    (folder / "review.md").write_text("## failed in N s\n", encoding="utf-8")

    with pytest.raises(AssertionError, match="If this is what the page shall say, write it down"):
        same_summary(rehearsal, "review")


def test_a_page_that_was_just_written_down_is_read_by_somebody_before_it_counts(
    folder, rehearsal, same_summary, monkeypatch
):
    monkeypatch.setenv(conftest.WRITE, "1")
    with pytest.raises(pytest.fail.Exception, match=r"review\.md was written, not compared"):
        same_summary(rehearsal, "review")

    monkeypatch.delenv(conftest.WRITE)
    assert (folder / "review.md").read_text(encoding="utf-8") == "## passed in N s\n"
    same_summary(rehearsal, "review")
