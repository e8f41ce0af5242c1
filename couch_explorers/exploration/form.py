"""The form for an exploration in JupyterLab.

It is a face of `Sweep`: whatever it does, a cell of a notebook or `couch run` does without it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from couch_explorers.core import image_models
from couch_explorers.core.image_models import DEFAULT_MODEL_ID
from couch_explorers.exploration.axes import ExplorationError
from couch_explorers.exploration.form_state import FormState
from couch_explorers.exploration.rating_panel import widgets_work
from couch_explorers.files import read_json, write_json
from couch_explorers.html import render
from couch_explorers.paths import Home

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.exploration.form_widgets import FormWidgets
    from couch_explorers.exploration.sweep import Sweep
    from couch_explorers.workspace import Workspace


HOW_TO_OPEN = (
    'The form opens where this notebook runs in JupyterLab (<code style="white-space:nowrap">couch lab</code>).'
)


class ExplorationForm:
    """The form for one workspace; displayed by a notebook. See `explore`."""

    def __init__(self, workspace: Workspace, began: Sweep | None, state: FormState) -> None:
        self.workspace = workspace
        self.state = state
        self.pictures: pd.DataFrame | None = None
        self._began = began

    @property
    def sweep(self) -> Sweep:
        """What the form means now; raises ExplorationError where that is no sweep."""
        return self.state.sweep()

    def change(self, state: FormState) -> None:
        """Take what was typed, and keep it for the next kernel; where it cannot be kept, it still counts here."""
        self.state = state
        _save_state(self.workspace.target, self._began, state)

    @cached_property
    def form(self) -> FormWidgets:
        """The widgets; made when they are first asked for."""
        from couch_explorers.exploration.form_widgets import FormWidgets  # noqa: PLC0415 - where no widgets work, none are made

        return FormWidgets(self)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if widgets_work():
            return {**self.form.widget._repr_mimebundle_(), "text/plain": repr(self)}
        return {"text/html": self._static(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        try:
            return self.state.command(self.workspace.target)
        except ExplorationError as error:
            return str(error)

    def _static(self) -> str:
        """Show what would stand in the form, for a page that nobody can type in."""
        try:
            values = self.state.parameters()
            command, trouble = self.state.command(self.workspace.target), ""
        except ExplorationError as error:
            values, command, trouble = {}, "", escape(str(error))
        rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in values.items()]
        return render("exploration/form.html.j2", rows=rows, command=command, trouble=trouble, how=HOW_TO_OPEN)


def explore(workspace: Workspace, sweep: Sweep | None = None, **settings: Any) -> ExplorationForm:
    """Explore with a form in JupyterLab: type, see the plan, run, look, and vary what you like.

    Args:
        workspace: whose models are offered and asked.
        sweep: what stands in the form at first. What was typed after that is kept in `.couch/forms`, and stands there again
            after a reload or in a new kernel, until the form is opened with another sweep.
        settings: `via`, `concurrency` and `max_cost_usd` as `Sweep.run` takes them.

    Returns:
        The form. `sweep` is what it means now, `pictures` the result of its last run. Where no widgets work (`couch run`,
        plain Python) it shows its values, and the line for a shell that runs them.

    Raises:
        ExplorationError: for a sweep that the form cannot write.

    """
    if (kept := _saved_state(workspace.target, sweep)) is not None:
        return ExplorationForm(workspace, sweep, kept)
    if sweep is not None:
        return ExplorationForm(workspace, sweep, FormState.of(sweep, **settings))
    models = tuple(image_models.get(arn).id for arn in workspace.model_arns[:1] or (DEFAULT_MODEL_ID,))
    return ExplorationForm(workspace, None, FormState(models=models, **settings))


def _beginning(sweep: Sweep | None) -> Any:
    """What tells one opened form from another, as JSON has it."""
    return None if sweep is None else [sweep.axes(), sweep.title, sweep.purpose]


def _save_state(target: str, began: Sweep | None, state: FormState) -> None:
    path = Home.current().form(target)
    try:
        write_json(path, {"began": _beginning(began), "state": asdict(state)})
    except OSError:
        # A form is no place to lose a keystroke over: the next change tries again.
        return


def _saved_state(target: str, began: Sweep | None) -> FormState | None:
    """Read what was typed into a form that began with this sweep; None where there is nothing, or nothing whole."""
    if not widgets_work():
        return None
    try:
        kept = read_json(Home.current().form(target))
        if kept["began"] != _beginning(began):
            return None
        return FormState(**kept["state"] | {"models": tuple(kept["state"]["models"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
