"""How many jobs are sent, and how many are done and deleted: between the two lines the backlog grows or drains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting
from couch_explorers.metrics import model, series
from couch_explorers.metrics.plots import absent, artists, axes, resampling, style, telling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context, SeriesKey
    from couch_explorers.metrics.plots.resampling import Curve

TITLE = "Jobs sent and done"
KIND = "Two lines: jobs sent to the queue and jobs deleted from it"
HEIGHT_PT = 135.0
DONE = artists.LineStyle(style.PALE_BLUE, 7.0, style.SOLID, 1.2)
SURPLUS = artists.LineStyle(style.PALE_ORANGE, 7.0, style.SOLID, 1.3)
# From this share on, two windows were measured for as good as the same time.
NEARLY_ALL = 0.9


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw both as stairs, and the surplus of jobs sent as a filled area."""
    facts = model.context_of(frame)
    period_s = resampling.coarser_period_s(facts, resampling.MOST_STEPS)
    sent = resampling.resample(frame, series.SENT, period_s=period_s)
    done = resampling.resample(frame, series.DELETED, period_s=period_s)
    before = resampling.resample_before(frame, series.SENT, period_s=period_s)

    labels = axes.setup_axes(ax, facts, TITLE, ("Sum", period_s), keys=(series.SENT, series.DELETED))
    artists.set_scale(ax, [sent, done, before], unit=f"jobs {formatting.per_period(period_s)}", whole=True)
    surplus = np.where(sent.points > done.points, sent.points, np.nan)
    if not np.isnan(surplus).all():
        ax.stairs(
            surplus,
            sent.edges,
            baseline=done.points,
            fill=True,
            color=SURPLUS.colour,
            linewidth=0,
            zorder=SURPLUS.order,
        )
        labels.add("backlog grows", done.latest, SURPLUS)
    artists.draw_area(ax, done, DONE)
    labels.add("done", done.latest, DONE)
    artists.plot_with_previous(labels, facts, sent, before, "sent", artists.draw_steps)
    if sent.empty and done.empty:
        absent.write(ax, absent.why(facts, series.SENT))
    labels.place()
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say how many were sent and done, against the window before, and when the backlog grew fastest."""
    facts = model.context_of(frame)
    period_s = resampling.coarser_period_s(facts, resampling.MOST_STEPS)
    sent = resampling.resample(frame, series.SENT, period_s=period_s)
    done = resampling.resample(frame, series.DELETED, period_s=period_s)
    if sent.empty and done.empty:
        return formatting.sentence(f"jobs sent and done: {absent.why(facts, series.SENT)}")
    before = resampling.resample_before(frame, series.SENT, period_s=period_s)
    return formatting.sentence(
        _total(sent, series.SENT, facts, "sent")
        + (f" ({_before(sent, before, facts)})" if before and not sent.empty else ""),
        _total(done, series.DELETED, facts, "done"),
        _grew(sent, done, facts),
        absent.note(facts, series.SENT, series.DELETED),
    )


def _total(curve: Curve, key: SeriesKey, facts: Context, what: str) -> str:
    if telling.unknown(facts, curve, key):
        return f"jobs {what}: {absent.why(facts, key)}"
    return f"{formatting.count(curve.total, 'job')} {what}"


def _before(sent: Curve, before: Curve, facts: Context) -> str:
    """Say how many were sent in the window before, and where it was measured for a shorter time, for how long."""
    told = f"{facts.previous_name} {formatting.number(before.total)}"
    measured = int((~np.isnan(before.points)).sum()) / max(1, int((~np.isnan(sent.points)).sum()))
    return (
        told if measured >= NEARLY_ALL else f"{told}, but measured for {formatting.percent(measured)} of the time only"
    )


def _grew(sent: Curve, done: Curve, facts: Context) -> str:
    surplus = sent.points - done.points
    if np.isnan(surplus).all():
        return ""
    if np.nanmax(surplus) <= 0:
        return "always done as fast as sent"
    place = int(np.nanargmax(surplus))
    more = formatting.number(float(surplus[place]))
    return f"the backlog grew most {facts.format_interval(*sent.at(place))}, with {more} more sent than done"
