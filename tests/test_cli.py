import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from couch_explorers import cli, workspace
from couch_explorers.aws import bootstrap
from couch_explorers.aws.bootstrap import Step
from couch_explorers.cli import options
from couch_explorers.cli.notebooks import joined_pairs
from couch_explorers.local import process
from tests.aws_fakes.validated import checked
from tests.command_line import couch, couch_process


@pytest.fixture(autouse=True)
def nothing_deployed(tmp_path, monkeypatch):
    """A folder where nothing runs and nothing is deployed, and a user without credentials."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "COUCH_CANDIDATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    "command",
    [
        ("paint", "a fjord"),
        ("env",),
        ("faults", "clear"),
        ("emails", "--confirm"),
    ],
)
def test_a_stopped_local_cloud_is_one_sentence_with_the_command_that_starts_it(command):
    done = couch(*command)

    assert done.returncode == 1
    assert "couch up" in done.stderr


@pytest.mark.programs
def test_a_notebook_on_a_stopped_local_cloud_names_the_command_that_starts_it(tmp_path):
    done = couch_process("run", "smoke_test", "--out", str(tmp_path / "out"))

    assert done.returncode == 1
    assert "couch up" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--target", "aws"), ("--target", "aws", "--candidate", "42")])
def test_aws_without_a_candidate_number_or_credentials_is_one_sentence(words):
    done = couch("paint", "a fjord", *words)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_command_is_a_usage_error():
    assert couch("fly").returncode == 2


def test_a_port_that_needs_root_is_a_usage_error():
    assert couch("up", "--port", "80").returncode == 2


def test_status_without_a_cloud_says_how_to_start_one():
    done = couch("status")

    assert done.returncode == 0
    assert "couch up" in done.stdout


def test_parameters_are_pairs_of_a_name_and_a_value():
    joined = joined_pairs(["run", "smoke_test", "-p", "checks", "api", "--out", "x", "-p", "prompt", "-p is text"])

    assert joined == ["run", "smoke_test", "-p", "checks\0api", "--out", "x", "-p", "prompt\0-p is text"]


def test_a_parameter_without_a_value_is_a_usage_error():
    done = couch("run", "smoke_test", "-p", "checks")

    assert done.returncode == 2
    assert "takes a name and a value" in done.stderr


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
    ("words", "told"),
    [
        (("smoke_tset",), "smoke_test"),
        (("smoke_test", "-p", "chekcs", "api"), "checks: Literal"),
        (("smoke_test", "-p", "timeout_s", "soon"), "timeout_s: float"),
        (("smoke_test", "-p", "checks", "everything"), "checks: Literal"),
    ],
)
def test_an_unknown_notebook_parameter_or_value_is_a_usage_error_with_the_list(tmp_path, words, told):
    done = couch("run", *words, "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("paint", b"caf\xe9"),
        ("run", "smoke_test", "-p", "prompt", b"\xff"),
        ("run", b"\xe9"),
        ("run", "smoke_test", "--out", b"\xc3"),
        ("reproduce", b"\xe9.png"),
        ("job", b"s\xf8k"),
        ("redrive", b"\x80"),
        (b"\xe9",),
    ],
)
def test_bytes_that_are_no_utf_8_are_refused_in_a_sentence(arguments):
    assert_refused_as_no_text(couch(*arguments))


def test_bytes_from_a_shell_are_refused_in_a_sentence():
    assert_refused_as_no_text(couch_process(b"\xe9"))


def assert_refused_as_no_text(done):
    assert done.returncode == 2
    assert re.fullmatch(r'couch: The argument ".*" is not in UTF-8: type it in a terminal that is\.\n', done.stderr)


@pytest.mark.parametrize("command", [("up",), ("down",), ("paint", "a fjord"), ("status",), ("emails",), ("doctor",)])
def test_a_home_that_cannot_be_used_is_no_traceback(command, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here")
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "file" / "home"))

    done = couch(*command)

    if command[0] in ("up", "down"):
        assert done.returncode == 2
        assert (
            "cannot be used: Not a directory. Everything is kept in that folder: COUCH_HOME names another."
            in done.stderr
        )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_gets_an_escape(encoding):
    done = couch("job", "\u65e5\u672c \u00f8", encoding=encoding)

    assert done.returncode in (1, 2)


def test_inbox_takes_an_address_only_to_confirm():
    done = couch("emails", "--address", "standup@couch-explorers.example")

    assert done.returncode == 2
    assert "--confirm" in done.stderr


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
