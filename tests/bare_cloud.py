"""A local cloud with nothing deployed on it, for tests that are not Python's: `bare_cloud.py PORT FOLDER [PATH]` serves until it is ended.

PATH is a folder that the server's Python looks for modules in first.
"""

import os
import sys
from pathlib import Path

from couch_explorers.local.process import server_command, server_environment
from couch_explorers.paths import PROJECT_ROOT, Home


def main(port: str, folder: str, path: str = "") -> None:
    """Become the server itself, so that anyone who ends this process ends the cloud."""
    home = Home(Path(folder).resolve())
    home.path.mkdir(parents=True, exist_ok=True)
    os.chdir(PROJECT_ROOT)
    command = [*server_command(), port]
    environment = server_environment(home, int(port))
    if path:
        environment["PYTHONPATH"] = os.pathsep.join((path, environment["PYTHONPATH"]))
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
