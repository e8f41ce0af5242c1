import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from couch_explorers import cli, workspace
from couch_explorers.aws import bootstrap
from couch_explorers.aws.bootstrap import Step
from couch_explorers.cli import local_cloud, options
from couch_explorers.cli.notebooks import joined_pairs
from couch_explorers.local import process
from couch_explorers.local.retention import Pruned
from couch_explorers.paths import PROJECT_ROOT
from tests import hostile
from tests.aws_fakes.validated import checked
from tests.command_line import couch, couch_process

pytestmark = pytest.mark.usefixtures("no_user_settings")


NO_CLOUD = "The local cloud is not running. Start it: couch up"
NO_TEXT = "is not in UTF-8: type it in a terminal that is."
NO_REPOSITORY = "OWNER/NAME"
TO_AWS = ("--target", "aws")

# Command line, exit code, and what stderr must contain.
REFUSED = [
    (("paint", "a fjord"), 1, NO_CLOUD),
    (("env",), 1, NO_CLOUD),
    (("faults", "clear"), 1, NO_CLOUD),
    (("emails", "--confirm"), 1, NO_CLOUD),
    (("deliverables",), 1, NO_CLOUD),
    (("paint", "a fjord", *TO_AWS), 1, "COUCH_CANDIDATE"),
    (("deliverables", *TO_AWS), 1, "COUCH_CANDIDATE"),
    (("paint", "a fjord", *TO_AWS, "--candidate", "42"), 1, "No AWS credentials were found"),
    (("fly",), 2, "No such command 'fly'"),
    (("up", "--port", "80"), 2, "Invalid value for '--port'"),
    (("emails", "--address", "standup@couch-explorers.example"), 2, "add --confirm"),
    (("run", "smoke_test", "-p", "checks"), 2, "takes a name and a value"),
    (("run", "smoke_tset"), 2, "There is no notebook 'smoke_tset'"),
    (("run", "smoke_test", "-p", "chekcs", "api"), 2, "checks: Literal"),
    (("run", "smoke_test", "-p", "timeout_s", "soon"), 2, "timeout_s: float"),
    (("run", "smoke_test", "-p", "checks", "everything"), 2, "checks: Literal"),
    # Addresses of this machine are not written into the pages.
    (("deliverables", "--write"), 2, "couch deliverables --target aws --write"),
    (("deliverables", *TO_AWS, "--repository", "couch"), 2, NO_REPOSITORY),
    (("deliverables", *TO_AWS, "--repository", "octocat/couch/more"), 2, NO_REPOSITORY),
    (("deliverables", *TO_AWS, "--repository", "octocat/.."), 2, NO_REPOSITORY),
    (("deliverables", *TO_AWS, "--repository", "octo cat/couch"), 2, NO_REPOSITORY),
    (("deliverables", *TO_AWS, "--repository", "https://github.com/octocat/couch"), 2, NO_REPOSITORY),
    (("paint", b"caf\xe9"), 2, NO_TEXT),
    (("run", "smoke_test", "-p", "prompt", b"\xff"), 2, NO_TEXT),
    (("run", b"\xe9"), 2, NO_TEXT),
    (("run", "smoke_test", "--out", b"\xc3"), 2, NO_TEXT),
    (("reproduce", b"\xe9.png"), 2, NO_TEXT),
    (("job", b"s\xf8k"), 2, NO_TEXT),
    (("redrive", b"\x80"), 2, NO_TEXT),
    ((b"\xe9",), 2, NO_TEXT),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSED)
def test_refusal_has_its_exit_code_and_says_what_to_do(arguments, code, message, tmp_path, monkeypatch):
    # Where `couch run` writes its reports unless it is told otherwise.
    monkeypatch.chdir(tmp_path)

    done = couch(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_bytes_from_a_shell_are_refused():
    done = couch_process(b"\xe9")

    assert done.returncode == 2
    assert re.fullmatch(r'couch: The argument ".*" is not in UTF-8: type it in a terminal that is\.\n', done.stderr)


@pytest.mark.programs
def test_a_notebook_on_a_stopped_local_cloud_names_the_command_that_starts_it(tmp_path):
    done = couch_process("run", "smoke_test", "--out", str(tmp_path / "out"))

    assert done.returncode == 1
    assert "couch up" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_status_without_a_cloud_says_how_to_start_one():
    done = couch("status")

    assert done.returncode == 0
    assert "couch up" in done.stdout


def test_parameters_are_pairs_of_a_name_and_a_value():
    joined = joined_pairs(["run", "smoke_test", "-p", "checks", "api", "--out", "x", "-p", "prompt", "-p is text"])

    assert joined == ["run", "smoke_test", "-p", "checks\0api", "--out", "x", "-p", "prompt\0-p is text"]


def test_a_defect_keeps_its_trace(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["couch", "status"])
    monkeypatch.setattr(cli, "app", lambda _arguments: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(("old", "new"), [("again", "reproduce"), ("history", "seed-metrics"), ("inbox", "emails")])
def test_renamed_commands_keep_their_old_name_as_a_hidden_alias(old, new):
    helped = CliRunner().invoke(cli.app, ["--help"]).stdout

    assert [name for name in (old, new) if f"\n  {name} " in helped] == [new]
    usages = [CliRunner().invoke(cli.app, [name, "--help"]).stdout.splitlines() for name in (old, new)]
    assert usages[0][1:] == usages[1][1:]


def test_no_summary_of_a_command_is_cut_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    helped = CliRunner().invoke(cli.app, ["--help"]).stdout

    summaries = helped.partition("Commands:\n")[2].splitlines()
    assert len(summaries) > 1
    assert [line for line in summaries if line.endswith("...")] == []


@pytest.mark.programs
def test_help_imports_nothing_heavy():
    script = "import sys; import couch_explorers.cli; print(*sorted({'boto3', 'papermill', 'pandas', 'matplotlib', 'localemu'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("up",), 2, "cannot be used: Not a directory. Everything is kept in that folder: COUCH_HOME names another."),
        (("down",), 2, "cannot be used: Not a directory. Everything is kept in that folder: COUCH_HOME names another."),
        (("paint", "a fjord"), 1, NO_CLOUD),
        (("status",), 0, NO_CLOUD),
        (("emails",), 0, "The inbox is empty"),
        (("doctor",), None, "the local cloud"),
    ],
)
def test_home_that_cannot_be_used_is_no_traceback(command, code, message, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here")
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "file" / "home"))

    done = couch(*command)

    assert code in (done.returncode, None)
    assert message in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("command", "encoding", "message"), [("job", "ascii", NO_CLOUD), ("run", "latin-1", "\\u65e5\\u672c")]
)
def test_a_terminal_that_lacks_a_character_gets_an_escape(command, encoding, message):
    done = couch(command, "\u65e5\u672c \u00f8", encoding=encoding)

    assert done.returncode in (1, 2)
    assert message in done.stderr


def test_environment_unsets_what_is_not_deployed(tmp_path, monkeypatch):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))
    monkeypatch.setattr(process, "required", lambda _home: SimpleNamespace(endpoint="http://127.0.0.1:9"))
    (tmp_path / "deployment.json").write_text('{"workspace": {"api_url": "http://127.0.0.1:9/x y", "queue_url": null}}')

    unset, *exports = CliRunner().invoke(options.app, ["env"]).stdout.splitlines()

    assert unset.startswith("unset ")
    assert {"SQS_QUEUE_URL", "BUCKET_NAME", "AWS_PROFILE"} <= set(unset.split()[1:])
    assert "API_URL" not in unset.split()
    assert "export API_URL='http://127.0.0.1:9/x y'" in exports


def test_bootstrap_only_lists_what_is_missing_unless_told_to_apply(monkeypatch):
    made = []
    steps = [Step("bucket my-images", lambda: made.append("bucket")), Step("policy couch-explorers-42-deploy")]
    sts = checked("sts", SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"}))
    monkeypatch.setattr(
        workspace, "account_clients", lambda _target, _candidate, _region: ("42", "eu-west-1", lambda _service: sts)
    )
    monkeypatch.setattr(bootstrap, "plan", lambda *_: iter(steps))

    listed = CliRunner().invoke(options.app, ["bootstrap", "--bucket", "my-images"]).stdout
    assert made == []
    applied = CliRunner().invoke(options.app, ["bootstrap", "--bucket", "my-images", "--apply"]).stdout

    assert "missing   bucket my-images" in listed
    assert "--apply" in listed
    assert made == ["bucket"]
    assert "is there  policy couch-explorers-42-deploy" in applied
    assert "gh variable set BUCKET_NAME --body my-images" in applied


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
@pytest.mark.parametrize("command", [("reproduce",), ("run",), ("faults",)])
def test_an_error_that_repeats_an_argument_steers_no_terminal(command, text):
    done = couch(*command, "--", text)

    assert done.returncode in (1, 2)
    assert hostile.unprintable(done.stderr) == set()


def test_commands_print_json_only_by_the_function_that_escapes_what_steers_a_terminal():
    modules = (PROJECT_ROOT / "couch_explorers" / "cli").glob("*.py")

    assert [path.name for path in modules if "ensure_ascii=False" in path.read_text(encoding="utf-8")] == []


def test_pruning_that_left_objects_says_so_and_fails(monkeypatch):
    left = Pruned("object in the bucket", count=1, size=10, left=2, why="SlowDown: Please reduce your request rate")
    monkeypatch.setattr(local_cloud, "_prune_bucket", lambda *_: [left])

    done = couch("down", "--prune")

    assert done.returncode == 1
    assert "1 object in the bucket" in done.stdout
    assert done.stderr == f"{left.problem}\n"
