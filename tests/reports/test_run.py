import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from couch_explorers import paths, reports
from couch_explorers.checks import Check, Verdict
from couch_explorers.files import OutputError
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.reports.parameters import NotebookError, ParameterError

pytestmark = pytest.mark.programs

PARAMETERS = 'target: str = "local"  # where\nnumber: int = 1  # a number\nwords: list[str] = []  # some words\nnamed: dict[str, str] = {"a": "fjord"}  # by name'
SHOW_CHECKS = """from couch_explorers.checks import Check, Verdict, bundle
from IPython.display import display
display(bundle([Check("a check", Verdict({verdict!r}), 0.5, "seen")], "<b>checked</b>"), raw=True)"""


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source, *tags):
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def test_whoever_runs_a_notebook_does_not_wait_for_the_import_of_what_no_notebook_needs():
    program = "import sys; from couch_explorers.reports import engine; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {"papermill.iorw", "jsonschema"} <= set(done.stdout.split())
    assert set(done.stdout.split()).isdisjoint({"boto3", "papermill.s3", "isoduration", "rfc3987_syntax"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Write a notebook and run it; a real kernel, so each sample is run once for all that is asked of it."""

    def run(name, *cells, timeout_s=30, **arguments):
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        numbered = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]
        notebook = {"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        progress = []
        result = reports.run(
            name,
            out=tmp_path_factory.mktemp("reports"),
            folder=folder,
            timeout_s=timeout_s,
            progress=progress.append,
            **arguments,
        )
        return result, progress

    return run


@pytest.fixture(scope="module")
def passed(run):
    return run(
        "passes",
        markdown("# Does it pass?\n\nIt should."),
        code(PARAMETERS, "parameters"),
        markdown("## The interpreter & its kin"),
        code("import sys\nprint(sys.executable)\nprint((number, words, target))"),
        markdown("### A check"),
        code(SHOW_CHECKS.format(verdict="OK")),
        code("from IPython.display import Javascript, display\ndisplay(Javascript('alert(1)'))"),
        parameters={"number": "7", "words": '["so", "å \\"quote\\" \\\\ 🛋"]'},
    )


@pytest.fixture(scope="module")
def raised(run):
    return run(
        "raises",
        markdown("# Does it raise?"),
        code("print('before')"),
        markdown("## The fall"),
        code("raise KeyError('a <missing> | key')"),
        markdown("## Never reached"),
        code("print('after')"),
    )


TOKEN = "ghp_" + "a1" * 18


@pytest.fixture(scope="module")
def leaking(run):
    """A notebook that prints a secret and fails with it."""
    return run(
        "leaks",
        markdown("# Does it leak?"),
        code("token = 'ghp_' + 'a1' * 18\nprint(token)"),
        code("raise KeyError(token)"),
    )


def test_file_that_holds_a_secret_is_not_written(leaking):
    result, _ = leaking

    assert list(result.folder.iterdir()) == []
    assert result.withheld == [
        f"leaks.{kind} held a GitHub token and is not shown. Give that secret out anew." for kind in reports.KINDS
    ]
    assert (result.ok, result.exit_code, result.outcome) == (False, 1, "failed")


def test_summary_of_a_run_holds_no_secret(leaking):
    result, _ = leaking

    assert TOKEN not in result.summary()
    assert all(sentence in result.summary() for sentence in result.withheld)


@pytest.fixture(scope="module")
def scanned_later(run, tmp_path_factory):
    """The same in a workflow, whose next step looks through the files."""
    summary = tmp_path_factory.mktemp("job") / "summary.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(reports.SCANNED_SUMMARY_VARIABLE, str(summary))
        return run("leaks_in_a_job", code("print('ghp_' + 'a1' * 18)"))[0], summary


def test_workflow_looks_for_secrets_by_itself(scanned_later):
    result, summary = scanned_later

    assert result.withheld == []
    assert TOKEN in result.path("html").read_text(encoding="utf-8")
    assert summary.is_file()


def test_an_unknown_notebook_is_refused_with_the_list(folder):
    (folder / "known.ipynb").write_text("{}", encoding="utf-8")

    with pytest.raises(NotebookError) as caught:
        reports.find("unknown", folder)

    assert "There is no notebook 'unknown'" in str(caught.value)
    assert "  known" in str(caught.value)


@pytest.mark.parametrize("name", ["known", "known.ipynb", "notebooks/known.ipynb"])
def test_a_notebook_is_found_by_its_name_or_its_file(folder, name):
    (folder / "known.ipynb").write_text("{}", encoding="utf-8")

    assert reports.find(name, folder) == folder / "known.ipynb"


@pytest.mark.parametrize(("name", "value"), [("numbre", "1"), ("number", "one")])
def test_a_wrong_parameter_stops_before_anything_is_written(folder, tmp_path, name, value):
    cells = [{"id": "p", **code(PARAMETERS, "parameters")}]
    (folder / "strict.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")

    with pytest.raises(ParameterError):
        reports.run("strict", {name: value}, out=tmp_path / "reports", folder=folder)

    assert not (tmp_path / "reports").exists()


def test_a_target_that_contradicts_the_parameter_is_refused(folder, tmp_path):
    cells = [{"id": "p", **code(PARAMETERS, "parameters")}]
    (folder / "strict.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")

    with pytest.raises(ParameterError, match="contradict"):
        reports.run("strict", {"target": "local"}, target="aws", out=tmp_path, folder=folder)


def test_a_target_for_a_notebook_that_knows_none_is_refused(folder, tmp_path):
    (folder / "bare.ipynb").write_text(json.dumps({"cells": []}), encoding="utf-8")

    with pytest.raises(ParameterError, match="knows no target"):
        reports.run("bare", target="aws", out=tmp_path, folder=folder)


def test_a_run_that_passes_writes_three_files(passed):
    result, _progress = passed

    assert (result.status, result.exit_code, result.error) == ("ok", 0, None)
    assert sorted(path.name for path in result.folder.iterdir()) == ["passes.html", "passes.ipynb", "passes.json"]


def test_the_kernel_is_this_interpreter(passed):
    result, _progress = passed

    assert paths.display(sys.executable) in result.path("ipynb").read_text(encoding="utf-8")


def test_given_parameters_reach_the_notebook_whole(passed):
    result, _progress = passed

    words = ["so", 'å "quote" \\ 🛋']
    assert result.parameters == {"target": "local", "number": 7, "words": words, "named": {"a": "fjord"}}
    notebook = json.loads(result.path("ipynb").read_text(encoding="utf-8"))
    printed = [
        line for cell in notebook["cells"] for output in cell.get("outputs", ()) for line in output.get("text", ())
    ]
    assert repr((7, ["so", 'å "quote" \\ 🛋'], "local")) in "".join(printed)


def test_progress_is_a_line_for_each_code_cell_with_its_heading(passed):
    _result, progress = passed

    assert progress == [
        "cell 1 of 5: Does it pass?",
        "cell 2 of 5: Does it pass?",
        "cell 3 of 5: The interpreter & its kin",
        "cell 4 of 5: A check",
        "cell 5 of 5: A check",
    ]


def test_the_json_tells_checks_timings_and_versions(passed):
    result, _progress = passed

    content = json.loads(result.path("json").read_text(encoding="utf-8"))
    assert set(content) == {
        "notebook", "target", "parameters", "status", "checks", "timings", "versions", "started", "seconds", "error",
        "ended_early",
    }  # fmt: skip
    assert content["checks"] == [{"name": "a check", "verdict": "OK", "seconds": 0.5, "detail": "seen"}]
    assert [cell["cell"] for cell in content["timings"]["cells"]] == [1, 2, 3, 4, 5]
    assert {"python", "papermill", "boto3"} <= content["versions"].keys()


def test_the_report_opens_offline(passed):
    result, _progress = passed

    html = result.path("html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|iframe)\b", html)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", html)
    assert "@import" not in html
    # The letters of scripts that the reader's machine may lack are in the file itself.
    assert not re.search(r"url\((?![\"']?data:)", html)


def test_the_report_has_title_contents_checks_parameters_and_folded_code(passed):
    result, _progress = passed

    html = result.path("html").read_text(encoding="utf-8")
    assert "<h1>Does it pass?</h1>" in html
    assert html.count("Does it pass?</h1>") == 1
    assert '<a href="#A-check">A check</a>' in html
    assert "The interpreter &amp; its kin" in html
    assert "<b>checked</b>" in html
    assert "1 OK" in html
    assert "a number" in html
    assert "<li>a: fjord</li>" in html
    assert html.count('<details class="code"') == 5


def test_a_cell_that_raises_fails_the_run_and_all_three_files_are_there(raised):
    result, progress = raised

    assert (result.status, result.exit_code) == ("failed", 1)
    assert len(progress) == 2
    assert all(result.path(kind).exists() for kind in ("ipynb", "html", "json"))


def test_the_error_keeps_type_message_and_place(raised):
    result, _progress = raised

    error = json.loads(result.path("json").read_text(encoding="utf-8"))["error"]
    assert (error["type"], error["message"]) == ("KeyError", "'a <missing> | key'")
    assert (error["cell"], error["heading"]) == (2, "The fall")
    assert "\x1b" not in error["traceback"]
    assert "KeyError in cell 2" in result.summary()


def test_the_error_stands_on_top_of_report_and_notebook(raised):
    result, _progress = raised

    html = result.path("html").read_text(encoding="utf-8")
    assert html.index("What stopped it") < html.index("<article>")
    assert "&lt;missing&gt;" in html
    assert "did not run" in html
    first = json.loads(result.path("ipynb").read_text(encoding="utf-8"))["cells"][0]
    assert "stopped at cell 2" in "".join(first["source"])


def test_a_cell_that_runs_too_long_is_stopped_and_reported(run):
    result, _progress = run(
        "hangs", markdown("## Waiting"), code("import time\nprint('so far')\ntime.sleep(60)"), timeout_s=1
    )

    assert result.exit_code == 1
    assert (result.error["type"], result.error["cell"]) == ("CellTimeout", 1)
    assert "more than 1 s" in result.error["message"]
    assert "so far" in result.path("html").read_text(encoding="utf-8")


def test_a_kernel_that_dies_is_reported(run):
    result, _progress = run("dies", code("import os\nos._exit(3)"))

    assert (result.exit_code, result.error["type"]) == (1, "DeadKernel")
    assert result.path("html").exists()


def test_a_bad_check_fails_a_run_whose_cells_all_pass(run):
    result, _progress = run("checks", code(SHOW_CHECKS.format(verdict="BAD")), code("print('to the end')"))

    assert (result.exit_code, result.error) == (1, None)
    assert result.checks == [Check("a check", Verdict.BAD, 0.5, "seen")]
    assert "to the end" in result.path("html").read_text(encoding="utf-8")
    assert "BAD     a check: seen" in result.summary()


@pytest.mark.parametrize(
    ("cells", "exit_code", "error"),
    [
        ([code("import sys\nsys.exit(0)"), code("1")], 1, "EndedEarly"),
        ([code("raise SystemExit"), code("1")], 1, "EndedEarly"),
        ([code(SHOW_CHECKS.format(verdict="OK")), code("import sys\nsys.exit(0)"), code("1")], 0, None),
        ([code(SHOW_CHECKS.format(verdict="BAD")), code("import sys\nsys.exit(0)"), code("1")], 1, None),
        ([code("1"), code("import sys\nsys.exit(0)")], 0, None),
        ([code("import sys\nsys.exit(2)"), code("1")], 1, "SystemExit"),
    ],
)
def test_a_notebook_that_ends_itself_has_passed_only_by_its_checks(run, cells, exit_code, error):
    result, _progress = run("exits", *cells)

    assert (result.exit_code, result.error and result.error["type"]) == (exit_code, error)
    early = f"It ended itself in cell {len(cells) - 1} by sys.exit(0): the cells after that did not run."
    assert (early in result.summary()) == (cells[-1]["source"] == "1" and error != "SystemExit")


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("full", [("ipynb",), ("html",), ("json",), ("ipynb", "html", "json")])
@pytest.mark.parametrize(("verdict", "exit_code"), [("OK", 0), ("BAD", 1)])
def test_a_disk_that_fills_up_hides_no_verdict(run, monkeypatch, full, verdict, exit_code):
    write = reports.write_whole

    def filled(path, content):
        if path.suffix[1:] in full:
            raise FULL
        return write(path, content)

    monkeypatch.setattr(reports, "write_whole", filled)
    monkeypatch.setattr("couch_explorers.reports.engine.write_whole", filled)

    result, _progress = run("fills", code(SHOW_CHECKS.format(verdict=verdict)))

    summary = result.summary()
    assert result.exit_code == exit_code
    assert f"1 {verdict}" in summary
    for kind in full:
        assert f"fills.{kind} could not be written: No space left on device." in summary
    assert ("Report: file://" in summary) == ("html" not in full)


def test_a_job_summary_that_cannot_be_written_hides_no_verdict(run, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

    result, _progress = run("summarises", code(SHOW_CHECKS.format(verdict="OK")))

    assert result.exit_code == 0
    assert f"{tmp_path} could not be written: Is a directory." in result.summary()


def test_a_report_tells_nobody_where_it_was_made(run, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/kari"))
    source = (
        "from couch_explorers.paths import PROJECT_ROOT\n"
        "print(PROJECT_ROOT / 'notebooks', '/home/kari/pictures', 'https://example.org/home/kari/x')\n"
        "from couch_explorers.exploration import load\nload(PROJECT_ROOT / 'no-such-run')"
    )

    result, _progress = run("placed", code(source), markdown(f"{PROJECT_ROOT}/docs"))

    for kind in reports.KINDS:
        text = result.path(kind).read_text(encoding="utf-8")
        assert str(PROJECT_ROOT) not in text
        assert "no-such-run is no saved run" in text
    shown = result.path("ipynb").read_text(encoding="utf-8")
    assert "~/pictures https://example.org/home/kari/x" in shown


def in_the_place_of_a_folder(folder):
    (folder / "out").write_text("a file")


def below_a_file(folder):
    (folder / "a").write_text("a file")
    return folder / "a" / "out"


def a_folder_in_the_place_of_a_file(folder):
    (folder / "out" / "strict.html" / "more").mkdir(parents=True)


def a_name_that_is_too_long(folder):
    return folder / ("x" * 300)


@pytest.mark.parametrize(
    "state", [in_the_place_of_a_folder, below_a_file, a_folder_in_the_place_of_a_file, a_name_that_is_too_long]
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(folder, tmp_path, state, monkeypatch):
    cells = [{"id": "p", **code(PARAMETERS, "parameters")}]
    (folder / "strict.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setattr(reports, "run_cells", None)
    out = state(tmp_path) or tmp_path / "out"

    with pytest.raises(OutputError, match=r"^The report cannot be written .*: give another folder with --out\.$"):
        reports.run("strict", out=out, folder=folder)


def test_an_older_report_never_stands_in_for_a_new_one(folder, tmp_path, monkeypatch):
    cells = [{"id": "p", **code(PARAMETERS, "parameters")}]
    (folder / "interrupted.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    (tmp_path / "interrupted.html").write_text("old")

    def fall_over(*_arguments):
        raise MemoryError

    monkeypatch.setattr(reports, "run_cells", fall_over)
    with pytest.raises(MemoryError):
        reports.run("interrupted", out=tmp_path, folder=folder)

    assert not (tmp_path / "interrupted.html").exists()


def test_in_github_actions_the_job_summary_is_written(run, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    run("summarised", code("1 + 1"))

    assert "summarised passed" in summary.read_text(encoding="utf-8")


def test_a_reader_of_the_progress_who_goes_away_does_not_end_the_run(monkeypatch):
    class Gone:
        def write(self, _text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())

    reports.print_progress("cell 1 of 2")


@pytest.mark.parametrize(
    ("fail_on", "verdict", "status", "outcome"),
    [
        ("NOTHING", "BAD", "ok", "found trouble"),
        ("BAD", "BAD", "failed", "failed"),
        ("BAD", "WARN", "ok", "passed"),
        ("WARN", "WARN", "failed", "failed"),
        ("WARN", "NO DATA", "ok", "passed"),
    ],
)
def test_a_notebook_says_itself_which_verdicts_fail_its_run(run, fail_on, verdict, status, outcome):
    parameter = f'fail_on: str = "{fail_on}"  # which verdicts'

    result, _ = run("chooses", code(parameter, "parameters"), code(SHOW_CHECKS.format(verdict=verdict)))

    assert (result.status, result.outcome) == (status, outcome)
    assert f"chooses {outcome} in" in result.summary()
    assert outcome.capitalize() in result.path("html").read_text(encoding="utf-8")


def test_a_notebook_is_told_where_its_report_goes(run):
    result, _ = run("asks", code("import os, pathlib\npathlib.Path(os.environ['COUCH_OUT'], 'beside.csv').touch()"))

    assert result.path("html").with_name("beside.csv").exists()


def test_a_review_does_not_repeat_above_its_verdicts_what_is_only_worth_a_look(run):
    parameter = 'fail_on: str = "BAD"  # which verdicts'

    looked, _ = run("looks", code(parameter, "parameters"), code(SHOW_CHECKS.format(verdict="WARN")))
    failed, _ = run("fails", code(parameter, "parameters"), code(SHOW_CHECKS.format(verdict="BAD")))

    assert "Worth a look" not in looked.path("html").read_text(encoding="utf-8")
    assert "What failed" in failed.path("html").read_text(encoding="utf-8")
