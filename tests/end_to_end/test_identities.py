"""Every module of this folder acts as the operator, as the deploying user, or is listed with the reason why it acts as the owner.

And each permission in the policies of these people is one that grants.toml gives a reason for.
"""

import ast
import re
from pathlib import Path

import pytest

from . import test_account
from .identities import ELSEWHERE, OWNERS, WAYS_TO_BE_OWNER

MODULES = {path.stem: path for path in Path(__file__).parent.glob("test_*.py") if path.stem != Path(__file__).stem}
# The local cloud takes twelve digits as the root user of that account.
ACCOUNT_KEY = re.compile(r"\d{12}")


def ways(source):
    """What a module's source names that makes it act as an account's owner."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) | ast.arg(arg=name):
                found.add(name)
            case ast.Constant(value=str(text)) if ACCOUNT_KEY.fullmatch(text):
                found.add(text)
    return {name for name in found if name in WAYS_TO_BE_OWNER or ACCOUNT_KEY.fullmatch(name)}


def test_owner_acts_only_in_the_modules_listed():
    acting = {name for name, path in MODULES.items() if ways(path.read_text(encoding="utf-8"))}

    assert acting - ELSEWHERE.keys() == OWNERS.keys()
    assert not OWNERS.keys() & ELSEWHERE.keys()
    assert ELSEWHERE.keys() <= MODULES.keys()


@pytest.mark.parametrize(
    "source",
    [
        "def test_x(owner): pass",
        "cloud.as_owner().client('iam')",
        "from couch_explorers.workspace import local_session as session",
        "session_of('000000000000')",
        "users.ROOT_USER",
    ],
)
def test_each_way_to_be_the_owner_is_seen(source):
    assert ways(source)


def test_operator_and_deployer_are_not_taken_for_the_owner():
    assert not ways("def test_x(workspace, deployer): workspace.client('sqs').send_message(QueueUrl=url)")


def test_table_has_a_row_for_every_permission_of_the_policies_and_no_other():
    held = test_account.GRANTS

    assert sorted(test_account.table()) == sorted(set(held))
    assert len(held) == len(set(held))
