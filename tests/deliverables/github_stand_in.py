"""GitHub's API on a loopback port: workflow runs in the shape of the REST API's documentation, filtered as it filters them."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def run(number, branch="main", created_at="2026-11-24T23:30:00Z", **fields):
    """One run as GitHub lists it, without the parts that nobody here reads."""
    return {
        "id": 30_000_000_000 + number,
        "name": "a workflow",
        "head_branch": branch,
        "head_sha": f"{number:040x}",
        "path": ".github/workflows/a.yml",
        "display_title": "A commit's subject",
        "run_number": number,
        "event": "push",
        "status": "completed",
        "conclusion": "success",
        "html_url": f"https://github.com/octocat/couch/actions/runs/{30_000_000_000 + number}",
        "created_at": created_at,
        "updated_at": created_at,
        "run_attempt": 1,
        **fields,
    }


@dataclass
class StandIn:
    """What GitHub knows, by workflow, newest run first; `refusal` is what it answers instead."""

    runs: dict[str, list[dict]] = field(default_factory=dict)
    refusal: tuple[int, dict[str, str], str] | None = None
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, address, headers):
        parts = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query, {name.lower(): value for name, value in headers.items()}))
        if self.refusal:
            return self.refusal
        workflow = parts.path.removeprefix("/repos/octocat/couch/actions/workflows/").removesuffix("/runs")
        if workflow not in self.runs:
            return 404, {}, json.dumps({"message": "Not Found", "status": "404"})
        found = [
            listed
            for listed in self.runs[workflow]
            if listed["head_branch"] == query.get("branch", listed["head_branch"])
            and listed["event"] == query["event"]
            and listed["conclusion"] == query["status"]
        ]
        size, page = int(query["per_page"]), int(query.get("page", "1"))
        return 200, {}, json.dumps({"total_count": len(found), "workflow_runs": found[(page - 1) * size : page * size]})


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, headers, text = self.server.stand_in.answer(self.path, dict(self.headers))
        content = text.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


def serve(stand_in):
    """Serve until the generator is closed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.stand_in = stand_in
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand_in
    server.shutdown()
    thread.join()
    server.server_close()
