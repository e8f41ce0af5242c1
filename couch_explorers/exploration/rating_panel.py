"""Rating pictures with a click: a panel in JupyterLab, and the rated pictures as static HTML elsewhere."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from couch_explorers.exploration.cards import cards_html
from couch_explorers.exploration.grid import cell_views, distinguishing_labels
from couch_explorers.exploration.ratings import count_sentence, current_ratings, picture_id, ratings_file, target_of
from couch_explorers.exploration.sweep_spec import ExplorationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.rating_widgets import Panel
    from couch_explorers.exploration.ratings import Rating


# Set in the kernel of `couch run`: its report has no scripts, so widgets would not work in it.
RUN_VARIABLE = "COUCH_RUN"

PAGE_SIZE = 12
MAX_SHOWN = 24
HOW_TO_RATE = (
    'Rate with a click by running this notebook in JupyterLab (<code style="white-space:nowrap">couch lab</code>), or with '
    '<code>rate(1, pictures, verdict="keep", stars=5)</code>.'
)


class RatingPanel:
    """The pictures of a sweep to be rated, `pictures` by id; displayed by a notebook.

    Each display shows the current contents of the ratings file.
    """

    def __init__(self, pictures: Mapping[str, CellView], target: str, page_size: int) -> None:
        self.pictures = pictures
        self.target = target
        self.page_size = page_size

    @cached_property
    def panel(self) -> Panel:
        """The widgets, created on first access."""
        from couch_explorers.exploration.rating_widgets import Panel  # noqa: PLC0415 - not needed where widgets don't work

        return Panel(self.pictures, ratings_file(self.target), self.page_size)

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        ratings = current_ratings(self.target)
        rated = {name: ratings[name] for name in self.pictures if name in ratings}
        text = count_sentence(rated, self.pictures)
        if not widgets_work():
            return {"text/html": self._static(rated, text), "text/plain": text}
        self.panel.refresh()
        return {**self.panel.widget._repr_mimebundle_(), "text/plain": text}

    def _static(self, rated: Mapping[str, Rating], text: str) -> str:
        """Render the rated pictures, kept ones first and rejected ones last."""
        order = sorted(rated, key=lambda name: (*_rank(rated[name]), self.pictures[name].number))
        labels = dict(zip(self.pictures, distinguishing_labels(list(self.pictures.values())), strict=True))
        shown = [(self.pictures[name], labels[name], rated[name]) for name in order[:MAX_SHOWN]]
        more = f" The first {MAX_SHOWN} are shown." if len(order) > MAX_SHOWN else ""
        return f"<p>{text}{more} {HOW_TO_RATE}</p>{cards_html(shown) if shown else ''}"


def rating_panel(frame: pd.DataFrame, target: str | None = None, *, page_size: int = PAGE_SIZE) -> RatingPanel:
    """Show the pictures of a sweep's result with buttons to keep, reject, give stars and write a note.

    Each click is saved at once, see `ratings`; earlier ratings are shown as pressed buttons. A page has `page_size` pictures;
    cells without one are left out. `target` defaults to the frame's, or else "local". Where widgets don't work (`couch run`,
    plain Python), the rated pictures are shown as static HTML. Raises ExplorationError for a frame that is not a sweep's
    result.
    """
    if page_size < 1:
        raise ExplorationError(f"A page of {page_size} pictures shows nothing: give a page_size of 1 or more.")
    pictures: dict[str, CellView] = {}
    for tile in cell_views(frame):
        if tile.path is not None:
            # Two cells may share a picture: it is rated once.
            pictures.setdefault(picture_id(tile), tile)
    target = target or target_of(frame)
    ratings_file(target)
    return RatingPanel(pictures, target, page_size)


def widgets_work() -> bool:
    """Check whether widgets work: this runs in a kernel other than that of `couch run`."""
    if os.environ.get(RUN_VARIABLE):
        return False
    # A kernel has already imported IPython.
    python = sys.modules.get("IPython")
    return getattr(python.get_ipython() if python else None, "kernel", None) is not None


def _rank(rating: Rating) -> tuple[int, int]:
    return {"keep": 0, None: 1, "reject": 2}[rating.verdict], -(rating.stars or 0)
