"""A cell's turn: how it ends when something goes wrong."""

from pathlib import Path

import pytest

from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    ModelTimeoutError,
    StorageError,
    ThrottledError,
)
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.outcomes import Outcome, Status
from couch_explorers.exploration.running.cache import CachedPicture
from couch_explorers.exploration.running.turns import Turn, failure, with_file
from tests.exploration.fake_aws import make_cells


@pytest.fixture
def turn():
    (cell,) = make_cells(1)
    return Turn(cell, cell.job)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (BlockedError("No."), Status.FILTERED, "ContentFiltered: No."),
        (ThrottledError("Later."), Status.THROTTLED, "Throttled: Later."),
        (AccessDeniedError("No right."), Status.FAILED, "AccessDenied: No right."),
        (ModelTimeoutError("Too late."), Status.FAILED, "ModelTimeout: Too late. It may have been billed."),
        (StorageError("No bucket.", passing=False), Status.FAILED, "Storage: No bucket."),
        (ExplorationError("The cache is full."), Status.FAILED, "The cache is full."),
        (KeyError("images"), Status.FAILED, "KeyError: 'images'"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_trouble_has_its_status_and_its_sentence(turn, error, status, reason):
    assert failure(turn, error) == Outcome(1, status, reason)


def test_what_was_paid_before_the_trouble_stays_said(turn):
    turn.outcome = Outcome(1, Status.MADE, seconds=1.5, usd=0.04)

    ended = failure(turn, KeyError("a mistake of ours"))

    assert (ended.status, ended.seconds, ended.usd) == (Status.FAILED, 1.5, 0.04)


def test_a_turn_without_a_claim_has_none_to_give_back(turn):
    turn.give_back_claim()


def test_a_picture_gives_the_outcome_its_place_and_size():
    told = with_file(Outcome(1, Status.MADE), CachedPicture(Path("image-1.png"), 48, 32))

    assert told == Outcome(1, Status.MADE, path=Path("image-1.png"), width=48, height=32)
