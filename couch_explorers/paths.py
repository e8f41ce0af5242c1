"""Paths as they are shown to people: inside of the project without the folders of whoever made them."""

from __future__ import annotations

import re
from pathlib import Path

from couch_explorers.local.settings import PROJECT_ROOT


def shown(path: Path | str) -> str:
    """Write a path as it is seen from the project's folder; one that lies elsewhere stays whole."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(PROJECT_ROOT)) if absolute.is_relative_to(PROJECT_ROOT) else str(path)


def found(path: Path | str) -> Path:
    """Take a path that `shown` wrote: as seen from here, else from the project's folder."""
    here = Path(path)
    there = PROJECT_ROOT / here
    return there if not here.exists() and there.exists() else here


def without_own_folders(text: str) -> str:
    """Take the project's folder out of a text that others will read, and shorten the user's own to a tilde."""
    text = text.replace(f"{PROJECT_ROOT.as_uri()}/", "").replace(f"{PROJECT_ROOT}/", "")
    home = Path.home()
    if home == Path(home.anchor):
        return text
    # Not in the middle of a longer path or address.
    return re.sub(rf"(?<![\w./~-]){re.escape(str(home))}/", "~/", text)
