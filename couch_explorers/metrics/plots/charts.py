"""The charts of a review: their drawing, on the project's figures or on any axes, and their titles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers import formatting, plot_style
from couch_explorers.metrics import captions, model, objectives, resampling, series
from couch_explorers.metrics.checks import objective as objective_check
from couch_explorers.metrics.checks import queue
from couch_explorers.metrics.checks.api import response_limit
from couch_explorers.metrics.model import API_FUNCTION, WORKER
from couch_explorers.metrics.plots import artists, axes
from couch_explorers.metrics.plots.figure import Chart, Subplot
from couch_explorers.metrics.review_data import no_data_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from couch_explorers.metrics.model import Context, SeriesKey
    from couch_explorers.metrics.plots.artists import CountRow, LineLabels, LineStyle
    from couch_explorers.metrics.resampling import Curve

AGE_TITLE = "Age of the oldest job"
AGE_KIND = "Line chart of how long the oldest job in the queue had waited"
AGE_HEIGHT_PT = 145.0
AGE_KEYS = (series.AGE,)


def draw_age(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the age with its alarm's threshold, and when it was in ALARM."""
    context = model.context_of(frame)
    period_s = resampling.coarser_period_s(context, resampling.MAX_POINTS)
    now = resampling.resample(frame, series.AGE, period_s=period_s)
    before = resampling.resample_before(frame, series.AGE, period_s=period_s)
    line = context.line(queue.AGE_ALARM)

    labels = axes.setup_axes(ax, context, AGE_TITLE, ("Maximum", period_s), keys=AGE_KEYS, alarms=(queue.AGE_ALARM,))
    artists.set_scale(ax, [now, before], *([line.value] if line else ()), unit="seconds")
    artists.plot_with_previous(labels, context, now, before, "oldest job", artists.draw_line)
    if line:
        artists.draw_threshold(labels, line.value, f"alarm {line.sign} {formatting.seconds(line.value)}")
    if now.empty:
        axes.write_no_data(ax, no_data_reason(context, series.AGE))
    labels.place()
    return ax


BACKLOG_TITLE, DEAD_LETTERS_TITLE = "Backlog", "Dead-letter queue"
BACKLOG_KIND = "Two line charts: jobs that wait and are worked on; dead-letter messages"
BACKLOG_HEIGHT_PT, DEAD_LETTERS_HEIGHT_PT = 120.0, 62.0
BACKLOG_KEYS, DEAD_LETTERS_KEYS = (series.VISIBLE, series.IN_FLIGHT), (series.DEAD_LETTERS_VISIBLE,)
IN_FLIGHT = artists.LineStyle(plot_style.PALE_GREEN, 7.0, plot_style.SOLID, 1.2)


def draw_backlog(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the waiting jobs, and those in flight."""
    context = model.context_of(frame)
    period_s = resampling.coarser_period_s(context, resampling.MAX_POINTS)
    coarse_s = resampling.coarser_period_s(context, resampling.MAX_STEPS)
    now = resampling.resample(frame, series.VISIBLE, period_s=period_s)
    before = resampling.resample_before(frame, series.VISIBLE, period_s=period_s)
    in_flight = resampling.resample(frame, series.IN_FLIGHT, period_s=coarse_s)

    labels = axes.setup_axes(
        ax,
        context,
        BACKLOG_TITLE,
        ("Maximum", period_s),
        keys=BACKLOG_KEYS,
        suffix=f"in flight: of {formatting.period(coarse_s)}",
    )
    artists.set_scale(ax, [now, before, in_flight], unit="jobs", whole=True)
    artists.plot_with_previous(labels, context, now, before, "waiting", artists.draw_line)
    artists.draw_area(ax, in_flight, IN_FLIGHT)
    labels.add("in flight", in_flight.latest, IN_FLIGHT)
    if now.empty:
        axes.write_no_data(ax, no_data_reason(context, series.VISIBLE))
    labels.place()
    return ax


def draw_dead_letters(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the jobs in the dead-letter queue, with its alarm."""
    context = model.context_of(frame)
    key = series.DEAD_LETTERS_VISIBLE
    period_s = resampling.coarser_period_s(context, resampling.MAX_POINTS)
    now, before = (
        resampling.resample(frame, key, period_s=period_s),
        resampling.resample_before(frame, key, period_s=period_s),
    )
    line = context.line(queue.DEAD_LETTERS_ALARM)

    labels = axes.setup_axes(
        ax,
        context,
        DEAD_LETTERS_TITLE,
        ("Maximum", period_s),
        keys=DEAD_LETTERS_KEYS,
        alarms=(queue.DEAD_LETTERS_ALARM,),
        first=False,
    )
    artists.set_scale(ax, [now, before], *([line.value] if line else ()), unit="jobs", whole=True)
    artists.plot_with_previous(labels, context, now, before, "dead-letter queue", artists.draw_line)
    if line:
        artists.draw_threshold(labels, line.value, f"alarm {line.sign} {formatting.number(line.value)}")
    if now.empty:
        axes.write_no_data(ax, no_data_reason(context, key))
    labels.place()
    return ax


FLOW_TITLE = "Jobs sent and done"
FLOW_KIND = "Two lines: jobs sent to the queue and jobs deleted from it"
FLOW_HEIGHT_PT = 135.0
FLOW_KEYS = (series.SENT, series.DELETED)
DONE = artists.LineStyle(plot_style.PALE_BLUE, 7.0, plot_style.SOLID, 1.2)
SURPLUS = artists.LineStyle(plot_style.PALE_ORANGE, 7.0, plot_style.SOLID, 1.3)


def draw_flow(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw both as stairs, and the surplus of jobs sent as a filled area."""
    context = model.context_of(frame)
    period_s = resampling.coarser_period_s(context, resampling.MAX_STEPS)
    sent = resampling.resample(frame, series.SENT, period_s=period_s)
    done = resampling.resample(frame, series.DELETED, period_s=period_s)
    before = resampling.resample_before(frame, series.SENT, period_s=period_s)

    labels = axes.setup_axes(ax, context, FLOW_TITLE, ("Sum", period_s), keys=FLOW_KEYS)
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
    artists.plot_with_previous(labels, context, sent, before, "sent", artists.draw_steps)
    if sent.empty and done.empty:
        axes.write_no_data(ax, no_data_reason(context, series.SENT))
    labels.place()
    return ax


TIME_TITLE = "Time to picture"
TIME_TITLES = {WORKER: "Time to picture through the queue", API_FUNCTION: "Time to picture through the API"}
TIME_KIND = (
    "Two charts of how long people waited for a picture through the queue and through the API: median, 95th and 99th "
    "percentile, against the objective"
)
TIME_HEIGHT_PT, API_TIME_HEIGHT_PT = 130.0, 110.0
TIME_KEYS = {
    resource: tuple(series.time_to_picture(resource, statistic) for statistic in series.TIME_PERCENTILES)
    for resource in (WORKER, API_FUNCTION)
}


def draw_queue_time(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the percentiles of the worker's pictures, from the sending of the message."""
    return _draw_time(frame, ax, WORKER, first=True)


def draw_api_time(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the percentiles of the API's pictures, from the request."""
    return _draw_time(frame, ax, API_FUNCTION, first=False)


def _draw_time(frame: pd.DataFrame, ax: Axes, resource: str, *, first: bool) -> Axes:
    context = model.context_of(frame)
    objective = objectives.objective_of(context, resource)
    counted = series.time_to_picture(resource, "SampleCount")
    keys = TIME_KEYS[resource]
    (median, p95, p99), before = _percentiles(frame, keys, counted)

    labels = axes.setup_axes(
        ax,
        context,
        TIME_TITLES[resource],
        ("Percentiles", median.period_s),
        keys=keys,
        alarms=(objective_check.ALARM,) if resource == WORKER else (),
        first=first,
    )
    artists.set_scale(ax, [median, p95, p99, before], objective.seconds, unit="seconds")
    curves = ((p99, "p99", P99), (p95, "p95", P95), (median, "median", MEDIAN))
    _draw_percentiles(labels, context, curves, before)
    artists.draw_threshold(labels, objective.seconds, f"objective {objective_check.within(objective)}")
    if median.empty:
        axes.write_no_data(ax, no_data_reason(context, keys[0]))
    labels.place()
    return ax


DURATION_TITLE = "Durations of worker and API function"
DURATION_TITLES = {WORKER: "Worker's duration", API_FUNCTION: "API function's duration"}
DURATION_KIND = (
    "Two charts of the durations of the worker and of the API's function: median, 95th and 99th percentile, maximum"
)
DURATION_HEIGHT_PT, API_FUNCTION_HEIGHT_PT = 130.0, 110.0
_DURATION_STATISTICS: tuple[series.DurationStatistic, ...] = ("Maximum", "p50", "p95", "p99")
DURATION_KEYS = {
    resource: tuple(series.duration(resource, statistic) for statistic in _DURATION_STATISTICS)
    for resource in (WORKER, API_FUNCTION)
}
SECONDS_A_MS = 1e-3
MEDIAN = artists.LineStyle(plot_style.BLUE, 2.0)
P95 = artists.LineStyle(plot_style.VERMILLION, 1.5, plot_style.DASHED, 3.2)
P99 = artists.LineStyle(plot_style.GREEN, 1.4, plot_style.DASH_DOT, 3.1)
MAXIMUM = artists.LineStyle(plot_style.SOFT, 1.0, plot_style.DOTTED, 2.8)
# A timeout this far above all durations is labelled at the upper edge: on its scale they would be flat.
FAR_ABOVE = 3.0


def draw_duration(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the worker's percentiles."""
    return _draw_duration(frame, ax, WORKER, first=True)


def draw_api_function(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the percentiles of the API's function."""
    return _draw_duration(frame, ax, API_FUNCTION, first=False)


def _draw_duration(frame: pd.DataFrame, ax: Axes, resource: str, *, first: bool) -> Axes:
    context = model.context_of(frame)
    # A narrower plot can show fewer steps.
    coarse_s = resampling.coarser_period_s(
        context, round(resampling.MAX_STEPS * plot_style.width_of(ax) / plot_style.PLOT_PT)
    )
    key, *percentiles = DURATION_KEYS[resource]
    (median, p95, p99), before = _percentiles(frame, percentiles, series.invocations(resource))
    longest = resampling.resample(frame, key, period_s=coarse_s).scaled(SECONDS_A_MS)
    function = context.function(resource)

    statistics = (("Percentiles", median.period_s), ("Maximum", longest.period_s))
    labels = axes.setup_axes(
        ax, context, DURATION_TITLES[resource], *statistics, keys=DURATION_KEYS[resource], first=first
    )
    shown = [median, p95, p99, longest, before]
    timeout_s = function.timeout_s if function else None
    artists.set_scale(ax, shown, unit="seconds", limit=timeout_s, far_above=FAR_ABOVE)
    curves = ((longest, "maximum", MAXIMUM), (p99, "p99", P99), (p95, "p95", P95), (median, "median", MEDIAN))
    _draw_percentiles(labels, context, curves, before)
    if timeout_s:
        artists.draw_threshold(labels, timeout_s, f"time-out {formatting.seconds(timeout_s)}")
    if median.empty and longest.empty:
        axes.write_no_data(ax, no_data_reason(context, key))
    labels.place()
    return ax


def _percentiles(
    frame: pd.DataFrame, keys: Sequence[SeriesKey], counted: SeriesKey
) -> tuple[list[Curve], Curve | None]:
    """Return the percentiles of the window now, and the second one, the p95, of the previous window; in seconds."""
    now = [resampling.with_min_samples(frame, key, counted).scaled(SECONDS_A_MS) for key in keys]
    before = resampling.with_min_samples_before(frame, keys[1], counted)
    return now, before.scaled(SECONDS_A_MS) if before else None


def _draw_percentiles(
    labels: LineLabels, context: Context, curves: Iterable[tuple[Curve, str, LineStyle]], before: Curve | None
) -> None:
    """Draw the labelled curves, and over them the p95 of the previous window."""
    for curve, name, style in curves:
        artists.draw_steps(labels.ax, curve, style)
        labels.add(name, curve.latest, style)
    if before is not None:
        artists.draw_steps(labels.ax, before, artists.BEFORE)
        labels.add(f"p95 {artists.previous_label(context)}", before.latest, artists.BEFORE)


FAILURES_TITLE = "Errors and failed jobs"
FAILURES_KEYS = (series.errors(WORKER), series.errors(API_FUNCTION), series.FAILED_JOBS, series.POSTPONED_JOBS)
FAILURES_KIND = "Rows of bars: errors of each function, jobs that failed for good by reason, postponed jobs"
# Rarer reasons share one row.
FAILED_PREFIX = "Failed: "


def failures_height_pt(frame: pd.DataFrame) -> float:
    """Return the height of the axes, which depends on the number of rows."""
    return artists.count_rows_height_pt(len(_failure_rows(frame)))


def draw_failures(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw a row of bars for each kind of failure."""
    context = model.context_of(frame)
    axes.setup_axes(
        ax,
        context,
        FAILURES_TITLE,
        (artists.COUNT_STATISTIC, _period_s(context)),
        keys=FAILURES_KEYS,
        alarms=captions.FAILURE_ALARMS,
    )
    artists.draw_count_rows(ax, context, _failure_rows(frame))
    return ax


def _failure_rows(frame: pd.DataFrame) -> list[CountRow]:
    period_s = _period_s(model.context_of(frame))
    return [
        artists.count_row(frame, series.errors(WORKER), "Worker errors", period_s, group="failures"),
        artists.count_row(frame, series.errors(API_FUNCTION), "API function errors", period_s, group="failures"),
        *_failed_job_rows(frame),
        artists.count_row(
            frame, series.POSTPONED_JOBS, "Postponed jobs", period_s, colour=plot_style.ORANGE, group="postponed"
        ),
    ]


def _failed_job_rows(frame: pd.DataFrame) -> list[CountRow]:
    """Return a row for each reason, most frequent first; a single row if no reason is known."""
    context = model.context_of(frame)
    period_s = _period_s(context)
    total = artists.count_row(
        frame, series.FAILED_JOBS, "Failed jobs", period_s, colour=plot_style.BLUE, group="failures"
    )
    by_reason = (
        artists.count_row(
            frame,
            series.failed_jobs(reason),
            f"{FAILED_PREFIX}{reason}",
            period_s,
            colour=plot_style.BLUE,
            group="failures",
        )
        for reason in series.reasons(context)
    )
    rows = sorted((row for row in by_reason if row.everything), key=lambda row: (-row.now.total, row.name))
    if not rows or total.nothing:
        return [total]
    rows = rows[: queue.MAX_REASONS]
    # A new reason is known to ListMetrics only after some minutes, and rare ones are not listed.
    other = replace(
        total,
        name=f"{FAILED_PREFIX}{queue.OTHER_REASONS}",
        now=_rest(total.now, [row.now for row in rows]),
        before=None,
    )
    return [*rows, other] if other.now.total else rows


def _rest(total: Curve, parts: Sequence[Curve]) -> Curve:
    """Return a total minus its parts."""
    counted = np.sum([np.nan_to_num(part.points) for part in parts], axis=0)
    return replace(total, points=np.clip(total.points - counted, 0, None))


def _period_s(context: Context) -> int:
    return resampling.coarser_period_s(context, resampling.MAX_STEPS)


LATENCY_TITLE, REQUESTS_TITLE = "API latency", "API requests"
LATENCY_KIND = (
    "A line chart of the API's latency, median and 95th percentile, over rows of bars that count its requests"
)
LATENCY_HEIGHT_PT = 120.0
REQUESTS_HEIGHT_PT = artists.count_rows_height_pt(3)
LATENCY_KEYS = (series.api_latency("p50"), series.api_latency("p95"))
REQUESTS_KEYS = (series.API_COUNT, series.API_5XX, series.API_4XX)


def draw_latency(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw median and 95th percentile against the gateway's limit."""
    context = model.context_of(frame)
    limit = response_limit(context)
    (median, p95), before = _percentiles(frame, LATENCY_KEYS, series.API_COUNT)

    labels = axes.setup_axes(ax, context, LATENCY_TITLE, ("Percentiles", median.period_s), keys=LATENCY_KEYS)
    artists.set_scale(ax, [median, p95, before], unit="seconds", limit=limit.seconds, far_above=FAR_ABOVE)
    _draw_percentiles(labels, context, ((p95, "p95", P95), (median, "median", MEDIAN)), before)
    artists.draw_threshold(labels, limit.seconds, limit.label)
    if median.empty and p95.empty:
        axes.write_no_data(ax, no_data_reason(context, LATENCY_KEYS[0]))
    labels.place()
    return ax


def draw_requests(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the counts of requests, refusals (4XX) and failures (5XX)."""
    context = model.context_of(frame)
    period_s = resampling.coarser_period_s(context, resampling.MAX_STEPS)
    axes.setup_axes(ax, context, REQUESTS_TITLE, (artists.COUNT_STATISTIC, period_s), keys=REQUESTS_KEYS, first=False)
    requests, failed, refused = REQUESTS_KEYS
    rows = [
        artists.count_row(frame, requests, "Requests", period_s, colour=plot_style.BLUE, group="requests"),
        artists.count_row(frame, failed, "Failed (5XX)", period_s, group="errors"),
        artists.count_row(frame, refused, "Refused (4XX)", period_s, colour=plot_style.ORANGE, group="errors"),
    ]
    artists.draw_count_rows(ax, context, rows)
    return ax


TIME_TO_PICTURE = Chart(
    "time_to_picture",
    TIME_TITLE,
    TIME_KIND,
    (
        Subplot(draw_queue_time, TIME_HEIGHT_PT, TIME_TITLES[WORKER], TIME_KEYS[WORKER]),
        Subplot(draw_api_time, API_TIME_HEIGHT_PT, TIME_TITLES[API_FUNCTION], TIME_KEYS[API_FUNCTION]),
    ),
    captions.time_to_picture,
)
AGE = Chart("age", AGE_TITLE, AGE_KIND, (Subplot(draw_age, AGE_HEIGHT_PT, AGE_TITLE, AGE_KEYS),), captions.age)
BACKLOG = Chart(
    "backlog",
    BACKLOG_TITLE,
    BACKLOG_KIND,
    (
        Subplot(draw_backlog, BACKLOG_HEIGHT_PT, BACKLOG_TITLE, BACKLOG_KEYS),
        Subplot(draw_dead_letters, DEAD_LETTERS_HEIGHT_PT, DEAD_LETTERS_TITLE, DEAD_LETTERS_KEYS),
    ),
    captions.backlog,
)
FLOW = Chart("flow", FLOW_TITLE, FLOW_KIND, (Subplot(draw_flow, FLOW_HEIGHT_PT, FLOW_TITLE, FLOW_KEYS),), captions.flow)
DURATION = Chart(
    "duration",
    DURATION_TITLE,
    DURATION_KIND,
    (
        Subplot(draw_duration, DURATION_HEIGHT_PT, DURATION_TITLES[WORKER], DURATION_KEYS[WORKER]),
        Subplot(draw_api_function, API_FUNCTION_HEIGHT_PT, DURATION_TITLES[API_FUNCTION], DURATION_KEYS[API_FUNCTION]),
    ),
    captions.duration,
)
FAILURES = Chart(
    "failures",
    FAILURES_TITLE,
    FAILURES_KIND,
    (Subplot(draw_failures, failures_height_pt, FAILURES_TITLE, FAILURES_KEYS),),
    captions.failures,
)
LATENCY = Chart(
    "latency",
    LATENCY_TITLE,
    LATENCY_KIND,
    (
        Subplot(draw_latency, LATENCY_HEIGHT_PT, LATENCY_TITLE, LATENCY_KEYS),
        Subplot(draw_requests, REQUESTS_HEIGHT_PT, REQUESTS_TITLE, REQUESTS_KEYS),
    ),
    captions.latency,
)
# In the order of the page.
ALL = (TIME_TO_PICTURE, AGE, BACKLOG, FLOW, DURATION, FAILURES, LATENCY)
