"""The source of a figure's data: measured on the local cloud or on AWS, synthetic, or a saved run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from couch_explorers import formatting, html
from couch_explorers.core import image_models
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.exploration.ratings import target_of
from couch_explorers.metrics import model, resampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    import pandas as pd

    from couch_explorers.figures.benchmark_results import SavedRun
    from couch_explorers.metrics.model import Context, Window
    from couch_explorers.workspace import Workspace

Stretch = tuple[datetime, datetime]


class Kind(StrEnum):
    """The kind of a figure's data, which a reader must know first."""

    LOCAL = "LOCAL"
    AWS = "AWS"
    SYNTHETIC = "SYNTHETIC"  # all or a part of it
    SAVED_RUN = "SAVED RUN"
    MODEL = "MODEL"


# A symbol besides the colour, as checks have it.
SIGNS = {Kind.LOCAL: "○", Kind.AWS: "●", Kind.SYNTHETIC: "◌", Kind.SAVED_RUN: "■", Kind.MODEL: "◇"}
COLOURS = {
    Kind.LOCAL: "#475569",
    Kind.AWS: "#0f766e",
    Kind.SYNTHETIC: "#a15c00",
    Kind.SAVED_RUN: "#0b5cad",
    Kind.MODEL: "#6b3fa0",
}
PLACES = {"local": "the local cloud", "aws": "AWS"}


@dataclass(frozen=True)
class Source:
    """The source of data: its kind, a sentence with the details, and the synthetic intervals (UTC)."""

    kind: Kind
    sentence: str
    synthetic: tuple[Stretch, ...] = ()

    @property
    def badge(self) -> str:
        """Return the kind as a small coloured label (HTML)."""
        return html.label(f"{SIGNS[self.kind]} {self.kind}", COLOURS[self.kind])

    def to_json(self) -> dict[str, Any]:
        """Return the source as JSON values."""
        stretches = [[_iso(start), _iso(end)] for start, end in self.synthetic]
        return {"kind": str(self.kind), "sentence": self.sentence, "synthetic": stretches}


def queried(workspace: Workspace, now: datetime | None = None) -> Source:
    """Return the source of data just read from a workspace's services."""
    when = format_time(now or datetime.now(UTC), UTC)
    return Source(_kind(workspace.target), f"Read from the services of {_place(workspace)} on {when} UTC.")


def measured(frame: pd.DataFrame, *, compared: bool = False) -> Source:
    """Return the source of the metrics of the window `now`; with `compared`, also of the window drawn behind it."""
    facts = model.context_of(frame)
    window = facts.window()
    synthetic = tuple(_inside(facts.synthetic, window))
    compared_synthetic: tuple[Stretch, ...] = ()
    if compared and (name := resampling.windows_shown(facts)[0]) != window.name:
        compared_synthetic = tuple(_inside(facts.synthetic, facts.window(name)))
    kind = Kind.SYNTHETIC if synthetic or compared_synthetic else _kind(facts.target)
    return Source(
        kind,
        formatting.sentence(_now_clause(facts, synthetic), _compared_clause(facts, synthetic, compared_synthetic)),
        (*compared_synthetic, *synthetic),
    )


def painted(pictures: pd.DataFrame, model_arns: Iterable[str]) -> Source:
    """Return the source of a sweep's pictures: the models that made them, or the local stand-in."""
    target = target_of(pictures)
    names = formatting.join(dict.fromkeys(_model(str(model), model_arns, target) for model in pictures["model"]))
    who = f"the local stand-in for {names}, no image model was asked" if target == "local" else names
    return Source(_kind(target), f"Painted by {who}.")


def saved(run: SavedRun) -> Source:
    """Return the source of a saved benchmark run."""
    commit = f"commit {run.commit}" if run.commit else "a commit that is not known"
    changed = " with changes that were not committed" if run.commit.endswith("+") else ""
    when = format_time(run.measured, UTC)
    sentence = f"Saved run of benchmarks/{run.benchmark}.py, {when} UTC, {commit}{changed}, {formatting.count(run.runs, 'run')} on {run.machine_text}."
    return Source(Kind.SAVED_RUN, sentence)


def modelled(assumed: str, seed: int) -> Source:
    """Return the source of results of the capacity model under assumptions."""
    return Source(
        Kind.MODEL, f"Simulated by couch_explorers/capacity with {assumed} and seed {seed}; nothing was measured."
    )


def format_time(time: datetime, zone: ZoneInfo | Any) -> str:
    """Format a time with its date, as in a report: "25 Nov 2026 08:00"."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"


def _kind(target: str) -> Kind:
    return Kind.LOCAL if target == "local" else Kind.AWS


def _place(there: Workspace | Context) -> str:
    return f"{PLACES[there.target]} (candidate {there.candidate})"


def _now_clause(facts: Context, synthetic: tuple[Stretch, ...]) -> str:
    """Describe what was measured in the window now, and what is synthetic."""
    window = facts.window()
    if not synthetic:
        return f"measured on {_place(facts)}, {_span(window.start, window.end, facts)} {facts.timezone}"
    if sum((end - start for start, end in synthetic), start=window.length - window.length) >= window.length:
        return f"synthetic, not measured, {_span(window.start, window.end, facts)} {facts.timezone}"
    stretches = formatting.join(_span(start, end, facts) for start, end in synthetic)
    rest = f"what else there is until {format_time(window.end, facts.zone)} was measured on {_place(facts)}"
    return f"synthetic, not measured, {stretches} {facts.timezone}; {rest}"


def _compared_clause(facts: Context, synthetic: tuple[Stretch, ...], compared_synthetic: tuple[Stretch, ...]) -> str:
    if not compared_synthetic:
        return ""
    name = facts.previous_name
    return f"{name} too is synthetic" if synthetic else f"{name} is synthetic, not measured"


def _inside(stretches: Iterable[Stretch], window: Window) -> Iterator[Stretch]:
    for start, end in stretches:
        if start < window.end and end > window.start:
            yield max(start, window.start), min(end, window.end)


def _span(start: datetime, end: datetime, facts: Context) -> str:
    first, last = start.astimezone(facts.zone), end.astimezone(facts.zone)
    until = f"{last:%H:%M}" if first.date() == last.date() else format_time(end, facts.zone)
    return f"{format_time(start, facts.zone)} to {until}"


def _model(name: str, model_arns: Iterable[str], target: str) -> str:
    """Return a model's name; on AWS with its region."""
    try:
        arn = next((arn for arn in model_arns if arn.endswith(f"/{name}")), name)
        model = image_models.get(arn)
    except UnknownModelError:
        return name
    return f"{model.name} on Amazon Bedrock in {model.region}" if target == "aws" else model.name


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
