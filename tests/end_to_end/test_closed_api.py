"""The API closed by the template's parameters, deployed and called by users with `policies/` and the permissions that the README adds."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from couch_explorers.api import Api
from couch_explorers.aws.bootstrap import Account
from couch_explorers.aws.discovery import EndpointSession, discover
from couch_explorers.capacity.load_generator import run_load
from couch_explorers.checks import Verdict
from couch_explorers.generate_image import PaintingError, paint
from couch_explorers.local.settings import ACCOUNT_ID, tool_environment
from couch_explorers.paths import PROJECT_ROOT
from couch_explorers.smoke import api as smoke_api
from couch_explorers.workspace import local_session
from tests import account
from tests.local.engine.conftest import serve

SAM = str(Path(sys.executable).with_name("sam"))
ACCOUNT = Account(ACCOUNT_ID, "42")
REST = "arn:aws:apigateway:eu-west-1::"
VERBS = [f"apigateway:{verb}" for verb in ("GET", "POST", "PUT", "PATCH", "DELETE")]
# As the table of the README says.
TO_DEPLOY = [
    {
        "Action": VERBS,
        "Resource": [f"{REST}/apikeys", f"{REST}/apikeys/*", f"{REST}/usageplans", f"{REST}/usageplans/*"],
    }
]
TO_CALL = [
    {"Action": "apigateway:GET", "Resource": f"{REST}/apikeys/*"},
    {
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:eu-west-1:{ACCOUNT_ID}:*/prod/POST/generate-image",
    },
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("closed")) as cloud:
        account.prepare(local_session(cloud.endpoint), ACCOUNT)
        cloud.ask("PUT", "/_couch/faults", {"latency": 0.0})
        yield cloud


@pytest.fixture(scope="module")
def user(cloud):
    """Make a user with managed policies and further statements; the variables of a tool that acts as that user."""
    owner = local_session(cloud.endpoint)

    def made(name, policies, more=()):
        keys = account.make_user(owner, ACCOUNT, name, policies)
        if more:
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in more]}
            cloud.client("iam").put_user_policy(
                UserName=name, PolicyName="closed-api", PolicyDocument=json.dumps(document)
            )
        return keys

    return made


@pytest.fixture(scope="module")
def deploy(cloud, user, tmp_path_factory):
    build, folder = tmp_path_factory.mktemp("sam"), PROJECT_ROOT / "sam_lambda"
    environment = (
        tool_environment(cloud.endpoint) | {"SAM_CLI_TELEMETRY": "0"} | user("deployer", ("deploy",), TO_DEPLOY)
    )

    def sam(*words):
        done = subprocess.run(
            [SAM, *map(str, words)], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

    sam("build", "--build-dir", build)

    def deployed(**parameters):
        given = {"CandidateNumber": "42", "PermissionsBoundary": ACCOUNT.policy_arn("boundary")} | parameters
        sam(
            *("deploy", "--template-file", build / "template.yaml", "--stack-name", "couch-explorers-42-api"),
            *("--config-file", folder / "samconfig.toml", "--s3-prefix", "couch-explorers-42", "--no-confirm-changeset"),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in given.items())),
        )  # fmt: skip

    return deployed


@dataclass
class Closed:
    """The closed API, and who may and may not call it."""

    by: str
    cloud: object
    caller: dict[str, str]
    stranger: dict[str, str]

    def workspace(self, keys):
        session = EndpointSession(
            self.cloud.endpoint,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            region_name="eu-west-1",
        )
        return discover(session, "42", target="aws", endpoint=self.cloud.endpoint)

    @property
    def paid(self):
        return self.cloud.ask("GET", "/_couch/stats")[1]["images"]


@pytest.fixture(scope="module")
def callers(user):
    return user("caller", ("judge",), TO_CALL), user("stranger", ("judge",))


@pytest.fixture(scope="module", params=["ApiKeyRequired=true", "ApiAuthorizer=AWS_IAM"])
def closed(request, cloud, deploy, callers):
    """The API, closed by one parameter after the other."""
    name, _, value = request.param.partition("=")
    deploy(**({"ApiKeyRequired": '""', "ApiAuthorizer": "NONE"} | {name: value}))
    return Closed(name, cloud, *callers)


def readme_line(text):
    """The command of the README that holds a text."""
    (line,) = re.findall(
        rf"^curl .*{re.escape(text)}.*$", (PROJECT_ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    return line


def test_any_other_request_is_answered_with_403_and_costs_nothing(closed):
    paid = closed.paid
    url = closed.workspace(closed.stranger).api_url
    refused = []
    for headers in ({}, {"x-api-key": "a" * 40}):
        with pytest.raises(HTTPError) as error, urlopen(Request(url, b"a lighthouse", headers), timeout=30):
            pass
        refused.append((error.value.code, json.load(error.value)["error"]))

    assert refused == [(403, "Forbidden")] * 2
    assert closed.paid == paid


def test_command_of_the_readme_makes_an_image(closed):
    api = Api.of(closed.workspace(closed.caller))
    line = readme_line("x-api-key" if closed.by == "ApiKeyRequired" else "--aws-sigv4")
    environment = os.environ | closed.caller | {"API_URL": api.url, "API_KEY": api.key}

    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout).get("key", "").startswith("42/"), done.stdout


def test_paint_and_load_call_it(closed, tmp_path):
    workspace = closed.workspace(closed.caller)

    painted = paint(workspace, "a lighthouse in fog", folder=tmp_path)
    load = run_load(workspace, users=2, minutes=0.01, via="api", max_cost_usd=1.0)

    assert painted.uri.startswith("s3://pgr301-couch-explorers/42/")
    assert list(load.requests["status"]) == [200, 200]


def test_smoke_test_calls_it(closed):
    workspace = closed.workspace(closed.caller)
    # Nobody waits until its metric is there.
    minutes = (60.0 * minute for minute in count())

    part = smoke_api.check(
        workspace,
        workspace.client,
        "a lighthouse at dusk",
        f"smoke-{closed.by}",
        clock=lambda: next(minutes),
        sleep=lambda _: None,
    )

    verdicts = {check.name: check.verdict for check in part.checks if "measured" not in check.name}
    assert set(verdicts.values()) == {Verdict.OK}, part.checks


def test_caller_without_the_permission_learns_which_is_missing(closed, tmp_path):
    missing = "apigateway:GET on arn:aws:apigateway:eu-west-1::/apikeys/"
    if closed.by == "ApiAuthorizer":
        missing = "not authorized to perform: execute-api:Invoke on resource: "

    with pytest.raises(PaintingError, match=missing):
        paint(closed.workspace(closed.stranger), "a lighthouse in fog", folder=tmp_path)
