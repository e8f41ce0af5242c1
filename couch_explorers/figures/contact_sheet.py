"""The contact sheet of the sample prompts for the report: the exploration's sheet at the width of print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from couch_explorers import formatting, plot_style
from couch_explorers.core import image_models
from couch_explorers.exploration import Sweep, conclude, contact_sheet
from couch_explorers.exploration.results import WITH_PICTURE
from couch_explorers.exploration.thumbnails import data_uri
from couch_explorers.figures import charts, provenance
from couch_explorers.figures.figure import FigureError, RenderedFigure
from couch_explorers.metrics.plots.figure import DOTS_AN_INCH, Panel
from couch_explorers.sample_prompts import SAMPLE_PROMPTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image as Picture

    from couch_explorers.exploration.contact_sheet import ContactSheet
    from couch_explorers.workspace import Workspace

NAME, TITLE = "contact_sheet", "The three sample prompts"
PIXELS = int(charts.WIDTH_PT / plot_style.POINTS_AN_INCH * DOTS_AN_INCH)
SHOWN_STYLE = "display:block;width:100%;height:auto;border:1px solid #dfe3e8"
# What is left of the sheet's margin, because the report's page has its own.
MARGIN_LEFT = 6


def make(workspace: Workspace, *, seed: int, max_cost_usd: float) -> RenderedFigure:
    """Paint what is not painted yet with the default model, and lay it out.

    Raises ExplorationError for a seed that no model takes and for pictures that cost more than `max_cost_usd`, and
    FigureError where not one picture came.
    """
    models = workspace.model_arns[:1] or (image_models.DEFAULT_MODEL_ID,)
    sweep = Sweep(SAMPLE_PROMPTS, models=models, seeds=[seed], title=TITLE)
    pictures = sweep.run(workspace, max_cost_usd=max_cost_usd)
    found = conclude(pictures)
    there = int(pictures["status"].isin([str(status) for status in WITH_PICTURE]).sum())
    why = " ".join(dict.fromkeys(reason for reason in pictures["reason"] if isinstance(reason, str) and reason))
    if not there:
        raise FigureError(f"No picture came: {why}")
    page = _trimmed(contact_sheet(pictures), PIXELS)
    names = formatting.join(SAMPLE_PROMPTS)
    # A dollar sign begins a formula, in notebooks and on GitHub alike.
    paid = found.sentence.replace("$", "USD ")
    sentence = f"{names}, one picture each, seed {seed}. {paid}"
    alternative = f"Contact sheet of {there} pictures side by side, with their prompts in full below: {names}."
    picture = f'<img src="{data_uri(page)}" alt="{alternative}" style="{SHOWN_STYLE}">'
    panel = Panel(NAME, TITLE, sentence, alternative, _drawn(page))
    return RenderedFigure(
        panel, provenance.painted(pictures, workspace.model_arns), "" if there == len(pictures) else why, picture
    )


def _trimmed(sheet: ContactSheet, width: int) -> Picture:
    """Return the sheet's only page without most of its margin, this many pixels wide."""
    page = sheet.pages[0]
    off = sheet.frame.metrics.margin - MARGIN_LEFT
    page = page.crop((off, off, page.width - off, page.height - off))
    return page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)


def _drawn(page: Picture) -> Figure:
    """Draw a page on a canvas, pixel for pixel."""
    height_pt = page.height / DOTS_AN_INCH * plot_style.POINTS_AN_INCH
    with plot_style.sheet():
        sheet = charts.blank(height_pt)
        sheet.ax.imshow(page, extent=(0, charts.WIDTH_PT, height_pt, 0), interpolation="none", aspect="auto")
    return sheet.figure
