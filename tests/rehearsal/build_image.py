"""What stands in for docker/build-push-action runs this: the client's image by buildah, left in a folder where `tests/java/bin/docker` finds it.

`build_image.py FOLDER`, with the action's inputs in the environment, prints the action's output.
"""

import json
import os
import platform
import sys
from pathlib import Path

from tests.java import stand_ins
from tests.java.image import CLIENT, exported

# As containers name what Python's `platform` calls a machine.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def main(folder: Path) -> None:
    """Build, keep the image's files and how to run them, and print its digest."""
    here = f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}"
    outputs = dict(entry.split("=", 1) for entry in os.environ["OUTPUTS"].split(","))
    if reason := stand_ins.missing():
        sys.exit(f"No image can be built here: {reason}")
    if os.environ["PLATFORM"] != here:
        sys.exit(f"Only {here} can be built here, not {os.environ['PLATFORM']}")
    if outputs["type"] != "docker":
        sys.exit(f"Nothing can be pushed from here: {os.environ['OUTPUTS']}")
    if Path(os.environ["CONTEXT"]).resolve() != CLIENT:
        sys.exit(f"Only {CLIENT} is known to be built, not {os.environ['CONTEXT']}")
    arguments = dict(line.split("=", 1) for line in os.environ["BUILD_ARGUMENTS"].splitlines() if line.strip())
    image = exported(folder, **arguments)
    how = {"command": image.command(), "environment": image.environment, "labels": image.config.get("Labels", {})}
    (folder / "images.json").write_text(json.dumps({outputs["name"]: how}))
    sys.stdout.write(f"digest={image.layers[-1].digest}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
