import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import FIRST

pytestmark = pytest.mark.programs

REPORTS = Path(__file__).parent / "reports" / "test_run.py"
WRITING = "test_in_github_actions_the_job_summary_is_written or test_a_bad_check_fails_a_run_whose_cells_all_pass"


def test_tests_that_a_workflow_runs_write_nothing_on_the_page_of_its_job(tmp_path):
    page, summary = tmp_path / "page.md", tmp_path / "reports" / "summary.md"
    of_the_job = {"GITHUB_STEP_SUMMARY": str(page), "COUCH_STEP_SUMMARY": str(summary)}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(REPORTS), "-k", WRITING],
        env=os.environ | of_the_job,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert not page.exists()
    assert not summary.parent.exists()


def test_modules_that_start_first_are_there():
    stems = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}

    assert set(FIRST) <= stems


def test_make_keeps_the_order_of_the_modules():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")

    assert "--numprocesses 3 --dist loadfile --no-loadscope-reorder" in makefile


def test_garbage_is_collected_again_once_the_tests_are():
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
