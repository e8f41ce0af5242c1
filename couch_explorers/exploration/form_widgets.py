"""The widgets of the exploration form: input fields, the current plan, Run and Cancel, the pictures, and one of them enlarged.

Plans and runs have threads of their own, so that the form stays responsive. The names of the CSS classes are stable:
`couch-form` around everything, `couch-form-prompts`, `couch-form-plan`, `couch-form-run`, `couch-form-cancel`,
`couch-form-parameters`, `couch-cell` for a picture to open, `couch-enlarged`, `couch-vary` and `couch-close`.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from couch_explorers import formatting
from couch_explorers.aws import lifecycle
from couch_explorers.checks import COLOURS, Verdict, badge
from couch_explorers.core import image_models
from couch_explorers.core.image_models import DEFAULT_SIZE, PRICES_AS_OF
from couch_explorers.exploration import plan, results
from couch_explorers.exploration.cards import picture_html
from couch_explorers.exploration.comparison import axis_full_text
from couch_explorers.exploration.contact_sheet import contact_sheet, outcome_sentence
from couch_explorers.exploration.form_state import drawn_seeds
from couch_explorers.exploration.grid import axes_of, axis_name, cell_views, distinguishing_labels
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.exploration.thumbnails import data_uri, thumbnail
from couch_explorers.html import text_colour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from couch_explorers.exploration.form import ExplorationForm
    from couch_explorers.exploration.form_state import FormState
    from couch_explorers.exploration.grid import CellView


# Seconds without a keystroke after which the plan is updated.
TYPING_PAUSE_S = 0.3
PAGE_SIZE = 24
# The size of an enlarged picture, in pixels: about as wide as a notebook's cell.
LARGE = (1024, 1024)

STYLE = f"""<style>
.couch-form {{ max-width: 100%; gap: 10px; }}
.couch-form .widget-label {{ color: var(--jp-ui-font-color1, #222); }}
.couch-form .widget-textarea > .widget-label {{ white-space: normal; line-height: 1.3; padding-top: 4px; }}
.couch-form .couch-fields {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr));
  gap: 10px 28px; align-items: start; }}
.couch-form .couch-fields > * {{ margin: 0; width: auto; }}
.couch-form .widget-text, .couch-form .widget-textarea {{ box-sizing: border-box; width: calc(100% - 4px) !important; }}
.couch-form ::placeholder {{ color: var(--jp-ui-font-color2, #666); opacity: 1; }}
.couch-form .couch-models {{ margin-bottom: 10px; gap: 4px; }}
.couch-form .couch-models .widget-checkbox {{ width: auto; height: auto; margin: 0; }}
.couch-form .couch-models .widget-checkbox input {{ margin: 0 6px 0 0; vertical-align: -2px; }}
.couch-form .widget-toggle-buttons {{ display: flex; align-items: center; margin: 2px 2px; }}
.couch-form .widget-toggle-buttons > .widget-label {{ width: 80px; flex: none; text-align: right; margin-right: 8px; }}
.couch-form .couch-models .widget-label-basic {{ white-space: normal; line-height: 1.4; height: auto; }}
.couch-form .couch-buttons {{ gap: 8px; align-items: center; flex-wrap: wrap; overflow: visible; }}
.couch-form .jupyter-button {{ width: auto; border-radius: 4px; margin: 0; }}
.couch-form .jupyter-button:focus-visible, .couch-form input:focus-visible, .couch-form textarea:focus-visible {{
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }}
.couch-form .widget-html-content {{ line-height: 1.4; }}
.couch-form .couch-form-plan {{ border-left: 3px solid var(--jp-border-color1, #bbb); padding-left: 12px; }}
.couch-form .couch-form-plan table {{ color: inherit; }}
.couch-form .couch-trouble {{ {text_colour(COLOURS[Verdict.BAD])}; }}
.couch-form .couch-quiet {{ color: var(--jp-ui-font-color2, #666); font-size: 12px; }}
.couch-form .couch-grid {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 14px; }}
.couch-form .couch-cell {{ position: relative; margin: 0; overflow: visible; }}
.couch-form .couch-cell > .widget-html {{ margin: 0; height: auto; width: auto; }}
.couch-form .couch-cell .jupyter-button {{ position: absolute; inset: 0; width: 100%; height: 100%; background: transparent;
  color: transparent; box-shadow: none; }}
.couch-form .couch-cell .jupyter-button:hover {{ outline: 2px solid var(--jp-brand-color1, #1976d2); }}
.couch-form .couch-enlarged {{ gap: 10px; }}
.couch-form .couch-enlarged table {{ border-collapse: collapse; margin: 0; color: inherit; }}
.couch-form .couch-enlarged th, .couch-form .couch-enlarged td {{ text-align: left; vertical-align: top;
  padding: .2em 1em .2em 0; }}
.couch-form .couch-large {{ display: flex; gap: 24px; flex-wrap: wrap; align-items: flex-start; }}
.couch-form .couch-large img {{ max-width: 100%; height: auto; border-radius: 6px; }}
.couch-form .couch-large > div {{ flex: 1 1 20rem; overflow-wrap: anywhere; }}
.couch-form .couch-large > div:first-child {{ flex: 0 1 auto; max-width: max(55%, 20rem); }}
.couch-form .couch-form-parameters pre {{ white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; margin: .3em 0; padding: .6em .8em;
  border: 1px solid var(--jp-border-color2, #ddd); border-radius: 6px; color: inherit; background: transparent; }}
</style>"""


class FormWidgets:
    """The widgets of one form; `widget` is what a notebook displays."""

    def __init__(self, form: ExplorationForm) -> None:
        self._form = form
        self._filling = False
        self._plan_timer: threading.Timer | None = None
        self._plan_number = 0
        # Held while creating clients from the workspace's session, which is not thread-safe.
        self._session_lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._cancel = threading.Event()

        self._prompts = _area(
            "Prompts", "Prompts, separated by empty lines; {name} is a variable once it has values", rows=5
        )
        self._prompts.add_class("couch-form-prompts")
        self._variables = ipywidgets.VBox()
        self._models = {
            name: ipywidgets.Checkbox(description=label, indent=False) for name, label in self._model_labels().items()
        }
        models = ipywidgets.VBox(list(self._models.values()))
        models.add_class("couch-models")
        self._seeds = _text("Seeds", "7, 21 or 1-8 or 4 random")
        self._sizes = _text("Sizes", "1024x1024, 1280x720")
        self._cfg_scales = _text("CFG scales", "empty is each model's default")
        self._negative = _area(
            "Negative prompt", "What must not be in the picture, one per line; the line none means without", rows=2
        )
        self._title = _text("Title", "stands over the pictures")
        self._via = ipywidgets.ToggleButtons(
            options=[("This notebook", "direct"), ("The queue", "queue")],
            description="Run by",
            style={"button_width": "auto"},
            tooltips=["This notebook asks the models", "The deployed queue's Lambdas ask the models"],
        )
        self._at_a_time = ipywidgets.BoundedIntText(min=1, max=100, description="At a time")
        self._limit = ipywidgets.BoundedFloatText(min=0, max=100_000, step=0.5, description="Limit, USD")
        self._inputs = {
            "prompts": self._prompts,
            "seeds": self._seeds,
            "sizes": self._sizes,
            "cfg_scales": self._cfg_scales,
            "negative_prompts": self._negative,
            "title": self._title,
            "via": self._via,
            "concurrency": self._at_a_time,
            "max_cost_usd": self._limit,
        }
        left = ipywidgets.VBox([self._prompts, self._variables, self._negative, self._title])
        right = ipywidgets.VBox(
            [
                ipywidgets.HTML(
                    f'<span class="couch-quiet">Models, with the price of an image (prices of {PRICES_AS_OF})</span>'
                ),
                models,
                *(self._seeds, self._sizes, self._cfg_scales, self._via, self._at_a_time, self._limit),
            ],
        )
        fields = ipywidgets.Box([left, right])
        fields.add_class("couch-fields")

        self._plan = ipywidgets.HTML()
        self._plan.add_class("couch-form-plan")
        self._run = _button("Run", "Make the new pictures of the plan", "couch-form-run", style="primary")
        self._stop = _button("Cancel", "End the run now; finished pictures are kept", "couch-form-cancel")
        self._as_parameters = ipywidgets.ToggleButton(
            description="As parameters", tooltip="The same for papermill and couch run"
        )
        self._progress = ipywidgets.IntProgress(min=0, layout={"width": "14rem"})
        self._state = ipywidgets.HTML()
        buttons = ipywidgets.HBox([self._run, self._stop, self._as_parameters, self._progress, self._state])
        buttons.add_class("couch-buttons")
        # Not as disabled text areas, which cannot get the keyboard focus.
        self._yaml, self._command = ipywidgets.HTML(), ipywidgets.HTML()
        self._parameters = ipywidgets.VBox([self._yaml, self._command], layout={"display": "none"})
        self._parameters.add_class("couch-form-parameters")
        self._results = ResultWidgets(self._vary)
        self.widget = ipywidgets.VBox(
            [ipywidgets.HTML(STYLE), fields, self._plan, buttons, self._parameters, self._results.widget],
        )
        self.widget.add_class("couch-form")

        self._fill(form.state)
        self._connect()
        self._show_running(running=False)
        self._show_last_run(form.state.run)
        self._schedule_plan(0)

    def _connect(self) -> None:
        for name, widget in self._inputs.items():
            widget.observe(partial(self._typed, name), "value")
        for box in self._models.values():
            box.observe(self._chose_models, "value")
        self._run.on_click(self._start)
        self._stop.on_click(lambda _: self._end())
        self._as_parameters.observe(self._toggle_parameters, "value")

    def _model_labels(self) -> dict[str, str]:
        """Return each model's name with its price and whether the target offers it."""
        workspace = self._form.workspace
        deployed = {image_models.parse_arn(arn)[1]: image_models.get(arn) for arn in workspace.model_arns}
        models = [deployed.get(name, model) for name, model in image_models.MODELS.items()]
        states = lifecycle.fetch_all(workspace, models)
        return {
            model.id: f"{model.name}, {formatting.usd(model.price_usd(DEFAULT_SIZE), exact=True)}, {states[model.id].status}"
            for model in models
        }

    def _fill(self, state: FormState) -> None:
        """Fill in the fields from a state."""
        self._filling = True
        try:
            for name, widget in self._inputs.items():
                widget.value = getattr(state, name)
            for name, box in self._models.items():
                box.value = name in state.models
            self._show_variables(state)
        finally:
            self._filling = False

    def _show_variables(self, state: FormState) -> None:
        """Show a field for each variable that the prompts name; an existing field keeps the focus."""
        existing = {area.description: area for area in self._variables.children}
        fields = []
        for name, values in state.used_variables.items():
            area = existing.get(f"{{{name}}}")
            if area is None:
                area = _area(f"{{{name}}}", "One value a line, or name = text", rows=3)
                area.observe(partial(self._typed_variable, name), "value")
            if area.value != values:
                area.value = values
            fields.append(area)
        if tuple(fields) != self._variables.children:
            self._variables.children = fields

    def _typed(self, name: str, change: Mapping[str, Any]) -> None:
        if self._filling:
            return
        value = change["new"]
        if name == "seeds" and (drawn := drawn_seeds(value)) != value:
            # Triggers this method again, with the numbers.
            self._seeds.value = drawn
            return
        self._take(replace(self._form.state, **{name: value}))

    def _typed_variable(self, name: str, change: Mapping[str, Any]) -> None:
        if not self._filling:
            self._take(replace(self._form.state, variables=self._form.state.variables | {name: change["new"]}))

    def _chose_models(self, _change: Any) -> None:
        if not self._filling:
            chosen = tuple(name for name, box in self._models.items() if box.value)
            self._take(replace(self._form.state, models=chosen))

    def _take(self, state: FormState) -> None:
        self._form.change(state)
        self._filling = True
        try:
            self._show_variables(state)
        finally:
            self._filling = False
        self._schedule_plan(TYPING_PAUSE_S)

    def _schedule_plan(self, pause_s: float) -> None:
        """Plan after a pause; further typing postpones it."""
        if self._plan_timer is not None:
            self._plan_timer.cancel()
        self._plan_number += 1
        self._plan_timer = threading.Timer(pause_s, self._show_plan, [self._plan_number, self._form.state])
        self._plan_timer.daemon = True
        self._plan_timer.start()

    def _show_plan(self, number: int, state: FormState) -> None:
        with self._session_lock:
            # After a run, the plan is updated anyway.
            if number == self._plan_number and self._running is None:
                self._make_plan(number, state)

    def _make_plan(self, number: int, state: FormState) -> None:
        try:
            rows = state.sweep().plan(self._form.workspace, via=state.via, concurrency=state.concurrency)
            html, runnable, yaml = plan.summarize_plan(rows)._repr_html_(), True, state.yaml()
            command = state.command(self._form.workspace.target)
        except ExplorationError as error:
            html, runnable, yaml, command = f"{badge(Verdict.BAD)} {escape(str(error))}", False, "", ""
        except Exception as error:  # noqa: BLE001 - nobody would see an error in a thread
            text = f"Planning failed ({type(error).__name__}: {error}): check that {self._form.workspace.target} is reachable."
            html, runnable, yaml, command = f"{badge(Verdict.BAD)} {escape(text)}", False, "", ""
        if number != self._plan_number:
            # The input has changed meanwhile.
            return
        self._plan.value = f'<div role="status" aria-live="polite">{html}</div>'
        self._yaml.value = _code("Parameters for papermill -f (YAML)", yaml)
        self._command.value = _code("The same by couch run", command)
        self._run.disabled = not runnable or self._running is not None

    def _toggle_parameters(self, change: Mapping[str, Any]) -> None:
        self._parameters.layout.display = None if change["new"] else "none"

    def _start(self, _button: Any) -> None:
        if self._running is not None:
            return
        self._cancel = threading.Event()
        self._running = threading.Thread(
            target=self._work, args=(self._form.state, self._cancel), name="form", daemon=True
        )
        self._show_running(running=True)
        self._running.start()

    def _end(self) -> None:
        self._cancel.set()
        self._stop.disabled = True
        self._say("Cancelling …")

    def _work(self, state: FormState, cancel: threading.Event) -> None:
        """Run the sweep and show its result."""
        with self._session_lock:
            # Wait for a plan that is being made.
            self._say("Planning …")
        try:
            frame = state.sweep().run(
                self._form.workspace,
                via=state.via,
                concurrency=state.concurrency,
                max_cost_usd=state.max_cost_usd,
                cancel=cancel,
                on_step=self._stepped,
            )
            self._form.pictures = frame
            self._form.change(replace(self._form.state, run=str(results.context_of(frame).run or "")))
            self._results.show(frame)
            self._say("Cancelled; finished pictures are kept." if cancel.is_set() else "Done.")
        except ExplorationError as error:
            self._say(str(error), trouble=True)
        except Exception as error:  # noqa: BLE001 - nobody would see an error in a thread
            self._say(f"The run failed ({type(error).__name__}: {error}). Finished pictures are kept.", trouble=True)
        finally:
            self._running = None
            self._show_running(running=False)
            self._schedule_plan(0)

    def _stepped(self, done: int, total: int) -> None:
        self._progress.max, self._progress.value = max(total, 1), done
        if not self._cancel.is_set():
            self._say(f"{done} of {total}")

    def _show_running(self, *, running: bool) -> None:
        self._run.disabled, self._stop.disabled = running, not running
        self._progress.layout.display = None if running else "none"
        self._progress.value = 0

    def _say(self, text: str, *, trouble: bool = False) -> None:
        css_class = "couch-trouble" if trouble else "couch-quiet"
        self._state.value = f'<span class="{css_class}" role="status" aria-live="polite">{escape(text)}</span>'

    def _show_last_run(self, folder: str) -> None:
        if not folder:
            return
        try:
            frame = results.load(folder)
        except ExplorationError:
            # Deleted since.
            return
        self._form.pictures = frame
        self._results.show(frame)

    def _vary(self, cell: CellView) -> None:
        state = self._form.state.varying(cell)
        self._fill(state)
        self._take(state)
        self._prompts.focus()


class ResultWidgets:
    """The pictures of a run, page by page, and one of them enlarged; `vary(cell)` is called with the one to vary."""

    def __init__(self, vary: Any) -> None:
        self._vary = vary
        self._cells: Sequence[CellView] = ()
        self._labels: Sequence[str] = ()
        self._first = 0
        self._open = 0

        self._summary = ipywidgets.HTML()
        self._place = ipywidgets.HTML()
        self._previous = _button("← Previous", "The pictures before these", "couch-previous")
        self._next = _button("Next →", "The pictures after these", "couch-next")
        self._sheet = _button("Contact sheet", "Save the contact sheet in the run's folder", "couch-sheet")
        self._saved = ipywidgets.HTML()
        self._pages = ipywidgets.HBox([self._previous, self._place, self._next, self._sheet, self._saved])
        self._pages.add_class("couch-buttons")
        self._slots = [CellSlot(partial(self._enlarge, index)) for index in range(PAGE_SIZE)]
        self._grid = ipywidgets.Box([slot.widget for slot in self._slots])
        self._grid.add_class("couch-grid")

        self._large = ipywidgets.HTML()
        self._close = _button("Close", "Back to all pictures", "couch-close")
        self._before = _button("← Picture", "The picture before this one", "couch-before")
        self._after = _button("Picture →", "The picture after this one", "couch-after")
        self._vary_this = _button(
            "Vary this", "Put the values of this picture into the form", "couch-vary", style="primary"
        )
        controls = ipywidgets.HBox([self._close, self._before, self._after, self._vary_this])
        controls.add_class("couch-buttons")
        self._enlarged = ipywidgets.VBox([controls, self._large], layout={"display": "none"})
        self._enlarged.add_class("couch-enlarged")
        self.widget = ipywidgets.VBox(
            [self._summary, self._pages, self._grid, self._enlarged],
            layout={"display": "none"},
        )

        self._frame: pd.DataFrame | None = None
        self._previous.on_click(partial(self._turn, -PAGE_SIZE))
        self._next.on_click(partial(self._turn, PAGE_SIZE))
        self._sheet.on_click(self._save_sheet)
        self._close.on_click(self._shut)
        self._before.on_click(partial(self._step, -1))
        self._after.on_click(partial(self._step, 1))
        self._vary_this.on_click(lambda _: self._vary(self._cells[self._open]))

    def show(self, frame: pd.DataFrame) -> None:
        """Show the first page of a result's pictures."""
        self._frame, self._cells, self._first = frame, cell_views(frame), 0
        self._labels = distinguishing_labels(self._cells)
        text = outcome_sentence(self._cells, results.context_of(frame).target)
        self._summary.value = f'<p role="status">{escape(text)}</p>'
        self._saved.value = ""
        self.widget.layout.display = None
        self._enlarged.layout.display, self._grid.layout.display = "none", None
        self._draw()

    def _draw(self) -> None:
        shown = self._cells[self._first : self._first + PAGE_SIZE]
        for place, slot in enumerate(self._slots):
            if place < len(shown):
                slot.show(shown[place], self._labels[self._first + place])
            else:
                slot.hide()
        several = len(self._cells) > PAGE_SIZE
        last = self._first + len(shown)
        self._place.value = f'<span class="couch-quiet">{self._first + 1} to {last} of {len(self._cells):,}</span>'
        self._previous.disabled, self._next.disabled = self._first == 0, last >= len(self._cells)
        for widget in (self._previous, self._place, self._next):
            widget.layout.display = None if several else "none"

    def _turn(self, by: int, _button: Any) -> None:
        self._first = min(max(0, self._first + by), max(0, len(self._cells) - 1) // PAGE_SIZE * PAGE_SIZE)
        self._draw()

    def _save_sheet(self, _button: Any) -> None:
        if self._frame is None:
            return
        try:
            paths = contact_sheet(self._frame).save()
        except ExplorationError as error:
            self._saved.value = f'<span class="couch-trouble" role="status">{escape(str(error))}</span>'
            return
        names = f"{paths[0].name} to {paths[-1].name}" if len(paths) > 1 else paths[0].name
        self._saved.value = (
            f'<span class="couch-quiet" role="status">Saved {escape(names)} in {escape(str(paths[0].parent))}</span>'
        )

    def _enlarge(self, place: int, _button: Any) -> None:
        self._open = self._first + place
        self._draw_large()
        self._grid.layout.display = self._pages.layout.display = "none"
        self._enlarged.layout.display = None
        self._close.focus()

    def _step(self, by: int, _button: Any) -> None:
        self._open += by
        self._draw_large()

    def _shut(self, _button: Any) -> None:
        self._first = self._open // PAGE_SIZE * PAGE_SIZE
        self._draw()
        self._enlarged.layout.display = "none"
        self._grid.layout.display = self._pages.layout.display = None
        self._slots[self._open - self._first].focus()

    def _draw_large(self) -> None:
        cell = self._cells[self._open]
        self._before.disabled, self._after.disabled = self._open == 0, self._open == len(self._cells) - 1
        image = thumbnail(cell.path, LARGE) if cell.path is not None else None
        picture = (
            f'<img src="{data_uri(image)}" alt="{escape(cell.prompt)}">'
            if image is not None
            else f"<p>{escape(cell.reason or 'The picture is gone.')}</p>"
        )
        values = [("cell", str(cell.number)), ("status", f"{cell.status}. {cell.reason}".removesuffix(". "))]
        values += [(axis_name(axis), axis_full_text(axis, cell)) for axis in axes_of([cell])]
        values += [("template", cell.template)] if cell.template is not None else []
        # All pictures are in one folder; `form.pictures` has the full path.
        values += [("file", cell.path.name)] if cell.path is not None else []
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in values
        )
        self._large.value = f'<div class="couch-large"><div>{picture}</div><div><table>{rows}</table></div></div>'


class CellSlot:
    """The slot of one cell: its picture, or why there is none, under a button that opens it."""

    def __init__(self, enlarge: Any) -> None:
        self._picture = ipywidgets.HTML()
        self._button = ipywidgets.Button()
        self._button.on_click(enlarge)
        self.widget = ipywidgets.Box([self._picture, self._button])
        self.widget.add_class("couch-cell")

    def show(self, cell: CellView, label: str) -> None:
        """Show a cell."""
        shown = picture_html(Path(cell.path), cell.prompt) if cell.path is not None else f"<p>{escape(cell.reason)}</p>"
        text = f"<b>{cell.number}</b> {escape(cell.prompt_name)}<br><span class='couch-quiet'>{escape(label)}</span>"
        self._picture.value = f"{shown}<div style='margin-top:.3em'>{text}</div>"
        self._button.description = f"Open picture {cell.number}"
        self._button.tooltip = f"{cell.prompt_name}, {label}"
        self.widget.layout.display = None

    def hide(self) -> None:
        """Show nothing: the last page has fewer pictures."""
        self.widget.layout.display = "none"

    def focus(self) -> None:
        """Move the keyboard focus here."""
        self._button.focus()


def _code(title: str, text: str) -> str:
    """Render a text to be copied."""
    return (
        f'<div>{escape(title)}</div><pre tabindex="0" role="region" aria-label="{escape(title)}">{escape(text)}</pre>'
    )


def _button(text: str, tooltip: str, css_class: str, style: str = "") -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, tooltip=tooltip, button_style=style)
    button.add_class(css_class)
    return button


def _text(name: str, hint: str) -> ipywidgets.Text:
    return ipywidgets.Text(description=name, placeholder=hint, layout={"width": "100%"})


def _area(name: str, hint: str, rows: int) -> ipywidgets.Textarea:
    return ipywidgets.Textarea(description=name, placeholder=hint, rows=rows, layout={"width": "100%"})
