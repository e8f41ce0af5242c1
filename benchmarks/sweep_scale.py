"""Measure a sweep of 10,000 cells without a cloud: expansion, plan, saved run, contact sheet and gallery, in time and memory."""

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from PIL import Image
from results import Results, parser

from couch_explorers.core import generation, png
from couch_explorers.exploration import contact_sheet, gallery, load, plan
from couch_explorers.exploration import results as runs
from couch_explorers.exploration.cache import ImageCache
from couch_explorers.exploration.contact_sheet import PNG_LEVEL, ContactSheet
from couch_explorers.exploration.results import Outcome, Status
from couch_explorers.exploration.sweep import Sweep
from couch_explorers.paths import Home
from couch_explorers.workspace import Workspace

CELLS = 10_000
PIXELS = 1024
# Different pictures among those 10,000 files; each file is read and drawn, whichever picture it holds.
MOTIFS = 8
# Pages are drawn one by one and forgotten: so many tell the time and the memory of all.
PAGES = 8
SWEEP = Sweep(
    {"cow": "A {medium} of a cow in {place}"},
    variables={
        "medium": [f"medium {number}" for number in range(10)],
        "place": {f"place {number}": f"a place with the number {number}, at dusk" for number in range(10)},
    },
    seeds=range(1, CELLS // 100 + 1),
    title="Ten thousand cows",
)


def motif(number: int) -> bytes:
    """A picture that compresses as a painting does, not as noise or a single colour."""
    noise = Image.effect_noise((PIXELS // 128, PIXELS // 128), 60 + number).resize(
        (PIXELS, PIXELS), Image.Resampling.BICUBIC
    )
    buffer = io.BytesIO()
    Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180))).save(buffer, "PNG")
    return buffer.getvalue()


def prepare() -> None:
    """Write all pictures and a saved run, as a run of the sweep leaves them."""
    folder, motifs = Home.current().images("local"), [motif(number) for number in range(MOTIFS)]
    folder.mkdir(parents=True)
    created, outcomes, cells = datetime.now(UTC), {}, SWEEP.cells()
    for cell in cells:
        if cell.job is None:
            raise AssertionError("Every cell of this sweep has a job.")
        parameters = generation.parameters_of(cell.job, seed=cell.seed, created=created)
        path = folder / f"{cell.id}.png"
        path.write_bytes(png.add_parameters(motifs[cell.number % MOTIFS], parameters))
        # In the bucket, as far as anybody knows: nothing is uploaded.
        key = cell.job.key("42")
        record = {"id": cell.id, "model": cell.model, "seconds": 1.0, "bucket": "pictures", "key": key}
        path.with_suffix(".json").write_text(json.dumps(record))
        outcomes[cell.number] = Outcome(cell.number, Status.MADE, "", 1.0, 0.04, path, key, PIXELS, PIXELS)
    rows = runs.result_rows(cells, outcomes)
    about = {
        "title": SWEEP.title,
        "purpose": "",
        "target": "local",
        "via": "direct",
        "started": created.isoformat(),
        "seconds": 1250.0,
    }
    about |= {"totals": runs.run_totals(rows), "axes": SWEEP.axes()}
    runs.save_run(rows, runs.new_run_folder("local", SWEEP.title, created), about, runs.columns_of(cells))


def write_page(sheet: ContactSheet, number: int) -> int:
    """Draw a page and write it as `save` does; its size in bytes."""
    buffer = io.BytesIO()
    sheet.draw(number).save(buffer, "PNG", compress_level=PNG_LEVEL)
    return len(buffer.getvalue())


class Clock:
    """Processor seconds of named steps; that a machine is shared does not change them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, step: Callable[[], Any]) -> Any:
        """Do a step and note its processor time, that of all threads."""
        begin = time.process_time()
        done = step()
        self.seconds[name] = time.process_time() - begin
        return done


def measure(what: str) -> dict[str, float]:
    """Do one thing in this process; its steps' processor seconds and the process' largest size in megabytes."""
    clock, home = Clock(), Home.current()
    if what == "plan":
        here = Workspace("local", boto3.session.Session(), "42", "eu-west-1", "pictures", "42")
        cache = ImageCache(home.images("local"))
        clock.time("expand", SWEEP.cells)
        for name in ("plan", "plan_again"):
            rows = clock.time(name, lambda: plan.plan_rows(SWEEP, here, cache))
            if len(rows) != CELLS or {row.status for row in rows} != {plan.Planned.CACHED}:
                raise AssertionError("Every picture is in the cache.")
        frame = clock.time("frame", lambda: plan.plan_frame(rows, workspace=here, cache=cache))
        clock.time("summary", lambda: str(plan.summarize_plan(frame)))
    elif what == "sheet":
        (run,) = home.runs("local").iterdir()
        frame = clock.time("load", lambda: load(run))
        sheet = clock.time("lay_out", lambda: contact_sheet(frame))
        clock.seconds["pages"] = len(sheet.pages)
        for name in ("page", "page_again"):
            clock.time(name, lambda: [write_page(sheet, number) for number in range(1, PAGES + 1)])
            clock.seconds[name] /= PAGES
    else:
        found = clock.time("search", lambda: gallery(text="cow", variables={"place": "place 7"}, limit=CELLS))
        if sum(len(run.pictures) for run in found.runs) != CELLS // 10:
            raise AssertionError("A tenth of the pictures has this place.")
        clock.time("html", found._repr_mimebundle_)
    return clock.seconds | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_its_own_process(what: str) -> dict[str, float]:
    """Measure one thing in a new process."""
    done = subprocess.run([sys.executable, __file__, "--only", what], check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


FIGURES = (
    ("plan", "expand", "expand the templates", "s", 1.0),
    ("plan", "plan", "plan, every picture in the cache", "s", 60.0),
    ("plan", "plan_again", "plan again in the same notebook", "s", 5.0),
    ("plan", "frame", "the plan as a frame", "s", 2.0),
    ("plan", "summary", "the plan's summary", "s", 1.0),
    ("plan", "peak", "largest process while planning", "MB", 500.0),
    ("sheet", "load", "load the saved run", "s", 2.0),
    ("sheet", "lay_out", "lay the contact sheet out", "s", 30.0),
    ("sheet", "pages", "pages", "pages", None),
    ("sheet", "page", "draw and write a page of it", "s", 5.0),
    ("sheet", "page_again", "the same with its thumbnails there", "s", 2.5),
    ("sheet", "peak", "largest process while drawing", "MB", 700.0),
    ("gallery", "search", "search the gallery", "s", 10.0),
    ("gallery", "html", "show what was found", "s", 5.0),
    ("gallery", "peak", "largest process while searching", "MB", 500.0),
)


def main() -> None:
    """Measure everything on one set of pictures; the sheet comes after the plan, and the gallery finds its thumbnails."""
    arguments = parser(__doc__, runs=1)
    arguments.add_argument("--only", choices=["plan", "sheet", "gallery"], help="measure one thing in this process")
    options = arguments.parse_args()
    if options.only:
        print(json.dumps(measure(options.only)))
        return
    measured: dict[str, list[dict[str, float]]] = {"plan": [], "sheet": [], "gallery": []}
    with tempfile.TemporaryDirectory(prefix="couch-scale-") as folder:
        for number in range(options.runs):
            os.environ["COUCH_HOME"] = str(Path(folder) / str(number))
            prepare()
            for what, taken in measured.items():
                taken.append(in_its_own_process(what))
    results = Results("sweep_scale", options.runs)
    for what, key, title, unit, budget in FIGURES:
        results.add(f"{what}.{key}", title, [taken[key] for taken in measured[what]], unit, budget)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
