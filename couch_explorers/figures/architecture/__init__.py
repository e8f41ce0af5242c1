"""The architecture as it is deployed: read from the services, worded, placed and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.figures import sources
from couch_explorers.figures.architecture import drawing, reading, telling
from couch_explorers.figures.figure import Made
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace

NAME, TITLE = "architecture", "The system as it is deployed"


def make(workspace: Workspace) -> Made:
    """Read what is deployed and draw it."""
    deployed = reading.read(workspace)
    sentence = telling.sentence(deployed)
    panel = Panel(NAME, TITLE, sentence, telling.alternative(deployed), drawing.draw(deployed))
    return Made(panel, sources.asked(workspace), telling.missing(deployed))
