import pytest

from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration import form
from couch_explorers.exploration.axes import ExplorationError
from couch_explorers.exploration.form import explore
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.paths import Home

SWEEP = Sweep("A {medium} of a cow", variables={"medium": ["photo", "oil"]}, title="Cows")


@pytest.fixture
def in_kernel(monkeypatch):
    monkeypatch.setattr(form, "widgets_work", lambda: True)


def html_of(shown):
    return shown._repr_mimebundle_()["text/html"]


def test_a_report_shows_the_values_and_the_line_that_runs_them(workspace, home):
    shown = explore(workspace, SWEEP, max_cost_usd=2.0)

    html = html_of(shown)

    assert '<th scope="row"' in html
    assert "{&#34;medium&#34;: {&#34;photo&#34;: &#34;photo&#34;, &#34;oil&#34;: &#34;oil&#34;}}" in html
    assert "couch run prompt_exploration -p prompts" in html
    assert repr(shown).endswith("-p max_cost_usd 2.0")
    assert shown.sweep == SWEEP


def test_an_empty_form_says_what_it_needs(workspace, home):
    assert "The sweep is empty: the axis prompts has no values" in html_of(explore(workspace))


def test_what_was_typed_stands_there_again_until_another_sweep_begins(workspace, home, in_kernel):
    first = explore(workspace, SWEEP)
    first.change(first.state.__class__(prompts="A goat", models=(DEFAULT_MODEL_ID,), seeds="3"))

    assert explore(workspace, SWEEP).state == first.state
    assert explore(workspace, Sweep("Another")).state.prompts == "Another"
    assert explore(workspace).state.prompts == ""


def test_nothing_typed_is_used_in_a_report(workspace, home):
    first = explore(workspace, SWEEP)
    first.change(first.state.__class__(prompts="A goat"))

    assert explore(workspace, SWEEP).state != first.state


@pytest.mark.parametrize("content", ["", "{", "[]", '{"began": null}', '{"began": null, "state": {"colour": 1}}'])
def test_a_damaged_state_is_a_new_form(content, workspace, home, in_kernel):
    path = Home.current().form("local")
    path.parent.mkdir(parents=True)
    path.write_text(content)

    assert explore(workspace).state.prompts == ""


def test_a_state_that_cannot_be_kept_still_counts(workspace, home, in_kernel):
    Home.current().path.mkdir()
    (Home.current().path / "forms").write_text("in the way")
    shown = explore(workspace, SWEEP)

    shown.change(shown.state.__class__(prompts="A goat", models=(DEFAULT_MODEL_ID,)))

    assert shown.sweep.cells()[0].prompt == "A goat"


def test_a_sweep_that_the_form_cannot_write_is_refused(workspace, home):
    with pytest.raises(ExplorationError, match="separates prompts by empty lines"):
        explore(workspace, Sweep("A cow\n\nA goat"))
