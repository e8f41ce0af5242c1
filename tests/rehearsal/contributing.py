"""The commands of CONTRIBUTING.md, as they stand there."""

from .stage import VARIABLES
from .workflow_files import ROOT


def take_down(first: str, last: str) -> str:
    """Give those that take everything down, from a line that begins so to a line that begins so, for the candidate of the rehearsal."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = page.partition("\n### Tearing everything down\n")[2].partition("\n```sh\n")[2].partition("\n```\n")[0]
    lines = block.replace("<your number>", VARIABLES["CANDIDATE"]).splitlines()
    begin, end = (next(number for number, line in enumerate(lines) if line.startswith(word)) for word in (first, last))
    # The first of all names the candidate.
    return "\n".join([lines[0], *lines[begin : end + 1]])
