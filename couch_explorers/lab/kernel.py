"""The kernel that `couch lab` starts: IPython's, which does not tell its version of Python.

JupyterLab writes what a kernel says of its language into the notebook. With a version in it, each notebook counts as changed as
soon as it is opened, and differs in git between two people whose Pythons differ.
"""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

# As the notebooks here have it in their metadata.
LANGUAGE_INFO = {name: value for name, value in IPythonKernel.language_info.items() if name != "version"}


class Kernel(IPythonKernel):
    """IPython's kernel for notebooks that are kept in git."""

    language_info: dict[str, Any] = LANGUAGE_INFO


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=Kernel)
