"""The report's figures and their files: a figure that cannot be made says why, and does not affect the others."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import checks as found
from couch_explorers import html, metrics
from couch_explorers.core import image_models
from couch_explorers.exploration import ExplorationError
from couch_explorers.figures import architecture, benchmark_results, contact_sheet, cost, metric_figures
from couch_explorers.figures.figure import Figure, FigureError, MissingFigure
from couch_explorers.files import reason, write_json, write_whole
from couch_explorers.metrics.cloudwatch import DEFAULT_TIMEZONE
from couch_explorers.metrics.model import MetricsError, MetricsParameterError
from couch_explorers.reports import output_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from couch_explorers.figures.figure import RenderedFigure
    from couch_explorers.metrics.time_windows import Compare
    from couch_explorers.workspace import Workspace

# The figures in the order of the report, with their titles.
TITLES = {
    architecture.NAME: architecture.TITLE,
    contact_sheet.NAME: contact_sheet.TITLE,
    "age": "Age of the oldest job",
    "duration": "Durations of worker and API function",
    benchmark_results.NAME: benchmark_results.TITLE,
    cost.NAME: cost.TITLE,
    metric_figures.BETA: metric_figures.BETA_TITLE,
}
# Errors whose message says why there is no figure; anything else is a defect.
EXPECTED_ERRORS = (FigureError, ExplorationError, MetricsError, ClientError, BotoCoreError)


class Report:
    """The figures made so far; each method makes one, stores it, and returns it for display."""

    def __init__(self, workspace: Workspace, frame: pd.DataFrame | None, problem: str = "") -> None:
        """Take the frame of `metrics.fetch`, None if it failed; `problem` then says why."""
        self.workspace = workspace
        self.frame, self.problem = frame, problem
        self.figures: dict[str, Figure | MissingFigure] = {}

    def architecture(self) -> Figure | MissingFigure:
        """Draw what is deployed, and the path of a prompt."""
        return self._make(architecture.NAME, lambda: architecture.make(self.workspace))

    def contact_sheet(self, *, seed: int, max_cost_usd: float) -> Figure | MissingFigure:
        """Draw the sample prompts' pictures; existing ones are not paid for again."""
        return self._make(
            contact_sheet.NAME, lambda: contact_sheet.make(self.workspace, seed=seed, max_cost_usd=max_cost_usd)
        )

    def age(self) -> Figure | MissingFigure:
        """Plot the age of the oldest message, and the alarm's threshold."""
        return self._make("age", lambda: metric_figures.age(self._frame()))

    def duration(self) -> Figure | MissingFigure:
        """Plot the durations of the Lambdas."""
        return self._make("duration", lambda: metric_figures.duration(self._frame()))

    def client(self) -> Figure | MissingFigure:
        """Plot size and start-up of the Java client."""
        return self._make(benchmark_results.NAME, benchmark_results.make)

    def cost(self) -> Figure | MissingFigure:
        """Plot the cost of the window, and of a thousand pictures."""
        model = next(iter(self.workspace.model_arns), image_models.DEFAULT_MODEL_ID)
        return self._make(cost.NAME, lambda: cost.make(self._frame(), model))

    def beta(self) -> Figure | MissingFigure:
        """Plot a beta of 1,000 users on both paths, by the capacity model."""
        return self._make(metric_figures.BETA, metric_figures.beta)

    def save(self, folder: Path | None = None) -> Saved:
        """Write all figures as SVG, PDF and PNG, the snippet to paste, and the manifest; see `save`."""
        return save(self.in_order(), self.workspace, folder)

    def checks(self) -> Checks:
        """One check per figure: made or not, and the source of its data."""
        return Checks(self.in_order())

    def in_order(self) -> list[Figure | MissingFigure]:
        """The figures made so far, ordered by number."""
        return sorted(self.figures.values(), key=lambda figure: figure.number)

    def _frame(self) -> pd.DataFrame:
        if self.frame is None:
            raise FigureError(self.problem)
        return self.frame

    def _make(self, name: str, maker: Callable[[], RenderedFigure]) -> Figure | MissingFigure:
        """Make a figure; an error becomes the reason why it is missing."""
        number, begin = list(TITLES).index(name) + 1, time.perf_counter()

        def absent(reason: str, *, broken: bool = False) -> MissingFigure:
            return MissingFigure(number, name, TITLES[name], reason, _since(begin), broken)

        made: Figure | MissingFigure
        try:
            made = Figure(number, maker(), _since(begin))
        except EXPECTED_ERRORS as error:
            made = absent(str(error))
        except Exception as error:  # noqa: BLE001 - the others can be made all the same
            made = absent(f"{type(error).__name__}: {error}", broken=True)
        self.figures[name] = made
        return made


class Checks:
    """The figures as a table of checks, which `couch run` counts."""

    def __init__(self, figures: list[Figure | MissingFigure]) -> None:
        self.checks = [figure.check for figure in figures]

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        return found.bundle(self.checks, found.table(self.checks))


def begin(
    workspace: Workspace, *, hours: float = 24.0, timezone: str = DEFAULT_TIMEZONE, compare: Compare = "before"
) -> Report:
    """Fetch the metrics of the last `hours`, once for all figures; without them, the other figures can be made.

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


FOLDER, SNIPPET, MANIFEST = "exam_report", "figures.md", "figures.json"
FORMATS = ("svg", "pdf", "png")
# Characters with a meaning in Markdown or formulas; text between backticks stays code.
MARKDOWN = re.compile(r"(`[^`\n]+`)|([\\`*_{}\[\]<>|#$~])")
HEAD = "<!-- Written by `couch run exam_report`. Links are relative to this file: keep the folder together. -->\n"


class Saved(list[Path]):
    """The files that were written; a notebook shows links to them."""

    def __init__(self, files: list[Path], figures: Sequence[Figure], folder: Path, problem: str = "") -> None:
        """Take the files; `problem` says why some are missing."""
        super().__init__(files)
        self.figures, self.folder, self.problem = figures, folder, problem

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if self.problem:
            return {"text/html": f"<p>{escape(self.problem)}</p>", "text/plain": self.problem}
        return {
            "text/html": html.render(
                "figures/files.html.j2",
                figures=[(figure, [self._file(path) for path in self._of(figure)]) for figure in self.figures],
                others=[self._file(path) for path in self if path.name in (SNIPPET, MANIFEST)],
            ),
            "text/plain": f"{output_dir.shown(self.folder)}: {', '.join(path.name for path in self)}",
        }

    def _of(self, figure: Figure) -> list[Path]:
        return [path for path in self if path.stem == figure.name and path.suffix != ".md"]

    def _file(self, path: Path) -> tuple[str, str]:
        """Return the name of a file and the URL of a link to it."""
        # The report of a run is in the parent folder: a relative link works wherever both are moved.
        below = f"{quote(FOLDER)}/{quote(path.name)}"
        return path.name, below if os.environ.get(output_dir.OUT_VARIABLE) else path.as_uri()


def save(figures: Sequence[Figure | MissingFigure], workspace: Workspace, folder: Path | None = None) -> Saved:
    """Write every figure that was made, the snippet and the manifest; delete older files of figures that were not made.

    Without a folder they go into `exam_report/` beside the report that `couch run` makes, else into that of the local home;
    where that cannot be written, the result says so. Raises OSError for a given folder that cannot be written.
    """
    into = folder or _folder()
    made = [figure for figure in figures if isinstance(figure, Figure)]
    try:
        return Saved(_write(figures, made, workspace, into), made, into)
    except OSError as error:
        if folder is not None:
            raise
        return Saved([], made, into, f"The files could not be written into {into}: {reason(error)}.")


def _write(
    figures: Sequence[Figure | MissingFigure], made: Sequence[Figure], workspace: Workspace, into: Path
) -> list[Path]:
    files = [path for figure in made for path in figure.made.panel.save(into, FORMATS)]
    for figure in figures:
        if not isinstance(figure, Figure):
            for form in FORMATS:
                (into / f"{figure.name}.{form}").unlink(missing_ok=True)
    return [
        *files,
        write_whole(into / SNIPPET, snippet(figures)),
        write_json(into / MANIFEST, manifest(figures, workspace)),
    ]


def snippet(figures: Sequence[Figure | MissingFigure]) -> str:
    """Return the figures as Markdown: picture, numbered caption, source, and links to the other files."""
    return "\n".join([HEAD, *(_pasted(figure) for figure in figures)])


def manifest(figures: Sequence[Figure | MissingFigure], workspace: Workspace) -> dict[str, Any]:
    """Return each figure's name, texts, source and files; the reason if it could not be made."""
    return {
        "target": workspace.target,
        "candidate": workspace.candidate,
        "made": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "figures": [_manifest_entry(figure) for figure in figures],
    }


def _folder() -> Path:
    out = output_dir.folder(FOLDER)
    return out / FOLDER if os.environ.get(output_dir.OUT_VARIABLE) else out


def _manifest_entry(figure: Figure | MissingFigure) -> dict[str, Any]:
    entry: dict[str, Any] = {"number": figure.number, "name": figure.name, "title": figure.title}
    if not isinstance(figure, Figure):
        return entry | {"verdict": str(figure.check.verdict), "reason": figure.reason, "files": {}}
    return entry | {
        "verdict": str(figure.check.verdict),
        "caption": figure.caption,
        "alternative_text": figure.made.panel.alternative,
        "missing": figure.made.missing,
        "source": figure.made.source.to_json(),
        "files": {form: f"{figure.name}.{form}" for form in FORMATS},
    }


def _pasted(figure: Figure | MissingFigure) -> str:
    if not isinstance(figure, Figure):
        return f"**Figure {figure.number}. {_plain(figure.title)}** could not be made. {_plain(figure.reason)}\n"
    source, name = figure.made.source, figure.name
    # Pixels need no second wrapping.
    shown = f"{name}.png" if figure.made.picture else f"{name}.svg"
    others = ", ".join(f"[{form.upper()}]({name}.{form})" for form in FORMATS)
    return (
        f"![{_plain(figure.made.panel.alternative)}]({shown})\n\n"
        f"**Figure {figure.number}. {_plain(figure.title)}.** {_plain(figure.caption)} "
        f"*{source.kind}: {_plain(source.sentence)}* ({others})\n"
    )


def _plain(text: str) -> str:
    """Escape text for Markdown."""
    return MARKDOWN.sub(lambda found: found[1] or f"\\{found[2]}", " ".join(text.split()))
