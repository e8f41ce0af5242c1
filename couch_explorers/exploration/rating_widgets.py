"""The widgets of the rating panel: a page of cards, each with a picture, its buttons and its note.

Cards are reused when the page is turned: a sweep of thousands needs no more widgets than one page. The names of the CSS
classes are stable: `couch-rating` for a card, `couch-rate-keep`, `couch-rate-reject`,
`couch-rate-star-1` to `-5`, `couch-rate-note` and `couch-rating-state` inside it, `couch-rate-next` and
`couch-rate-previous` for the pages. A pressed button has Jupyter's own class `mod-active`.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from couch_explorers.exploration.cards import GOLD, KEPT, REJECTED, picture_html
from couch_explorers.exploration.grid import distinguishing_labels
from couch_explorers.exploration.ratings import MAX_STARS, Rating, count_sentence, current_user
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import text_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.ratings import RatingsFile


FILTERS = ("all pictures", "not rated yet", "kept", "rejected")

STYLE = f"""<style>
.couch-panel {{ max-width: 100%; }}
.couch-panel .couch-head {{ align-items: center; gap: 12px; flex-wrap: wrap; margin-bottom: 8px; }}
.couch-panel .couch-pages {{ align-items: center; gap: 8px; }}
.couch-panel .couch-rating {{ border: 1px solid var(--jp-border-color2, #ddd); border-radius: 8px; padding: 10px;
  overflow: hidden; gap: 6px; background: var(--jp-layout-color1, #fff); }}
.couch-panel .couch-rating.couch-kept {{ border-color: {KEPT}; box-shadow: 0 0 0 1px {KEPT}; }}
.couch-panel .couch-rating.couch-rejected .couch-picture {{ opacity: .35; }}
.couch-panel .couch-rating > * {{ margin: 0; width: auto; flex: none; }}
.couch-panel .widget-html-content {{ line-height: 1.4; }}
.couch-panel .couch-picture img {{ display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 4px;
  background: var(--jp-layout-color2, #eee); }}
.couch-panel .couch-buttons {{ align-items: center; gap: 6px; flex-wrap: wrap; }}
.couch-panel .couch-buttons .jupyter-button {{ margin: 0; width: auto; border-radius: 4px; }}
.couch-panel .couch-rate-keep.mod-active {{ background: {KEPT}; color: #fff; box-shadow: none; }}
.couch-panel .couch-rate-reject.mod-active {{ background: {REJECTED}; color: #fff; box-shadow: none; }}
.couch-panel .couch-stars {{ gap: 0; overflow: visible; margin: 0; }}
.couch-panel .couch-stars .jupyter-button {{ background: none; padding: 0 2px; font-size: 18px; {text_colour(GOLD)};
  box-shadow: none; }}
.couch-panel .jupyter-button:focus-visible {{ outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }}
.couch-panel .couch-quiet {{ color: var(--jp-ui-font-color2, #666); font-size: 12px; }}
.couch-panel .couch-trouble {{ {text_colour(REJECTED)}; font-size: 12px; white-space: normal; }}
</style>"""


class Panel:
    """The widgets for the pictures of a sweep, by id; `widget` is what a notebook displays."""

    def __init__(self, pictures: Mapping[str, CellView], ratings_file: RatingsFile, page_size: int) -> None:
        self._pictures = pictures
        self._file = ratings_file
        self._page_size = page_size
        self._chosen = list(pictures)
        self._first = 0
        self._ratings: dict[str, Rating] = {}
        self._labels = dict(zip(pictures, distinguishing_labels(list(pictures.values())), strict=True))

        self._summary = ipywidgets.HTML()
        self._show = ipywidgets.Dropdown(options=FILTERS, description="Show", layout={"width": "13em"})
        self._show.style.description_width = "3em"
        self._place = ipywidgets.HTML()
        self._previous = _button("← Previous", "The pictures before these", "couch-rate-previous")
        self._next = _button("Next →", "The pictures after these", "couch-rate-next")
        pages = ipywidgets.HBox([self._previous, self._place, self._next])
        pages.add_class("couch-pages")
        head = ipywidgets.HBox([self._summary, self._show, pages])
        head.add_class("couch-head")
        self._cards = [Card(self._rate) for _ in range(min(page_size, len(pictures)))]
        grid = ipywidgets.GridBox(
            [card.widget for card in self._cards],
            layout={"grid_template_columns": "repeat(auto-fill, minmax(15rem, 1fr))", "grid_gap": "14px"},
        )
        # Also below the cards, where the eye is at the end of a page: two views of the same buttons.
        foot = [pages] if len(pictures) > page_size else []
        self.widget = ipywidgets.VBox([ipywidgets.HTML(STYLE), head, grid, *foot])
        self.widget.add_class("couch-panel")

        self._show.observe(self._choose, "value")
        self._previous.on_click(partial(self._turn, -page_size))
        self._next.on_click(partial(self._turn, page_size))

    def refresh(self) -> None:
        """Show the current ratings."""
        self._ratings = {name: rating for name, rating in self._file.current().items() if rating.is_set}
        shown = self._chosen[self._first : self._first + self._page_size]
        for place, card in enumerate(self._cards):
            name = shown[place] if place < len(shown) else None
            if name is None:
                card.hide()
            else:
                card.show(name, self._pictures[name], self._labels[name], self._ratings.get(name, Rating(name)))
        last = self._first + len(shown)
        several = len(self._chosen) > self._page_size
        numbers = (
            f"{self._first + 1} to {last} of {len(self._chosen)}" if several else "" if shown else "No such picture"
        )
        self._place.value = f'<span class="couch-quiet">{numbers}</span>'
        self._previous.disabled, self._next.disabled = self._first == 0, last >= len(self._chosen)
        for widget in (self._previous, self._next):
            widget.layout.display = None if several else "none"
        self._count()

    def _count(self) -> None:
        self._summary.value = escape(count_sentence(self._ratings, self._pictures))

    def _rate(self, name: str, values: Mapping[str, Any]) -> Rating:
        rating = self._file.add(name, values, current_user())
        if rating.is_set:
            self._ratings[name] = rating
        else:
            # Everything was cleared.
            self._ratings.pop(name, None)
        self._count()
        return rating

    def _turn(self, by: int, _button: Any) -> None:
        self._first = max(0, self._first + by)
        self.refresh()

    def _choose(self, _change: Any) -> None:
        """Filter the pictures; one that is rated meanwhile stays in place until the filter changes."""
        ratings = self._file.current()
        filters: dict[str, Callable[[Rating], bool]] = {
            "all pictures": lambda _: True,
            "not rated yet": lambda rating: not rating.is_set,
            "kept": lambda rating: rating.verdict == "keep",
            "rejected": lambda rating: rating.verdict == "reject",
        }
        matches = filters[self._show.value]
        self._chosen = [name for name in self._pictures if matches(ratings.get(name, Rating(name)))]
        self._first = 0
        self.refresh()


class Card:
    """One picture with its buttons; `rate(id, values)` is called on each click and returns the current rating."""

    def __init__(self, rate: Callable[[str, Mapping[str, Any]], Rating]) -> None:
        self._rate = rate
        self._name = ""
        self._rating = Rating("")
        self._showing = False
        self._picture = ipywidgets.HTML()
        self._picture.add_class("couch-picture")
        self._label = ipywidgets.HTML()
        self._keep = _toggle("✓ Keep", "couch-rate-keep")
        self._reject = _toggle("✗ Reject", "couch-rate-reject")
        self._stars = [_button("☆", "", f"couch-rate-star-{number}") for number in range(1, MAX_STARS + 1)]
        stars = ipywidgets.HBox(self._stars)
        stars.add_class("couch-stars")
        buttons = ipywidgets.HBox([self._keep, self._reject, stars])
        buttons.add_class("couch-buttons")
        self._note = ipywidgets.Text(placeholder="Note", continuous_update=False)
        self._note.add_class("couch-rate-note")
        self._state = ipywidgets.HTML()
        self._state.add_class("couch-rating-state")
        self.widget = ipywidgets.VBox([self._picture, self._label, buttons, self._note, self._state])
        self.widget.add_class("couch-rating")

        self._keep.observe(partial(self._decided, "keep"), "value")
        self._reject.observe(partial(self._decided, "reject"), "value")
        for number, star in enumerate(self._stars, start=1):
            star.on_click(partial(self._starred, number))
        self._note.observe(self._noted, "value")

    def show(self, name: str, tile: CellView, label: str, rating: Rating) -> None:
        """Show a picture with its rating."""
        if name != self._name:
            self._name = name
            self._picture.value = picture_html(tile.path, tile.prompt)
            self._label.value = (
                f'<span title="{escape(tile.prompt)}"><b>{tile.number}</b> {escape(tile.prompt_name)}</span><br>'
                f'<span class="couch-quiet">{escape(label)}</span>'
            )
            self._keep.tooltip, self._reject.tooltip = f"Keep picture {tile.number}", f"Reject picture {tile.number}"
            for number, star in enumerate(self._stars, start=1):
                star.tooltip = f"{number} of {MAX_STARS} stars for picture {tile.number}"
            self._note.tooltip = f"Note on picture {tile.number}"
        self.widget.layout.display = None
        self._draw(rating)

    def hide(self) -> None:
        """Show nothing: the last page has fewer pictures."""
        self.widget.layout.display = "none"

    def _draw(self, rating: Rating, error: str = "") -> None:
        self._rating = rating
        self._showing = True
        try:
            self._keep.value, self._reject.value = rating.verdict == "keep", rating.verdict == "reject"
            for number, star in enumerate(self._stars, start=1):
                star.description = "★" if number <= (rating.stars or 0) else "☆"
            self._note.value = rating.note
        finally:
            self._showing = False
        for css_class, verdict in (("couch-kept", "keep"), ("couch-rejected", "reject")):
            (self.widget.add_class if rating.verdict == verdict else self.widget.remove_class)(css_class)
        css_class, text = ("couch-trouble", error) if error else ("couch-quiet", _when(rating))
        self._state.value = f'<span class="{css_class}" role="status">{escape(text)}</span>'

    def _save(self, **values: Any) -> None:
        try:
            self._draw(self._rate(self._name, values))
        except ExplorationError as error:
            # The buttons revert to the saved rating.
            self._draw(self._rating, str(error))

    def _decided(self, verdict: str, change: Any) -> None:
        if not self._showing:
            self._save(verdict=verdict if change["new"] else None)

    def _starred(self, number: int, _button: Any) -> None:
        # A click on the last filled star clears them.
        self._save(stars=None if self._rating.stars == number else number)

    def _noted(self, change: Any) -> None:
        if not self._showing:
            self._save(note=change["new"].strip())


def _button(text: str, tooltip: str, css_class: str) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, tooltip=tooltip, layout={"width": "auto"})
    button.add_class(css_class)
    return button


def _toggle(text: str, css_class: str) -> ipywidgets.ToggleButton:
    button = ipywidgets.ToggleButton(description=text, layout={"width": "auto"})
    button.add_class(css_class)
    return button


def _when(rating: Rating) -> str:
    """Return when the rating was saved, and by whom if by another user."""
    if not rating.is_set or rating.at is None:
        return "Not rated yet"
    at = rating.at.astimezone()
    today = at.date() == datetime.now(at.tzinfo).date()
    by = f" by {rating.by}" if rating.by and rating.by != current_user() else ""
    return f"Saved {at:%H:%M}{by}" if today else f"Saved {at:%Y-%m-%d}{by}"
