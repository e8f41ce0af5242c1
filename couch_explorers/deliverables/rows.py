"""The rows of the list, task by task, in one language: what was found, or why there is nothing yet."""

from __future__ import annotations

import posixpath
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.deliverables import commands
from couch_explorers.deliverables.facts import Alarm, Missing, Run
from couch_explorers.deliverables.words import anchor
from couch_explorers.oncall.wording import plain

if TYPE_CHECKING:
    from couch_explorers.deliverables.facts import Facts
    from couch_explorers.deliverables.words import Words

POSTMAN_COLLECTION = "docs/couch-explorers.postman_collection.json"
ALARMS_FILE = "infra/alarms.tf"
VARIABLES_FILE = "infra/variables.tf"

# The rows of each task, in the exam's order.
ORDER = {
    1: ("endpoint", "postman", "lambda_run"),
    2: ("terraform_run", "plan_run", "queue"),
    3: ("tags", "image"),
    4: ("alarm", "alarm_code"),
    5: ("essay",),
}


@dataclass(frozen=True)
class Row:
    """One deliverable: `text` is Markdown, `value` the same for a program; of an empty row `empty` says why."""

    name: str
    label: str
    text: str
    value: Any
    command: str | None = None
    empty: str | None = None


@dataclass(frozen=True)
class Task:
    """One of the exam's tasks, its place on the page, and its deliverables."""

    number: int
    heading: str
    rows: tuple[Row, ...]


def tasks(facts: Facts, words: Words) -> list[Task]:
    """Make all rows of the list in one language."""
    made = {row.name: row for row in _rows(facts, words)}
    return [Task(number, words.tasks[number], tuple(made[name] for name in names)) for number, names in ORDER.items()]


def _rows(facts: Facts, words: Words) -> list[Row]:
    return [
        _address("endpoint", facts.api_url, words, _curl(facts)),
        _row("postman", words, words.postman.format(path=_relative(POSTMAN_COLLECTION, words)), POSTMAN_COLLECTION),
        _run("lambda_run", facts.lambda_run, words),
        _run("terraform_run", facts.terraform_run, words),
        _run("plan_run", facts.plan_run, words),
        _address("queue", facts.queue_url, words, _send_message(facts)),
        _heading("tags", words.tags, words),
        _image(facts, words),
        _alarm(facts.alarm, words),
        _row("alarm_code", words, _alarm_code(words), ALARMS_FILE),
        _heading("essay", words.tasks[5], words),
    ]


def _row(name: str, words: Words, text: str, value: Any, command: str | None = None) -> Row:
    return Row(name, words.labels[name], text, value, command)


def _empty(name: str, missing: Missing, words: Words) -> Row:
    details = {key: plain(detail) for key, detail in missing.details.items()}
    why = words.reasons[missing.reason].format(**details)
    return Row(name, words.labels[name], f"{words.empty} {why}", None, empty=why)


def _address(name: str, url: str | Missing, words: Words, command: str | None) -> Row:
    return _empty(name, url, words) if isinstance(url, Missing) else _row(name, words, f"<{url}>", url, command)


def _run(name: str, run: Run | Missing, words: Words) -> Row:
    if isinstance(run, Missing):
        return _empty(name, run, words)
    # A branch's name may hold a backtick, which would end the code that it stands in.
    branch = plain(run.branch).replace("`", "'")
    text = words.run.format(number=run.number, url=run.url, branch=branch, day=run.day)
    return _row(name, words, text, {**asdict(run), "day": str(run.day)})


def _image(facts: Facts, words: Words) -> Row:
    if isinstance(facts.image, Missing):
        return _empty("image", facts.image, words)
    queue_url = None if isinstance(facts.queue_url, Missing) else facts.queue_url
    text = f"[{facts.image}](https://hub.docker.com/r/{facts.image})"
    return _row("image", words, text, facts.image, commands.docker_run(facts.image, queue_url))


def _alarm(alarm: Alarm | Missing, words: Words) -> Row:
    if isinstance(alarm, Missing):
        return _empty("alarm", alarm, words)
    heard = words.tells_nobody
    if alarm.topic is not None:
        heard = words.tells.format(**asdict(alarm)) + (words.pending if alarm.pending else "")
    shown = {"operator": words.operators.get(alarm.operator, alarm.operator), "threshold": f"{alarm.threshold:g}"}
    return _row("alarm", words, words.alarm.format(**asdict(alarm) | shown, heard=heard), asdict(alarm))


def _alarm_code(words: Words) -> str:
    return words.alarm_code.format(alarms=_relative(ALARMS_FILE, words), variables=_relative(VARIABLES_FILE, words))


def _heading(name: str, heading: str, words: Words) -> Row:
    """A row whose deliverable stands on the page itself; its task's number is told already."""
    title = heading.rpartition(": ")[2]
    return _row(name, words, f"[{title}]({anchor(heading)})", words.page + anchor(heading))


def _relative(path: str, words: Words) -> str:
    """A file's path as seen from the page."""
    return posixpath.relpath(path, posixpath.dirname(words.page) or ".")


def _curl(facts: Facts) -> str | None:
    return None if isinstance(facts.api_url, Missing) else commands.curl(facts.api_url)


def _send_message(facts: Facts) -> str | None:
    if isinstance(facts.queue_url, Missing) or facts.region is None:
        return None
    return commands.send_message(facts.queue_url, facts.region, facts.endpoint)
