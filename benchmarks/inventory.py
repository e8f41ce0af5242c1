"""Count what the system is made of: resources as deployed by both stacks, and lines of Python by package."""

import json
import os
import subprocess
from pathlib import Path

from own_cloud import ROOT, own_cloud
from results import Results, parser

from couch_explorers import workspace
from couch_explorers.aws import STATE_BUCKET

PACKAGE = ROOT / "couch_explorers"


def lines(folder: Path) -> int:
    """The lines of Python below a folder, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return sum(len((folder / name).read_text(encoding="utf-8").splitlines()) for name in listed)


def main() -> None:
    """Deploy both stacks on a cloud of their own and count."""
    options = parser(__doc__, runs=1).parse_args()
    results = Results("inventory", options.runs)
    with own_cloud() as cloud:
        cloud.up()
        os.environ["COUCH_HOME"] = str(cloud.home)
        deployed = workspace.connect("local")
        stack = f"couch-explorers-{deployed.candidate}-api"
        pages = deployed.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        by_sam = [resource for page in pages for resource in page["StackResourceSummaries"]]
        key = f"{deployed.candidate}/couch-explorers.tfstate"
        state = json.load(deployed.client("s3").get_object(Bucket=STATE_BUCKET, Key=key)["Body"])
        by_terraform = [
            each for found in state["resources"] if found["mode"] == "managed" for each in found["instances"]
        ]
    results.add("terraform.resources", "resources by Terraform", len(by_terraform), "resources")
    results.add("sam.resources", "resources by CloudFormation", len(by_sam), "resources")
    whole = lines(PACKAGE)
    results.add("package.lines", "the package, lines of Python", whole, "lines")
    for name in ("core", "local", "oncall"):
        results.add(f"{name}.lines", f"{name}, lines of Python", lines(PACKAGE / name), "lines")
    results.add("local.share", "the local cloud's part of the package", lines(PACKAGE / "local") / whole)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
