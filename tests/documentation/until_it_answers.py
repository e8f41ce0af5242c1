"""Run what never ends by itself until it answers at an address that it prints: `python -m tests.documentation.until_it_answers COMMAND…`.

Ends it then, with exit code 0. Exit code 1 when it ends by itself, or prints no address that answers in two minutes.
"""

import re
import subprocess
import sys
import threading
import time
import urllib.request

ADDRESS = re.compile(r"https?://(?:127\.0\.0\.1|localhost):\d+\S*")
WITHIN_S = 120
LOOK_EVERY_S = 0.5


def main(command: list[str]) -> int:
    """Wait for an address in what the command says, and ask it until it answers."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found: list[str] = []
    reader = threading.Thread(target=_read, args=(process, found))
    reader.start()
    deadline, reason = time.monotonic() + WITHIN_S, "it printed no address"
    while process.poll() is None and time.monotonic() < deadline:
        if found and not (reason := _refusal(found[0])):
            break
        time.sleep(LOOK_EVERY_S)
    process.terminate()
    process.wait()
    reader.join()
    if reason:
        sys.stdout.write(f"No answer: {reason}\n")
    return 1 if reason else 0


def _read(process: subprocess.Popen[str], found: list[str]) -> None:
    """Hand on what the command says, and note the addresses in it."""
    for line in process.stdout or ():
        sys.stdout.write(line)
        found += ADDRESS.findall(line)


def _refusal(address: str) -> str:
    """Say why an address does not answer; empty when it does."""
    try:
        with urllib.request.urlopen(address, timeout=WITHIN_S) as answer:
            return "" if answer.status == 200 else f"{address}: {answer.status}"
    except OSError as error:
        return f"{address}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
