"""The architecture as deployed: read from the services (deployment), described (labels) and drawn (diagram)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.figures import provenance
from couch_explorers.figures.architecture import deployment, diagram, labels
from couch_explorers.figures.figure import RenderedFigure
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    from couch_explorers.workspace import Workspace

NAME, TITLE = "architecture", "The system as it is deployed"


def make(workspace: Workspace) -> RenderedFigure:
    """Read what is deployed and draw it."""
    deployed = deployment.read(workspace)
    sentence = labels.sentence(deployed)
    panel = Panel(NAME, TITLE, sentence, labels.alternative(deployed), diagram.draw(deployed))
    return RenderedFigure(panel, provenance.queried(workspace), labels.missing(deployed))
