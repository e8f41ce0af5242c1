"""One module a figure: `draw(frame, ax)` draws it, `read(frame)` says in one sentence what it shows."""

from couch_explorers.metrics.plots.charts import age, backlog, duration, failures, flow, latency

__all__ = ["age", "backlog", "duration", "failures", "flow", "latency"]
