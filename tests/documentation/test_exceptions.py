import pytest

from . import pages
from .exceptions import FILE, Exceptions
from .pages import Block

TEXT = """
last = ["end.md"]

[[replace]]
text = "<image>"
by = "client"
why = "any"

[[replace]]
text = "docker run … <image>"
by = "docker run -i client"
why = "any"

[[after]]
text = "couch down"
run = "couch up"
why = "any"

[[stand_in]]
command = "gh"
why = "any"
"""


@pytest.fixture
def exceptions():
    return Exceptions.read(TEXT)


def shell(text, page="README.md"):
    return Block(page, 7, "sh", text)


def test_every_exception_is_needed_by_a_page():
    blocks = [block for name in pages.names() for block in pages.read(name).blocks]

    assert Exceptions.read().unused(blocks) == [], f"take them out of {FILE.name}"


def test_every_exception_has_its_reason():
    read = Exceptions.read()

    assert all(entry.why for entry in (*read.replacements, *read.errands, *read.stand_ins))


def test_the_longest_text_is_replaced_first(exceptions):
    run = exceptions.as_run(shell("docker run … <image>\ndocker run <image>\n"))

    assert run == "docker run -i client\ndocker run client\n"


def test_what_has_to_be_done_behind_a_block_is_found_by_its_text(exceptions):
    assert exceptions.afterwards(shell("couch down  # stop\n")) == ["couch up"]
    assert exceptions.afterwards(shell("couch status\n")) == []


def test_the_page_that_takes_everything_down_comes_last(exceptions):
    assert exceptions.ordered(["a.md", "end.md", "z.md"]) == ["a.md", "z.md", "end.md"]


def test_an_exception_that_nothing_needs_is_named(exceptions):
    assert exceptions.unused([shell("docker run <image>\n")]) == ["docker run … <image>", "couch down", "gh", "end.md"]


def test_a_text_that_only_stands_within_longer_ones_is_not_needed(exceptions):
    blocks = [shell("docker run … <image>; couch down; gh variable\n", "end.md")]

    assert exceptions.unused(blocks) == ["<image>"]


def test_a_misspelt_key_is_reported():
    with pytest.raises(TypeError, match="reason"):
        Exceptions.read('[[stand_in]]\ncommand = "gh"\nreason = "any"\n')
