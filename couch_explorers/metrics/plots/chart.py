"""How each chart begins: the time axis, what happened, the title line; and the names of what it compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.metrics import words
from couch_explorers.metrics.plots import absent, heads, lines, marks, time_axis
from couch_explorers.metrics.plots.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from couch_explorers.metrics.facts import Facts, SeriesKey
    from couch_explorers.metrics.plots.curves import Curve
    from couch_explorers.metrics.plots.lines import Look


def begin(
    ax: Axes,
    facts: Facts,
    title: str,
    *told: tuple[str, float],
    keys: Sequence[SeriesKey] = (),
    beside: str = "",
    alarms: Sequence[str] = (),
    first: bool = True,
) -> Labels:
    """Dress axes for a chart of the window `now`; give what collects the names of its lines.

    `told` names each statistic with its period in seconds. `keys` are the series drawn: where one of them is only partly
    known, the title says so. `alarms` watch them. Axes that are not the `first` of a figure leave the rest to those.
    """
    time_axis.dress(ax, facts)
    rows_pt = marks.draw(ax, facts, alarms, first=first)
    statistic = heads.statistic(facts, *told, beside=f" ({beside})" if beside else "")
    heads.write(ax, title, "; ".join(filter(None, (statistic, absent.note(facts, *keys)))), rows_pt)
    return Labels(ax)


def before_label(facts: Facts) -> str:
    """Name the line of the compared window: "day before"."""
    return words.before_name(facts).removeprefix("the ")


def pair(
    labels: Labels,
    facts: Facts,
    now: Curve,
    before: Curve | None,
    name: str,
    drawn: Callable[[Axes, Curve, Look], None],
) -> None:
    """Draw a curve over that of the window before, and name both."""
    if before is not None:
        drawn(labels.ax, before, lines.BEFORE)
        labels.add(before_label(facts), before.latest, lines.BEFORE)
    drawn(labels.ax, now, lines.NOW)
    labels.add(name, now.latest, lines.NOW)
