"""Kills the process groups that a dead parent has left behind; a program of its own, started by `process_group`.

It reads lines `+GROUP` and `-GROUP` until its input ends, which it does when the parent ends, even by kill -9, and then kills the groups
that are still listed. So functions need no thread or signal handler of ours in their process, and this works on every Unix.
"""

import os
import signal
import sys


def main() -> None:
    """Follow the list until its writer has ended."""
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
