"""What every page promises: blocks that are run or looked at, links that lead somewhere, files that are there, all commands."""

import posixpath
import re
import subprocess
from urllib.parse import unquote

import pytest

from couch_explorers.cli.options import app

from . import pages
from .session import APPLIED, PARSED, RUN, SHOWN

PAGES = {name: pages.read(name) for name in pages.names()}
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# A name with a folder and an ending: `couch_explorers/metrics/thresholds.py`, not `notebooks/`, `s3://…` or `<id>/….png`.
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*\w\.[a-z]\w*")

every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@every_page
def test_a_blocks_language_says_what_is_done_with_it(page):
    known = {*RUN, *PARSED, *APPLIED, *SHOWN}

    assert [f"{block} {block.language}" for block in page.blocks if block.language not in known] == []


@every_page
def test_code_stands_between_fences_so_that_it_is_run(page):
    assert [f"{page.name}:{line}" for line in page.indented] == []


@every_page
def test_what_only_shows_an_output_shows_no_command_of_the_project(page):
    """A block without a language is never run: a command in it would be a way round the test of all commands."""
    shown = [
        (block, line) for block in page.blocks if block.language in ("", "text") for line in block.text.splitlines()
    ]

    assert [
        f"{block}: {line}" for block, line in shown if re.match(r"(\$ )?(couch|make|sam|terraform|docker) ", line)
    ] == []


@every_page
def test_prose_is_wrapped_at_100_columns(page):
    """Tables, code and lines that cannot be broken because of a link are longer; the changelog and generated lists have widths of their own."""
    if page.name == "CHANGELOG.md":
        pytest.skip("the changelog is wrapped wider")
    lines = (pages.ROOT / page.name).read_text(encoding="utf-8").splitlines()

    assert [
        f"{page.name}:{line}" for line in page.prose if len(lines[line - 1]) > 100 and "](" not in lines[line - 1]
    ] == []


@every_page
def test_every_link_within_the_project_leads_somewhere(page):
    broken = []
    for link in page.links:
        if ADDRESS.match(link.text):
            continue
        name, _, anchor = unquote(link.text).partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), name)) if name else page.name
        if not (pages.ROOT / target).exists() or (anchor and anchor not in pages.read(target).anchors):
            broken.append(f"{page.name}:{link.line}: {link.text}")

    assert broken == []


@every_page
def test_every_file_that_is_named_is_there_or_is_made(page):
    named = {span.text: span.line for span in page.spans if PATH.fullmatch(span.text)}
    absent = [path for path in named if not (pages.ROOT / path).exists()]

    assert [f"{page.name}:{named[path]}: {path}" for path in absent if not _is_made(path)] == []


def test_a_file_that_is_neither_there_nor_made_would_be_found():
    assert PATH.fullmatch("couch_explorers/smoke.py")
    assert not _is_made("couch_explorers/smoke.py")
    assert _is_made("reports/smoke_test.html")


@pytest.mark.parametrize(
    "command",
    sorted(
        command.name or command.callback.__name__.replace("_", "-")
        for command in app.registered_commands
        if not command.hidden
    ),
)
def test_every_command_of_couch_is_mentioned_in_the_readme(command):
    readme = (pages.ROOT / "README.md").read_text(encoding="utf-8")

    assert re.search(rf"\bcouch {command}\b", readme)


def _is_made(path):
    """Whether git ignores it: what the project's commands make is not kept."""
    return subprocess.run(["git", "check-ignore", "--quiet", path], cwd=pages.ROOT, check=False).returncode == 0
