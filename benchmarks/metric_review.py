"""Measure `couch run metric_review` on a week of history, and what `metrics.fetch` asks CloudWatch for."""

import json
import math
import os
import time

from own_cloud import OwnCloud, own_cloud
from results import Results, parser

from couch_explorers import metrics, workspace
from couch_explorers.metrics.model import Context
from couch_explorers.metrics.time_windows import POINTS_PER_CALL, objective_windows

HOURS = {"day": 24, "week": 168}


def fewest_calls(facts: Context) -> int:
    """In how many calls CloudWatch could answer if every series had a point for each of its periods.

    The error budget and its burn rates each take one more: windows of their own, with few series and long periods.
    """
    points = [
        sum(window.length.total_seconds() / series.period_s for series in facts.series) for window in facts.windows
    ]
    own = objective_windows(facts.windows[0].end, facts.fetched)
    return sum(math.ceil(each / POINTS_PER_CALL) for each in points) + len(own)


def time_notebook(results: Results, cloud: OwnCloud) -> None:
    """Run the notebook and add its seconds, its slowest cell and the size of its page."""
    whole, slowest = [], []
    reports = cloud.home / "reports"
    for _ in range(results.runs):
        begin = time.perf_counter()
        cloud.couch("run", "metric_review", "--out", str(reports))
        whole.append(time.perf_counter() - begin)
        cells = json.loads((reports / "metric_review.json").read_text())["timings"]["cells"]
        slowest.append(max(cell["seconds"] for cell in cells))
    results.add("notebook.whole", "couch run metric_review", whole, "s", budget=12)
    results.add("notebook.slowest_cell", "its slowest cell", slowest, "s")
    results.add("notebook.page_size", "its page", (reports / "metric_review.html").stat().st_size / 1e6, "MB")


def time_fetch(results: Results, deployed: workspace.Workspace, span: str) -> None:
    """Fetch a span and the one before it, and add the seconds, and what was asked for and given."""
    took = []
    for _ in range(results.runs):
        begin = time.perf_counter()
        frame = metrics.fetch_hours(deployed, HOURS[span])
        took.append(time.perf_counter() - begin)
    facts = metrics.facts_of(frame)
    key, title = f"fetch_{span}", f"metrics.fetch of a {span}"
    results.add(f"{key}.seconds", title, took, "s")
    results.add(f"{key}.calls", f"{title}: calls", facts.calls, "calls", budget=fewest_calls(facts))
    results.add(f"{key}.windows", f"{title}: windows", len(facts.windows), "windows")
    results.add(f"{key}.series", f"{title}: series", len(facts.series), "series")
    results.add(f"{key}.period", f"{title}: time between points", facts.period_s, "s")
    results.add(f"{key}.points", f"{title}: points", len(frame), "points")
    results.add(f"{key}.cost", f"{title}: price", facts.cost_usd, "USD")


def main() -> None:
    """Report the seconds of the notebook and of the fetches, and the calls of each fetch."""
    options = parser(__doc__, runs=3).parse_args()
    results = Results("metric_review", options.runs)
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("seed-metrics")
        time_notebook(results, cloud)
        os.environ["COUCH_HOME"] = str(cloud.home)
        deployed = workspace.connect("local")
        for span in HOURS:
            time_fetch(results, deployed, span)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
