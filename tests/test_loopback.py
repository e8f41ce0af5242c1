import os
import subprocess
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.utils import should_bypass_proxies
from hypothesis import given
from hypothesis import strategies as st

from couch_explorers import loopback

# A port of the loopback address on which nobody listens: a proxy there refuses every connection.
DEAD_PROXY = "http://127.0.0.1:9"
PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

entries = st.sampled_from(
    ["example.com", ".corp.example", "10.0.0.0/8", "localhost", "127.0.0.1", " a.b ", "", "[::1]:80"]
)
lists = st.lists(entries, max_size=5).map(",".join)
environments = st.dictionaries(
    st.sampled_from([*PROXY_VARIABLES, "Http_Proxy"]), st.sampled_from([DEAD_PROXY, "127.0.0.1:9", ""]), min_size=1
)


@pytest.fixture
def server():
    """A server on the loopback address that answers every GET with its path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.path.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566/x", True),
        ("http://127.9.9.9", True),
        ("http://localhost:4566", True),
        ("http://LOCALHOST", True),
        ("http://localhost.:80", True),
        ("http://abc.execute-api.localhost:4566/prod", True),
        ("http://[::1]:4566", True),
        ("https://127.0.0.1", True),
        ("http://0.0.0.0:4566", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
        ("https://sqs.eu-west-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
        ("no url", False),
        ("http://[", False),
    ],
)
def test_loopback_is_recognized_by_name_and_number(url, expected):
    assert loopback.is_loopback(url) is expected


@pytest.mark.parametrize("variable", PROXY_VARIABLES)
def test_loopback_is_opened_without_the_proxy(server, monkeypatch, variable):
    monkeypatch.setenv(variable, DEAD_PROXY)

    with loopback.open_url(f"{server}/health", timeout_s=30) as answer:
        assert answer.read() == b"/health"


def test_other_hosts_are_opened_through_the_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server)

    with loopback.open_url("http://elsewhere.example/x", timeout_s=30) as answer:
        assert answer.read() == b"http://elsewhere.example/x"


@given(upper=lists, lower=lists)
def test_no_proxy_keeps_what_the_user_excepts(upper, lower):
    environment = loopback.no_proxy({"NO_PROXY": upper, "no_proxy": lower})

    assert environment["NO_PROXY"] == environment["no_proxy"]
    kept = environment["NO_PROXY"].split(",")
    assert {entry.strip() for entry in f"{upper},{lower}".split(",") if entry.strip()} <= set(kept)
    assert set(loopback.LOOPBACK_NAMES) <= set(kept)
    assert len(kept) == len(set(kept))
    assert loopback.no_proxy(environment) == environment


@given(before=lists, after=lists)
def test_an_asterisk_excepts_everything_and_stays_alone(before, after):
    assert loopback.no_proxy({"no_proxy": f"{before},*,{after}"}) == {"NO_PROXY": "*", "no_proxy": "*"}


@given(proxies=environments, excepted=lists)
def test_botocore_and_urllib_reach_loopback_directly_in_any_environment(proxies, excepted):
    environment = {**proxies, "no_proxy": excepted}
    loopback.bypass_proxies(environment)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)

        named = {name for name, value in proxies.items() if value}
        for url in ("http://127.0.0.1:4566/x", "http://localhost:4566", "https://localhost"):
            assert should_bypass_proxies(url) or not named
            assert urllib.request.proxy_bypass(url.split("/")[2]) or not named


def test_an_environment_without_a_proxy_stays_as_it_is():
    environment = {"PATH": "/bin", "no_proxy": "example.com", "http_proxy": ""}

    loopback.bypass_proxies(environment)

    assert environment == {"PATH": "/bin", "no_proxy": "example.com", "http_proxy": ""}


@given(proxies=environments)
def test_a_program_that_stays_on_this_machine_sees_no_proxy(proxies):
    environment = loopback.without_proxies({"PATH": "/bin", "NO_PROXY": "example.com", **proxies})

    assert environment == {"PATH": "/bin"} | loopback.no_proxy({})


@pytest.mark.parametrize("variable", PROXY_VARIABLES)
def test_a_python_of_such_an_environment_finds_no_proxy(variable):
    environment = loopback.without_proxies({**os.environ, variable: DEAD_PROXY})
    code = "import urllib.request as r; print(r.getproxies().keys() - {'no'}, bool(r.proxy_bypass('127.0.0.1:4566')))"

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set() True"
