"""The rule expression of a composite alarm: whether it holds, by the states of other alarms.

Syntax: AlarmRule in https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    States = Mapping[str, str]
    Condition = Callable[[States], bool]

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
# "The maximum number of alarms in a rule": AlarmRule on the page above.
MOST_ALARMS = 100
LONGEST = 10_240

_TOKEN = re.compile(r'\s*(?:(?P<sign>[(),])|"(?P<quoted>[^"]*)"|(?P<word>[^\s(),"]+))')


class RuleError(ValueError):
    """A rule expression that cannot be read; the message says why."""


@dataclass(frozen=True)
class CompositeRule:
    """A rule that has been read: the alarms that it names (name or ARN), and whether it holds by their states."""

    alarms: tuple[str, ...]
    holds: Condition
    """Takes the state of each of `alarms`; KeyError for one that is missing."""


def parse(expression: str) -> CompositeRule:
    """Read a rule expression.

    Raises:
        RuleError: it is too long, names too many alarms, or is not understood.

    """
    if len(expression) > LONGEST:
        raise RuleError(f"The rule has {len(expression)} characters: at most {LONGEST} are taken.")
    reader = _Reader(expression)
    condition = reader.disjunction()
    reader.end()
    alarms = tuple(dict.fromkeys(reader.alarms))
    if len(alarms) > MOST_ALARMS:
        raise RuleError(f"The rule names {len(alarms)} alarms: at most {MOST_ALARMS} are taken.")
    return CompositeRule(alarms, condition)


class _Reader:
    """Reads OR, AND, NOT and what they join, the loosest first."""

    def __init__(self, expression: str) -> None:
        self.alarms: list[str] = []
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position, text = 0, expression.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match or not match.lastgroup:
                raise RuleError(f"{text[position:].strip()[:1]} at position {position + 1} is not understood.")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def disjunction(self) -> Condition:
        parts = [self._conjunction()]
        while self._taken("OR"):
            parts.append(self._conjunction())
        return lambda states: any(part(states) for part in parts)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise RuleError(f"{self._tokens[self._at][1]!r} is not expected there.")

    def _conjunction(self) -> Condition:
        parts = [self._negation()]
        while self._taken("AND"):
            parts.append(self._negation())
        return lambda states: all(part(states) for part in parts)

    def _negation(self) -> Condition:
        if self._taken("NOT"):
            negated = self._negation()
            return lambda states: not negated(states)
        return self._term()

    def _term(self) -> Condition:
        if self._taken("("):
            inner = self.disjunction()
            self._expect(")")
            return inner
        for constant in ("TRUE", "FALSE"):
            if self._taken(constant):
                value = constant == "TRUE"
                return lambda _states: value
        for state in STATES:
            if self._taken(state):
                return self._in_state(state)
        raise RuleError(f"{self._next()!r} is not expected there: a rule joins {', '.join(STATES)}, TRUE and FALSE.")

    def _in_state(self, state: str) -> Condition:
        self._expect("(")
        kind, alarm = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind not in ("quoted", "word"):
            raise RuleError(f"{state} takes the name or ARN of an alarm in parentheses.")
        self._at += 1
        self._expect(")")
        self.alarms.append(alarm)
        return lambda states: states[alarm] == state

    def _taken(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][0] != "quoted" and self._next() == word:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._taken(sign):
            raise RuleError(f"{sign!r} is expected, not {self._next()!r}.")

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
