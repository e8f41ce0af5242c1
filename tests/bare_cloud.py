"""A local cloud with nothing deployed on it, for tests that are not Python's: `bare_cloud.py PORT FOLDER` serves until it is ended."""

import os
import sys
from pathlib import Path

from couch_explorers.local.cloud import server_command, server_environment
from couch_explorers.local.settings import PROJECT_ROOT, Home


def main(port: str, folder: str) -> None:
    """Become the server itself, so that whoever ends this process ends the cloud."""
    home = Home(Path(folder).resolve())
    home.path.mkdir(parents=True, exist_ok=True)
    os.chdir(PROJECT_ROOT)
    command = [*server_command(), port]
    os.execve(command[0], command, server_environment(home, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
