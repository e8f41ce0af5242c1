"""The report's figures, made one after the other: what cannot be made says why, and the rest goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import checks as found
from couch_explorers import metrics
from couch_explorers.core import image_models
from couch_explorers.exploration import ExplorationError
from couch_explorers.figures import architecture, client, contact, cost, measured, saving
from couch_explorers.figures.errors import FigureError
from couch_explorers.figures.figure import Absent, Figure
from couch_explorers.metrics.cloudwatch import DEFAULT_TIMEZONE
from couch_explorers.metrics.model import MetricsError, MetricsParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from couch_explorers.figures.figure import Made
    from couch_explorers.figures.saving import Saved
    from couch_explorers.metrics.time_windows import Compare
    from couch_explorers.workspace import Workspace

# The figures in the order of the report, with what each shows.
TITLES = {
    architecture.NAME: architecture.TITLE,
    contact.NAME: contact.TITLE,
    "age": "Age of the oldest job",
    "duration": "Durations of worker and API function",
    client.NAME: client.TITLE,
    cost.NAME: cost.TITLE,
}
# What says in its own sentence why there is no figure; anything else is a defect.
TOLD = (FigureError, ExplorationError, MetricsError, ClientError, BotoCoreError)


class Report:
    """The figures made so far; each method makes one, keeps it, and gives it to be shown."""

    def __init__(self, workspace: Workspace, frame: pd.DataFrame | None, trouble: str = "") -> None:
        """`frame` is what `metrics.fetch` gave, None where it gave nothing; `trouble` then says why."""
        self.workspace = workspace
        self.frame, self.trouble = frame, trouble
        self.figures: dict[str, Figure | Absent] = {}

    def architecture(self) -> Figure | Absent:
        """What is deployed, and the way that a prompt takes."""
        return self._make(architecture.NAME, lambda: architecture.make(self.workspace))

    def contact_sheet(self, *, seed: int, max_cost_usd: float) -> Figure | Absent:
        """The sample prompts' pictures; what is painted already is not paid for again."""
        return self._make(contact.NAME, lambda: contact.make(self.workspace, seed=seed, max_cost_usd=max_cost_usd))

    def age(self) -> Figure | Absent:
        """How long the oldest message had waited, and the alarm's threshold."""
        return self._make("age", lambda: measured.age(self._frame()))

    def duration(self) -> Figure | Absent:
        """How long the Lambdas ran."""
        return self._make("duration", lambda: measured.duration(self._frame()))

    def client(self) -> Figure | Absent:
        """Size and start-up of the Java client."""
        return self._make(client.NAME, client.make)

    def cost(self) -> Figure | Absent:
        """What the window cost, and what a thousand pictures cost."""
        model = next(iter(self.workspace.model_arns), image_models.DEFAULT_MODEL_ID)
        return self._make(cost.NAME, lambda: cost.make(self._frame(), model))

    def save(self, folder: Path | None = None) -> Saved:
        """Write all figures as SVG, PDF and PNG, the snippet to paste, and the manifest; see `saving.save`."""
        return saving.save(self.in_order(), self.workspace, folder)

    def checks(self) -> Checks:
        """One check a figure: made or not, and where its data come from."""
        return Checks(self.in_order())

    def in_order(self) -> list[Figure | Absent]:
        """The figures made so far, by their numbers."""
        return sorted(self.figures.values(), key=lambda figure: figure.number)

    def _frame(self) -> pd.DataFrame:
        if self.frame is None:
            raise FigureError(self.trouble)
        return self.frame

    def _make(self, name: str, maker: Callable[[], Made]) -> Figure | Absent:
        """Make a figure; whatever is in the way becomes its reason."""
        number, begin = list(TITLES).index(name) + 1, time.perf_counter()

        def absent(reason: str, *, broken: bool = False) -> Absent:
            return Absent(number, name, TITLES[name], reason, _since(begin), broken)

        made: Figure | Absent
        try:
            made = Figure(number, maker(), _since(begin))
        except TOLD as error:
            made = absent(str(error))
        except Exception as error:  # noqa: BLE001 - the others can be made all the same
            made = absent(f"{type(error).__name__}: {error}", broken=True)
        self.figures[name] = made
        return made


class Checks:
    """The figures as a table of checks, which `couch run` counts."""

    def __init__(self, figures: list[Figure | Absent]) -> None:
        self.checks = [figure.check for figure in figures]

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        return found.bundle(self.checks, found.table(self.checks))


def begin(
    workspace: Workspace, *, hours: float = 24.0, timezone: str = DEFAULT_TIMEZONE, compare: Compare = "before"
) -> Report:
    """Fetch the metrics of the last `hours`, once for all figures; where CloudWatch gives none, the others can be made.

    Raises MetricsParameterError for a window or a time zone that makes no sense.
    """
    try:
        return Report(workspace, metrics.fetch_hours(workspace, hours, timezone=timezone, compare=compare))
    except MetricsParameterError:
        raise
    except MetricsError as error:
        return Report(workspace, None, str(error))


def _since(begin: float) -> float:
    return round(time.perf_counter() - begin, 3)
