"""How long the functions run, against the time at which Lambda ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers import formatting
from couch_explorers.metrics import model, series
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.plots import absent, artists, axes, resampling, style, telling

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import FunctionConfiguration
    from couch_explorers.metrics.plots.resampling import Curve

TITLE = "Durations of worker and API function"
TITLES = {WORKER: "Worker's duration", API_FUNCTION: "API function's duration"}
NAMES = {WORKER: "the worker", API_FUNCTION: "the API's function"}
KIND = "Two charts of the durations of the worker and of the API's function: median, 95th and 99th percentile, maximum"
HEIGHT_PT, API_HEIGHT_PT = 130.0, 110.0
SECONDS_A_MS = 1e-3
MEDIAN = artists.LineStyle(style.BLUE, 2.0)
P95 = artists.LineStyle(style.VERMILLION, 1.5, style.DASHED, 3.2)
P99 = artists.LineStyle(style.GREEN, 1.4, style.DASH_DOT, 3.1)
MAXIMUM = artists.LineStyle(style.SOFT, 1.0, style.DOTTED, 2.8)
# A time-out that is this much above all durations is named at the upper edge: on its scale they would lie on the axis.
FAR_ABOVE = 3.0


def draw(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the worker's percentiles."""
    return _draw(frame, ax, WORKER, first=True)


def draw_api_function(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the percentiles of the API's function."""
    return _draw(frame, ax, API_FUNCTION, first=False)


def _draw(frame: pd.DataFrame, ax: Axes, resource: str, *, first: bool) -> Axes:
    facts = model.context_of(frame)
    # On fewer points fewer steps can be told apart.
    coarse_s = resampling.coarser_period_s(facts, round(resampling.MOST_STEPS * style.width_of(ax) / style.PLOT_PT))
    median, p95, p99, before = _percentiles(frame, resource)
    key = series.duration(resource, "Maximum")
    longest = resampling.resample(frame, key, period_s=coarse_s).scaled(SECONDS_A_MS)
    function = facts.function(resource)

    told = (("Percentiles", median.period_s), ("Maximum", longest.period_s))
    keys = (key, series.duration(resource, "p50"), series.duration(resource, "p95"), series.duration(resource, "p99"))
    labels = axes.setup_axes(ax, facts, TITLES[resource], *told, keys=keys, first=first)
    shown = [median, p95, p99, longest, before]
    timeout_s = function.timeout_s if function else None
    artists.set_scale(ax, shown, unit="seconds", limit=timeout_s, far_above=FAR_ABOVE)
    for curve, name, look in (
        (longest, "maximum", MAXIMUM),
        (p99, "p99", P99),
        (p95, "p95", P95),
        (median, "median", MEDIAN),
    ):
        artists.draw_steps(ax, curve, look)
        labels.add(name, curve.latest, look)
    if before is not None:
        artists.draw_steps(ax, before, artists.BEFORE)
        labels.add(f"p95 {artists.previous_label(facts)}", before.latest, artists.BEFORE)
    if timeout_s:
        artists.draw_threshold(labels, timeout_s, f"time-out {formatting.seconds(timeout_s)}")
    if median.empty and longest.empty:
        absent.write(ax, absent.why(facts, key))
    labels.place()
    return ax


def read(frame: pd.DataFrame) -> str:
    """Say for both functions the median, the worst p95 and the longest run against the time-out and the window before."""
    statistics: tuple[series.DurationStatistic, ...] = ("p95", "p99")
    left_out = {
        resampling.missing_percentiles(
            frame,
            [series.duration(resource, statistic) for statistic in statistics],
            series.invocations(resource),
            "runs",
        )
        for resource in (WORKER, API_FUNCTION)
    }
    return formatting.sentence(*(_read(frame, resource) for resource in (WORKER, API_FUNCTION)), max(left_out, key=len))


def _read(frame: pd.DataFrame, resource: str) -> str:
    facts = model.context_of(frame)
    median, p95, _, before = _percentiles(frame, resource)
    key = series.duration(resource, "Maximum")
    longest = resampling.resample(frame, key).scaled(SECONDS_A_MS)
    if median.empty and longest.empty:
        return f"{NAMES[resource]}'s duration: {absent.why(facts, key)}"
    function = facts.function(resource)
    parts = []
    if not median.empty:
        low, high = formatting.number(median.lowest), formatting.number(median.highest)
        parts.append(f"median {low} s" if low == high else f"median {low} to {high} s")
    if not p95.empty:
        then = "" if before is None else f"; {facts.previous_name} {formatting.seconds(before.highest)}"
        parts.append(f"p95 at most {formatting.seconds(p95.highest)} ({telling.peak(p95, facts)}{then})")
    if not longest.empty:
        parts.append(
            f"longest run {formatting.seconds(longest.highest)} ({telling.peak(longest, facts)}){_share(longest, function)}"
        )
    note = absent.note(facts, key, series.duration(resource, "p95"))
    return f"{NAMES[resource]}: {', '.join([*parts, *([note] if note else [])])}"


def _share(longest: Curve, function: FunctionConfiguration | None) -> str:
    if function is None:
        return ""
    return f", {telling.against(longest.highest, function.timeout_s, f'its time-out of {formatting.seconds(function.timeout_s)}')}"


def _percentiles(frame: pd.DataFrame, resource: str) -> tuple[Curve, Curve, Curve, Curve | None]:
    """Give median, p95 and p99 of the window now, and the p95 of the one before."""
    runs = series.invocations(resource)
    median, p95, p99 = (
        resampling.with_min_samples(frame, series.duration(resource, statistic), runs).scaled(SECONDS_A_MS)
        for statistic in ("p50", "p95", "p99")
    )
    before = resampling.with_min_samples_before(frame, series.duration(resource, "p95"), runs)
    return median, p95, p99, before.scaled(SECONDS_A_MS) if before else None
