"""Progress: a bar where somebody watches, few plain lines where nobody does."""

import io
import sys
import threading
from types import SimpleNamespace

import pytest

from couch_explorers.exploration import progress
from tests.waiting import Clock


@pytest.fixture
def output():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines(output, clock):
    return progress.ProgressLines(40, "savanna", clock=clock, write=output.append)


def test_a_line_stands_at_the_beginning_and_at_the_end(lines, output, clock):
    lines.step(40)
    clock.now += 70
    lines.end()

    assert output == ["savanna: 40 to do", "savanna: 40 of 40 in 1 min 10 s"]


def test_a_line_comes_at_most_each_five_seconds_and_states_the_time_to_go(lines, output, clock):
    for _ in range(20):
        clock.now += 1
        lines.step()

    assert output[1:] == [
        "savanna: 5 of 40 in 5 s, about 35 s to go",
        "savanna: 10 of 40 in 10 s, about 30 s to go",
        "savanna: 15 of 40 in 15 s, about 25 s to go",
        "savanna: 20 of 40 in 20 s, about 20 s to go",
    ]


def test_the_last_line_says_where_the_work_was_stopped(lines, output, clock):
    lines.step(3)
    clock.now += 3
    lines.end()

    assert output[-1] == "savanna: 3 of 40 in 3 s, about 37 s to go"


def test_a_note_is_a_line_of_its_own(lines, output):
    lines.note("A model is LEGACY.")

    assert output[-1] == "A model is LEGACY."


def test_steps_from_many_threads_are_all_counted(lines, output):
    threads = [threading.Thread(target=lines.step) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.end()

    assert output[-1].startswith("savanna: 40 of 40")


def test_without_a_terminal_plain_lines_go_to_standard_error(capsys):
    with progress.track(2, "savanna") as shown:
        shown.step(2)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["savanna: 2 to do", "savanna: 2 of 2 in under a second"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def in_a_terminal(monkeypatch):
    """Begin to write to a terminal and return it; pytest sets its own standard error before each test."""

    def begin():
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.delenv(progress.RUN_VARIABLE, raising=False)
        return sys.stderr

    return begin


def test_in_a_terminal_a_bar_is_drawn(in_a_terminal):
    terminal = in_a_terminal()

    with progress.track(4, "savanna") as shown:
        shown.step(3)
        shown.note("A model is LEGACY.")
        shown.step()

    assert "savanna: 100%" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()
    assert "A model is LEGACY.\n" in terminal.getvalue()


def test_a_run_that_nobody_watches_gets_lines_even_in_a_terminal(in_a_terminal, monkeypatch):
    terminal = in_a_terminal()
    monkeypatch.setenv(progress.RUN_VARIABLE, "1")

    with progress.track(1, "savanna") as shown:
        shown.step()

    assert terminal.getvalue().splitlines() == ["savanna: 1 to do", "savanna: 1 of 1 in under a second"]


@pytest.mark.parametrize(("shell", "watched"), [(SimpleNamespace(kernel=object()), True), (SimpleNamespace(), False)])
def test_a_kernel_counts_as_watched_and_a_plain_shell_by_its_terminal(monkeypatch, shell, watched):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.delenv(progress.RUN_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    assert progress.is_watched() is watched


def test_progress_may_be_passed_to_a_callback_instead_of_printed(capsys):
    steps = []

    with progress.track(3, "sweep", lambda *amounts: steps.append(amounts)) as shown:
        shown.step()
        shown.step(2)

    assert steps == [(0, 3), (1, 3), (3, 3)]
    assert capsys.readouterr() == ("", "")
