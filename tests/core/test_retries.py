import math
import re
import time

import pytest

from couch_explorers.core import retries
from couch_explorers.paths import PROJECT_ROOT


@pytest.mark.parametrize(("receives", "seconds"), [(1, 5), (2, 10), (8, 640), (9, 900), (10, 900)])
def test_backoff_doubles_up_to_its_cap(receives, seconds):
    assert retries.backoff_ceiling_s(receives) == seconds


def test_receives_are_those_of_the_deployed_queue():
    queue = (PROJECT_ROOT / "infra" / "queue.tf").read_text(encoding="utf-8")

    assert re.findall(r"max_receive_count += (\d+)", queue) == [str(retries.MAX_RECEIVES)]


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (5, 16), (6, 20), (60, 20)])
def test_pause_doubles_up_to_its_cap(attempts, seconds):
    assert retries.pause_ceiling_s(attempts) == seconds


@pytest.fixture
def longest(monkeypatch):
    """Make each drawn wait the longest one, and collect the ranges."""
    ranges = []
    monkeypatch.setattr(retries.random, "uniform", lambda low, high: ranges.append((low, high)) or high)
    return ranges


def test_attempts_wait_as_often_as_their_limit_allows(longest):
    slept = []
    attempts = retries.Attempts(limit=4, sleep=slept.append)

    assert [attempts.wait(made) for made in (1, 2, 3, 4, 5)] == [True, True, True, False, False]
    assert slept == [1, 2, 4]
    assert longest[:3] == [(0, 1), (0, 2), (0, 4)]


@pytest.mark.parametrize(("left_s", "may"), [(22.0, True), (21.9, False)])
def test_attempt_that_could_outlive_the_invocation_is_not_waited_for(longest, left_s, may):
    slept = []
    attempts = retries.Attempts(limit=4, answer_s=20, time_left_s=lambda: left_s, sleep=slept.append)

    assert attempts.wait(2) is may
    assert slept == [2] * may


def test_single_attempt_is_the_default():
    once = retries.Attempts()

    assert not once.wait(1)
    assert (once.answer_s, once.time_left_s(), once.sleep) == (0.0, math.inf, time.sleep)
