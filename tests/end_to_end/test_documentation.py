"""Every block of every page, run as it stands: in a copy of the project, on a local cloud of its own, which stands in AWS's place.

What is not run as it stands, and why: tests/documentation/exceptions.toml. What a block fails with begins with its page and line.
"""

import json
import os
import re
import sys

import pytest

from couch_explorers.local import terraform
from couch_explorers.local.settings import client_environment
from tests.documentation import pages
from tests.documentation.exceptions import Exceptions
from tests.documentation.pages import Block
from tests.documentation.session import PARSED, RUN, STAND_INS, Session
from tests.java import stand_ins
from tests.project_copy import ProjectCopy
from tests.rehearsal.stage import for_terraform

from .conftest import fresh_cloud

EXCEPTIONS = Exceptions.read()
BLOCKS = [
    block
    for name in EXCEPTIONS.ordered(pages.names())
    for block in pages.read(name).blocks
    if block.language in (*RUN, *PARSED)
]
PREPARE = STAND_INS.with_name("prepare.sh")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return ProjectCopy.make(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def environment(copy, tmp_path_factory):
    """What a reader has set: where the local cloud is, credentials, a queue; and nothing of the user's own."""
    try:
        terraform.find()
    except terraform.TerraformError as error:
        pytest.skip(f"the commands of the documentation need the queue. {error}")
    folder = tmp_path_factory.mktemp("documentation")
    # With AWS's time-out: what the page for AWS deploys changes little, for SQS and its provider take long over each change.
    with fresh_cloud(tmp_path_factory, worker_timeout_s=60) as cloud:
        home = {"COUCH_HOME": str(cloud.home)}
        cloud.up(environment=copy.environment | home)
        status = json.loads(cloud.couch("status", "--json").stdout)
        yield (
            terraform.environment({})
            | for_terraform()
            | {f"TF_CLI_ARGS_{command}": "-auto-approve" for command in ("apply", "destroy")}
            | client_environment(status["endpoint"])
            | dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
            | {"SQS_QUEUE_URL": status["queue_url"]}
            | {"COUCH_DOCKER_IMAGES": "" if stand_ins.missing() else str(folder / "images.json")}
            | home
        )


@pytest.fixture(scope="module")
def terminal(copy, environment, tmp_path_factory):
    """The terminal in which a page's blocks are run."""
    terminals = {}

    def of(page):
        if page not in terminals:
            terminals[page] = Session(copy, tmp_path_factory.mktemp("terminal"), environment, EXCEPTIONS)
        return terminals[page]

    of("prepare.sh").run(Block("prepare.sh", 1, "sh", PREPARE.read_text(encoding="utf-8")))
    return of


@pytest.fixture(scope="module")
def missing(copy):
    """Why a block cannot be run on this machine; empty when it can."""
    aws = copy.run(str(STAND_INS / "aws"), "--version")
    reasons = {"docker": stand_ins.missing(), "aws": f"no AWS CLI: {aws.stdout}" if aws.returncode else ""}
    return lambda block: next(
        (why for program, why in reasons.items() if why and re.search(rf"\b{program} ", block.text)), ""
    )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_does_what_its_page_says(block, terminal, missing):
    if block.language in RUN and (reason := missing(block)):
        pytest.skip(reason)

    # `pytest -rP` shows it.
    sys.stdout.write(terminal(block.page).run(block))
