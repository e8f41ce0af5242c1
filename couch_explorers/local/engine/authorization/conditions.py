"""Conditions of IAM policies: operators, set operators, `IfExists`, `Null` and policy variables.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

Values = tuple[str, ...]
ContextValue = str | Iterable[str] | None

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# The variables for characters that would otherwise have a special meaning.
_ESCAPED_CHARACTERS = {"*": "*", "?": "?", "$": "$"}


class ConditionContext:
    """The condition keys of one request, with case-insensitive names.

    `families` has functions for many keys with a common prefix, such as "aws:ResourceTag/": each takes the rest of the key's name,
    and is called only when a policy refers to such a key.
    """

    def __init__(
        self,
        keys: Mapping[str, ContextValue] | None = None,
        families: Mapping[str, Callable[[str], ContextValue]] | None = None,
    ) -> None:
        self._keys = {name.lower(): value for name, value in (keys or {}).items()}
        self._families = {name.lower(): find for name, find in (families or {}).items()}

    def derived(
        self, keys: Mapping[str, ContextValue], families: Mapping[str, Callable[[str], ContextValue]] | None = None
    ) -> ConditionContext:
        """Return a copy with more keys; a value of None means that the request does not have the key."""
        copy = ConditionContext(keys, families)
        copy._keys = {**self._keys, **copy._keys}
        copy._families = {**self._families, **copy._families}
        return copy

    def get(self, name: str) -> Values | None:
        """Return all values of a key, or None where the request does not have it."""
        name = name.lower()
        value = self._keys.get(name)
        if value is None and name not in self._keys:
            family, slash, rest = name.partition("/")
            find = self._families.get(family + slash)
            value = find(rest) if find and slash else None
        if value is None:
            return None
        return (value,) if isinstance(value, str) else tuple(value)


class UndefinedVariableError(LookupError):
    """A policy variable without default that the request has no value for."""


@lru_cache(maxsize=8192)
def _wildcard_pattern(pattern: str) -> re.Pattern[str]:
    translated = "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in pattern)
    return re.compile(translated, re.DOTALL)


def matches_wildcard(pattern: str, value: str) -> bool:
    """Whether a value matches a pattern with `*` for any characters and `?` for one."""
    return pattern == "*" or _wildcard_pattern(pattern).fullmatch(value) is not None


def matches_template(template: str, value: str, context: ConditionContext | None) -> bool:
    """Whether a value matches a pattern with policy variables; one with an undefined variable matches nothing."""
    if context is None or "${" not in template:
        return matches_wildcard(template, value)
    translated: list[str] = []
    position = 0
    try:
        for found in _VARIABLE.finditer(template):
            translated.append(_wildcard_pattern(template[position : found.start()]).pattern)
            translated.append(re.escape(_variable(found[1], context)))
            position = found.end()
    except UndefinedVariableError:
        return False
    translated.append(_wildcard_pattern(template[position:]).pattern)
    return re.fullmatch("".join(translated), value, re.DOTALL) is not None


def substitute(template: str, context: ConditionContext | None) -> str:
    """Replace the policy variables in a text.

    Raises:
        UndefinedVariableError: The request has no value for a variable without default.

    """
    if context is None or "${" not in template:
        return template
    return _VARIABLE.sub(lambda found: _variable(found[1], context), template)


def _variable(expression: str, context: ConditionContext) -> str:
    if expression in _ESCAPED_CHARACTERS:
        return _ESCAPED_CHARACTERS[expression]
    name, comma, default = expression.partition(",")
    values = context.get(name.strip())
    # Keys with several values cannot be used as variables.
    if values is not None and len(values) == 1:
        return values[0]
    if comma:
        return default.strip().strip("'")
    raise UndefinedVariableError(name)


def condition_holds(
    operator: str, key: str, expected: Values, context: ConditionContext, *, variables: bool = True
) -> bool:
    """Whether a condition holds: any of the expected values matches or, for a negated operator, none does.

    Args:
        operator: Such as "StringLike", "ForAnyValue:StringEquals", "NumericLessThanIfExists" or "Null". An unknown one never holds.
        key: The condition key, such as "s3:prefix".
        expected: The values that the policy lists.
        context: The request's condition keys.
        variables: Whether policy variables are replaced, which is not so in policies of version 2008-10-17.

    """
    found = context.get(key)
    if operator.lower() == "null":
        return (found is None) == (expected[:1] == ("true",))
    quantifier, colon, name = operator.partition(":")
    if not colon:
        quantifier, name = "", operator
    name = name.lower()
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    compare = _OPERATORS.get(name)
    if compare is None:
        return False
    negated = "not" in name
    quantifier = quantifier.lower()
    if found is None or (quantifier and not found):
        return optional or (negated and quantifier != "foranyvalue") or quantifier == "forallvalues"
    scope = context if variables else None

    def fits(value: str) -> bool:
        return any(_compared(compare, value, pattern, scope) for pattern in expected) != negated

    if quantifier == "forallvalues" or (negated and quantifier != "foranyvalue"):
        return all(fits(value) for value in found)
    return any(fits(value) for value in found)


Comparison = Callable[[str, str, ConditionContext | None], bool]


def _compared(compare: Comparison, value: str, pattern: str, scope: ConditionContext | None) -> bool:
    try:
        return compare(value, pattern, scope)
    except (ValueError, TypeError, binascii.Error, UndefinedVariableError):
        return False


def _equal(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return value == substitute(pattern, scope)


def _equal_ignoring_case(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return value.lower() == substitute(pattern, scope).lower()


def _like(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return matches_template(pattern, value, scope)


def matches_arn(pattern: str, value: str, scope: ConditionContext | None = None) -> bool:
    """Whether an ARN matches a pattern, each of its six parts separately."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    if "${" in pattern:  # a variable may hold colons
        return matches_template(pattern, value, scope)
    return len(patterns) == len(parts) and all(
        matches_wildcard(expected, part) for expected, part in zip(patterns, parts, strict=True)
    )


def _arn_like(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return pattern == "*" or matches_arn(pattern, value, scope)


def _same_bool(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return value.lower() == substitute(pattern, scope).lower()


def _same_bytes(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return base64.b64decode(value, validate=True) == base64.b64decode(substitute(pattern, scope), validate=True)


def _in_network(value: str, pattern: str, scope: ConditionContext | None) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(substitute(pattern, scope), strict=False)


def _numbers(holds: Callable[[float, float], bool]) -> Comparison:
    return lambda value, pattern, scope: holds(float(value), float(substitute(pattern, scope)))


def _dates(holds: Callable[[datetime, datetime], bool]) -> Comparison:
    return lambda value, pattern, scope: holds(_moment(value), _moment(substitute(pattern, scope)))


def _moment(text: str) -> datetime:
    """Parse a time in ISO 8601 or in seconds since 1970."""
    if re.fullmatch(r"\d+(\.\d+)?", text) and len(text) > len("2026"):
        return datetime.fromtimestamp(float(text), UTC)
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# By the operator's name in lower case, without `IfExists`; a negated operator has the comparison that must not hold.
_OPERATORS: dict[str, Comparison] = {
    "stringequals": _equal,
    "stringnotequals": _equal,
    "stringequalsignorecase": _equal_ignoring_case,
    "stringnotequalsignorecase": _equal_ignoring_case,
    "stringlike": _like,
    "stringnotlike": _like,
    "arnequals": _arn_like,
    "arnlike": _arn_like,
    "arnnotequals": _arn_like,
    "arnnotlike": _arn_like,
    "bool": _same_bool,
    "binaryequals": _same_bytes,
    "ipaddress": _in_network,
    "notipaddress": _in_network,
    "numericequals": _numbers(lambda value, limit: value == limit),
    "numericnotequals": _numbers(lambda value, limit: value == limit),
    "numericlessthan": _numbers(lambda value, limit: value < limit),
    "numericlessthanequals": _numbers(lambda value, limit: value <= limit),
    "numericgreaterthan": _numbers(lambda value, limit: value > limit),
    "numericgreaterthanequals": _numbers(lambda value, limit: value >= limit),
    "dateequals": _dates(lambda value, limit: value == limit),
    "datenotequals": _dates(lambda value, limit: value == limit),
    "datelessthan": _dates(lambda value, limit: value < limit),
    "datelessthanequals": _dates(lambda value, limit: value <= limit),
    "dategreaterthan": _dates(lambda value, limit: value > limit),
    "dategreaterthanequals": _dates(lambda value, limit: value >= limit),
}
