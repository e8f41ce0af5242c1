"""How many jobs wait and are worked on, and how many were given up on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.metrics import model, series
from couch_explorers.metrics.plots import absent, artists, axes, resampling, style, telling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TITLE, LETTERS_TITLE = "Backlog", "Dead letters"
KIND = "Two line charts: jobs that wait and are worked on; dead letters"
ALARM = "dead-letters"
HEIGHT_PT, LETTERS_HEIGHT_PT = 120.0, 62.0
IN_FLIGHT = artists.LineStyle(style.PALE_GREEN, 7.0, style.SOLID, 1.2)


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the jobs that wait, and those in a worker's hands."""
    facts = model.context_of(frame)
    period_s = resampling.coarser_period_s(facts, resampling.MOST_POINTS)
    coarse_s = resampling.coarser_period_s(facts, resampling.MOST_STEPS)
    now = resampling.resample(frame, series.VISIBLE, period_s=period_s)
    before = resampling.resample_before(frame, series.VISIBLE, period_s=period_s)
    in_flight = resampling.resample(frame, series.IN_FLIGHT, period_s=coarse_s)

    keys = (series.VISIBLE, series.IN_FLIGHT)
    labels = axes.setup_axes(
        ax, facts, TITLE, ("Maximum", period_s), keys=keys, beside=f"in flight: of {formatting.period(coarse_s)}"
    )
    artists.set_scale(ax, [now, before, in_flight], unit="jobs", whole=True)
    artists.plot_with_previous(labels, facts, now, before, "waiting", artists.draw_line)
    artists.draw_area(ax, in_flight, IN_FLIGHT)
    labels.add("in flight", in_flight.latest, IN_FLIGHT)
    if now.empty:
        absent.write(ax, absent.why(facts, series.VISIBLE))
    labels.place()
    return ax


def draw_dead_letters(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the jobs in the dead-letter queue, with its alarm."""
    facts = model.context_of(frame)
    key = series.DEAD_LETTERS_VISIBLE
    period_s = resampling.coarser_period_s(facts, resampling.MOST_POINTS)
    now, before = (
        resampling.resample(frame, key, period_s=period_s),
        resampling.resample_before(frame, key, period_s=period_s),
    )
    line = facts.line(ALARM)

    labels = axes.setup_axes(ax, facts, LETTERS_TITLE, ("Maximum", period_s), keys=(key,), alarms=(ALARM,), first=False)
    artists.set_scale(ax, [now, before], *([line.value] if line else ()), unit="jobs", whole=True)
    artists.plot_with_previous(labels, facts, now, before, "dead letters", artists.draw_line)
    if line:
        artists.draw_threshold(labels, line.value, f"alarm {line.sign} {formatting.number(line.value)}")
    if now.empty:
        absent.write(ax, absent.why(facts, key))
    labels.place()
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say how many jobs waited at most and wait at the end, against the window before; and the dead letters."""
    facts = model.context_of(frame)
    waiting, letters = (
        resampling.resample(frame, series.VISIBLE),
        resampling.resample(frame, series.DEAD_LETTERS_VISIBLE),
    )
    before = resampling.resample_before(frame, series.VISIBLE)
    told = (
        f"backlog: {absent.why(facts, series.VISIBLE)}"
        if waiting.empty
        else f"jobs that waited: {telling.depth(waiting, facts)}"
    )
    return formatting.sentence(
        told,
        "" if waiting.empty else telling.before(before, facts),
        f"dead letters: {absent.why(facts, series.DEAD_LETTERS_VISIBLE) if letters.empty else telling.depth(letters, facts)}",
        telling.alarm(facts, ALARM, "their alarm"),
        absent.note(facts, series.VISIBLE, series.DEAD_LETTERS_VISIBLE),
    )
