"""Where a notebook's own files go: beside the report that `couch run` makes of it."""

from __future__ import annotations

import os
from pathlib import Path

from couch_explorers import paths
from couch_explorers.paths import Home

# `couch run` tells its kernel the folder of the report by this variable.
OUT_VARIABLE = "COUCH_OUT"


def folder(otherwise: str) -> Path:
    """Give the report's folder; where no report is made, as in JupyterLab, a folder of this name in the local home."""
    out = os.environ.get(OUT_VARIABLE)
    return Path(out) if out else Home.current().path / otherwise


def shown(path: Path) -> str:
    """Name a notebook's folder as whoever reads the report sees it: from the report's own folder, else from the project's."""
    out = os.environ.get(OUT_VARIABLE)
    return os.path.relpath(path, out) if out else paths.display(path)
