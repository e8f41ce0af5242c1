"""The review as files: every point as CSV, the verdicts and what they rest on as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from couch_explorers.files import reason, write_json, write_whole
from couch_explorers.metrics import facts as known
from couch_explorers.metrics import frames, money, pricing
from couch_explorers.metrics.review_rows import COLUMNS
from couch_explorers.reports import beside

if TYPE_CHECKING:
    import pandas as pd

    from couch_explorers.metrics.facts import Facts

POINTS_FILE, VERDICTS_FILE = "metric_review.csv", "metric_review_verdicts.json"
HEAD = f"time,{','.join(frames.LABELS)},value,synthetic\n"


class Saved(list[Path]):
    """The files that were written; a notebook shows links to them and what asking CloudWatch cost."""

    def __init__(self, files: list[Path], cost: str, trouble: str = "") -> None:
        """`trouble` says why there are no files."""
        super().__init__(files)
        self.cost, self.trouble = cost, trouble

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        if self.trouble:
            return {
                "text/html": f"<p>{escape(self.trouble)} {escape(self.cost)}</p>",
                "text/plain": f"{self.trouble}\n{self.cost}",
            }
        # The report lies in the same folder: a bare name works wherever that goes.
        links = ", ".join(f'<a href="{quote(file.name)}">{escape(file.name)}</a>' for file in self)
        where = f"{beside.shown(self[0].parent)}: {', '.join(file.name for file in self)}"
        return {"text/html": f"<p>{links}. {escape(self.cost)}</p>", "text/plain": f"{where}\n{self.cost}"}


def save(frame: pd.DataFrame, verdicts: pd.DataFrame, folder: Path | str | None = None) -> Saved:
    """Write the points (ISO times, UTC; `synthetic` is 1 for what the local history wrote) and the verdicts.

    Without a folder they go beside the report that `couch run` makes, else into `metric_review` of the local home; where
    that cannot be written, the result says so. Raises OSError for a given folder that cannot be written.
    """
    into = Path(folder or beside.folder("metric_review"))
    facts = known.of(frame)
    cost = pricing.request_sentence(facts)
    try:
        points = write_whole(into / POINTS_FILE, _csv(frame, facts))
        return Saved([points, write_json(into / VERDICTS_FILE, _plain(_verdicts(frame, verdicts, facts)))], cost)
    except OSError as error:
        if folder is not None:
            raise
        return Saved([], cost, f"The files could not be written into {into}: {reason(error)}.")


def _csv(frame: pd.DataFrame, facts: Facts) -> str:
    """Write the points by hand: pandas formats each of some hundred thousand times anew, though few differ."""
    moments = {
        moment: (_iso(moment.to_pydatetime()), int(_is_synthetic(moment, facts))) for moment in frame.index.unique()
    }
    times = [moments[moment] for moment in frame.index]
    labels = list(zip(*(frame[name].tolist() for name in frames.LABELS), strict=True))
    written = {label: ",".join(map(_quoted, label)) for label in set(labels)}
    rows = zip(times, labels, frame["value"].tolist(), strict=True)
    return HEAD + "".join(f"{time},{written[label]},{value!r},{mark}\n" for (time, mark), label, value in rows)


def _quoted(text: str) -> str:
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(character in text for character in ',"\r\n') else text


def _is_synthetic(moment: pd.Timestamp, facts: Facts) -> bool:
    return any(begin <= moment < end for begin, end in facts.synthetic)


def _verdicts(frame: pd.DataFrame, verdicts: pd.DataFrame, facts: Facts) -> dict[str, Any]:
    window = facts.window()
    spent = money.of(frame)
    return {
        "target": facts.target,
        "candidate": facts.candidate,
        "fetched": facts.fetched,
        "timezone": facts.timezone,
        "compare": facts.compare,
        "windows": {each.name: {"start": each.start, "end": each.end} for each in facts.windows},
        "period_s": facts.period_s,
        "percentile_period_s": facts.percentile_period_s,
        "synthetic": any(begin < window.end and end > window.start for begin, end in facts.synthetic),
        "synthetic_stretches": facts.synthetic,
        "verdicts": [{name: row[name] for name in COLUMNS} for row in verdicts.to_dict("records")],
        "cost_usd": asdict(spent) | {"total": spent.total},
        "alarms": [asdict(alarm) for alarm in facts.alarms],
        "functions": [asdict(function) for function in facts.functions],
        "logs": [asdict(log) for log in facts.logs],
        "deploys": [asdict(deploy) for deploy in facts.deploys],
        "states": {" ".join(key): str(state) for (name, key), state in facts.states.items() if name == window.name},
        "unanswered": facts.unanswered,
        "notes": facts.notes,
        "request": {"calls": facts.calls, "metrics": facts.metrics_requested, "cost_usd": facts.cost_usd},
    }


def _plain(value: Any) -> Any:
    """Make JSON of it: times as ISO in UTC, NaN and inf as null, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
