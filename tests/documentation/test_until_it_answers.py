import subprocess
import sys

from .pages import ROOT

SERVER = """
import http.server, time
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(f"listening at http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
"""


def until_it_answers(*command):
    program = [sys.executable, "-m", "tests.documentation.until_it_answers", *command]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_a_server_that_answers_at_its_address_is_ended():
    done = until_it_answers(sys.executable, "-c", SERVER)

    assert done.returncode == 0, done.stdout
    assert "listening at http://127.0.0.1:" in done.stdout


def test_what_ends_by_itself_has_not_answered():
    done = until_it_answers(sys.executable, "-c", "print('port 8888 is taken')")

    assert done.returncode == 1
    assert done.stdout == "port 8888 is taken\nNo answer: it printed no address\n"
