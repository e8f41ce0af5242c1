"""Formats numbers, amounts, durations and times; one implementation for tables, captions and terminals."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DASH = "\u2013"
ELLIPSIS = "\u2026"

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
# From this size on, a number needs no decimals, or one.
NO_DECIMALS_FROM, ONE_DECIMAL_FROM = 100, 10
# Up to this multiple of a limit a share in per cent is easier to read than "1.4 times".
TIMES_FROM = 2.0


# --- numbers -------------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """Format a number with as many digits as a reader needs: "1,204", "21.3", "0.42"."""
    size = abs(value)
    if size >= NO_DECIMALS_FROM or value == round(value):
        return f"{value:,.0f}"
    if size >= ONE_DECIMAL_FROM:
        return f"{value:.1f}".removesuffix(".0")
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if float(text) else f"{value:.1g}"


def count(value: float, one: str, many: str = "") -> str:
    """Format a number of things: "no job", "1 job", "1,204 jobs".

    Args:
        value: how many.
        one: the thing's name in the singular.
        many: its plural, where that is not the singular with an s.

    """
    if value == 0:
        return f"no {one}"
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Format a share (0 to 1) in per cent, with decimals only below one per cent: "3 %", "0.4 %"."""
    return f"{number(100 * share if 100 * share < 1 else round(100 * share))} %"


def ratio(value: float, limit: float, name: str) -> str:
    """Compare a value with a limit above 0: "12 % of the alarm's 300 s", "7.4 times the alarm's 300 s".

    Args:
        value: in the unit of the limit.
        limit: 0 or NaN for none.
        name: what the limit is called in the sentence.

    Returns:
        Empty where there is no limit.

    """
    if not limit or math.isnan(limit):
        return ""
    share = value / limit
    return f"{percent(share)} of {name}" if share < TIMES_FROM else f"{number(round(share, 1))} times {name}"


def usd(amount: float, *, symbol: str = "$", exact: bool = False, cents_from: float = 0.01) -> str:
    """Format an amount of US dollars: "$16.48", "$0.0040".

    Args:
        amount: in USD.
        symbol: what stands before the amount; empty where the unit stands elsewhere.
        exact: keep up to four decimals of an amount that is no whole number of cents ("$0.0801"), as prices of a single
            picture are.
        cents_from: from this amount on two decimals are enough; below it, two significant digits are written.

    """
    if exact:
        whole, decimals = f"{amount:,.4f}".split(".")
        return f"{symbol}{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"
    if amount >= cents_from or amount <= 0:
        return f"{symbol}{amount:,.2f}"
    return f"{symbol}{amount:.{1 - math.floor(math.log10(amount))}f}"


def gigabytes(size: float, decimals: int = 0) -> str:
    """Format a number of bytes in GB of 10⁹ bytes: "12 GB", "0.4 GB" with one decimal."""
    return f"{size / 1e9:.{decimals}f} GB"


# --- durations -----------------------------------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """Format a duration in seconds, however long: "0.42 s", "1,204 s"."""
    return f"{number(value)} s"


def duration(length_s: float) -> str:
    """Format a duration in its two largest units: "4 s", "3 min 20 s", "2 days 4 h"; "under a second" below one half."""
    left = max(0, round(length_s))
    if left == 0:
        return "under a second"
    parts: list[str] = []
    for name, size in (("day", DAY_S), ("h", HOUR_S), ("min", MINUTE_S), ("s", 1)):
        many, left = divmod(left, size)
        if many:
            parts.append(f"{many} {name}{'s' if name == 'day' and many > 1 else ''}")
        elif parts:
            break
    return " ".join(parts[:2])


def rough_duration(length_s: float) -> str:
    """Format an estimate, rounded up: "90 s", "3 min", "2 h 5 min"."""
    whole = math.ceil(length_s)
    if whole < 2 * MINUTE_S:
        return f"{whole} s"
    if whole < 2 * HOUR_S:
        return f"{math.ceil(whole / MINUTE_S)} min"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def period(length_s: float) -> str:
    """Name how often something is measured: "each minute", "each 10 minutes", "each hour"."""
    for unit, size in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if length_s >= size and length_s % size == 0:
            many = round(length_s / size)
            return f"each {unit}" if many == 1 else f"each {many} {unit}s"
    return f"each {number(length_s)} seconds"


def per_period(length_s: float) -> str:
    """Name the period behind a number of things: "a minute", "an hour", "in 10 minutes"."""
    text = period(length_s).removeprefix("each ")
    return f"in {text}" if text[0].isdigit() else f"{'an' if text == 'hour' else 'a'} {text}"


# --- times ---------------------------------------------------------------------------------------------------------------


def from_milliseconds(milliseconds: float) -> datetime:
    """Convert milliseconds since 1970, as SQS and CloudWatch Logs return them, to a time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def clock(local: datetime) -> str:
    """Format the time of day: "03:42"; with the zone's abbreviation in the hour that a clock change repeats."""
    repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%H:%M %Z}" if repeated else f"{local:%H:%M}"


def date(local: datetime) -> str:
    """Format a date: "Tue 24 Nov"."""
    return f"{local:%a} {local.day} {local:%b}"


def utc_time(time: datetime) -> str:
    """Format a date and time in UTC, to the second: "25 Nov 09:12:04"."""
    time = time.astimezone(UTC)
    return f"{time.day} {time:%b %H:%M:%S}"


def iso_time(time: datetime | None) -> str | None:
    """Format a time for programs: "2026-11-25T09:12:04.120Z"; None for None."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- sentences -----------------------------------------------------------------------------------------------------------


def join(parts: Iterable[str]) -> str:
    """List parts in a sentence: "a, b and c"; empty parts are left out."""
    listed = [part for part in parts if part]
    if len(listed) <= 1:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def sentence(*clauses: str) -> str:
    """Join clauses into one sentence with semicolons, a capital and a full stop; empty for none."""
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def sentences(*clauses: str) -> str:
    """Turn each clause into a sentence with a capital and a full stop; empty clauses are left out."""
    return " ".join(f"{clause[:1].upper()}{clause[1:].rstrip('. ')}." for clause in clauses if clause)
