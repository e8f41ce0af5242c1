from pathlib import Path

import pytest

from tests import scripts

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def commands():
    return scripts.load("benchmarks/all.py").BENCHMARKS


def test_the_program_that_runs_all_knows_every_benchmark(commands):
    measuring = {path.name for path in BENCHMARKS.glob("*.py") if "results.show(save=" in path.read_text("utf-8")}

    assert {program for program, *_ in commands} == measuring


def test_every_benchmark_has_a_saved_run(commands):
    names = {
        "_".join([program.removesuffix(".py"), *(option.strip("-") for option in options)])
        for program, *options in commands
    }

    assert {path.stem for path in (BENCHMARKS / "results").glob("*.json")} == names
