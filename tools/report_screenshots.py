"""Take the screenshots of reports that the README shows, from the reports of `make demo`.

    python tools/report_screenshots.py      reads reports/, writes docs/

Needs Chromium: apt-get install chromium, or its path in COUCH_CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("COUCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
COLOURS = 128


@dataclass(frozen=True)
class Screenshot:
    """A window of so many CSS pixels, or, with `before`, the report from its title down to that heading."""

    report: str
    target: str
    width: int
    height: int
    before: str = ""


SCREENSHOTS = (
    Screenshot("smoke_test", "smoke-test-report", 1280, 1100),
    Screenshot(
        "metric_review",
        "metric-review",
        1000,
        1100,
        before="How long do users wait for a picture, and is that within the objective?",
    ),
)


def main() -> None:
    """Write each screenshot; ends with a sentence where a report or Chromium is missing."""
    if CHROMIUM is None:
        sys.exit("Chromium is not installed: apt-get install chromium, or set COUCH_CHROMIUM to its path.")
    missing = [shot.report for shot in SCREENSHOTS if not path_of(shot).is_file()]
    if missing:
        sys.exit(f"reports/ has no report of {' and '.join(missing)}: make demo")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot in SCREENSHOTS:
            page = browser.new_page(viewport={"width": shot.width, "height": shot.height})
            page.goto(path_of(shot).as_uri())
            clip: FloatRect | None = None
            if shot.before:
                top = page.locator("main").bounding_box()
                heading = page.get_by_role("heading", name=shot.before, exact=True).bounding_box()
                if top is None or heading is None:
                    sys.exit(f"{path_of(shot)} shows no heading {shot.before!r}.")
                clip = {"x": 0.0, "y": top["y"], "width": float(shot.width), "height": heading["y"] - top["y"] - 8}
            pixels = page.screenshot(full_page=clip is not None, clip=clip)
            with Image.open(BytesIO(pixels)) as image:
                small = image.convert("RGB").quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE)
                small.save(ROOT / "docs" / f"{shot.target}.png", optimize=True)
        browser.close()


def path_of(shot: Screenshot) -> Path:
    """The report's page."""
    return ROOT / "reports" / f"{shot.report}.html"


if __name__ == "__main__":
    main()
