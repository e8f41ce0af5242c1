import json
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from threading import Event
from types import SimpleNamespace

import boto3
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers import doctor
from couch_explorers.aws import credentials
from couch_explorers.workspace import WorkspaceError, connect, local_session
from tests.command_line import couch, couch_process

pytestmark = pytest.mark.programs

ENDPOINT = "http://127.0.0.1:9"

BROKEN_FILES = {
    "a setting before the first [section]": ("region = eu-west-1\n[default]\n", 1),
    "the section [default] stands there for the second time": ("[default]\nregion = x\n\n[default]\n", 4),
    "region is set for the second time in [default]": ("[default]\nregion = x\noutput = json\nregion = y\n", 4),
    "no [section] and no NAME = VALUE": ("[default]\nregion = x\n# fine\noh dear\n", 4),
    "bytes that are no UTF-8": (b"[default]\nregion = x\nname = \xff\n", 3),
    "an indented line without NAME = VALUE": ("[default]\ns3 =\n  addressing_style = path\n  oh dear\n", 4),
}

# Each of these made a client of an ordinary session fail, or ask elsewhere, or sign otherwise.
VARIABLES = {
    "AWS_PROFILE": "nonexistent",
    "AWS_DEFAULT_PROFILE": "nonexistent",
    "AWS_ENDPOINT_URL": "nonsense",
    "AWS_ENDPOINT_URL_SQS": "http://sqs.example",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "never",
    "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "nonsense",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "nonsense",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "nonsense",
    "AWS_BEARER_TOKEN_BEDROCK": "token",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_DATA_PATH": "/nonexistent",
    "AWS_DEFAULT_REGION": "mars-north-1",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_SIGV4A_SIGNING_REGION_SET": "*",
    "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth",
    "AWS_METADATA_SERVICE_TIMEOUT": "soon",
}
FILES = ("config_file", "credentials_file")
CALLS = {
    "sqs": ("list_queues", {}),
    "s3": ("head_object", {"Bucket": "bucket", "Key": "key"}),
    "bedrock-runtime": ("invoke_model", {"modelId": "model", "body": b"{}"}),
    "cloudwatch": ("describe_alarms", {}),
    "lambda": ("list_functions", {}),
    "sts": ("get_caller_identity", {}),
}


@pytest.fixture(autouse=True)
def user(monkeypatch, tmp_path):
    """A user whose home and AWS files are this folder's, and who has set nothing."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "COUCH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "couch"))
    return tmp_path


def write(file, content):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def request_of(client):
    """The HTTP request that a call of a client makes, signed, and not sent."""
    made = []

    def stop(request, **_):
        made.append(request)
        raise InterruptedError

    client.meta.events.register("before-send", stop)
    call, arguments = CALLS[client.meta.service_model.service_name]
    with pytest.raises(InterruptedError):
        getattr(client, call)(**arguments)
    return made[0]


def assert_untouched(service):
    client = local_session(ENDPOINT).client(service, region_name="us-west-2")
    request = request_of(client)
    assert request.url.startswith(f"{ENDPOINT}/")
    authorization = request.headers["Authorization"]
    header = authorization.decode() if isinstance(authorization, bytes) else authorization
    assert header.startswith("AWS4-HMAC-SHA256 Credential=000000000000/")
    assert "/us-west-2/" in header
    assert "X-Amz-Security-Token" not in request.headers


@pytest.mark.parametrize("service", CALLS)
def test_a_local_client_hears_nothing_of_the_users_environment(monkeypatch, service):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)

    assert_untouched(service)


@given(
    variables=st.dictionaries(
        st.sampled_from(sorted(VARIABLES)), st.text(st.characters(codec="ascii", exclude_characters="\x00")), min_size=1
    )
)
def test_a_local_session_takes_no_setting_from_any_environment(variables):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)

        session = credentials.session(isolated=True)

        assert session.full_config == {"profiles": {}}
        for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
            assert session.get_config_variable(name) == (os.devnull if name in FILES else default)


@pytest.mark.parametrize("service", ["sqs", "s3"])
@pytest.mark.parametrize("content", [content for content, _ in BROKEN_FILES.values()])
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_local_client_reads_none_of_the_users_files(user, service, content, name):
    write(user / name, content)

    assert_untouched(service)


def test_a_local_client_hears_nothing_of_the_settings_of_a_valid_file(user):
    settings = "endpoint_url = http://elsewhere.example\nuse_fips_endpoint = true\nmax_attempts = many\nregion = mars\n"
    (user / "config").write_text(
        f"[default]\n{settings}s3 =\n  use_accelerate_endpoint = true\n  addressing_style = virtual\n"
    )

    for service in CALLS:
        assert_untouched(service)


def test_a_local_client_asks_without_a_proxy_also_with_settings_of_its_own(monkeypatch):
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    own = boto3.session.Config(read_timeout=7, proxies={"http": "http://proxy.example:3128"})

    client = local_session(ENDPOINT).client("sqs", config=own)

    assert client.meta.config.proxies == {}
    assert client.meta.config.read_timeout == 7
    assert local_session(ENDPOINT).client("sqs").meta.config.proxies == {}


@pytest.mark.parametrize("what", BROKEN_FILES)
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_a_broken_file_is_named_with_its_line(user, what, name):
    content, line = BROKEN_FILES[what]
    write(user / name, content)

    with pytest.raises(WorkspaceError) as refused:
        connect("aws", 42)

    variable = "AWS_CONFIG_FILE" if name == "config" else "AWS_SHARED_CREDENTIALS_FILE"
    assert str(refused.value) == (
        f"The AWS configuration cannot be read: {user / name}, line {line}: {what}. "
        f"Correct it, or name another file: export {variable}=FILE"
    )


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_an_unknown_profile_is_named_with_the_known_ones(user, monkeypatch, variable):
    (user / "config").write_text('[profile dev]\nregion = x\n[profile "two words"]\n[sso-session corp]\n')
    (user / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv(variable, "nonexistent")

    with pytest.raises(WorkspaceError) as refused:
        connect("aws", 42)

    assert str(refused.value).startswith(f"{variable} names the AWS profile 'nonexistent', which stands neither in ")
    assert "(known: default, dev, two words)" in str(refused.value)
    assert str(refused.value).endswith(f"unset {variable}")


def sso_profile(user, monkeypatch, *, expires=None, legacy=False, name="dev"):
    """A profile with SSO, whose token expires at a time, or which has none."""
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("AWS_PROFILE", name)
    where = "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
    session = "" if legacy else f"[sso-session corp]\n{where}"
    reference = where if legacy else "sso_session = corp\n"
    (user / "config").write_text(
        f"[profile {name}]\n{reference}sso_account_id = 123456789012\nsso_role_name = admin\n{session}"
    )
    if expires is not None:
        cache = user / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        key = sha1(b"https://corp.awsapps.com/start" if legacy else b"corp").hexdigest()
        token = {"accessToken": "t", "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
        (cache / f"{key}.json").write_text(json.dumps(token))


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("age", [None, timedelta(hours=1), timedelta(days=400)])
def test_an_ended_sso_login_names_the_command_that_logs_in(user, monkeypatch, legacy, age):
    sso_profile(user, monkeypatch, expires=age and datetime.now(UTC) - age, legacy=legacy)
    # In a process of its own: botocore looks for the home when it is imported.
    done = couch_process("status", "--target", "aws", "--candidate", "42")

    assert done.returncode == 1
    assert done.stderr == (
        "couch: The SSO login of the AWS profile dev has expired or was never made. Log in: aws sso login --profile dev\n"
    )


def test_doctor_reports_an_ended_sso_login(user, monkeypatch):
    sso_profile(user, monkeypatch)
    done = couch_process("doctor", "--json")

    found = {finding["name"]: finding for finding in json.loads(done.stdout)}["AWS credentials"]
    assert (found["verdict"], found["fix"]) == ("WARN", "aws sso login --profile dev")


@pytest.mark.parametrize("what", BROKEN_FILES)
def test_doctor_reports_a_broken_file_with_its_line(user, what):
    content, line = BROKEN_FILES[what]
    write(user / "config", content)

    found = doctor.aws_credentials()

    assert found.verdict == "WARN"
    assert f"{user / 'config'}, line {line}" in found.detail
    assert found.fix == "export AWS_CONFIG_FILE=FILE"


def test_doctor_reports_an_unknown_profile(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nonexistent")

    found = doctor.aws_credentials()

    assert (found.verdict, found.fix) == ("WARN", "unset AWS_PROFILE")
    assert "'nonexistent'" in found.detail


def test_doctor_does_not_wait_for_a_sign_in_service_that_keeps_silent(monkeypatch):
    monkeypatch.setattr(doctor, "CREDENTIALS_DEADLINE_S", 0.0)
    release = Event()
    silent = SimpleNamespace(method="sso", get_frozen_credentials=release.wait)
    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _: silent)

    assert "no answer" in doctor.aws_credentials().detail
    release.set()


CREDENTIALS = {
    "incomplete in the environment": ({"AWS_ACCESS_KEY_ID": "a"}, "", "AWS_SECRET_ACCESS_KEY is missing"),
    "incomplete in the file": ({}, "aws_access_key_id = a\n", "aws_secret_access_key is missing"),
    "a program that fails": ({}, "credential_process = false\n", "profile default gives no credentials"),
    "a program that is not there": ({}, "credential_process = /nonexistent\n", "credential"),
    "a source that is not there": (
        {},
        "role_arn = arn:aws:iam::1:role/r\nsource_profile = x\n",
        "gives no credentials",
    ),
    "a source that is itself": (
        {},
        "role_arn = arn:aws:iam::1:role/r\nsource_profile = default\n",
        "gives no credentials",
    ),
    "a source that is unknown": (
        {},
        "role_arn = arn:aws:iam::1:role/r\ncredential_source = Mars\n",
        "gives no credentials",
    ),
    "a number that is none": ({"AWS_METADATA_SERVICE_TIMEOUT": "soon"}, "", "soon"),
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_credentials_that_cannot_be_had_are_one_sentence(user, monkeypatch, case):
    variables, profile, words = CREDENTIALS[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (user / "config").write_text(f"[default]\n{profile}")

    with pytest.raises(WorkspaceError) as refused:
        connect("aws", 42)

    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "http://", "://x", "http://a b"])
def test_an_endpoint_that_is_no_address_is_one_sentence(monkeypatch, url):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)

    with pytest.raises(WorkspaceError) as refused:
        connect("aws", 42)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "have expired"),
        ("ExpiredTokenException", "have expired"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("UnrecognizedClientException", "does not know these credentials"),
        ("SignatureDoesNotMatch", "does not know these credentials"),
    ],
)
def test_credentials_that_aws_refuses_are_reported_as_such(code, words):
    problem = credentials.explain(ClientError({"Error": {"Code": code, "Message": "x"}}, "ListQueues"))

    assert words in problem.what


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), ClientError({"Error": {"Code": "Throttling"}}, "ListQueues")]
)
def test_an_error_about_something_else_is_not_explained(error):
    assert credentials.explain(error) is None


@given(content=st.binary())
def test_no_file_is_a_defect(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        for name, prefix in (("config", b""), ("credentials", b"[default]\n")):
            (folder / name).write_bytes(prefix + content)

        with pytest.raises(WorkspaceError) as refused:
            connect("aws", 42)

    assert "\n" not in str(refused.value)


COMMANDS = (
    ("paint", "a fjord"),
    ("run", "smoke_test"),
    ("job", "job-1"),
    ("redrive",),
    ("status",),
    ("env",),
    ("doctor",),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("broken", ["profile", "config"])
def test_no_command_has_a_trace_for_a_broken_configuration(user, monkeypatch, command, broken):
    if broken == "profile":
        monkeypatch.setenv("AWS_PROFILE", "nonexistent")
    else:
        (user / "config").write_text("no section\n")

    monkeypatch.chdir(user)
    # A notebook has a kernel, and a kernel a process.
    done = (couch_process if command[0] == "run" else couch)(*command)

    assert "Traceback" not in done.stderr + done.stdout
    assert "AWS" not in done.stderr
