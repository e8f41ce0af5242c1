"""A job's story on a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couch_explorers.oncall.wording import plain, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couch_explorers.oncall.job_story import Story

LABEL = 10


def lines(story: Story) -> list[str]:
    """Write how the job stands, what it asked for, each moment under its day, and what to do."""
    written = wrapped(plain(story.standing.sentence))
    if story.standing.detail:
        written += wrapped(plain(story.standing.detail), "  ")
    if story.asked != story.job_id:
        written += wrapped(f"{story.asked} is the id of a message, request or invocation of this job.", "  ")
    facts = list(_facts(story))
    written += ["", *facts] if facts else []
    written += _moments(story)
    for label, sentences in (("next", story.standing.advice), ("note", story.notes)):
        for sentence in sentences:
            written += ["", *wrapped(plain(sentence, limit=1000), f"{label:<{LABEL}}")]
    return [*written, "", *wrapped("; ".join(story.searched), f"{'searched':<{LABEL}}")]


def _facts(story: Story) -> Iterator[str]:
    """What was asked for and what came of it, one label a line."""
    picture, request = story.picture, story.request
    model = picture.model if picture else str(request.get("model") or "")
    seed = picture.seed if picture else str(request.get("seed") or "")
    facts = {
        "prompt": plain(str(request.get("prompt") or "")),
        "without": plain(str(request.get("negative_prompt") or "")),
        "model": ", ".join(filter(None, [model, f"seed {seed}" if seed else "", str(request.get("size") or "")])),
    }
    if picture is not None:
        facts["picture"] = picture.uri
        size = f"{picture.width} x {picture.height} pixels, " if picture.width else ""
        facts[""] = f"{size}{picture.bytes:,} bytes"
    for label, text in facts.items():
        if text:
            yield from wrapped(text, f"{label:<{LABEL}}")


def _moments(story: Story) -> list[str]:
    written: list[str] = []
    day = ""
    for moment in story.moments:
        if moment.time is not None and f"{moment.time:%A} {moment.time.day} {moment.time:%B %Y}" != day:
            day = f"{moment.time:%A} {moment.time.day} {moment.time:%B %Y}"
            written += ["", f"{day}, UTC"]
        time = "" if moment.time is None else f"{moment.time:%H:%M:%S}"
        written += wrapped(moment.text, f"{time:<{LABEL}}{moment.place:<14}")
    return written
