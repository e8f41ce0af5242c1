"""The figures of the capacity notebook: each answers one question, and has a one-sentence caption."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from couch_explorers import formatting, plot_style
from couch_explorers.capacity.alarm_advice import INCIDENTS, AlarmRule
from couch_explorers.capacity.api_model import ApiOutcome
from couch_explorers.capacity.queue_metrics import drain_time_s, minute_metrics
from couch_explorers.capacity.queue_model import MINUTE_S
from couch_explorers.metrics.plots.figure import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

    from couch_explorers.capacity.alarm_advice import AlarmAdvice, ConcurrencyAdvice
    from couch_explorers.capacity.queue_model import JobTrace
    from couch_explorers.capacity.scenarios import Beta
    from couch_explorers.objective import Objective

HEIGHT_PT, NAMES_PT = 210.0, 228.0
# The background of a label that a line crosses.
_PAPER: dict[str, Any] = {"facecolor": plot_style.PAPER, "edgecolor": "none", "pad": 0.6}
QUEUE_COLOUR, API_COLOUR = plot_style.BLUE, plot_style.VERMILLION


def beta(result: Beta, objective: Objective, width_pt: float = plot_style.WIDTH_PT) -> Panel:
    """Draw how many people have their picture, by the minutes since the beta's start, on both paths."""
    users = len(result.arrivals_s)
    ax = _axes(ylabel="people with a picture", xlabel="minutes since the start", width_pt=width_pt)
    last = max(result.queue.left_s[result.queue.succeeded].max(initial=60), result.minutes * MINUTE_S) / MINUTE_S
    requests = np.arange(1, users + 1)
    ax.step(
        result.arrivals_s / MINUTE_S,
        requests,
        where="post",
        color=plot_style.FRAME,
        linewidth=1.0,
        linestyle=plot_style.DOTTED,
    )
    ends = {
        "queue": (result.queue.left_s[result.queue.succeeded], QUEUE_COLOUR, plot_style.SOLID),
        "API": (result.api.ended_s[result.api.succeeded], API_COLOUR, plot_style.DASHED),
    }
    for name, (ended, colour, dashes) in ends.items():
        times = np.concatenate([[0.0], np.sort(ended) / MINUTE_S, [last]])
        got = np.append(np.arange(len(ended) + 1), len(ended))
        ax.step(times, got, where="post", color=colour, linewidth=1.8, linestyle=dashes)
        _end_label(ax, f"{name}: {formatting.percent(len(ended) / users)}", got[-1], colour)
    ax.annotate(
        "asked", (result.arrivals_s[-1] / MINUTE_S, users), (5, -9), textcoords="offset points", color=plot_style.SOFT,
        fontsize=plot_style.SMALL_SIZE,
    )  # fmt: skip
    ax.set_xlim(0, last)
    ax.set_ylim(0, users * 1.05)
    waits = result.queue.time_to_picture_s[result.queue.succeeded]
    refused = users - int(result.api.succeeded.sum())
    sentence = (
        f"Of {formatting.count(users, 'person', 'people')} asking within {formatting.number(result.minutes)} minutes, the API "
        f"leaves {formatting.number(refused)} without a picture after {formatting.number(result.api.attempts.sum())} requests; "
        f"the queue gives {_all_or(result.queue.succeeded.sum(), users)} a picture, half of them within "
        f"{_duration(np.median(waits))} and the last after {_duration(waits.max())}, and "
        f"{formatting.percent(result.queue.attained(objective.seconds))} within the objective of {objective.seconds:.0f} s."
    )
    return _panel(
        "beta", "The beta on both paths", sentence, "Lines of people with a picture over time, queue and API", ax
    )


def outcomes(result: Beta) -> pd.DataFrame:
    """Show how the API's requests ended: people, share, answers, and how long they had waited."""
    table = result.api.outcomes()
    names = {
        "outcome": "how it ended",
        "status": "HTTP",
        "people": "people",
        "share": "share",
        "answers": "answers in all",
    }
    shown = table[list(names)].rename(columns=names)
    shown["share"] = [formatting.percent(share) for share in table["share"]]
    shown["HTTP"] = ["" if pd.isna(status) else str(status) for status in table["status"]]
    shown["median wait"] = [_duration(wait) if np.isfinite(wait) else "" for wait in table["median_wait_s"]]
    return shown


def age(trace: JobTrace, rule: AlarmRule, *, arrivals_end_s: float) -> Panel:
    """Draw ApproximateAgeOfOldestMessage on the minute, with the alarm's threshold and when it is in ALARM."""
    minutes = minute_metrics(trace)
    ages = minutes["ApproximateAgeOfOldestMessage"].to_numpy()
    ax = _axes(ylabel="age of the oldest message, seconds", xlabel="minutes since the start")
    ends = np.arange(1, len(ages) + 1)
    ax.step(ends, ages, where="post", color=QUEUE_COLOUR, linewidth=1.8)
    ax.axhline(rule.threshold_s, color=plot_style.ALARM, linewidth=1.1, linestyle=plot_style.DASHED)
    _end_label(ax, f"alarm {rule.threshold_s:.0f} s", rule.threshold_s, plot_style.ALARM)
    ringing = rule.in_alarm(ages)
    ax.fill_between(
        ends, 0, 1, where=ringing, step="post", transform=ax.get_xaxis_transform(), color=plot_style.ALARM_GROUND
    )
    ax.set_xlim(1, len(ages))
    ax.set_ylim(0, max(ages.max(), rule.threshold_s) * 1.1)
    backlog = int(minutes["ApproximateNumberOfMessagesVisible"].max())
    drain = drain_time_s(trace, arrivals_end_s)
    alarm = (
        f"the alarm goes off in minute {ends[ringing][0]} and lasts for {formatting.count(int(ringing.sum()), 'minute')}"
        if ringing.any()
        else "the alarm stays silent"
    )
    sentence = (
        f"The oldest message gets {_duration(ages.max())} old and {alarm}; at most {formatting.count(backlog, 'job')} wait, and "
        f"the queue is drained {_duration(drain)} after the last one came."
    )
    return _panel("age", "Age of the oldest message", sentence, "Steps of the age by the minute, with the alarm", ax)


def concurrency(advice: ConcurrencyAdvice, objective: Objective) -> Panel:
    """Draw the share within the objective against the concurrency."""
    table = advice.table
    ax = _axes(ylabel=f"share within {objective.seconds:.0f} s", xlabel="maximum_concurrency")
    across = table["concurrency"]
    ax.plot(across, table["attained"], color=QUEUE_COLOUR, linewidth=1.8, marker="o", markersize=4)
    ax.plot(
        across, table["with_headroom"], color=plot_style.ORANGE, linewidth=1.5, linestyle=plot_style.DASHED, marker="s", markersize=3.5
    )  # fmt: skip
    ax.axhline(objective.share, color=plot_style.ALARM, linewidth=1.1, linestyle=plot_style.DOTTED)
    low = float(table["with_headroom"].min())
    for text, values, colour, side in (
        ("expected load", table["attained"], QUEUE_COLOUR, "right"),
        (f"{advice.headroom:g} times the load", table["with_headroom"], plot_style.ORANGE, "left"),
    ):
        place = int(np.argmin(np.abs(values - (low + 0.55))))
        ax.annotate(
            text, (across[place], values[place]), (8 if side == "left" else -8, -3), textcoords="offset points",
            color=colour, ha=side, fontsize=plot_style.SMALL_SIZE,
        )  # fmt: skip
    _end_label(ax, f"objective {formatting.percent(objective.share)}", objective.share, plot_style.ALARM, drop=-11)
    if math.isfinite(advice.quota_bound):
        ax.axvline(advice.quota_bound, color=plot_style.FRAME, linewidth=1.0, linestyle=plot_style.DASH_DOT)
        ax.annotate(
            "the quota's end", (advice.quota_bound, 0.03), (4, 0), textcoords="offset points", color=plot_style.SOFT,
            fontsize=plot_style.SMALL_SIZE, xycoords=ax.get_xaxis_transform(),
        )  # fmt: skip
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylim(0, 1.05)
    ax.set_xticks(across)
    if advice.chosen is None:
        sentence = "No concurrency up to the largest tried keeps the objective: raise the quota, or promise less."
    else:
        row = table[table["concurrency"] == advice.chosen].iloc[0]
        ax.plot(
            [advice.chosen], [row["with_headroom"]], marker="o", markersize=11, color=plot_style.INK, fillstyle="none"
        )
        sentence = (
            f"With {formatting.count(advice.chosen, 'worker')} {formatting.percent(row['attained'])} of the pictures of the busiest "
            f"hour come within {objective.seconds:.0f} s, and {formatting.percent(row['with_headroom'])} at {advice.headroom:g} "
            f"times the load; one worker fewer would not keep the objective then."
        )
    return _panel("concurrency", "Share within the objective", sentence, "Shares against the concurrency", ax)


def alarm_choice(advice: AlarmAdvice) -> Panel:
    """Draw false alarms a month against minutes to detect, one dot a rule, with the chosen one marked."""
    table = advice.table
    ax = _axes(
        ylabel="false alarms a month", xlabel="minutes until the alarm, mean of the incidents that the age shows"
    )
    single = np.array([rule.periods == 1 for rule in advice.rules])
    shown = np.isfinite(table["mean_minutes"].to_numpy())
    styles = (
        (single & shown, QUEUE_COLOUR, "o", "1 of 1 min"),
        (~single & shown, plot_style.ORANGE, "s", "2 or more datapoints"),
    )
    for chosen, colour, marker, label in styles:
        part = table[chosen]
        ax.plot(
            part["mean_minutes"], part["false_alarms"], linestyle="", marker=marker, markersize=5, color=colour, label=label
        )  # fmt: skip
    for place in np.flatnonzero(single & shown):
        ax.annotate(
            f"{advice.rules[place].threshold_s:.0f} s", (table["mean_minutes"][place], table["false_alarms"][place]), (5, 5),
            textcoords="offset points", color=plot_style.SOFT, fontsize=plot_style.SMALL_SIZE, zorder=5, bbox=_PAPER,
        )  # fmt: skip
    ax.axhline(advice.most_false_alarms, color=plot_style.ALARM, linewidth=1.1, linestyle=plot_style.DASHED)
    _end_label(ax, "at most", advice.most_false_alarms, plot_style.ALARM)
    row = advice.row
    ax.plot(
        [row["mean_minutes"]], [row["false_alarms"]], marker="o", markersize=12, color=plot_style.INK, fillstyle="none"
    )
    ax.legend(loc="upper right", frameon=False, fontsize=plot_style.SMALL_SIZE, labelcolor=plot_style.SOFT)
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    if advice.kept:
        hidden = formatting.join(advice.undetected)
        sentence = (
            f"An alarm at {advice.chosen} goes off {row['false_alarms']:.1f} times a month without need and shows an incident after "
            f"{row['mean_minutes']:.1f} minutes"
            + (f"; {hidden} misses the objective too, but the age does not show it." if hidden else ".")
        )
    else:
        sentence = (
            f"No rule has at most {formatting.number(advice.most_false_alarms)} false alarms a month and shows an incident: on "
            f"ordinary days {formatting.percent(advice.normal_attained)} of the pictures come within "
            f"{advice.objective.seconds:.0f} s, so that the system needs more workers before it needs an alarm."
        )
    return _panel("alarm", "Where the alarm sits", sentence, "Dots of false alarms against minutes to detect", ax)


def alarm_table(advice: AlarmAdvice) -> pd.DataFrame:
    """Show the rules of one datapoint and the chosen one: false alarms a month, and minutes until each incident is shown."""
    keep = [place for place, rule in enumerate(advice.rules) if rule.periods == 1 or rule == advice.chosen]
    table = advice.table.iloc[keep]
    shown = table[["rule"]].copy()
    shown["false alarms a month"] = [f"{value:.1f}" for value in table["false_alarms"]]
    for name in INCIDENTS:
        shown[name] = [f"{value:.0f} min" if np.isfinite(value) else "never" for value in table[name]]
    shown[""] = ["chosen" if rule == str(advice.chosen) else "" for rule in table["rule"]]
    return shown.reset_index(drop=True)


def cost(table: pd.DataFrame, minutes: float) -> Panel:
    """Draw what each path costs, against the users within the same minutes."""
    ax = _axes(ylabel="USD", xlabel=f"users within {formatting.number(minutes)} minutes")
    for name, colour, dashes, marker in (
        ("queue", QUEUE_COLOUR, plot_style.SOLID, "o"),
        ("api", API_COLOUR, plot_style.DASHED, "s"),
    ):
        values = table[f"{name}_usd"]
        ax.plot(table["users"], values, color=colour, linewidth=1.8, linestyle=dashes, marker=marker, markersize=4)
        _end_label(ax, {"queue": "queue", "api": "API"}[name], values.iloc[-1], colour)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.5g}"))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.minorticks_off()
    ax.set_xticks(table["users"])
    last = table.iloc[-1]
    sentence = (
        f"With {formatting.number(last['users'])} users the queue costs {formatting.usd(last['queue_usd'])} for "
        f"{formatting.number(last['queue_pictures'])} pictures, the API {formatting.usd(last['api_usd'])} for "
        f"{formatting.number(last['api_pictures'])}: the model's price decides, {formatting.usd(last['queue_usd_each'])} for each "
        f"picture that somebody gets, and the API is cheaper only by what it refuses."
    )
    return _panel("cost", "What the beta costs", sentence, "Lines of USD against users, queue and API", ax)


def breaking_points(points: pd.DataFrame, steps: pd.DataFrame) -> Panel:
    """Draw from how many users a day on each bound breaks."""
    within = points[points["users_a_day"] <= steps["users_a_day"].max() * 50]
    ax = _axes(xlabel="users a day", height_pt=48 + 20 * len(within), left_pt=NAMES_PT, right_pt=16.0)
    low, high = steps["users_a_day"].min() / 2, steps["users_a_day"].max() * 4
    for row, bound in enumerate(within.itertuples()):
        colour = {"queue": QUEUE_COLOUR, "API": API_COLOUR}.get(bound.path, plot_style.INK)
        ax.plot(
            [low, min(bound.users_a_day, high)], [row, row], color=plot_style.RULE, linewidth=5, solid_capstyle="butt"
        )
        if bound.users_a_day < high:
            ax.plot([bound.users_a_day], [row], marker="o", markersize=7, color=colour)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(len(within) - 0.4, -0.6)
    names = [row.bound if row.path == "both" else f"{row.bound} ({row.path})" for row in within.itertuples()]
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_xticks(steps["users_a_day"])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.minorticks_off()
    first = points.iloc[0]
    last = steps.iloc[-1]
    sentence = (
        f"First breaks {first['bound']}, from {_rounded(first['users_a_day'])} users a day on; "
        f"{formatting.number(last['users_a_day'])} a day need {formatting.number(last['workers'])} workers in the busiest hour and "
        f"cost {formatting.usd(last['usd_a_day'])} a day for the model alone."
    )
    return _panel("growth", "What breaks first", sentence, "Dots of the bounds on a scale of users a day", ax)


def growth_table(points: pd.DataFrame) -> pd.DataFrame:
    """Show each bound with what to change when it is reached, and its source."""
    shown = points[["bound", "path", "change", "source"]].copy()
    shown.insert(2, "from users a day", [_rounded(users) for users in points["users_a_day"]])
    return shown


def api_outcome_sentence(result: Beta) -> str:
    """Describe the API's refusals, most frequent first."""
    table = result.api.outcomes()
    failed = table[table["outcome"] != ApiOutcome.PICTURE.label].sort_values("people", ascending=False)
    parts = [
        f"{formatting.count(row.people, 'person', 'people')} {row.outcome}" for row in failed.itertuples() if row.people
    ]
    wasted = formatting.usd(result.api_cost.wasted)
    return f"Without a picture: {formatting.join(parts) if parts else 'nobody'}; {wasted} was paid for pictures that nobody got."


def what_if(table: pd.DataFrame | None) -> Styler | str:
    """Show a replayed window with other settings; a sentence where none was replayed."""
    if table is None:
        return "No window was replayed: set replay_hours to take arrivals and durations from CloudWatch."
    shown = table[["what"]].copy()
    shown["within the objective"] = [formatting.percent(share) for share in table["attained"]]
    for name in ("median", "p95"):
        shown[name] = [_duration(value) if np.isfinite(value) else "no picture" for value in table[f"{name}_s"]]
    shown["oldest message"] = [_duration(value) for value in table["age_s"]]
    shown["dead-letter queue"] = table["dead_letters"]
    return shown.style.hide()


def _axes(
    *,
    ylabel: str = "",
    xlabel: str = "",
    height_pt: float = HEIGHT_PT,
    left_pt: float = plot_style.LEFT_PT,
    right_pt: float = plot_style.RIGHT_PT,
    width_pt: float = plot_style.WIDTH_PT,
) -> Axes:
    with plot_style.sheet():
        figure = Figure(figsize=(width_pt / plot_style.POINTS_AN_INCH, height_pt / plot_style.POINTS_AN_INCH))
        FigureCanvasAgg(figure)
        ax = figure.add_axes((
            left_pt / width_pt, 36 / height_pt, 1 - (left_pt + right_pt) / width_pt, 1 - (36 + 12) / height_pt,
        ))  # fmt: skip
        ax.set_ylabel(ylabel)
        ax.set_xlabel(xlabel)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.5g}"))
    return ax


def _end_label(ax: Axes, text: str, height: float, colour: str, drop: float = 0.0) -> None:
    """Label a line at its right end."""
    ax.annotate(
        text, (1.0, height), (6, drop), xycoords=ax.get_yaxis_transform(), textcoords="offset points", va="center",
        color=colour, fontsize=plot_style.SMALL_SIZE, annotation_clip=False,
    )  # fmt: skip


def _panel(name: str, title: str, sentence: str, kind: str, ax: Axes) -> Panel:
    return Panel(name, title, sentence, f"{kind}. {sentence}", cast("Figure", ax.figure))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE_S else f"{formatting.number(round(seconds / MINUTE_S, 1))} min"


def _rounded(value: float) -> str:
    """Format a number with two significant digits."""
    return f"{float(f'{value:.2g}'):,.0f}"


def _all_or(got: int, users: int) -> str:
    return "everybody" if got == users else f"{formatting.number(got)} of them"
