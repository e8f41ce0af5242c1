"""A terminal that runs blocks: what they see of each other, and how one that fails is reported."""

import pytest

from .exceptions import Errand, Exceptions, Replacement
from .pages import Block
from .session import BlockError, Session

NONE = Exceptions(last=(), replacements=(), errands=(), stand_ins=())


class Folder:
    """In the place of a copy of the project."""

    def __init__(self, root, environment):
        self.root, self.environment = root, environment


@pytest.fixture
def session(tmp_path):
    root = tmp_path / "project"
    (root / "infra").mkdir(parents=True)
    return Session(Folder(root, {"PATH": "/usr/bin:/bin"}), tmp_path / "terminal", {"GIVEN": "1"}, NONE)


def shell(text, line=40):
    return Block("docs/a.md", line, "sh", text)


def test_a_block_finds_what_the_one_before_exported_and_where_it_ended(session):
    session.run(shell("export NUMBER=42; cd infra\n"))

    assert session.run(shell('echo "$NUMBER $GIVEN ${PWD##*/}"\n')) == "42 1 infra\n"


def test_each_page_has_a_terminal_of_its_own(session, tmp_path):
    session.run(shell("export NUMBER=42\n"))
    other = Session(session.copy, tmp_path / "another", {}, NONE)

    assert other.run(shell('echo "${NUMBER-nothing}"\n')) == "nothing\n"


def test_a_line_that_fails_ends_the_block_and_is_reported_with_its_place_in_the_page(session):
    with pytest.raises(BlockError) as failed:
        session.run(shell("echo first\nls nowhere\necho last\n"))

    message = str(failed.value)
    assert message.startswith("docs/a.md:40 ended with 2\n")
    assert "docs/a.md:41 ended with 2: ls nowhere" in message
    assert "first" in message
    assert "\nlast" not in message.partition("what it said")[2]


def test_a_command_that_is_not_there_is_reported_with_its_place(session):
    with pytest.raises(BlockError, match=r"docs/a\.md:41 ended with 127: no-such-program"):
        session.run(shell("true\nno-such-program here\n"))


def test_a_failure_in_a_pipe_is_one(session):
    with pytest.raises(BlockError, match=r"docs/a\.md:40 ended with"):
        session.run(shell("ls nowhere | cat\n"))


def test_what_a_block_exported_before_it_failed_stays(session):
    with pytest.raises(BlockError):
        session.run(shell("export NUMBER=42\nfalse\n"))

    assert session.run(shell('echo "$NUMBER"\n')) == "42\n"


def test_a_target_of_make_is_looked_up_and_not_made(session):
    (session.copy.root / "Makefile").write_text("test:\n\ttouch made\n", encoding="utf-8")

    assert session.run(shell("make test\n")) == "touch made\n"
    assert not (session.copy.root / "made").exists()
    with pytest.raises(BlockError, match=r"docs/a\.md:40 ended with 2: "):
        session.run(shell("make tests\n"))


def test_a_program_in_python_reports_its_place_in_the_page(session):
    assert session.run(Block("docs/a.md", 9, "python", "print(1)\n")) == "1\n"
    with pytest.raises(BlockError, match=r'docs-a\.md", line 10, in <module>'):
        session.run(Block("docs/a.md", 9, "python", "x = 1\nx / 0\n"))


def test_json_is_read(session):
    assert session.run(Block("docs/a.md", 9, "json", '{"a": 1}\n')) == ""
    with pytest.raises(BlockError, match=r"docs/a\.md:9 is no JSON"):
        session.run(Block("docs/a.md", 9, "json", '{"a": 1,}\n'))


def test_a_placeholder_is_replaced_and_what_must_follow_is_done(session):
    session.exceptions = Exceptions(
        (), (Replacement("<name>", "K2", "any"),), (Errand("echo", "echo over", "any"),), ()
    )

    assert session.run(shell("echo <name>\n")) == "K2\nover\n"


def test_a_block_that_does_not_end_is_ended(session, monkeypatch):
    monkeypatch.setattr("tests.documentation.session.TIMEOUT_S", 0.5)

    with pytest.raises(BlockError, match=r"was not over in 0\.5 s"):
        session.run(shell("sleep 60\n"))
