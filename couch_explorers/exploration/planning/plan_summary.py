"""A plan in a few lines, for a notebook and for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import Verdict, badge
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.money import dollars
from couch_explorers.exploration.planning import timing
from couch_explorers.exploration.planning.plan import Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

TERMINAL_COLUMNS = 80
REMARKS_SHOWN = 5
HEADINGS = {
    Planned.NEW: "new",
    Planned.CACHED: "in the cache",
    Planned.SAME: "same as another",
    Planned.REFUSED: "refused",
}
SHORT_HEADINGS = HEADINGS | {Planned.CACHED: "cached", Planned.SAME: "same"}
MINUTE_S, HOUR_S = 60, 3600


@dataclass(frozen=True)
class Line:
    """The plan for one model, or for all: how many cells of each kind, and what the new ones cost in USD."""

    name: str
    counts: dict[Planned, int]
    usd: float


@dataclass(frozen=True, repr=False)
class PlanSummary:
    """What a run would ask, cost and take. Printed as text, displayed by a notebook as a table.

    `usd` is what the new pictures cost at AWS's prices of `prices_as_of`, wherever they are made; `seconds` is the
    expected time with `at_a_time` pictures at once; `warnings` are told once each; `refusals` are pairs of (reason,
    cells), the most frequent first.
    """

    title: str
    target: str
    via: str
    requests: int
    new: int
    cached: int
    same: int
    refused: int
    usd: float
    prices_as_of: str
    seconds: float
    at_a_time: int
    models: tuple[Line, ...]
    warnings: tuple[str, ...]
    refusals: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """The whole plan in words."""
        counts = {
            "new": self.new,
            "in the cache": self.cached,
            "the same as another": self.same,
            "refused": self.refused,
        }
        parts = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        return f"{requests}: {parts or 'nothing to do'}. {self._price()}"

    def _price(self) -> str:
        if not self.new:
            return "Nothing is asked for and nothing is paid."
        one = self.new == 1
        who = "The new one" if one else "The new ones"
        price = f"{dollars(self.usd)} (prices of {self.prices_as_of})"
        if self.target == "local":
            cost = f"{who} would cost {price} on AWS, here nothing, and {'takes' if one else 'take'}"
        else:
            cost = f"{who} {'costs' if one else 'cost'} {price} and {'takes' if one else 'take'}"
        at_once = "" if one else f", {self.at_a_time} at a time"
        by_queue = " by the queue's Lambda" if self.via == "queue" else ""
        return f"{cost} about {_duration(self.seconds)}{at_once}{by_queue}."

    def _remarks(self) -> list[str]:
        refusals = [f"{count:,} refused: {reason}" for reason, count in self.refusals]
        return [*_first(self.warnings, "warnings"), *_first(refusals, "reasons for refusals")]

    def __str__(self) -> str:
        lines = [self.title] if self.title else []
        lines += [*_wrapped(self.sentence), ""]
        width = max((len(line.name) for line in self.models), default=0)
        lines.append(f"{'model':{width}}" + "".join(f"{name:>9}" for name in (*SHORT_HEADINGS.values(), "USD")))
        for line, usd in self._lines():
            lines.append(f"{line.name:{width}}" + "".join(f"{line.counts[kind]:>9,}" for kind in Planned) + f"{usd:>9}")
        remarks = [part for remark in self._remarks() for part in _wrapped(f"! {remark}", indent="  ")]
        return "\n".join([*lines, *(["", *remarks] if remarks else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cell = "text-align:left;vertical-align:top;padding:.35em .8em .35em 0"
        number = "text-align:right;vertical-align:top;padding:.35em 0 .35em .8em;font-variant-numeric:tabular-nums"
        head = "".join(f'<th style="{number}">{name}</th>' for name in (*HEADINGS.values(), "USD"))
        rows = "".join(
            f'<tr><td style="{cell};overflow-wrap:anywhere">{escape(line.name)}</td>'
            + "".join(f'<td style="{number}">{line.counts[kind]:,}</td>' for kind in Planned)
            + f'<td style="{number}">{usd}</td></tr>'
            for line, usd in self._lines()
        )
        title = f"<strong>{escape(self.title)}</strong><br>" if self.title else ""
        remarks = "".join(f"<p>{badge(Verdict.WARN)} {escape(remark)}</p>" for remark in self._remarks())
        return (
            f"<p>{title}{escape(self.sentence)}</p>"
            f'<table class="couch-plan"><thead><tr><th style="{cell}">model</th>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>{remarks}"
        )

    def _lines(self) -> list[tuple[Line, str]]:
        """Give the table's lines with their amounts, all with as many decimals as the finest needs."""
        lines = self.models
        if len(lines) != 1:
            lines += (Line("all", {kind: sum(line.counts[kind] for line in lines) for kind in Planned}, self.usd),)
        decimals = max(len(dollars(line.usd).split(".")[1]) for line in lines)
        return [(line, f"{line.usd:,.{decimals}f}") for line in lines]


@dataclass(frozen=True)
class NoPlan:
    """Stands where a plan's summary would be, and says why nothing can be planned."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, str]:
        return {"text/html": f"<p>{badge(Verdict.BAD)} {escape(self.sentence)}</p>", "text/plain": self.sentence}


def of(plan: pd.DataFrame) -> PlanSummary:
    """Sum up a plan, or some of its rows: what `Sweep.plan` returned. Raises ExplorationError for another frame."""
    attrs = plan.attrs
    if "seconds_by_model" not in attrs:
        raise ExplorationError("The frame is no plan, or lost its attrs on the way: give what Sweep.plan returned.")
    counts = Counter(zip(plan["model"], plan["status"], strict=True))
    lines = tuple(
        Line(
            str(model),
            {kind: counts[model, str(kind)] for kind in Planned},
            _total(plan.loc[plan["model"] == model, "usd"]),
        )
        for model in plan["model"].unique()
    )
    statuses = Counter(plan["status"])
    new = plan[plan["status"] == str(Planned.NEW)]
    refused = plan.loc[plan["status"] == str(Planned.REFUSED), "reason"]
    return PlanSummary(
        title=attrs["title"],
        target=attrs["target"],
        via=attrs["via"],
        requests=len(plan),
        new=statuses[Planned.NEW],
        cached=statuses[Planned.CACHED],
        same=statuses[Planned.SAME],
        refused=statuses[Planned.REFUSED],
        usd=_total(plan["usd"]),
        prices_as_of=PRICES_AS_OF,
        seconds=timing.expected_s((attrs["seconds_by_model"][model] for model in new["model"]), attrs["at_a_time"]),
        at_a_time=attrs["at_a_time"],
        models=lines,
        # Of a new cell the reason tells why the picture that is here does not count.
        warnings=tuple(text for text in [*plan["warning"].unique(), *new["reason"].unique()] if text),
        refusals=tuple(Counter(refused).most_common()),
    )


def _first(remarks: Sequence[str], kind: str) -> list[str]:
    """Keep the first remarks and say how many more there are."""
    hidden = len(remarks) - REMARKS_SHOWN
    more = [f"{hidden:,} more {kind} stand in the rows of the plan."] if hidden > 0 else []
    return [*remarks[:REMARKS_SHOWN], *more]


def _total(usd: pd.Series) -> float:
    return round(math.fsum(usd), 6)


def _duration(seconds: float) -> str:
    """Write a time as people say it; what takes hours is not told to the second."""
    whole = math.ceil(seconds)
    if whole < 2 * MINUTE_S:
        return f"{whole} s"
    if whole < 2 * HOUR_S:
        return f"{math.ceil(whole / MINUTE_S)} min"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Break a text into lines of a terminal, but no name of a model or region."""
    return textwrap.wrap(
        text, TERMINAL_COLUMNS, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
