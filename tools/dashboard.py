"""Write infra/dashboard.json.tftpl: the panels of the metric review as a CloudWatch dashboard.

Run it after a change of the review's charts or series; a test compares the file with them.
"""

from __future__ import annotations

from pathlib import Path

from couch_explorers.files import write_whole
from couch_explorers.metrics import dashboard

FILE = Path(__file__).resolve().parents[1] / "infra" / "dashboard.json.tftpl"


def main() -> None:
    """Write the file."""
    write_whole(FILE, dashboard.template())
    print(FILE)


if __name__ == "__main__":
    main()
