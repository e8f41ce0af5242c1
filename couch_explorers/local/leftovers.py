"""Ending what a killed `couch up` left at work on a folder."""

import signal
from pathlib import Path
from typing import Any

import psutil

from couch_explorers.paths import Home

PATIENCE_S = 10.0


def end_leftovers(home: Home) -> list[str]:
    """End the `sam` and `terraform` that still work on this folder, and name them.

    Call it only while holding the folder's lock: then nobody is waiting for them, and two of them would undo each other's
    work.
    """
    left = [process for process in psutil.process_iter() if _works_on(process, home.path)]
    names = []
    for process in left:
        try:
            names.append(process.name())
            # What Terraform has in hand it may finish and write down; its providers go with it.
            process.send_signal(signal.SIGINT)
        except psutil.NoSuchProcess:
            continue
    _, stubborn = psutil.wait_procs(left, timeout=PATIENCE_S)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=PATIENCE_S)
    return names


def _works_on(process: Any, folder: Path) -> bool:
    """Whether the process is a deploying program of this folder, and not an editor or a shell that stands in it."""
    try:
        command = process.cmdline()
        programs = {Path(word).name for word in command[:2]}
        if "sam" in programs:
            return any(str(folder) in word for word in command[2:])
        if "terraform" in programs:
            return Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
    return False
