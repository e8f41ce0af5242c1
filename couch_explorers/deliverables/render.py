"""The list of deliverables in each language: as Markdown for people, as plain values for programs, and into the pages.

The words of a language are a Jinja2 template (`templates/en.md.j2`, `templates/nb.md.j2`); which rows there are, and what
fills each, is the same in every language and stands here.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from couch_explorers.deliverables.model import Alarm, DeliverablesError, Missing, Run
from couch_explorers.files import write_whole
from couch_explorers.text_layout import one_line, wrap_terminal

if TYPE_CHECKING:
    from couch_explorers.deliverables.model import Facts

LANGUAGES = ("en", "nb")
TEMPLATES = Path(__file__).with_name("templates")
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

# The exam's own words to its client.
PROMPT = "me on top of a pyramid"
NEXT_LINE = " \\\n  "
# Takes the place of a non-breaking space.
UNBREAKABLE = "\u2420"
BEGIN, END = "<!-- deliverables -->", "<!-- /deliverables -->"
ENDPOINT = "endpoint"


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


@dataclass(frozen=True)
class Translations:
    """The texts of one language, from its template.

    `page` is the file in the project that has the list in this language; `tasks`, `tags` and `deliverables` are headings on
    that page, which the list links to; `labels` has one entry a row.
    """

    language: str
    template: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def say(self, macro: str, *values: Any, **named: Any) -> str:
        """Fill in a macro of the template: a text of one line."""
        return " ".join(getattr(self.template, macro)(*values, **named).split())


@lru_cache
def in_language(language: str) -> Translations:
    """Load the texts of a language of LANGUAGES.

    Raises:
        jinja2.TemplateNotFound: there are none.

    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - it makes Markdown; text from elsewhere is made plain by `one_line`
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return Translations(language, environment.get_template(f"{language}.md.j2").module)


# --- rows ----------------------------------------------------------------------------------------------------------------


def tasks(facts: Facts, words: Translations) -> list[Task]:
    """Return all rows of the list in one language."""
    made = {row.name: row for row in _rows(facts, words)}
    return [Task(number, words.tasks[number], tuple(made[name] for name in names)) for number, names in ORDER.items()]


def _rows(facts: Facts, words: Translations) -> list[Row]:
    return [
        _address("endpoint", facts.api_url, words, _curl(facts)),
        _row("postman", words, words.say("postman", _relative(POSTMAN_COLLECTION, words)), POSTMAN_COLLECTION),
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


def _row(name: str, words: Translations, text: str, value: Any, command: str | None = None) -> Row:
    return Row(name, words.labels[name], text, value, command)


def _empty(name: str, missing: Missing, words: Translations) -> Row:
    details = {key: one_line(detail) for key, detail in missing.details.items()}
    why = words.say("reason", missing.reason, details)
    return Row(name, words.labels[name], words.say("empty", why), None, empty=why)


def _address(name: str, url: str | Missing, words: Translations, command: str | None) -> Row:
    return _empty(name, url, words) if isinstance(url, Missing) else _row(name, words, f"<{url}>", url, command)


def _run(name: str, run: Run | Missing, words: Translations) -> Row:
    if isinstance(run, Missing):
        return _empty(name, run, words)
    # A branch's name may hold a backtick, which would end the code that it stands in.
    branch = one_line(run.branch).replace("`", "'")
    text = words.say("run", run, branch)
    return _row(name, words, text, {**asdict(run), "day": str(run.day)})


def _image(facts: Facts, words: Translations) -> Row:
    if isinstance(facts.image, Missing):
        return _empty("image", facts.image, words)
    queue_url = None if isinstance(facts.queue_url, Missing) else facts.queue_url
    text = f"[{facts.image}](https://hub.docker.com/r/{facts.image})"
    return _row("image", words, text, facts.image, docker_run(facts.image, queue_url))


def _alarm(alarm: Alarm | Missing, words: Translations) -> Row:
    if isinstance(alarm, Missing):
        return _empty("alarm", alarm, words)
    return _row("alarm", words, words.say("alarm", alarm), asdict(alarm))


def _alarm_code(words: Translations) -> str:
    return words.say("alarm_code", _relative(ALARMS_FILE, words), _relative(VARIABLES_FILE, words))


def _heading(name: str, heading: str, words: Translations) -> Row:
    """Return a row whose deliverable is on the page itself; its task's number is above it."""
    title = heading.rpartition(": ")[2]
    return _row(name, words, f"[{title}]({anchor(heading)})", words.page + anchor(heading))


def _relative(path: str, words: Translations) -> str:
    """Return a file's path relative to the page."""
    return posixpath.relpath(path, posixpath.dirname(words.page) or ".")


def _curl(facts: Facts) -> str | None:
    return None if isinstance(facts.api_url, Missing) else curl(facts.api_url)


def _send_message(facts: Facts) -> str | None:
    if isinstance(facts.queue_url, Missing) or facts.region is None:
        return None
    return send_message(facts.queue_url, facts.region, facts.endpoint)


# --- commands to paste into a shell --------------------------------------------------------------------------------------


def curl(api_url: str) -> str:
    """Return the command that requests a picture from the API: the body is the bare prompt."""
    words = ("-H 'Content-Type: text/plain'", f"-d {shlex.quote(PROMPT)}", shlex.quote(api_url))
    return NEXT_LINE.join(("curl -X POST", *words))


def send_message(queue_url: str, region: str, endpoint: str | None) -> str:
    """Return the command that sends a prompt to the queue with the AWS CLI."""
    words = [f"--queue-url {shlex.quote(queue_url)}", f"--message-body {shlex.quote(PROMPT)}"]
    if endpoint:
        words.append(f"--endpoint-url {shlex.quote(endpoint)}")
    return NEXT_LINE.join((f"aws sqs send-message --region {region}", *words))


def docker_run(image: str, queue_url: str | None) -> str:
    """Return the command that sends a prompt to the queue with the image, in the exam's form."""
    url = shlex.quote(queue_url) if queue_url else "<SQS_QUEUE_URL>"
    keys = "docker run -e AWS_ACCESS_KEY_ID=xxx -e AWS_SECRET_ACCESS_KEY=yyy"
    return NEXT_LINE.join((keys, f"-e SQS_QUEUE_URL={url}", f'{image} "{PROMPT}"'))


# --- the list ------------------------------------------------------------------------------------------------------------


def markdown(facts: Facts, words: Translations) -> str:
    """Render the list: a sentence on its source, then the tasks, each with its deliverables."""
    lines = [*_lines(words.say("introduction", facts)), ""]
    for task in tasks(facts, words):
        lines += _lines(f"[{task.heading}]({anchor(task.heading)})", "- ")
        for row in task.rows:
            lines += _row_lines(row)
    return "\n".join(lines) + "\n"


def as_json(facts: Facts, words: Translations) -> dict[str, Any]:
    """Return the list as plain values; `empty` says why a row is empty."""
    return {
        "target": facts.target,
        "candidate": facts.candidate,
        "region": facts.region,
        "language": words.language,
        "tasks": [
            {"task": task.number, "heading": task.heading, "deliverables": [_json(row) for row in task.rows]}
            for task in tasks(facts, words)
        ],
    }


def _json(row: Row) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "text"}


def _row_lines(row: Row) -> list[str]:
    lines = _lines(f"{row.label}: {row.text}", "  - ")
    if row.command:
        # Right under the text: an empty line would set the whole list apart.
        lines += [f"    {line}" for line in ("```sh", *row.command.splitlines(), "```")]
    return lines


def _lines(text: str, first: str = "") -> list[str]:
    """Wrap a Markdown text, keeping code and links in one piece, so that they can be copied."""
    kept = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", lambda match: match[0].replace(" ", UNBREAKABLE), text)
    return [line.replace(UNBREAKABLE, " ") for line in wrap_terminal(kept, first)]


def anchor(heading: str) -> str:
    """The fragment by which GitHub links to a heading: lower case, a hyphen for each space, no other punctuation."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return "#" + kept.replace(" ", "-")


# --- the pages -----------------------------------------------------------------------------------------------------------


def write(facts: Facts, folder: Path) -> tuple[list[str], list[str]]:
    """Write the list into the pages of a project's folder and the endpoint into its Postman collection.

    Returns the files that changed and those that stayed as they were. A page in another language than English may be
    missing. Raises DeliverablesError, before anything is written, where a file cannot take it.
    """
    made = {
        words.page: between_marks(_read(folder, words.page), markdown(facts, words), words.page)
        for words in map(in_language, LANGUAGES)
        if words.language == "en" or (folder / words.page).exists()
    }
    address = "" if isinstance(facts.api_url, Missing) else facts.api_url
    made[POSTMAN_COLLECTION] = with_endpoint(_read(folder, POSTMAN_COLLECTION), address)

    changed = [name for name, text in made.items() if text != _read(folder, name)]
    for name in changed:
        write_whole(folder / name, made[name])
    return changed, [name for name in made if name not in changed]


def between_marks(page: str, content: str, name: str) -> str:
    """Replace the content between the markers of a page; raises DeliverablesError if the markers are invalid."""
    lines = page.split("\n")
    begin, end = _marks(lines, name)
    return "\n".join([*lines[: begin + 1], *content.splitlines(), *lines[end:]])


def read_between(page: str, name: str) -> str:
    """Return the content between the markers of a page; raises DeliverablesError if the markers are invalid."""
    lines = page.split("\n")
    begin, end = _marks(lines, name)
    return "".join(f"{line}\n" for line in lines[begin + 1 : end])


def with_endpoint(collection: str, address: str) -> str:
    """Set the variable `endpoint` of a Postman collection; everything else stays as it is."""
    try:
        value = json.loads(collection)
        [variable] = [variable for variable in value["variable"] if variable["key"] == ENDPOINT]
    except (ValueError, KeyError, TypeError) as error:
        raise DeliverablesError(
            f"{POSTMAN_COLLECTION} is no Postman collection with one variable {ENDPOINT!r}: take it from git again, "
            f"with `git checkout {POSTMAN_COLLECTION}`."
        ) from error
    variable["value"] = address
    return as_text(value)


def as_text(collection: dict[str, Any]) -> str:
    """Write a Postman collection as it stands in git: in its own order, indented by two."""
    return json.dumps(collection, indent=2, ensure_ascii=False) + "\n"


def _marks(lines: list[str], name: str) -> tuple[int, int]:
    """Return the positions of the markers. Only as separate lines: a sentence may mention them."""
    for mark in (BEGIN, END):
        if (count := lines.count(mark)) != 1:
            raise DeliverablesError(
                f"{name} has {count or 'no'} line{'s' if count > 1 else ''} `{mark}`: put `{BEGIN}` and `{END}` where the list "
                "belongs, each once, on a line of its own."
            )
    begin, end = lines.index(BEGIN), lines.index(END)
    if begin > end:
        raise DeliverablesError(f"{name} has `{END}` before `{BEGIN}`: turn them round.")
    return begin, end


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeliverablesError(f"{name} could not be read ({error}): take it from git again.") from error
