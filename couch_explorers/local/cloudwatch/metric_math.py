"""Metric math: the expressions of GetMetricData and of alarms.

Syntax, functions and types (S a number, TS a time series, TS[] several):
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

Left out, and refused by name: SEARCH, ANOMALY_DETECTION_BAND, DB_PERF_INSIGHTS, INSIGHT_RULE_METRIC, LAMBDA and SERVICE_QUOTA,
which need services or models that the local cloud does not have.
"""

from __future__ import annotations

import math
import operator
import re
import statistics as python_statistics
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NOT_HERE = ("SEARCH", "ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA")


class ExpressionError(ValueError):
    """An expression that cannot be read or computed; the message says where or why."""


@dataclass(frozen=True)
class Series:
    """A time series: values by the start of their period (Unix time), in order of time."""

    values: dict[int, float]
    period_s: int
    label: str = ""

    def mapped(self, function: Callable[[float], float | None]) -> Series:
        """The same times with other values; a time for which there is none is left out."""
        return self._with((time_s, function(value)) for time_s, value in self.values.items())

    def timed(self, function: Callable[[int], float]) -> Series:
        """A value computed from the time of each of its points."""
        return self._with((time_s, function(time_s)) for time_s in self.values)

    def stepped(self, function: Callable[[float, int], float | None]) -> Series:
        """From the second point on, what `function` makes of the change of value and of time (seconds)."""
        points = list(self.values.items())
        return self._with(
            (time_s, function(value - before, time_s - before_s))
            for (before_s, before), (time_s, value) in pairwise(points)
        )

    def _with(self, points: Iterable[tuple[int, float | None]]) -> Series:
        kept = {time_s: value for time_s, value in points if value is not None and math.isfinite(value)}
        return replace(self, values=kept)


Value = float | Series | list[Series]


class Context(Protocol):
    """The context in which an expression is evaluated."""

    def value_of(self, query_id: str) -> Value:
        """The result of the query with this Id. ExpressionError if there is none."""

    def metrics(self) -> Sequence[tuple[str, Series]]:
        """The series of every query for a metric, with its Id."""

    def times(self, period_s: int) -> Sequence[int]:
        """The starts of all periods of this length in the stretch that is asked for."""

    def period_s(self) -> int:
        """The period of what has no series to take it from."""


def evaluate(expression: str, context: Context) -> Value:
    """Compute an expression.

    Raises:
        ExpressionError: it cannot be read, names a query or function that does not exist, or mixes types that do not go
            together.

    """
    return _Computation(context).value(parse(expression))


# --- Reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """One part of an expression: a number, text, the Id of a query, an array, a call, or an operator with its operands."""

    kind: str
    content: str | float = ""
    parts: tuple[Node, ...] = ()


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<sign><=|>=|==|!=|&&|\|\||[-+*/^<>(),\[\]]))"
)
# From the loosest to the tightest; each level's operators are worked off from the left.
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/"),
)


def parse(expression: str) -> Node:
    """Read an expression. ExpressionError names the place of what is not understood."""
    return _Parser(expression).whole()


@dataclass
class _Parser:
    expression: str
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    at: int = 0

    def whole(self) -> Node:
        self._split()
        node = self._binary(0)
        if self.at < len(self.tokens):
            raise self._unexpected()
        return node

    def _split(self) -> None:
        position, text = 0, self.expression.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match or not match.lastgroup:
                at = len(text) - len(text[position:].lstrip())
                raise ExpressionError(f"{text[at]!r} at position {at + 1} is not understood.")
            token = match[match.lastgroup]
            kind = "sign" if token in ("AND", "OR") else match.lastgroup
            self.tokens.append((kind, token, match.start(match.lastgroup)))
            position = match.end()

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while sign := self._taken(*_LEVELS[level]):
            node = Node("operator", {"&&": "AND", "||": "OR"}.get(sign, sign), (node, self._binary(level + 1)))
        return node

    def _unary(self) -> Node:
        if self._taken("-"):
            return Node("operator", "*", (Node("number", -1.0), self._unary()))
        node = self._primary()
        # Powers bind tighter than a sign, and from the right.
        return Node("operator", "^", (node, self._unary())) if self._taken("^") else node

    def _primary(self) -> Node:
        if self.at >= len(self.tokens):
            raise ExpressionError("The expression ends where a value is expected.")
        kind, token, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return Node("number", float(token))
        if kind == "text":
            self.at += 1
            return Node("text", token[1:-1])
        if kind == "name":
            self.at += 1
            return Node("call", token.upper(), self._list(")")) if self._taken("(") else Node("id", token)
        if self._taken("("):
            node = self._binary(0)
            self._expect(")")
            return node
        if self._taken("["):
            return Node("array", "", self._list("]"))
        raise self._unexpected()

    def _list(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._taken(end):
            if items:
                self._expect(",")
            items.append(self._binary(0))
        return tuple(items)

    def _taken(self, *signs: str) -> str:
        if self.at < len(self.tokens):
            kind, token, _ = self.tokens[self.at]
            if kind == "sign" and token in signs:
                self.at += 1
                return token
        return ""

    def _expect(self, sign: str) -> None:
        if not self._taken(sign):
            if self.at < len(self.tokens):
                raise self._unexpected()
            raise ExpressionError(f"The expression ends where {sign!r} is expected.")

    def _unexpected(self) -> ExpressionError:
        _, token, position = self.tokens[self.at]
        return ExpressionError(f"{token!r} at position {position + 1} is not expected there.")


# --- Computing -------------------------------------------------------------------------------------------------------


def _divided(one: float, other: float) -> float | None:
    return one / other if other else None


def _raised(one: float, other: float) -> float | None:
    try:
        result = one**other
    except (OverflowError, ZeroDivisionError):
        return None
    return None if isinstance(result, complex) else result


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float | None]:
    return lambda value: function(value) if value > 0 else None


_OPERATORS: dict[str, Callable[[float, float], float | None]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "^": _raised,
    "<": lambda one, other: float(one < other),
    "<=": lambda one, other: float(one <= other),
    ">": lambda one, other: float(one > other),
    ">=": lambda one, other: float(one >= other),
    "==": lambda one, other: float(one == other),
    "!=": lambda one, other: float(one != other),
    "AND": lambda one, other: float(bool(one) and bool(other)),
    "OR": lambda one, other: float(bool(one) or bool(other)),
}

# Of each value by itself.
_EACH: dict[str, Callable[[float], float | None]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": _logarithm(math.log),
    "LOG10": _logarithm(math.log10),
}

# Of many values: of a series one number, of an array one series.
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": python_statistics.fmean,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
    "MAX": max,
    "MIN": min,
    "STDDEV": python_statistics.pstdev,
    "SUM": math.fsum,
}

# Of the time of each point, in UTC.
_TIMES: dict[str, Callable[[datetime], float]] = {
    "MINUTE": lambda time: time.minute,
    "HOUR": lambda time: time.hour,
    "DAY": lambda time: time.isoweekday(),
    "DATE": lambda time: time.day,
    "MONTH": lambda time: time.month,
    "YEAR": lambda time: time.year,
    "EPOCH": lambda time: time.timestamp(),
}

_STEPS: dict[str, Callable[[float, int], float | None]] = {
    "DIFF": lambda change, _seconds: change,
    "DIFF_TIME": lambda _change, seconds: float(seconds),
    "RATE": lambda change, seconds: change / seconds,
}


@dataclass
class _Computation:
    context: Context

    def value(self, node: Node) -> Value:
        match node.kind:
            case "number":
                return float(node.content)
            case "id":
                return self.context.value_of(str(node.content))
            case "array":
                return list(self._flattened(node.parts))
            case "operator":
                one, other = (self.value(part) for part in node.parts)
                return _combined(_OPERATORS[str(node.content)], one, other, str(node.content))
            case "call":
                return self._call(str(node.content), node.parts)
            case _:
                raise ExpressionError(f"The text {node.content!r} is no value.")

    def _flattened(self, nodes: Iterable[Node]) -> Iterator[Series]:
        for node in nodes:
            value = self.value(node)
            if isinstance(value, list):
                yield from value
            else:
                yield value if isinstance(value, Series) else self._constant(value)

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Value:
        if name in NOT_HERE:
            raise ExpressionError(f"{name} is not supported by the local cloud.")
        special = getattr(self, f"_{name.lower()}", None) if name in _SPECIAL else None
        if special:
            fewest, most = _SPECIAL[name]
            if not fewest <= len(arguments) <= most:
                taken = f"{fewest} to {most}" if fewest < most else f"{most}"
                raise ExpressionError(f"{name} takes {taken} arguments, {len(arguments)} given.")
            value: Value = special(*arguments)
            return value
        if not any(name in table for table in (_AGGREGATES, _EACH, _TIMES, _STEPS)):
            raise ExpressionError(f"The function {name} is not known.")
        if len(arguments) != 1:
            raise ExpressionError(f"{name} takes 1 argument, {len(arguments)} given.")
        value = self.value(arguments[0])
        if aggregate := _AGGREGATES.get(name):
            return _aggregated(aggregate, value, name)
        if isinstance(value, float):
            if name not in _EACH:
                raise ExpressionError(f"{name} takes a time series, not a number.")
            return _number(_EACH[name](value), name)
        return _over(value, lambda series: _transformed(series, name))

    def _constant(self, value: float, period_s: int | None = None) -> Series:
        period_s = period_s or self.context.period_s()
        return Series(dict.fromkeys(self.context.times(period_s), value), period_s)

    def _series(self, node: Node, name: str) -> list[Series]:
        value = self.value(node)
        if isinstance(value, float):
            raise ExpressionError(f"{name} takes an array of time series, not a number.")
        return value if isinstance(value, list) else [value]

    def _scalar(self, node: Node, name: str) -> float:
        value = self.value(node)
        if not isinstance(value, float):
            raise ExpressionError(f"{name} takes a number there, not a time series.")
        return value

    # Functions with arguments of their own: FILL is `_fill`, and so on.

    def _fill(self, filled: Node, by: Node) -> Value:
        value = self.value(filled)
        if isinstance(value, float):
            raise ExpressionError("FILL takes a time series, not a number.")
        if by.kind == "id" and by.content in ("REPEAT", "LINEAR"):
            return _over(value, lambda series: self._between(series, linear=by.content == "LINEAR"))
        filling = self.value(by)
        if isinstance(filling, list):
            raise ExpressionError("FILL takes a number, a time series, REPEAT or LINEAR, not an array.")

        def fill(series: Series) -> Series:
            times = self.context.times(series.period_s)
            other = dict.fromkeys(times, filling) if isinstance(filling, float) else filling.values
            return replace(
                series,
                values={
                    time_s: series.values.get(time_s, other.get(time_s, math.nan))
                    for time_s in times
                    if time_s in series.values or time_s in other
                },
            )

        return _over(value, fill)

    def _between(self, series: Series, *, linear: bool) -> Series:
        """Fill what is missing after the first point: with the last value, or on a line to the next one."""
        known = sorted(series.values)
        values: dict[int, float] = {}
        following = 0
        for time_s in self.context.times(series.period_s):
            while following < len(known) and known[following] <= time_s:
                following += 1
            if not following:
                continue
            before_s = known[following - 1]
            value = series.values[before_s]
            if linear and before_s != time_s and following < len(known):
                after_s = known[following]
                value += (series.values[after_s] - value) * (time_s - before_s) / (after_s - before_s)
            values[time_s] = value
        return replace(series, values=values)

    def _if(self, condition: Node, then: Node, otherwise: Node | None = None) -> Value:
        chosen = self.value(condition)
        yes = self.value(then)
        no = self.value(otherwise) if otherwise else None
        if isinstance(chosen, list) or isinstance(yes, list) or isinstance(no, list):
            raise ExpressionError("IF takes numbers and time series, not arrays.")
        if isinstance(chosen, float):
            picked = yes if chosen else no
            return Series({}, self.context.period_s()) if picked is None else picked
        values: dict[int, float] = {}
        for time_s, holds in chosen.values.items():
            source = yes if holds else no
            value = source.values.get(time_s) if isinstance(source, Series) else source
            if value is not None:
                values[time_s] = value
        return replace(chosen, values=values, label="")

    def _metrics(self, name: Node | None = None) -> Value:
        if name and name.kind != "text":
            raise ExpressionError('METRICS takes a part of the Ids in quotes: METRICS("errors").')
        part = str(name.content) if name else ""
        return [series for query_id, series in self.context.metrics() if part in query_id]

    def _metric_count(self, array: Node) -> Value:
        return float(len(self._series(array, "METRIC_COUNT")))

    def _first(self, array: Node) -> Value:
        return _nth(self._series(array, "FIRST"), 0)

    def _last(self, array: Node) -> Value:
        return _nth(self._series(array, "LAST"), -1)

    def _period(self, series: Node) -> Value:
        return float(_nth(self._series(series, "PERIOD"), 0).period_s)

    def _remove_empty(self, array: Node) -> Value:
        return [series for series in self._series(array, "REMOVE_EMPTY") if series.values]

    def _running_sum(self, series: Node) -> Value:
        return _over(self.value(series), _running_sum)

    def _slice(self, array: Node, start: Node, end: Node | None = None) -> Value:
        series = self._series(array, "SLICE")
        first = int(self._scalar(start, "SLICE"))
        return series[first : int(self._scalar(end, "SLICE"))] if end else _nth(series, first)

    def _sort(self, array: Node, by: Node, order: Node, most: Node | None = None) -> Value:
        if by.content not in ("AVG", "MIN", "MAX", "SUM") or order.content not in ("ASC", "DESC"):
            raise ExpressionError("SORT takes an array, AVG, MIN, MAX or SUM, and ASC or DESC.")
        aggregate = _AGGREGATES[str(by.content)]
        series = [each for each in self._series(array, "SORT") if each.values]
        series.sort(key=lambda each: aggregate(list(each.values.values())), reverse=order.content == "DESC")
        return series[: int(self._scalar(most, "SORT"))] if most else series

    def _time_series(self, number: Node) -> Value:
        return self._constant(self._scalar(number, "TIME_SERIES"))


# Functions that are methods of the computation: the fewest and the most arguments.
_SPECIAL = {
    "FILL": (2, 2),
    "FIRST": (1, 1),
    "IF": (2, 3),
    "LAST": (1, 1),
    "METRICS": (0, 1),
    "METRIC_COUNT": (1, 1),
    "PERIOD": (1, 1),
    "REMOVE_EMPTY": (1, 1),
    "RUNNING_SUM": (1, 1),
    "SLICE": (2, 3),
    "SORT": (3, 4),
    "TIME_SERIES": (1, 1),
}


def _combined(function: Callable[[float, float], float | None], one: Value, other: Value, sign: str) -> Value:
    """Combine numbers, series at the times that both have, or an array's series with one number or series."""
    if isinstance(one, float) and isinstance(other, float):
        return _number(function(one, other), sign)
    if isinstance(one, list) and isinstance(other, list):
        raise ExpressionError(f"{sign} does not take two arrays.")
    if isinstance(one, list):
        return [_one_series(function, each, other) for each in one]
    if isinstance(other, list):
        return [_one_series(function, one, each) for each in other]
    return _one_series(function, one, other)


def _one_series(function: Callable[[float, float], float | None], one: Value, other: Value) -> Series:
    if isinstance(one, Series) and isinstance(other, Series):
        common = Series(
            {time_s: 0.0 for time_s in one.values if time_s in other.values}, max(one.period_s, other.period_s)
        )
        points = ((time_s, function(one.values[time_s], other.values[time_s])) for time_s in common.values)
        return common._with(points)  # noqa: SLF001 - a method of the same class
    if isinstance(one, Series) and isinstance(other, float):
        return one.mapped(lambda value: function(value, other))
    if isinstance(other, Series) and isinstance(one, float):
        return other.mapped(lambda value: function(one, value))
    raise ExpressionError("An array of arrays is no value.")


def _aggregated(aggregate: Callable[[Sequence[float]], float], value: Value, name: str) -> Value:
    if isinstance(value, float):
        raise ExpressionError(f"{name} takes a time series or an array, not a number.")
    if isinstance(value, Series):
        # Nothing was measured: there is no number either, and no value is drawn.
        return (
            aggregate(list(value.values.values())) if value.values else 0.0 if name == "DATAPOINT_COUNT" else math.nan
        )
    at: dict[int, list[float]] = {}
    for series in value:
        for time_s, each in series.values.items():
            at.setdefault(time_s, []).append(each)
    period_s = max((series.period_s for series in value), default=1)
    return Series({time_s: aggregate(at[time_s]) for time_s in sorted(at)}, period_s)


def _transformed(series: Series, name: str) -> Series:
    if each := _EACH.get(name):
        return series.mapped(each)
    if step := _STEPS.get(name):
        return series.stepped(step)
    of_time = _TIMES[name]
    return series.timed(lambda time_s: float(of_time(datetime.fromtimestamp(time_s, UTC))))


def _over(value: Value, function: Callable[[Series], Series]) -> Value:
    """Apply to a series, or to each of an array; an array of one stays an array only if it was one."""
    if isinstance(value, list):
        return [function(series) for series in value]
    if isinstance(value, Series):
        return function(value)
    raise ExpressionError("A time series is expected, not a number.")


def _running_sum(series: Series) -> Series:
    total = 0.0
    values: dict[int, float] = {}
    for time_s, value in series.values.items():
        total += value
        values[time_s] = total
    return replace(series, values=values)


def _nth(series: Sequence[Series], number: int) -> Series:
    try:
        return series[number]
    except IndexError:
        raise ExpressionError(f"The array has {len(series)} time series, so none at {number}.") from None


def _number(value: float | None, name: str) -> float:
    if value is None:
        raise ExpressionError(f"{name} has no result for these numbers.")
    return value
