import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from couch_explorers.reports import job_summary

pytestmark = pytest.mark.programs

TOOL = Path(__file__).resolve().parents[2] / "tools" / "publish_report.py"
OTHER_SECRET = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
# Its first page is mapped for nobody, so that even root is refused.
UNREADABLE = Path("/proc/self/mem")


@pytest.fixture
def folder(tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "smoke_test.html").write_text("<p>All is well.</p>", encoding="utf-8")
    (reports / "summary.md").write_text("## smoke_test passed\n", encoding="utf-8")
    return reports


@pytest.fixture
def publish(folder, tmp_path):
    def publish(*, breaks_off=False, **environment):
        page = tmp_path / "page.md"
        surrounding = {"PATH": os.environ["PATH"], "GITHUB_STEP_SUMMARY": str(page), **environment}
        done = subprocess.run(
            [sys.executable, str(TOOL), str(folder)], env=surrounding, capture_output=True, text=True, check=False
        )
        assert ("Traceback" in done.stderr) if breaks_off else (done.stderr == "")
        return done.returncode, done.stdout, page.read_text(encoding="utf-8") if page.exists() else ""

    return publish


def published(folder):
    """What would be uploaded, by its path."""
    whole = folder / "published"
    return {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}


def test_a_clean_report_is_published_as_it_is_and_its_summary_handed_on(publish, folder):
    (folder / "data").mkdir()
    (folder / "data" / "latency.csv").write_text("1101", encoding="utf-8")

    code, output, page = publish(AWS_SECRET_ACCESS_KEY=SECRET)

    assert code == 0
    assert "3 files looked through, 0 withheld" in output
    assert page == "## smoke_test passed\n"
    assert published(folder) == {"smoke_test.html", "summary.md", "data/latency.csv"}
    assert (folder / "published" / "smoke_test.html").read_bytes() == (folder / "smoke_test.html").read_bytes()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (f"key: {SECRET}", "the value of AWS_SECRET_ACCESS_KEY"),
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key id"),
        ("ASIAIOSFODNN7EXAMPLE", "an AWS access key id"),
        ("ghp_" + "a1" * 18, "a GitHub token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        (f"aws_secret_access_key = {OTHER_SECRET}", "an AWS secret access key"),
        ("AWS_SESSION_TOKEN=" + "IQoJb3JpZ2luX2Vj" * 10, "an AWS session token"),
        ("https://b.s3.amazonaws.com/42/a.png?X-Amz-Signature=" + "0f" * 32, "a signed URL"),
        ("dckr_pat_" + "a1B2" * 7, "a Docker Hub token"),
        ("x-api-key: " + "a1B2" * 10, "an API key"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmEvYiJ9." + "a1B2" * 10, "a JSON Web Token"),
    ],
)
def test_a_file_with_a_secret_is_withheld_and_named_without_it(publish, folder, content, kind):
    (folder / "smoke_test.ipynb").write_text(f'{{"cells": ["{content}"]}}', encoding="utf-8")

    code, output, page = publish(AWS_SECRET_ACCESS_KEY=SECRET)

    assert code == 1
    assert f"smoke_test.ipynb held {kind}" in output
    assert content not in output
    assert published(folder) == {"smoke_test.html", "summary.md"}
    assert page.startswith("## smoke_test passed\n")
    assert f"smoke_test.ipynb held {kind}" in page
    assert content not in page


def test_a_summary_with_a_secret_reaches_no_page(publish, folder):
    (folder / "summary.md").write_text(f"## {SECRET}", encoding="utf-8")

    code, _, page = publish(AWS_SECRET_ACCESS_KEY=SECRET)

    assert code == 1
    assert SECRET not in page
    assert "summary.md held the value of AWS_SECRET_ACCESS_KEY" in page


@pytest.mark.skipif(not UNREADABLE.exists(), reason=f"{UNREADABLE}, which nobody can read from its start, is Linux's")
def test_of_a_look_that_is_broken_off_nothing_is_published_that_was_not_looked_through(publish, folder):
    # What an earlier call has left, a file that cannot be read, and a secret behind it.
    (folder / "published").mkdir()
    (folder / "published" / "smoke_test.json").write_text(SECRET, encoding="utf-8")
    (folder / "a.html").symlink_to(UNREADABLE)
    (folder / "smoke_test.ipynb").write_text(SECRET, encoding="utf-8")

    code, output, page = publish(AWS_SECRET_ACCESS_KEY=SECRET, breaks_off=True)

    assert code == 1
    assert "looked through" not in output
    assert page == ""
    assert published(folder) == set()


def test_a_second_call_looks_through_the_report_alone(publish, folder):
    publish()
    (folder / "smoke_test.html").write_text(SECRET, encoding="utf-8")

    code, output, _ = publish(AWS_SECRET_ACCESS_KEY=SECRET)

    assert code == 1
    assert "2 files looked through, 1 withheld" in output
    assert published(folder) == {"summary.md"}


def test_a_short_secret_of_a_local_cloud_is_not_looked_for(publish, folder):
    (folder / "smoke_test.html").write_text("a local cloud", encoding="utf-8")

    assert publish(AWS_SECRET_ACCESS_KEY="local")[0] == 0


@pytest.mark.parametrize("secret", [SECRET, "ghp_" + "a1" * 18, "github_pat_" + "a1_" * 12])
def test_a_secret_is_found_in_a_summary_as_markdown_escapes_it(publish, folder, secret):
    (folder / "summary.md").write_text(f"| ✗ BAD | {job_summary.text(secret)} |", encoding="utf-8")

    code, _, page = publish(AWS_SECRET_ACCESS_KEY=SECRET)

    assert code == 1
    assert "summary.md held " in page
    assert published(folder) == {"smoke_test.html"}


def test_a_token_is_found_at_the_beginning_of_a_line_within_a_text_of_json(publish, folder):
    message = json.dumps({"message": "refused:\nghp_" + "a1" * 18})
    (folder / "smoke_test.json").write_text(json.dumps([message]), encoding="utf-8")

    assert publish()[0] == 1


def test_a_summary_beyond_githubs_limit_is_cut_and_not_dropped(publish, folder):
    (folder / "summary.md").write_text("å" * 1_000_000, encoding="utf-8")

    _, _, page = publish()

    assert 900_000 < len(page.encode()) <= 900 * 1024


def test_without_a_report_it_says_that_nothing_ran(publish, folder):
    for path in folder.iterdir():
        path.unlink()

    code, output, _ = publish()

    assert (code, "nothing ran" in output) == (0, True)
