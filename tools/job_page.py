"""Check what is put on a GitHub job's page and in its artifacts: no secrets, and limited in size. GitHub masks only its log.

Standard library only: it also runs where the project's environment could not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# GitHub takes 1 MiB a step and drops all of it beyond that, without a word (docs.github.com, "Workflow commands").
LIMIT_BYTES = 900 * 1024


def annotation(sentence: str, environment: Mapping[str, str]) -> str:
    """Print such a sentence: on GitHub as an error of the step, elsewhere unchanged."""
    return f"::error title=A secret in a report::{sentence}" if environment.get("GITHUB_ACTIONS") else sentence


def caution(sentence: str) -> str:
    """Write such a sentence for the page, as a box that nobody overlooks."""
    return f"\n> [!CAUTION]\n> {sentence}\n"
