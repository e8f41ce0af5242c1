"""Kills the process groups that a dead parent has left behind; a program of its own, started by `process_group`.

It reads `+GROUP` and `-GROUP` lines and ends with its input, which ends when the parent does, even by kill -9. Then what is still
listed is killed. So a function needs no thread or signal of ours inside its process, and this works on every Unix.
"""

import os
import signal
import sys


def main() -> None:
    """Follow the list until its writer is gone."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
