"""How long the oldest job has waited, against the alarm's threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.metrics import model, series
from couch_explorers.metrics.plots import absent, artists, axes, resampling, telling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TITLE = "Age of the oldest job"
KIND = "Line chart of how long the oldest job in the queue had waited"
ALARM = "oldest-message-age"
HEIGHT_PT = 145.0


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the age with its alarm's threshold, and when the alarm rang."""
    facts = model.context_of(frame)
    period_s = resampling.coarser_period_s(facts, resampling.MOST_POINTS)
    now = resampling.resample(frame, series.AGE, period_s=period_s)
    before = resampling.resample_before(frame, series.AGE, period_s=period_s)
    line = facts.line(ALARM)

    labels = axes.setup_axes(ax, facts, TITLE, ("Maximum", period_s), keys=(series.AGE,), alarms=(ALARM,))
    artists.set_scale(ax, [now, before], *([line.value] if line else ()), unit="seconds")
    artists.plot_with_previous(labels, facts, now, before, "oldest job", artists.draw_line)
    if line:
        artists.draw_threshold(labels, line.value, f"alarm {line.sign} {formatting.seconds(line.value)}")
    if now.empty:
        absent.write(ax, absent.why(facts, series.AGE))
    labels.place()
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say how old the oldest job became and when, against the threshold and the window before; and the dead letters.

    An age alone deceives: a job that was received three times no longer counts (SQS developer guide, "Available CloudWatch
    metrics for Amazon SQS", ApproximateAgeOfOldestMessage).
    """
    facts = model.context_of(frame)
    age = resampling.resample(frame, series.AGE)
    letters = resampling.resample(frame, series.DEAD_LETTERS_VISIBLE)
    beside = f"dead letters: {telling.depth(letters, facts)}" if not letters.empty else ""
    if age.empty:
        return formatting.sentence(f"age of the oldest job: {absent.why(facts, series.AGE)}", beside)
    line = facts.line(ALARM)
    limit = line and telling.against(age.highest, line.value, f"its alarm's {formatting.seconds(line.value)}")
    return formatting.sentence(
        f"the oldest job had waited at most {formatting.seconds(age.highest)} ({telling.peak(age, facts)}{f', {limit}' if limit else ''}), "
        f"{telling.end(age, facts, formatting.seconds)}",
        telling.alarm(facts, ALARM),
        telling.before(resampling.resample_before(frame, series.AGE), facts, formatting.seconds),
        beside,
        absent.note(facts, series.AGE),
    )
