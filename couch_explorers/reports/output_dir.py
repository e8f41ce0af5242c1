"""The folder for a notebook's own files: that of the report that `couch run` makes, else one in the local home."""

from __future__ import annotations

import os
from pathlib import Path

from couch_explorers import paths
from couch_explorers.paths import Home

# `couch run` passes the report's folder to its kernel in this variable.
OUT_VARIABLE = "COUCH_OUT"


def folder(otherwise: str) -> Path:
    """Find the report's folder; where no report is made, as in JupyterLab, a folder of this name in the local home."""
    out = os.environ.get(OUT_VARIABLE)
    return Path(out) if out else Home.current().path / otherwise


def shown(path: Path) -> str:
    """Write a path for the report's reader: relative to the report's folder, else to the project's."""
    out = os.environ.get(OUT_VARIABLE)
    return os.path.relpath(path, out) if out else paths.display(path)
