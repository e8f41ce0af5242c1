"""`couch` as a shell runs it: in this process, or in one of its own, which takes a second of CPU to import what it needs."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from couch_explorers import cli

COUCH = str(Path(sys.executable).with_name("couch"))


def couch(*arguments, encoding="utf-8"):
    """The exit code and the output of the command in this process; a defect is raised, where a shell would get its trace.

    Not for a command that runs a notebook, and not for what Python itself does when it starts.
    """
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    exit_code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["couch", *map(os.fsdecode, arguments)])
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        try:
            cli.main()
        except SystemExit as end:
            exit_code = end.code or 0
    printed = {}
    for name, stream in streams.items():
        stream.flush()
        printed[name] = stream.buffer.getvalue().decode(encoding)
    return subprocess.CompletedProcess(["couch", *arguments], exit_code, **printed)


def couch_process(*arguments, timeout=60, **settings):
    """The same of the real program, in a process of its own."""
    return subprocess.run([COUCH, *arguments], capture_output=True, text=True, check=False, timeout=timeout, **settings)
