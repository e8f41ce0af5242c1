"""The figures of the report, from live data or saved runs: what `notebooks/exam_report.ipynb` shows.

from couch_explorers import figures

report = figures.begin(workspace)
report.architecture()
"""

from couch_explorers.figures.report import Report, begin

__all__ = ["Report", "begin"]
