"""One invocation's times and memory.

Duration: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html ("Performance metrics")
"""

import os
from types import SimpleNamespace

import pytest

from couch_explorers.local.telemetry import function_runs
from couch_explorers.local.telemetry.function_runs import Run


def test_a_run_ends_once():
    run = Run(began_s=100.0, ended_s=100.25)

    run.end(SimpleNamespace(pid=os.getpid()))

    assert run.duration_ms(20) == 250
    assert run.peak_mb is None


def test_a_duration_is_at_most_the_time_out():
    assert Run(began_s=100.0, ended_s=120.4).duration_ms(20) == 20_000


def test_a_run_whose_end_nobody_noticed_lasts_until_now():
    assert Run().duration_ms(20) < 1000


def test_the_peak_of_a_process_is_known_in_whole_megabytes():
    assert function_runs.peak_memory_mb(os.getpid()) > 5


def test_the_peak_of_a_process_that_is_gone_is_not_known():
    assert function_runs.peak_memory_mb(2**22 + 1) is None


def test_where_there_is_no_proc_the_memory_is_what_the_process_holds_now(monkeypatch):
    monkeypatch.setattr(function_runs, "PROCESSES", "/absent")

    assert function_runs.peak_memory_mb(os.getpid()) > 5


def test_a_run_is_current_only_while_it_is_measured():
    assert function_runs.current() is None
    with function_runs.measuring() as run:
        assert function_runs.current() is run
    assert function_runs.current() is None


def test_a_run_that_fails_is_current_no_more():
    with pytest.raises(OSError, match="no room"), function_runs.measuring():
        raise OSError("no room")

    assert function_runs.current() is None
