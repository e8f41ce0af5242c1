"""The report of a redrive or of its dry run, for a terminal of 80 columns and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from couch_explorers.formatting import utc_time
from couch_explorers.oncall.dead_letters import couch_command
from couch_explorers.text_layout import ONE_LINE_LIMIT, one_line, wrap_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from couch_explorers.oncall.redrive_eligibility import Decision
    from couch_explorers.workspace import Workspace


# The most ids listed for jobs that failed in the same way; JSON has all.
IDS_SHOWN = 20


class Result(StrEnum):
    """The result of a job."""

    SENT = "sent back"
    DROPPED = "done already"
    REFUSED = "refused"
    FAILED = "not sent"


# The labels of a dry run.
PLANNED = {
    Result.SENT: "would be sent back",
    Result.DROPPED: "done already",
    Result.REFUSED: "would be refused",
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of one job; `trouble` says what SQS or S3 failed to do, empty if nothing."""

    decision: Decision
    result: Result
    trouble: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the job, its newest message and its outcome as JSON values."""
        message = self.decision.message.to_json()
        result = {"result": self.result.value, "why": self.decision.why, "trouble": self.trouble}
        return message | result | {"forced": self.decision.forced, "letters": len(self.decision.messages)}


@dataclass(frozen=True)
class Report:
    """The report of one redrive.

    `hidden` counts messages that another reader had hidden (SQS's estimate); `hidden_note` says which of those read here could
    not be made visible again; `named` are the requested ids, empty for all.
    """

    workspace: Workspace
    queue: str
    outcomes: tuple[Outcome, ...]
    named: tuple[str, ...] = ()
    hidden: int = 0
    hidden_note: str = ""
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        """1 if a job could not be sent, or a named one was refused; else 0."""
        bad = {Result.FAILED, Result.REFUSED} if self.named else {Result.FAILED}
        return int(any(outcome.result in bad for outcome in self.outcomes))

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values, one entry per job, oldest first."""
        return {
            "queue": self.queue,
            "dry_run": self.dry_run,
            "hidden": self.hidden,
            "hidden_note": self.hidden_note,
            "jobs": [outcome.to_json() for outcome in self.outcomes],
        }

    def lines(self) -> list[str]:
        """Format the report for a terminal, grouping jobs that failed in the same way."""
        lines = []
        if self.hidden:
            lines += wrap_terminal(
                f"About {self.hidden} more cannot be seen just now: somebody else is reading them, "
                "or was stopped while reading. They come back within two minutes.",
            )
        lines += wrap_terminal(self.hidden_note) if self.hidden_note else []
        if not self.outcomes:
            return [f"No dead-letter messages in {self.queue}.", *lines]
        lines += [f"{_count(self._message_count(), 'dead-letter message')} in {self.queue} (times in UTC)", ""]
        for group in _group_alike(self.outcomes):
            lines += [*self._group(group), ""]
        return [*lines, *self._summary()]

    def _message_count(self) -> int:
        return sum(len(outcome.decision.messages) for outcome in self.outcomes)

    def _label(self, result: Result) -> str:
        return PLANNED.get(result, result.value) if self.dry_run else result.value

    def _group(self, group: list[Outcome]) -> list[str]:
        first = group[0]
        message = first.decision.message
        reason = message.reason or ("moved by SQS" if message.moved_by_sqs else "no reason given")
        forced = " by force" if first.decision.forced else ""
        lines = wrap_terminal(f"{self._label(first.result)}{forced}: {_count(len(group), 'job')}, {one_line(reason)}")
        if message.detail:
            lines += wrap_terminal(one_line(message.detail), "  ")
        # URIs differ between jobs: only a single job shows its own.
        why = (
            first.decision.why if len(group) == 1 or first.result is not Result.DROPPED else "Their pictures are there."
        )
        lines += wrap_terminal(one_line(why), "  → ")
        if first.trouble:
            lines += wrap_terminal(one_line(first.trouble), "  ! ")
        for outcome in group[:IDS_SHOWN]:
            shown = outcome.decision.message
            twice = f" ({len(outcome.decision.messages)} letters)" if len(outcome.decision.messages) > 1 else ""
            lines.append(f"    {utc_time(shown.since):>15}  {shown.job_id}{twice}")
        if len(group) > IDS_SHOWN:
            lines.append(f"    {len(group) - IDS_SHOWN} more: --json lists all")
        return lines

    def _summary(self) -> list[str]:
        counted = [(result, sum(outcome.result is result for outcome in self.outcomes)) for result in Result]
        summary = ", ".join(f"{count} {self._label(result)}" for result, count in counted if count)
        lines = wrap_terminal(f"{summary}." + (" Nothing was changed." if self.dry_run else ""))
        counts = dict(counted)
        if counts[Result.REFUSED]:
            lines += wrap_terminal("The refused stay where they are; --force with an ID sends it nevertheless.")
        if counts[Result.SENT]:
            one = next(outcome for outcome in self.outcomes if outcome.result is Result.SENT).decision.job_id
            words = "redrive" if self.dry_run else f"job {one}"
            lines += wrap_terminal(
                f"{'Send them' if self.dry_run else 'Follow one'}: {couch_command(self.workspace, words)}"
            )
        return lines


def _group_alike(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """Group jobs with the same failure and outcome: an outage leaves hundreds of them."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        decision = outcome.decision
        why = "" if outcome.result is Result.DROPPED else decision.why
        key = (
            outcome.result,
            str(decision.forced),
            decision.message.reason,
            decision.message.detail[:ONE_LINE_LIMIT],
            why,
        )
        groups.setdefault((*key, outcome.trouble), []).append(outcome)
    return list(groups.values())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
