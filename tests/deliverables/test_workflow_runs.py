import json
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from couch_explorers.deliverables import workflow_runs
from couch_explorers.deliverables.model import Missing, Reason, Run
from couch_explorers.deliverables.workflow_runs import RUNS_A_PAGE, GitHub, find_repository

WORKFLOW = "terraform_deploy.yml"
NAMES = {"repository": "octocat/couch", "workflow": WORKFLOW}
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture
def ask(github):
    """Ask the stand-in as the command would."""
    return lambda **environment: replace(
        GitHub.of("octocat/couch", {"GITHUB_API_URL": github.url, **environment}), now=lambda: NOON
    )


def test_the_newest_successful_push_to_main_is_found(ask, github, github_runs):
    github.runs[WORKFLOW] = [
        github_runs(9, "a-branch"),
        github_runs(8, conclusion="failure"),
        github_runs(7, event="workflow_dispatch"),
        github_runs(6),
        github_runs(5),
    ]

    assert ask().on_main(WORKFLOW) == Run(
        6, "main", date(2026, 11, 24), "https://github.com/octocat/couch/actions/runs/30000000006"
    )


def test_the_newest_successful_push_to_another_branch_is_found_among_those_to_main(ask, github, github_runs):
    github.runs[WORKFLOW] = [*(github_runs(200 - n) for n in range(RUNS_A_PAGE)), github_runs(9, "a-branch")]

    assert ask().elsewhere(WORKFLOW).number == 9
    assert [query["page"] for _, query, _ in github.asked] == ["1", "2"]


def test_a_tag_is_no_branch(ask, github, github_runs):
    github.runs[WORKFLOW] = [github_runs(9, "v1.4.2"), github_runs(8, "v2-of-the-alarm")]

    assert ask().elsewhere(WORKFLOW).branch == "v2-of-the-alarm"


def test_the_search_for_another_branch_ends(ask, github, github_runs):
    github.runs[WORKFLOW] = [github_runs(1000 - n) for n in range(1000)]

    assert ask().elsewhere(WORKFLOW) == Missing(Reason.NO_RUN_ELSEWHERE, NAMES)
    assert len(github.asked) == 4


def test_a_workflow_that_has_never_succeeded_is_reported_as_such(ask, github, github_runs):
    github.runs[WORKFLOW] = [github_runs(1, conclusion="failure")]

    assert ask().on_main(WORKFLOW) == Missing(Reason.NO_RUN_ON_MAIN, NAMES)
    assert ask().elsewhere(WORKFLOW) == Missing(Reason.NO_RUN_ELSEWHERE, NAMES)


def test_the_day_of_a_run_is_given_in_utc(ask, github, github_runs):
    github.runs[WORKFLOW] = [github_runs(1, created_at="2026-11-25T00:30:00+01:00")]

    assert ask().on_main(WORKFLOW).day == date(2026, 11, 24)


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", "GH_TOKEN"])
def test_a_token_is_sent_where_one_is_set(ask, github, variable):
    ask(**{variable: "a-token\n"}).on_main(WORKFLOW)

    [(_, _, headers)] = github.asked
    assert headers["authorization"] == "Bearer a-token"


def test_a_public_repository_is_asked_for_without_a_token(ask, github):
    ask().on_main(WORKFLOW)

    [(path, _, headers)] = github.asked
    assert "authorization" not in headers
    assert headers["user-agent"] == "couch-explorers"
    assert path == "/repos/octocat/couch/actions/workflows/terraform_deploy.yml/runs"


def test_a_token_is_not_sent_on_to_where_a_redirect_leads(ask, github):
    github.refusal = (301, {"Location": f"{github.url}/repositories/1/runs"}, "")

    ask(GITHUB_TOKEN="a-token").on_main(WORKFLOW)

    first, second = (headers for _, _, headers in github.asked[:2])
    assert first["authorization"] == "Bearer a-token"
    assert "authorization" not in second


def test_a_token_is_never_shown(ask):
    assert "a-token" not in repr(ask(GITHUB_TOKEN="a-token"))


def test_a_token_that_no_header_can_hold_is_refused_before_it_is_sent(ask, github):
    assert ask(GITHUB_TOKEN="two\nlines").on_main(WORKFLOW) == Missing(Reason.TOKEN_REFUSED)
    assert github.asked == []


LIMITED = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON.timestamp()) + 3600)}


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (401, {}, Missing(Reason.TOKEN_REFUSED)),
        (404, {}, Missing(Reason.NOT_FOUND, NAMES)),
        (403, {"x-ratelimit-remaining": "57"}, Missing(Reason.NO_RIGHT, NAMES)),
        (403, LIMITED, Missing(Reason.RATE_LIMIT, {"until": "13:00 UTC"})),
        (429, LIMITED, Missing(Reason.RATE_LIMIT, {"until": "13:00 UTC"})),
        (403, {"retry-after": "300"}, Missing(Reason.RATE_LIMIT, {"until": "12:05 UTC"})),
        (429, {}, Missing(Reason.RATE_LIMIT, {"until": "12:01 UTC"})),
        (502, {}, Missing(Reason.GITHUB_FAILED, {"status": "502"})),
    ],
)
def test_a_refusal_becomes_its_reason(ask, github, status, headers, expected):
    github.refusal = (status, headers, json.dumps({"message": "in GitHub's words"}))

    assert ask().on_main(WORKFLOW) == expected
    assert ask().elsewhere(WORKFLOW) == expected


@pytest.mark.parametrize(
    "text", ["<html>", "[]", "{}", '{"workflow_runs": 7}', '{"workflow_runs": [{}]}', '{"workflow_runs": [7]}']
)
def test_an_answer_that_is_no_list_of_runs_is_reported_as_such(ask, github, text):
    github.refusal = (200, {}, text)

    assert ask().on_main(WORKFLOW) == Missing(Reason.GITHUB_UNREADABLE, {"host": "127.0.0.1"})


def test_a_run_without_the_address_of_a_page_is_not_linked_to(ask, github, github_runs):
    github.runs[WORKFLOW] = [github_runs(1, html_url="javascript:alert(1)")]

    assert ask().on_main(WORKFLOW).reason is Reason.GITHUB_UNREADABLE


def test_an_address_where_nobody_listens_is_reported_with_the_cause(ask):
    found = ask(GITHUB_API_URL="http://127.0.0.1:9").on_main(WORKFLOW)

    assert found == Missing(Reason.GITHUB_UNREACHABLE, {"host": "127.0.0.1", "why": "Connection refused"})


def test_a_server_that_never_answers_is_given_up_on(ask):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = replace(ask(GITHUB_API_URL=address), timeout_s=0.2).on_main(WORKFLOW)

    assert found == Missing(Reason.GITHUB_UNREACHABLE, {"host": "127.0.0.1", "why": "timed out"})


def test_an_address_that_is_none_is_reported_with_the_variable_that_holds_it(ask):
    found = ask(GITHUB_API_URL="file:///etc/hosts").on_main(WORKFLOW)

    assert found.reason is Reason.GITHUB_UNREACHABLE
    assert "GITHUB_API_URL" in found.details["why"]


@pytest.fixture
def checkout(tmp_path):
    """Make a git repository whose origin is at an address; without one, it has none."""

    def made(address=None):
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        if address:
            subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", address], check=True)
        return tmp_path

    return made


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/octocat/couch.git",
        "https://github.com/octocat/couch",
        "https://GitHub.com/octocat/couch/",
        "https://octocat:a-password@github.com/octocat/couch.git",
        "git@github.com:octocat/couch.git",
        "github.com:octocat/couch",
        "ssh://git@github.com/octocat/couch.git",
        "ssh://git@ssh.github.com:443/octocat/couch.git",
    ],
)
def test_a_remote_at_github_is_read_in_every_form_that_git_takes(checkout, address):
    assert find_repository(None, {}, checkout(address)) == "octocat/couch"


def test_what_is_given_counts_before_what_a_workflow_sets_and_that_before_git(checkout):
    folder = checkout("https://github.com/octocat/from-git")
    workflow = {"GITHUB_REPOSITORY": "octocat/from-workflow"}

    assert find_repository("octocat/given", workflow, folder) == "octocat/given"
    assert find_repository(None, workflow, folder) == "octocat/from-workflow"
    assert find_repository(None, {}, folder) == "octocat/from-git"


def test_a_remote_elsewhere_is_reported_by_its_host_without_the_password_in_it(checkout):
    folder = checkout("https://octocat:a-password@gitlab.com/octocat/couch.git")

    assert find_repository(None, {}, folder) == Missing(Reason.NOT_ON_GITHUB, {"host": "gitlab.com"})


def test_a_companys_own_github_is_known_by_the_address_that_its_workflows_set(checkout):
    folder = checkout("git@github.example.com:octocat/couch.git")

    assert find_repository(None, {"GITHUB_SERVER_URL": "https://github.example.com"}, folder) == "octocat/couch"


@pytest.mark.parametrize(
    "address", [None, "/srv/git/couch.git", "file:///srv/git/couch.git", "https://github.com/octocat"]
)
def test_without_a_remote_that_names_a_repository_it_is_not_known(checkout, address):
    assert find_repository(None, {}, checkout(address)) == Missing(Reason.NO_REPOSITORY)


def test_outside_of_git_and_without_git_it_is_not_known(tmp_path, monkeypatch):
    assert workflow_runs.origin(tmp_path / "nowhere") == ""

    monkeypatch.setenv("PATH", str(tmp_path))

    assert workflow_runs.origin(tmp_path) == ""
