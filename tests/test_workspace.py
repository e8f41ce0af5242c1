import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from couch_explorers import workspace
from couch_explorers.aws import credentials
from couch_explorers.workspace import WorkspaceError, check_candidate, connect

pytestmark = pytest.mark.usefixtures("no_user_settings")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("azure",), r"'azure'. Known: local, aws"),
        (("local",), "couch up"),
        (("aws",), "COUCH_CANDIDATE"),
        (("aws", 42), "No AWS credentials were found"),
        *[
            (("aws", 42, region), f"like eu-west-1, not '{region}'")
            for region in ("eu", "EU-WEST-1", "eu-west-1/x", "arn:aws:iam")
        ],
    ],
)
def test_connection_is_refused_with_what_is_missing(arguments, message):
    with pytest.raises(WorkspaceError, match=message):
        connect(*arguments)


@pytest.mark.parametrize("candidate", ["", "4a", "-1", "42/43", "12345678901", "٤٢"])
def test_a_malformed_candidate_number_is_refused_with_its_value(candidate):
    with pytest.raises(WorkspaceError, match="1 to 10 digits"):
        check_candidate(candidate)


def test_a_candidate_number_may_be_an_integer():
    assert check_candidate(42) == "42"


def test_malformed_region_of_the_environment_is_refused_with_the_variables_name(monkeypatch):
    monkeypatch.setenv("COUCH_REGION", "Ireland")

    with pytest.raises(WorkspaceError, match=r"COUCH_REGION is set wrongly.*'Ireland'"):
        connect("aws", 42)


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [(None, None, "eu-west-1"), ("", "eu-north-1", "eu-north-1"), ("us-west-2", "eu-north-1", "us-west-2")],
)
def test_region_is_the_argument_else_the_variable_else_the_courses(monkeypatch, argument, variable, used):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    # What people set for other work does not decide where the stacks are.
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    if variable:
        monkeypatch.setenv("COUCH_REGION", variable)

    candidate, region, client = workspace.account_clients("aws", 42, argument)

    assert (candidate, region, client("sqs").meta.region_name) == ("42", used, used)


def test_a_local_session_keeps_its_endpoint_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "theirs")

    session = workspace.local_session("http://127.0.0.1:4566")

    assert session.client("sqs").meta.endpoint_url == "http://127.0.0.1:4566"
    assert session.get_credentials().access_key == "000000000000"


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("json", b'{"MetricDataResults": [{"Timestamps": [1764072000, 1764072000.25]}]}'),
        (
            "query",
            b"""<GetMetricDataResponse><GetMetricDataResult><MetricDataResults><member><Timestamps>
            <member>2025-11-25T12:00:00Z</member><member>2025-11-25T13:00:00.250+01:00</member>
            </Timestamps></member></MetricDataResults></GetMetricDataResult></GetMetricDataResponse>""",
        ),
    ],
)
def test_times_are_given_in_utc_whichever_way_aws_writes_them(protocol, body):
    session = credentials.session(isolated=True)
    shape = session.get_service_model("cloudwatch").operation_model("GetMetricData").output_shape
    parser = session.get_component("response_parser_factory").create_parser(protocol)

    answer = parser.parse({"headers": {}, "status_code": 200, "body": body}, shape)

    noon = datetime(2025, 11, 25, 12, tzinfo=UTC)
    times = answer["MetricDataResults"][0]["Timestamps"]
    assert times == [noon, noon + timedelta(seconds=0.25)]
    assert {time.tzinfo for time in times} == {UTC}


def test_a_workspace_is_written_without_its_session():
    here = workspace.Workspace("local", object(), "42", "eu-west-1", "bucket", "42", alarms=("one",))

    assert json.loads(json.dumps(here.to_json()))["alarms"] == ["one"]
    assert "session" not in here.to_json()


@pytest.fixture
def web_page(monkeypatch):
    """Answer everything that AWS is asked with a web page, as a network does before one has logged in to it."""
    pages = {
        "body": b"<!DOCTYPE html><html><head><meta charset=utf-8><title>Welcome</title></head><p>Log in<br></html>"
    }

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(pages["body"])))
            self.end_headers()
            self.wfile.write(pages["body"])

        do_GET = do_POST  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield pages
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("body", [None, b"<html><body>Log in</body></html>", b"Log in"])
def test_web_page_in_aws_place_is_one_sentence(web_page, body):
    if body is not None:
        web_page["body"] = body

    with pytest.raises(WorkspaceError, match=r"The answer is not one of AWS's.*HTTPS_PROXY"):
        connect("aws", 42)
