from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
import pytest

from tests import scripts

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = ("lambda_code", "sam_lambda/generate_image")
# Everything that the Lambda runtime brings beside Python itself.
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "dateutil", "urllib3", "six.py")
DEPENDENCIES = {"aws_lambda_powertools", "jmespath", "typing_extensions.py"}
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "BUCKET_NAME": "pictures",
    "CANDIDATE": "42",
    "MODEL_ARNS": "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
    "DEAD_LETTER_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/dead-letter",
    "MAX_RECEIVE_COUNT": "10",
    "FUNCTION_TIMEOUT_S": "60",
    "OBJECTIVE_S": "60",
    "OBJECTIVE_PERCENT": "95",
    "POWERTOOLS_SERVICE_NAME": "couch-explorers-42-worker",
    "POWERTOOLS_METRICS_NAMESPACE": "CouchExplorers",
}


@pytest.fixture(scope="module")
def tool():
    return scripts.load("tools/stage_lambda.py")


@pytest.fixture(scope="module")
def stages(tool, tmp_path_factory):
    """Both handlers, staged; pulls the dependencies at most once for all tests."""
    folder = tmp_path_factory.mktemp("stages")
    for name in HANDLERS:
        tool.stage(name, folder / name)
    return {name: folder / name for name in HANDLERS}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A folder with what the Lambda runtime brings, and nothing else of this environment."""
    folder = tmp_path_factory.mktemp("runtime")
    site_packages = Path(boto3.__file__).parents[1]
    for name in RUNTIME_PACKAGES:
        (folder / name).symlink_to(site_packages / name)
    return folder


@pytest.fixture
def small_project(tmp_path):
    """A project of a few small files, and a cache that already has its dependencies."""
    root = tmp_path / "project"
    for path, text in {
        "lambda_code/lambda_sqs.py": "HANDLER = 1\n",
        "lambda_code/requirements.txt": "dependency==1\n",
        "lambda_code/.hidden": "",
        "lambda_code/__pycache__/lambda_sqs.pyc": "",
        "couch_explorers/__init__.py": '"""Package."""\n',
        "couch_explorers/workspace.py": "NOT_FOR_LAMBDA = 1\n",
        "couch_explorers/core/__init__.py": "",
        "couch_explorers/core/jobs.py": "CORE = 1\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def installer(tool, monkeypatch):
    """Stands for uv and pip: writes the files it is told to and counts its calls."""

    class Installer:
        def __init__(self):
            self.calls = 0
            self.files = {
                "dependency/__init__.py": "",
                "dependency-1.dist-info/METADATA": "",
                "dependency-1.dist-info/RECORD": "",
            }

        def install(self, requirements, folder):
            self.calls += 1
            for path, text in self.files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)

    installer = Installer()
    monkeypatch.setattr(tool, "install", installer.install)
    return installer


@pytest.mark.parametrize(
    ("name", "handler"), [("lambda_code", "lambda_sqs.py"), ("sam_lambda/generate_image", "app.py")]
)
def test_a_stage_holds_its_handler_the_core_the_dependencies_and_nothing_else(stages, name, handler):
    top = {path.name for path in stages[name].iterdir()}

    assert {entry for entry in top if not entry.endswith(".dist-info")} == {handler, "couch_explorers", *DEPENDENCIES}
    assert {entry.partition("-")[0] for entry in top if entry.endswith(".dist-info")} == {
        "aws_lambda_powertools",
        "jmespath",
        "typing_extensions",
    }
    assert {path.name for path in (stages[name] / "couch_explorers").iterdir()} == {"__init__.py", "core"}
    assert {path.name for path in (stages[name] / "couch_explorers" / "core").iterdir()} == {
        path.name for path in (ROOT / "couch_explorers" / "core").glob("*.py")
    }


@pytest.mark.parametrize("name", HANDLERS)
def test_a_stage_holds_no_native_library_no_cache_and_none_of_the_installers_notes(stages, name):
    files = [path for path in stages[name].rglob("*") if path.is_file()]

    assert not [path for path in files if path.suffix in {".so", ".pyd", ".dylib", ".dll", ".pyc"}]
    assert not [path for path in files if path.name in {"RECORD", "INSTALLER", "REQUESTED", ".lock"}]


@pytest.mark.parametrize(("name", "module"), [("lambda_code", "lambda_sqs"), ("sam_lambda/generate_image", "app")])
def test_a_handler_can_be_imported_from_its_stage_with_nothing_but_boto3_beside_it(stages, runtime, name, module):
    code = f"import sys; sys.path[:0] = {[str(stages[name]), str(runtime)]!r}\nimport {module}; print({module}.lambda_handler)"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "lambda_handler" in done.stdout


def test_two_archives_made_in_different_places_are_the_same_bytes(tool, stages, tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "elsewhere" / "second.zip"
    again = tmp_path / "again"
    tool.stage("lambda_code", again)
    for path in again.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (again / "lambda_sqs.py").chmod(0o600)

    tool.archive(stages["lambda_code"], first)
    tool.archive(again, second)

    assert first.read_bytes() == second.read_bytes()


def test_an_archive_holds_the_stage_as_files_that_lambda_may_read(tool, stages, tmp_path):
    tool.archive(stages["lambda_code"], tmp_path / "worker.zip")

    with zipfile.ZipFile(tmp_path / "worker.zip") as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.filename for entry in entries} == {
        path.relative_to(stages["lambda_code"]).as_posix()
        for path in stages["lambda_code"].rglob("*")
        if path.is_file()
    }
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644"}


def test_a_change_of_the_core_changes_the_archive(tool, small_project, installer, tmp_path):
    def build():
        tool.stage("lambda_code", tmp_path / "stage", root=small_project, cache=tmp_path / "cache")
        tool.archive(tmp_path / "stage", tmp_path / "worker.zip")
        return (tmp_path / "worker.zip").read_bytes()

    before = build()
    (small_project / "couch_explorers/core/jobs.py").write_text("CORE = 2\n")

    assert build() != before


def test_only_the_core_of_the_package_and_the_handlers_own_files_are_staged(tool, small_project, installer, tmp_path):
    files = tool.stage("lambda_code", tmp_path / "stage", root=small_project, cache=tmp_path / "cache")

    assert [path.as_posix() for path in files] == [
        "couch_explorers/__init__.py",
        "couch_explorers/core/__init__.py",
        "couch_explorers/core/jobs.py",
        "dependency-1.dist-info/METADATA",
        "dependency/__init__.py",
        "lambda_sqs.py",
    ]


def test_a_file_that_was_removed_leaves_the_stage(tool, small_project, installer, tmp_path):
    arguments = {"target": tmp_path / "stage", "root": small_project, "cache": tmp_path / "cache"}
    (small_project / "couch_explorers/core/old.py").write_text("")
    tool.stage("lambda_code", **arguments)
    (small_project / "couch_explorers/core/old.py").unlink()

    files = tool.stage("lambda_code", **arguments)

    assert Path("couch_explorers/core/old.py") not in files
    assert not (tmp_path / "stage/couch_explorers/core/old.py").exists()


def test_dependencies_are_installed_again_only_when_the_pins_change(tool, small_project, installer, tmp_path):
    arguments = {"target": tmp_path / "stage", "root": small_project, "cache": tmp_path / "cache"}

    tool.stage("lambda_code", **arguments)
    tool.stage("lambda_code", **arguments)
    unchanged = installer.calls
    (small_project / "lambda_code/requirements.txt").write_text("dependency==2\n")
    tool.stage("lambda_code", **arguments)

    assert (unchanged, installer.calls) == (1, 2)


def test_an_interrupted_installation_leaves_no_half_filled_cache(tool, small_project, monkeypatch, tmp_path):
    def interrupted(requirements, folder):
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, "install", interrupted)

    with pytest.raises(KeyboardInterrupt):
        tool.stage("lambda_code", tmp_path / "stage", root=small_project, cache=tmp_path / "cache")

    assert list((tmp_path / "cache").iterdir()) == []


def test_a_dependency_with_a_native_library_is_refused(tool, small_project, installer, tmp_path):
    installer.files = {"fast/_speedups.cpython-312-aarch64-linux-gnu.so": ""}

    with pytest.raises(tool.StageError, match=r"_speedups\.cpython-312-aarch64-linux-gnu\.so is a native library"):
        tool.stage("lambda_code", tmp_path / "stage", root=small_project, cache=tmp_path / "cache")


@pytest.mark.parametrize("content", ["thesis.txt", "pyproject.toml"])
def test_a_folder_with_somebodys_work_is_not_emptied(tool, small_project, installer, tmp_path, content):
    target = tmp_path / "work"
    if content == "pyproject.toml":
        shutil.copytree(small_project, target)
    target.mkdir(exist_ok=True)
    (target / content).write_text("mine")

    with pytest.raises(tool.StageError, match="holds something that is not a stage"):
        tool.stage("lambda_code", target, root=small_project, cache=tmp_path / "cache")

    assert (target / content).read_text() == "mine"


def test_an_unknown_handler_is_refused_with_those_there_are(tool, tmp_path):
    with pytest.raises(tool.StageError, match=r"'worker'.*lambda_code, sam_lambda/generate_image"):
        tool.stage("worker", tmp_path / "stage")


def test_the_command_says_in_one_sentence_why_it_failed(tool, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")

    code = tool.main(["lambda_code", str(tmp_path)])

    assert code == 1
    assert (
        capsys.readouterr().err
        == f"{tmp_path} holds something that is not a stage: name a new folder, or empty this one.\n"
    )


def test_what_ships_is_what_the_tests_ran_with():
    def pins(path):
        return dict(re.findall(r"^([a-z-]+)==(\S+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE))

    locked = pins("requirements.lock")

    for name in HANDLERS:
        shipped = pins(f"{name}/requirements.txt")
        assert set(shipped) == {"aws-lambda-powertools", "jmespath", "typing-extensions"}
        assert shipped == {package: locked[package] for package in shipped}
