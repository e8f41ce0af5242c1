"""The checklist from an empty account to green workflows: each step is tried by a test, or marked as not tried."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADING = "### From an empty account to green workflows"
NOT_TRIED = "not tried"
# What only AWS, GitHub or a mailbox can show. A step leaves this list when it has been run there.
MARKED = {"AWS Marketplace", "GitHub's token", "e-mail", "arm64 and registry", "AWS provider 5.74.0"}


def rows():
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(HEADING)[2].partition("\n### ")[0]
    table = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row] for row in table]


def test_exactly_these_steps_are_marked_as_not_tried():
    assert {step.strip("`") for step, *_, tried in rows() if tried == NOT_TRIED} == MARKED


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0].strip("`"))
def test_step_says_its_command_its_cost_its_risk_and_its_test(row):
    step, *rest, tried = row

    assert step
    assert len(rest) == 3
    assert all(rest)
    assert tried == NOT_TRIED or (ROOT / re.fullmatch("`(tests/.+[.]py)`", tried)[1]).is_file()
