"""Measure `couch run metric_review` on a week of history, and what `metrics.fetch` asks CloudWatch for."""

import argparse
import json
import os
import time

from own_cloud import heading, line, own_cloud

from couch_explorers import metrics, workspace

LONGEST_S = "12 s"


def main() -> None:
    """Print the seconds of the notebook and of the fetches, and each fetch's calls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with own_cloud() as cloud:
        cloud.up()
        cloud.couch("history")
        whole = []
        for _ in range(runs):
            begin = time.perf_counter()
            cloud.couch("run", "metric_review", "--out", str(cloud.home / "reports"))
            whole.append(time.perf_counter() - begin)
        report = json.loads((cloud.home / "reports" / "metric_review.json").read_text())
        page = (cloud.home / "reports" / "metric_review.html").stat().st_size
        os.environ["COUCH_HOME"] = str(cloud.home)
        deployed = workspace.connect("local")
        print(heading(runs))
        print(line("couch run metric_review", whole, "s", LONGEST_S))
        for hours in (24, 168):
            took, frame = [], None
            for _ in range(runs):
                begin = time.perf_counter()
                frame = metrics.fetch_hours(deployed, hours)
                took.append(time.perf_counter() - begin)
            facts = metrics.facts_of(frame)
            asked = f"{len(facts.series)} series, {facts.period_s} s, {len(frame):,} points"
            per_window = " + ".join(str(window.name) for window in facts.windows)
            print(line(f"metrics.fetch, {hours} h", took, "s", "none"))
            print(
                f"  {asked}; {facts.calls} calls for {len(facts.windows)} windows ({per_window}), ${facts.cost_usd:.4f}"
            )
        slowest = sorted(report["timings"]["cells"], key=lambda cell: -cell["seconds"])[:4]
        print(
            f"page {page / 1e6:.2f} MB; slowest cells: "
            + ", ".join(f"{c['heading']} {c['seconds']:.1f} s" for c in slowest)
        )


if __name__ == "__main__":
    main()
