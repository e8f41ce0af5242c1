"""How long the API takes to answer, how much it is asked, and what it refuses or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.metrics import model, series, thresholds
from couch_explorers.metrics.plots import absent, artists, axes, resampling, style, telling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TITLE, COUNTS_TITLE = "API latency", "API requests"
KIND = "A line chart of the API's latency, median and 95th percentile, over rows of bars that count its requests"
HEIGHT_PT = 120.0
COUNTS_HEIGHT_PT = artists.count_rows_height_pt(3)
SECONDS_A_MS = 1e-3
MEDIAN = artists.LineStyle(style.BLUE, 2.0)
P95 = artists.LineStyle(style.VERMILLION, 1.5, style.DASHED, 3.2)
FAR_ABOVE = 3.0
LATENCY_KEYS = (series.api_latency("p50"), series.api_latency("p95"))


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw median and 95th percentile against the gateway's limit."""
    facts = model.context_of(frame)
    median, p95 = (
        resampling.with_min_samples(frame, key, series.API_COUNT).scaled(SECONDS_A_MS) for key in LATENCY_KEYS
    )
    before = resampling.with_min_samples_before(frame, LATENCY_KEYS[1], series.API_COUNT)
    before = before.scaled(SECONDS_A_MS) if before else None

    labels = axes.setup_axes(ax, facts, TITLE, ("Percentiles", median.period_s), keys=LATENCY_KEYS)
    artists.set_scale(
        ax, [median, p95, before], unit="seconds", limit=thresholds.API_GATEWAY_TIMEOUT_S, far_above=FAR_ABOVE
    )
    for curve, name, look in ((p95, "p95", P95), (median, "median", MEDIAN)):
        artists.draw_steps(ax, curve, look)
        labels.add(name, curve.latest, look)
    if before is not None:
        artists.draw_steps(ax, before, artists.BEFORE)
        labels.add(f"p95 {artists.previous_label(facts)}", before.latest, artists.BEFORE)
    artists.draw_threshold(
        labels,
        thresholds.API_GATEWAY_TIMEOUT_S,
        f"gateway ends at {formatting.seconds(thresholds.API_GATEWAY_TIMEOUT_S)}",
    )
    if median.empty and p95.empty:
        absent.write(ax, absent.why(facts, LATENCY_KEYS[0]))
    labels.place()
    return ax


def draw_counts(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw when how many requests came, were refused (4XX), and failed (5XX)."""
    facts = model.context_of(frame)
    period_s = resampling.coarser_period_s(facts, resampling.MOST_STEPS)
    keys = (series.API_COUNT, series.API_5XX, series.API_4XX)
    axes.setup_axes(ax, facts, COUNTS_TITLE, (artists.COUNT_STATISTIC, period_s), keys=keys, first=False)
    requests, failed, refused = keys
    rows = [
        artists.count_row(frame, requests, "Requests", period_s, colour=style.BLUE, group="requests"),
        artists.count_row(frame, failed, "Failed (5XX)", period_s, group="errors"),
        artists.count_row(frame, refused, "Refused (4XX)", period_s, colour=style.ORANGE, group="errors"),
    ]
    artists.draw_count_rows(ax, facts, rows)
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say how many requests there were, how slow, how many failed or were refused, against limit and window before."""
    facts = model.context_of(frame)
    count = resampling.resample(frame, series.API_COUNT)
    p95 = resampling.with_min_samples(frame, LATENCY_KEYS[1], series.API_COUNT).scaled(SECONDS_A_MS)
    before = resampling.with_min_samples_before(frame, LATENCY_KEYS[1], series.API_COUNT)
    if count.empty and p95.empty:
        return formatting.sentence(f"API requests: {absent.why(facts, series.API_COUNT)}")
    limit = f"the {formatting.seconds(thresholds.API_GATEWAY_TIMEOUT_S)} that the gateway waits"
    slow = (
        "too few at a time for a 95th percentile"
        if p95.empty
        else f"p95 at most {formatting.seconds(p95.highest)} ({telling.peak(p95, facts)}), {telling.against(p95.highest, thresholds.API_GATEWAY_TIMEOUT_S, limit)}"
    )
    return formatting.sentence(
        f"{formatting.count(count.total, 'request')}, {slow}",
        telling.before(before.scaled(SECONDS_A_MS) if before else None, facts, formatting.seconds),
        telling.counted(frame, series.API_5XX, "failed with 5XX", "failed with 5XX", none="none"),
        telling.counted(frame, series.API_4XX, "was refused with 4XX", "were refused with 4XX", none="none"),
        resampling.missing_percentiles(frame, LATENCY_KEYS, series.API_COUNT, "requests"),
        absent.note(facts, series.API_COUNT, *LATENCY_KEYS),
    )
