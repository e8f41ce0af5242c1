"""USD as people read them."""

from __future__ import annotations


def dollars(usd: float) -> str:
    """Write an amount with two decimals, or up to four where it is no whole number of cents: $0.48, $0.008."""
    text = f"{usd:,.4f}"
    whole, decimals = text.split(".")
    return f"${whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"
