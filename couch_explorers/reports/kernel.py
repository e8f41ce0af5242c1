"""The kernel that `couch run` starts: this interpreter, whatever kernelspecs the user has installed."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from couch_explorers.checks import RUN_VARIABLE
from couch_explorers.reports.output_dir import OUT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

# What notebooks name in their metadata; papermill takes the language of the parameters from it.
KERNEL_NAME, LANGUAGE = "python3", "python"

# The debugger would complain about frozen modules on stderr, and nobody debugs here.
ARGUMENTS = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


class OwnKernelManager(AsyncKernelManager):
    """Starts a kernel of the running interpreter: a user's own kernelspec named python3 may be any Python."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one kernel there is."""
        return KernelSpec(argv=ARGUMENTS, display_name="Python 3", language=LANGUAGE)


@contextmanager
def started(folder: Path, out: Path) -> Iterator[Any]:
    """Start a kernel that works in `folder`, as JupyterLab's would, and whose report goes to `out`; gone at the end.

    The kernel boots in the background: importing papermill meanwhile costs no wall time.
    """
    # Sockets in a folder of this user's own: a port that is free now may be taken by another kernel before this one has it.
    with tempfile.TemporaryDirectory(prefix="couch-", ignore_cleanup_errors=True) as sockets:
        manager = OwnKernelManager(kernel_name=KERNEL_NAME, transport="ipc", ip=str(Path(sockets, "kernel")))
        run_sync(manager.start_kernel)(
            cwd=str(folder), env=os.environ | {RUN_VARIABLE: "1", OUT_VARIABLE: str(out.resolve())}
        )
        try:
            yield manager
        finally:
            if manager.has_kernel:
                run_sync(manager.shutdown_kernel)(now=True)
