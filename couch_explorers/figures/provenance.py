"""Where a figure's data come from: measured on the local cloud or on AWS, synthetic, or a saved run."""

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
    """What a reader must know first about a figure's data."""

    LOCAL = "LOCAL"
    AWS = "AWS"
    SYNTHETIC = "SYNTHETIC"  # all or a part of it
    SAVED_RUN = "SAVED RUN"
    MODEL = "MODEL"


# A sign beside the colour, as checks have it.
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
    """Where data come from: the kind, a sentence that says it in full, and which stretches are synthetic (UTC)."""

    kind: Kind
    sentence: str
    synthetic: tuple[Stretch, ...] = ()

    @property
    def badge(self) -> str:
        """The kind as a small coloured label (HTML)."""
        return html.label(f"{SIGNS[self.kind]} {self.kind}", COLOURS[self.kind])

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        stretches = [[_iso(start), _iso(end)] for start, end in self.synthetic]
        return {"kind": str(self.kind), "sentence": self.sentence, "synthetic": stretches}


def asked(workspace: Workspace, now: datetime | None = None) -> Source:
    """The source of what the services of a workspace were asked just now."""
    when = moment(now or datetime.now(UTC), UTC)
    return Source(_kind(workspace.target), f"Read from the services of {_place(workspace)} on {when} UTC.")


def measured(frame: pd.DataFrame, *, compared: bool = False) -> Source:
    """The source of the metrics of the window `now`; with `compared`, of the window that is drawn behind it too."""
    facts = model.context_of(frame)
    window = facts.window()
    written = tuple(_inside(facts.synthetic, window))
    behind: tuple[Stretch, ...] = ()
    if compared and (name := resampling.windows_shown(facts)[0]) != window.name:
        behind = tuple(_inside(facts.synthetic, facts.window(name)))
    kind = Kind.SYNTHETIC if written or behind else _kind(facts.target)
    return Source(
        kind, formatting.sentence(_told(facts, written), _told_behind(facts, written, behind)), (*behind, *written)
    )


def painted(pictures: pd.DataFrame, model_arns: Iterable[str]) -> Source:
    """The source of the pictures of a sweep: which models painted them, or the stand-in that did so in their place."""
    target = target_of(pictures)
    names = formatting.join(dict.fromkeys(_model(str(model), model_arns, target) for model in pictures["model"]))
    who = f"the local stand-in for {names}, no image model was asked" if target == "local" else names
    return Source(_kind(target), f"Painted by {who}.")


def saved(run: SavedRun) -> Source:
    """The source of what a benchmark measured at an earlier time."""
    commit = f"commit {run.commit}" if run.commit else "a commit that is not known"
    changed = " with changes that were not committed" if run.commit.endswith("+") else ""
    when = moment(run.measured, UTC)
    sentence = f"Saved run of benchmarks/{run.benchmark}.py, {when} UTC, {commit}{changed}, {formatting.count(run.runs, 'run')} on {run.machine_text}."
    return Source(Kind.SAVED_RUN, sentence)


def modelled(assumed: str, seed: int) -> Source:
    """The source of what the capacity model says under assumptions."""
    return Source(
        Kind.MODEL, f"Simulated by couch_explorers/capacity with {assumed} and seed {seed}; nothing was measured."
    )


def moment(time: datetime, zone: ZoneInfo | Any) -> str:
    """Write a time as a report needs it, with its date: "25 Nov 2026 08:00"."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"


def _kind(target: str) -> Kind:
    return Kind.LOCAL if target == "local" else Kind.AWS


def _place(there: Workspace | Context) -> str:
    return f"{PLACES[there.target]} (candidate {there.candidate})"


def _told(facts: Context, written: tuple[Stretch, ...]) -> str:
    """Say what was measured and what was written in the window now."""
    window = facts.window()
    if not written:
        return f"measured on {_place(facts)}, {_span(window.start, window.end, facts)} {facts.timezone}"
    if sum((end - start for start, end in written), start=window.length - window.length) >= window.length:
        return f"synthetic, not measured, {_span(window.start, window.end, facts)} {facts.timezone}"
    stretches = formatting.join(_span(start, end, facts) for start, end in written)
    rest = f"what else there is until {moment(window.end, facts.zone)} was measured on {_place(facts)}"
    return f"synthetic, not measured, {stretches} {facts.timezone}; {rest}"


def _told_behind(facts: Context, written: tuple[Stretch, ...], behind: tuple[Stretch, ...]) -> str:
    if not behind:
        return ""
    name = facts.previous_name
    return f"{name} too is synthetic" if written else f"{name} is synthetic, not measured"


def _inside(stretches: Iterable[Stretch], window: Window) -> Iterator[Stretch]:
    for start, end in stretches:
        if start < window.end and end > window.start:
            yield max(start, window.start), min(end, window.end)


def _span(start: datetime, end: datetime, facts: Context) -> str:
    first, last = start.astimezone(facts.zone), end.astimezone(facts.zone)
    until = f"{last:%H:%M}" if first.date() == last.date() else moment(end, facts.zone)
    return f"{moment(start, facts.zone)} to {until}"


def _model(name: str, model_arns: Iterable[str], target: str) -> str:
    """Name a model; on AWS with the region in which it was asked."""
    try:
        arn = next((arn for arn in model_arns if arn.endswith(f"/{name}")), name)
        model = image_models.get(arn)
    except UnknownModelError:
        return name
    return f"{model.name} on Amazon Bedrock in {model.region}" if target == "aws" else model.name


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
