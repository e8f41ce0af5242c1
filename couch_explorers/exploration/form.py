"""The form for an exploration in JupyterLab.

It is a front end to `Sweep`: everything it does can also be done in a notebook cell or with `couch run`.
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

    def __init__(self, workspace: Workspace, initial: Sweep | None, state: FormState) -> None:
        self.workspace = workspace
        self.state = state
        self.pictures: pd.DataFrame | None = None
        self._initial = initial

    @property
    def sweep(self) -> Sweep:
        """The sweep that the form describes; raises ExplorationError if that is not a valid sweep."""
        return self.state.sweep()

    def change(self, state: FormState) -> None:
        """Apply the typed values and save them for the next kernel; if saving fails, they still apply here."""
        self.state = state
        _save_state(self.workspace.target, self._initial, state)

    @cached_property
    def form(self) -> FormWidgets:
        """The widgets, created on first access."""
        from couch_explorers.exploration.form_widgets import FormWidgets  # noqa: PLC0415 - not needed where widgets don't work

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
        """Render the form's values for a page that is not interactive."""
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
        workspace: the workspace whose models are offered and called.
        sweep: the form's initial values. Later input is saved in `.couch/forms` and restored after a reload or in a new
            kernel, until the form is opened with another sweep.
        settings: `via`, `concurrency` and `max_cost_usd`, as for `Sweep.run`.

    Returns:
        The form. `sweep` is the sweep that it describes, `pictures` the result of its last run. Where widgets don't work
        (`couch run`, plain Python), it shows its values and the shell command that runs them.

    Raises:
        ExplorationError: for a sweep that the form cannot represent.

    """
    if (saved := _saved_state(workspace.target, sweep)) is not None:
        return ExplorationForm(workspace, sweep, saved)
    if sweep is not None:
        return ExplorationForm(workspace, sweep, FormState.of(sweep, **settings))
    models = tuple(image_models.get(arn).id for arn in workspace.model_arns[:1] or (DEFAULT_MODEL_ID,))
    return ExplorationForm(workspace, None, FormState(models=models, **settings))


def _form_key(sweep: Sweep | None) -> Any:
    """Return what identifies a form by its initial sweep, as JSON values."""
    return None if sweep is None else [sweep.axes(), sweep.title, sweep.purpose]


def _save_state(target: str, initial: Sweep | None, state: FormState) -> None:
    path = Home.current().form(target)
    try:
        write_json(path, {"began": _form_key(initial), "state": asdict(state)})
    except OSError:
        # Not worth interrupting the user: the next change tries again.
        return


def _saved_state(target: str, initial: Sweep | None) -> FormState | None:
    """Read the saved input of a form that was opened with this sweep; None if there is none, or it is incomplete."""
    if not widgets_work():
        return None
    try:
        saved = read_json(Home.current().form(target))
        if saved["began"] != _form_key(initial):
            return None
        return FormState(**saved["state"] | {"models": tuple(saved["state"]["models"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
