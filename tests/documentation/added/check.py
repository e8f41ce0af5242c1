"""What CONTRIBUTING.md adds to the smoke test: a check with its verdict, and nothing else changes."""

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.smoke import queue


@pytest.mark.parametrize(("attributes", "verdict"), [({"SqsManagedSseEnabled": "true"}, "OK"), ({}, "BAD")])
def test_the_smoke_test_tells_whether_the_queue_is_encrypted(workspace, clients, system, named, attributes, verdict):
    system.sqs.attributes = attributes

    part = queue.check(workspace, clients, ["a quay at dawn"], "smoke-1", timeout_s=5)

    assert named(part, "queue: encrypted at rest").verdict == verdict
    assert {check.verdict for check in part.checks if check.name != "queue: encrypted at rest"} == {Verdict.OK}
    assert len(part.pictures) == 1
