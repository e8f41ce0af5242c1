"""A blind comparison in JupyterLab: two unlabelled pictures at a time, and a click or an arrow key for the better one.

The names of the CSS classes are stable: `couch-duel` around everything, `couch-duel-stage` with both pictures, which takes the arrow keys,
`couch-duel-left` and `couch-duel-right` for the buttons.
"""

from __future__ import annotations

import random
from functools import cached_property, partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers import formatting
from couch_explorers.exploration.cards import picture_html
from couch_explorers.exploration.comparison import NoComparison
from couch_explorers.exploration.duel_ranking import Ranking, next_pair, pictures_by_id, ranking
from couch_explorers.exploration.rating_panel import widgets_work
from couch_explorers.exploration.ratings import PAIR, current_user, ratings_file, target_of
from couch_explorers.exploration.sweep_spec import ExplorationError

if TYPE_CHECKING:
    import ipywidgets
    import pandas as pd

    from couch_explorers.exploration.ratings import Duel

SIDES = ("left", "right")
HOW_TO_COMPARE = (
    'Compare with a click by running this notebook in JupyterLab (<code style="white-space:nowrap">couch lab</code>).'
)
# A click on a picture, or an arrow key while the stage has the focus, presses the button of that side. The next pair takes the focus
# again if keys were used.
PRESS = "this.closest('.couch-duel').querySelector('.couch-duel-{side}').click()"
KEYS = (
    "const side={ArrowLeft:'left',ArrowRight:'right'}[event.key];if(side){event.preventDefault();event.stopPropagation();"
    "window.couchDuelKeys=true;this.closest('.couch-duel').querySelector('.couch-duel-'+side).click()}"
)
FOCUS = "if(window.couchDuelKeys)this.closest('.couch-duel-stage').focus({preventScroll:true})"
STYLE = """<style>
.couch-duel .couch-duel-stage, .couch-duel .couch-duel-buttons { display: flex; gap: 16px; max-width: 61rem;
  box-sizing: border-box; padding: 6px; }
.couch-duel .couch-duel-stage:focus { outline: none; }
.couch-duel .couch-duel-stage:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: -2px;
  border-radius: 8px; }
.couch-duel .couch-duel-side { flex: 1; cursor: pointer; }
.couch-duel .couch-duel-side img { width: 100%; height: auto; display: block; border-radius: 6px; }
.couch-duel .jupyter-button { flex: 1; width: auto; margin: 0; border-radius: 4px; }
</style>"""


class DuelPanel:
    """Blind comparisons of a sweep's pictures; displayed by a notebook.

    Each answer is saved at once in the ratings file, so that a reload continues where it left off, even days later.
    """

    def __init__(self, pictures: pd.DataFrame, target: str, seed: int | None = None) -> None:
        self._pictures = pictures
        self._cells = pictures_by_id(pictures)
        if len(self._cells) < PAIR:
            raise ExplorationError(
                f"{formatting.count(len(self._cells), 'picture').capitalize()} cannot be compared: it takes at least two.",
            )
        self._file, self._target = ratings_file(target), target
        self._rng = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.pair: tuple[str, str] = ("", "")
        self.advance()

    def advance(self) -> None:
        """Choose the most informative pair, given the current ratings file."""
        answers = [duel for duel in self._file.duels() if duel.left in self._cells and duel.right in self._cells]
        self._compared = len(answers)
        self.pair = next_pair(list(self._cells), answers, self._rng)

    def choose(self, side: str) -> Duel:
        """Record the picture on this side, "left" or "right", as the better one, and go to the next pair.

        Raises:
            ExplorationError: there is no such side, or the answer cannot be saved; the pair then stays.

        """
        if side not in SIDES:
            raise ExplorationError(f'There is no side {side!r}: say "left" or "right".')
        duel = self._file.add_duel(*self.pair, won=self.pair[SIDES.index(side)], by=current_user())
        self.advance()
        return duel

    @property
    def ranking(self) -> Ranking:
        """The ranking so far."""
        return ranking(self._pictures, target=self._target)

    @cached_property
    def widget(self) -> ipywidgets.VBox:
        """The widgets, created on first access."""
        import ipywidgets  # noqa: PLC0415 - not needed where widgets don't work

        self.stage, self.count = ipywidgets.HTML(), ipywidgets.HTML()
        buttons = []
        for side, text in zip(SIDES, ("← Left is better", "Right is better →"), strict=True):
            button = ipywidgets.Button(description=text, tooltip=f"The picture on the {side} is the better one")
            button.add_class(f"couch-duel-{side}")
            button.on_click(partial(self._press, side))
            buttons.append(button)
        buttons_row = ipywidgets.HBox(buttons)
        buttons_row.add_class("couch-duel-buttons")
        panel = ipywidgets.VBox([ipywidgets.HTML(STYLE), self.count, self.stage, buttons_row])
        panel.add_class("couch-duel")
        self._show()
        return panel

    def _press(self, side: str, _button: Any) -> None:
        try:
            self.choose(side)
        except ExplorationError as error:
            self.count.value = f"<b>{escape(str(error))}</b>"
            return
        self._show()

    def _show(self) -> None:
        sides = []
        for side, name in zip(SIDES, self.pair, strict=True):
            # No words of the prompt: they would reveal which picture is which.
            picture = picture_html(self._cells[name].path, f"the picture on the {side}")
            picture = picture.replace("<img", f'<img onload="{FOCUS}"', 1)
            sides.append(f'<div class="couch-duel-side" onclick="{PRESS.format(side=side)}">{picture}</div>')
        self.stage.value = (
            f'<div class="couch-duel-stage" tabindex="0" role="group" aria-label="Two pictures: press the left or right arrow for the '
            f'better one" onkeydown="{KEYS}">{"".join(sides)}</div>'
        )
        comparisons = formatting.count(self._compared, "comparison").capitalize()
        self.count.value = f"Which picture is better? Click it, or press an arrow key. {comparisons} so far."

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if not widgets_work():
            shown = self.ranking._repr_mimebundle_()
            return {**shown, "text/html": f"{shown['text/html']}<p>{HOW_TO_COMPARE}</p>"}
        self.advance()
        if "widget" in vars(self):
            # Displayed again; new widgets show the pair on creation.
            self._show()
        panel: dict[str, Any] = self.widget._repr_mimebundle_()
        return {**panel, "text/plain": self.ranking.sentence}


def duel(
    pictures: pd.DataFrame, target: str | None = None, *, errors: Literal["raise", "show"] = "raise"
) -> DuelPanel | NoComparison:
    """Compare a sweep's pictures blindly, two at a time, unlabelled and in random order.

    Args:
        pictures: a sweep's result; cells without a picture are left out.
        target: whose ratings file takes the answers; by default the frame's.
        errors: with "show", return the message of an ExplorationError in place of the panel, so that a notebook continues.

    Returns:
        The panel; where widgets don't work (`couch run`, plain Python), it shows the ranking so far. `ranking(pictures, by="seed")`
        ranks the values of an axis.

    Raises:
        ExplorationError: the frame is not a sweep's result, or it has fewer than two pictures.

    """
    try:
        return DuelPanel(pictures, target or target_of(pictures))
    except ExplorationError as error:
        if errors == "raise":
            raise
        return NoComparison(str(error))
