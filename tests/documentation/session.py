"""One terminal for each page: its blocks are run in order, each beginning with what the one before exported, where that one ended."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.project_copy import ProjectCopy

from .exceptions import Exceptions
from .pages import Block

SCRIPT = Path(__file__).with_name("session.sh")
STAND_INS = Path(__file__).with_name("bin")
# What is done with a block of each language. A diff is applied by test_contributing.py; the rest is there to be looked at.
RUN, PARSED, APPLIED, SHOWN = ("sh", "python"), ("json",), ("diff",), ("", "text", "md", "mermaid")
# Seconds, after which a block is taken to hang: a deploy takes 80, and the first build of the client's image, with nothing in
# its cache and other tests beside it, five minutes.
TIMEOUT_S = 900


class BlockError(AssertionError):
    """A block failed: where it stands, how it was run, and its output."""


@dataclass
class Session:
    """A terminal in the copy's folder; `environment` is added to the copy's own."""

    copy: ProjectCopy
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    exceptions: Exceptions = field(default_factory=Exceptions.read)

    def run(self, block: Block) -> str:
        """Run a block as its language says, and what has to be done behind it; BlockError when it fails."""
        if block.language in PARSED:
            return self._parse(block)
        text = self.exceptions.as_run(block)
        if block.language == "python":
            return self._execute(block, text, sys.executable)
        output = self._execute(block, text, "bash", str(SCRIPT))
        for command in self.exceptions.afterwards(block):
            behind = Block(f"behind {block.page}", block.line, "sh", f"{command}\n")
            output += self._execute(behind, behind.text, "bash", str(SCRIPT))
        return output

    def _parse(self, block: Block) -> str:
        try:
            json.loads(block.text)
        except ValueError as error:
            raise BlockError(f"{block} is no JSON: {error}\n{block.text}") from error
        return ""

    def _execute(self, block: Block, text: str, *program: str) -> str:
        """Run a text as a file that is called like the page, each line at its number there: so errors report their place."""
        state = self.folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        path = self.folder / block.page.replace("/", "-")
        path.write_text("\n" * (block.line - 1) + text, encoding="utf-8")
        code, output = self._wait([*program, str(path), str(state)])
        if code:
            what = f"was not over in {TIMEOUT_S} s" if code == -signal.SIGKILL else f"ended with {code}"
            output = output.replace(f"{path}:", f"{block.page}:")
            raise BlockError(f"{block} {what}\n\nas it was run:\n\n{text}\nwhat it said:\n\n{output}")
        return output

    def _wait(self, command: list[str]) -> tuple[int, str]:
        # In a session of its own, so that it can be ended with all that it started.
        process = subprocess.Popen(
            command,
            cwd=self.copy.root,
            env=self.copy.environment | self._own() | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return process.returncode, output

    def _own(self) -> dict[str, str]:
        path = os.pathsep.join([str(STAND_INS), self.copy.environment["PATH"]])
        jupyter = {f"JUPYTER_{name}_DIR": str(self.folder / "jupyter") for name in ("CONFIG", "DATA", "RUNTIME")}
        # Anyone who tests does not want a browser to open.
        quiet = {"NO_COLOR": "1", "TERM": "dumb", "SAM_CLI_TELEMETRY": "0", "BROWSER": "true"}
        return {"PATH": path} | jupyter | quiet
