"""What `make mutants` makes of mutmut's results."""

import pytest

from tools import mutants
from tools.mutants import Mutant

DIFF = """--- couch_explorers/core/retries.py
+++ couch_explorers/core/retries.py
@@ -1,3 +1,3 @@
 def pause_ceiling_s(attempts: int) -> int:
-    return min(PAUSE_CAP_S, 2)
+    return min(PAUSE_CAP_S, 3)
"""
RESULTS = """    couch_explorers.core.retries.x_pause_ceiling_s__mutmut_1: killed
    couch_explorers.core.retries.xǁAttemptsǁwait__mutmut_12: not checked
"""
KEPT = Mutant("couch_explorers.core.retries.pause_ceiling_s", "return 2", "return 3")


@pytest.fixture
def mutmut(monkeypatch):
    """Answer in mutmut's place."""
    monkeypatch.setattr(mutants, "mutmut", lambda command, *_: {"show": DIFF, "results": RESULTS}[command])


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("couch_explorers.core.retries.x_pause_ceiling_s__mutmut_1", "couch_explorers.core.retries.pause_ceiling_s"),
        ("couch_explorers.core.generation.x__seed_in__mutmut_3", "couch_explorers.core.generation._seed_in"),
        ("couch_explorers.core.retries.xǁAttemptsǁwait__mutmut_12", "couch_explorers.core.retries.Attempts.wait"),
        ("couch_explorers.core.clock.xǁClockǁ__init____mutmut_1", "couch_explorers.core.clock.Clock.__init__"),
    ],
)
def test_change_is_known_by_its_function_and_lines(mutmut, name, function):
    assert mutants.describe(name) == Mutant(function, "return min(PAUSE_CAP_S, 2)", "return min(PAUSE_CAP_S, 3)")


def test_results_are_read_by_name(mutmut):
    assert mutants.results() == {
        "couch_explorers.core.retries.x_pause_ceiling_s__mutmut_1": "killed",
        "couch_explorers.core.retries.xǁAttemptsǁwait__mutmut_12": "not checked",
    }


@pytest.mark.parametrize(
    ("survivors", "known", "code", "said"),
    [
        ([KEPT], {KEPT}, 0, ""),
        ([], set(), 0, ""),
        ([KEPT], set(), 1, "No test sees this change of couch_explorers.core.retries.pause_ceiling_s"),
        ([], {KEPT}, 1, "A test sees this change of couch_explorers.core.retries.pause_ceiling_s"),
    ],
)
def test_survivors_must_be_those_that_are_kept(capsys, survivors, known, code, said):
    assert mutants.report(survivors, known) == code
    assert said in capsys.readouterr().out


@pytest.fixture
def kept_file(monkeypatch, tmp_path):
    file = tmp_path / "kept.toml"
    monkeypatch.setattr(mutants, "KEPT", file)
    return file


ENTRY = '[[kept]]\nfunction = "a.b.c"\nwithout = "1"\nchanged = "2"\nreason = "{}"\n'


@pytest.mark.parametrize(("patterns", "found"), [([], 1), (["a.b*"], 1), (["a.x*"], 0)])
def test_kept_changes_are_those_of_the_run(kept_file, patterns, found):
    kept_file.write_text(ENTRY.format("Nobody sees it."), encoding="utf-8")

    assert len(mutants.kept(patterns)) == found


@pytest.mark.parametrize("text", [ENTRY.format(" "), ENTRY.format("Twice.") * 2])
def test_kept_change_has_one_entry_with_a_reason(kept_file, text):
    kept_file.write_text(text, encoding="utf-8")

    with pytest.raises(SystemExit, match=r"kept\.toml lists a change twice, or without a reason"):
        mutants.kept([])


def test_list_of_kept_changes_is_sound():
    assert isinstance(mutants.kept([]), set)
