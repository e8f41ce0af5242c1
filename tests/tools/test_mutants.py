"""What `make mutants` makes of mutmut's results."""

import tomllib

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
    monkeypatch.setattr(mutants, "mutmut", lambda command, *_: {"run": "", "show": DIFF, "results": RESULTS}[command])


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


FILES = [
    "couch_explorers/core/__init__.py",
    "couch_explorers/core/png.py",
    "couch_explorers/core/errors.py",
    "couch_explorers/formatting.py",
    "lambda_code/lambda_sqs.py",
    "sam_lambda/generate_image/app.py",
    "sam_lambda/template.yaml",
    "tests/core/test_png.py",
]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (
            [],
            {
                "couch_explorers.core.errors": ["couch_explorers.core.errors.*"],
                "couch_explorers.core.png": ["couch_explorers.core.png.*"],
                "lambda_code.lambda_sqs": ["lambda_code.lambda_sqs.*"],
                "sam_lambda.generate_image.app": ["sam_lambda.generate_image.app.*"],
            },
        ),
        (["couch_explorers.core.png*"], {"couch_explorers.core.png": ["couch_explorers.core.png.*"]}),
        (
            ["couch_explorers.core.png.x_size*", "lambda_code*"],
            {
                "couch_explorers.core.png": ["couch_explorers.core.png.x_size*"],
                "lambda_code.lambda_sqs": ["lambda_code.lambda_sqs.*"],
            },
        ),
        (["couch_explorers.formatting*"], {}),
    ],
)
def test_modules_are_those_that_patterns_match(patterns, found):
    assert mutants.modules(FILES, patterns) == found


@pytest.mark.parametrize(
    ("module", "paths"),
    [
        ("couch_explorers.core.errors", ["tests/core/test_errors.py"]),
        ("lambda_code.lambda_sqs", ["tests/lambda_code/test_lambda_sqs.py"]),
        ("sam_lambda.generate_image.app", ["tests/sam_lambda/test_app.py"]),
        ("couch_explorers.core.unheard_of", []),
    ],
)
def test_tests_that_mirror_a_module_are_found_by_name(module, paths):
    assert mutants.mirrors(module) == paths


def test_every_module_that_is_changed_has_tests_that_mirror_it():
    assert all(mutants.mirrors(module) for module in mutants.modules(mutants.tracked(), []))


def test_selected_tests_are_all_that_changes_in_the_settings(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "COPY", tmp_path)

    mutants.select_tests(["tests/core/test_png.py"])

    written = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))
    expected = tomllib.loads((mutants.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    expected["tool"]["mutmut"]["pytest_add_cli_args_test_selection"] = ["tests/core/test_png.py"]
    assert written == expected


def test_run_counts_what_became_of_each_modules_changes(mutmut, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(mutants, "COPY", tmp_path)
    monkeypatch.setattr(mutants, "copy_tree", lambda: None)

    statuses = mutants.run(["couch_explorers.core.retries*"], processes=1)

    assert statuses == {"couch_explorers.core.retries.x_pause_ceiling_s__mutmut_1": "killed"}
    assert capsys.readouterr().out.startswith("couch_explorers.core.retries: 1 changes, 1 seen, ")


@pytest.mark.parametrize(
    ("survivors", "known", "code", "output"),
    [
        ([KEPT], {KEPT}, 0, ""),
        ([], set(), 0, ""),
        ([KEPT], set(), 1, "No test sees this change of couch_explorers.core.retries.pause_ceiling_s"),
        ([], {KEPT}, 1, "A test sees this change of couch_explorers.core.retries.pause_ceiling_s"),
    ],
)
def test_survivors_must_be_those_that_are_kept(capsys, survivors, known, code, output):
    assert mutants.report(survivors, known) == code
    assert output in capsys.readouterr().out


@pytest.fixture
def kept_file(monkeypatch, tmp_path):
    file = tmp_path / "kept.toml"
    monkeypatch.setattr(mutants, "KEPT", file)
    return file


ENTRY = '[[kept]]\nfunction = "a.b.c"\nwithout = "1"\nchanged = "2"\nreason = "{}"\n'


@pytest.mark.parametrize(("functions", "found"), [(None, 1), ({"a.b.c", "a.x"}, 1), ({"a.b"}, 0)])
def test_kept_changes_are_those_of_the_run(kept_file, functions, found):
    kept_file.write_text(ENTRY.format("Nobody sees it."), encoding="utf-8")

    assert len(mutants.kept(functions)) == found


@pytest.mark.parametrize("text", [ENTRY.format(" "), ENTRY.format("Twice.") * 2])
def test_kept_change_has_one_entry_with_a_reason(kept_file, text):
    kept_file.write_text(text, encoding="utf-8")

    with pytest.raises(SystemExit, match=r"kept\.toml lists a change twice, or without a reason"):
        mutants.kept()


def test_list_of_kept_changes_is_sound():
    assert isinstance(mutants.kept(), set)
