import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.stub import Stubber

from couch_explorers.api import Api
from couch_explorers.workspace import Workspace, WorkspaceError


@pytest.fixture
def server():
    """An API that answers 200 to everything; its address, and the headers of each request, in lower case."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/prod/generate-image", seen
    running.shutdown()
    running.server_close()


@pytest.fixture
def workspace():
    """A workspace whose session has keys, and the stub of its API Gateway."""
    session = boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-west-1")
    gateway = session.client("apigateway")

    class Deployed(Workspace):
        def client(self, service, region=None, config=None):
            assert service == "apigateway"
            return gateway

    def made(**fields):
        return Deployed("aws", session, "42", "eu-west-1", "bucket", "42", **fields)

    with Stubber(gateway) as stub:
        yield made, stub


def test_open_api_is_sent_neither_key_nor_signature(server, workspace):
    (url, seen), (made, _) = server, workspace

    assert Api.of(made(api_url=url)).post("{}").status == 200
    assert not {"x-api-key", "authorization"} & seen[0].keys()


def test_key_is_looked_up_once_and_never_shown(server, workspace):
    (url, seen), (made, stub) = server, workspace
    stub.add_response("get_api_key", {"value": "open-sesame"}, {"apiKey": "k3y", "includeValue": True})

    api = Api.of(made(api_url=url, api_key_id="k3y"))
    api.post("{}")
    api.post("{}")

    assert [headers["x-api-key"] for headers in seen] == ["open-sesame"] * 2
    assert "open-sesame" not in repr(api)
    stub.assert_no_pending_responses()


def test_key_that_may_not_be_read_is_an_error_that_names_the_permission(workspace):
    made, stub = workspace
    stub.add_client_error("get_api_key", "AccessDeniedException", http_status_code=403)

    with pytest.raises(WorkspaceError, match=r"apigateway:GET on arn:aws:apigateway:eu-west-1::/apikeys/k3y\."):
        Api.of(made(api_url="https://example.com/", api_key_id="k3y"))


def test_request_is_signed_for_the_stage(server, workspace):
    (url, seen), (made, _) = server, workspace

    Api.of(made(api_url=url, api_is_signed=True)).post("{}")

    assert seen[0]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/eu-west-1/execute-api/aws4_request" in seen[0]["authorization"]


def test_api_that_is_not_deployed_is_an_error_that_says_how_to_deploy_it(workspace):
    made, _ = workspace

    with pytest.raises(WorkspaceError, match="sam deploy"):
        Api.of(made())


def test_address_that_is_no_http_is_refused():
    with pytest.raises(ValueError, match="http or https"):
        Api("file:///etc/passwd").post("{}")
