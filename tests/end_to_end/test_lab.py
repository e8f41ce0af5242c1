"""JupyterLab as a person meets it: `couch lab`, a browser, a notebook, a click."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from couch_explorers.paths import PROJECT_ROOT
from tests.bare_cloud import free_port
from tests.waiting import wait_until

from .conftest import COUCH

NOTEBOOK = PROJECT_ROOT / "notebooks" / "prompt_exploration.ipynb"

CHROMIUM = os.environ.get("COUCH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# Without a sandbox: root in a container has none. The rest keeps the browser from asking its maker for anything.
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WINDOW = {"width": 1400, "height": 1000}
# The windows in which the form and the blind comparison are looked at, and the themes of JupyterLab.
WINDOWS = ({"width": 1280, "height": 900}, {"width": 1920, "height": 1080})
THEMES = {"dark": "JupyterLab Dark", "light": "JupyterLab Light"}
PALE_TEXTS = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
# Of the screenshots for the documentation: pixels, and colours of the palette.
SCREENSHOT_WIDTH, SCREENSHOT_COLOURS = 1200, 200

# Milliseconds, as the browser counts. A slow machine's first start of a kernel takes most of it.
PATIENCE_MS = 120_000
MENU_CLOSES_MS = 5_000
expect.set_options(timeout=PATIENCE_MS)
# Without it JupyterLab asks which kernel to take.
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
# Seconds. On a busy machine JupyterLab's start takes more than a minute.
START_S = 180

# The numbers that JupyterLab writes beside the code cells: blank before a cell has run, a star while it runs.
NUMBERS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.textContent)"
ALL_HAVE_RUN = f"{NUMBERS}.every(text => /[0-9]/.test(text))"
NONE_HAS_RUN = f"{NUMBERS}.every(text => !/[0-9]/.test(text))"
TRACE = "Traceback (most recent call last)"
ONE_HAS_FAILED = (
    f"[...document.querySelectorAll('.jp-OutputArea-output')].some(it => it.textContent.includes('{TRACE}'))"
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="Chromium is not installed: apt-get install chromium, or set COUCH_CHROMIUM to the program of another place",
)


@pytest.fixture(scope="module")
def lab(local_cloud, tmp_path_factory):
    """JupyterLab on a folder with a copy of the notebook: JupyterLab saves what it opens, and git's must stay as it is."""
    folder = tmp_path_factory.mktemp("lab")
    root = folder / "root"
    (root / "notebooks").mkdir(parents=True)
    for notebook in NOTEBOOK.parent.glob("*.ipynb"):
        shutil.copy(notebook, root / "notebooks")
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    environment = local_cloud.environment | own | {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_TOKEN": "secret"}
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [COUCH, "lab", "--no-browser", f"--port={port}", str(root)], env=environment, stdout=log, stderr=log
        )
        try:
            up = f"{address}/api/status?token=secret"
            wait_until(lambda: answers(up, server), within_s=START_S, what="JupyterLab")
            home = local_cloud.home
            yield SimpleNamespace(
                address=address,
                root=root,
                ratings=home / "ratings" / "local.jsonl",
                typed=home / "forms" / "local.json",
            )
        finally:
            # JupyterLab ends its kernels before itself.
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
                raise


def answers(address, server):
    assert server.poll() is None, f"couch lab ended with {server.returncode}"
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


@contextmanager
def opened(lab, folder, name=NOTEBOOK.name):
    """A notebook in a browser that has never been there, and the addresses that its page asks for."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            folder / "chromium", executable_path=CHROMIUM, headless=True, args=CHROMIUM_OPTIONS, viewport=WINDOW
        )
        page, asked = browser.pages[0], []
        try:
            page.set_default_timeout(PATIENCE_MS)
            page.on("request", lambda request: asked.append(request.url))
            # In a workspace of its own: JupyterLab would also open what the tests before have left open.
            page.goto(f"{lab.address}/lab/workspaces/{folder.name}/tree/notebooks/{name}?token=secret")
            wait_for_kernel(page)
            yield page, asked
        except BaseException:
            keep_screenshot(page, folder, "jupyterlab-failed")
            raise
        finally:
            browser.close()


def wait_for_kernel(page):
    """A user who runs a cell before the kernel is ready is asked to select one."""
    page.get_by_text("| Idle").wait_for()


def choose(page, menu, entry):
    """Choose an entry of a menu. JupyterLab loses a click that comes while it draws the menu again: then it stays open."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    opened_menu = page.locator(".lm-Menu")
    opened_menu.get_by_text(entry, exact=True).click()
    for _ in range(3):
        try:
            expect(opened_menu).to_have_count(0, timeout=MENU_CLOSES_MS)
        except AssertionError:
            opened_menu.get_by_text(entry, exact=True).click()
        else:
            return
    expect(opened_menu).to_have_count(0)


def run_all(page):
    """Run every cell, and fail with what the notebook says where one fails."""
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(f"{ALL_HAVE_RUN} || {ONE_HAS_FAILED}")
    assert page.locator(".jp-OutputArea-output", has_text=TRACE).all_text_contents() == []


def begin_anew(page):
    """End the kernel, start another, and take every output away."""
    choose(page, "Kernel", "Restart Kernel and Clear Outputs of All Cells…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_function(NONE_HAS_RUN)
    wait_for_kernel(page)


def save(page):
    """Save, and wait until JupyterLab's server says that the file is whole."""
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url):
        choose(page, "File", "Save Notebook")
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)


def card(page, number):
    """The picture of that number in the rating panel, with its buttons."""
    return page.locator(".couch-rating").filter(has=page.get_by_title(f"Keep picture {number}", exact=True))


def environment_of_a_shell():
    """A new terminal with the project's environment active, which knows nothing of the test's cloud."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_"))}
    return clean | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"}


def keep_screenshot(page, folder, name):
    """Keep what the browser shows, and once more as docs/ has it in the folder COUCH_SCREENSHOTS where that is set."""
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    if wanted := os.environ.get("COUCH_SCREENSHOTS"):
        Path(wanted).mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.thumbnail((SCREENSHOT_WIDTH, SCREENSHOT_WIDTH))
            small = image.convert("RGB").quantize(SCREENSHOT_COLOURS, kmeans=2, dither=Image.Dither.NONE)
            small.save(Path(wanted) / path.name, optimize=True)


def choose_theme(page, name):
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu").get_by_text("Theme", exact=True).hover()
    page.locator(".lm-Menu").get_by_text(name, exact=True).click()
    page.wait_for_function(f"document.body.dataset.jpThemeName === '{name}'")


def look(page, element, folder, name):
    """See that an element is readable and within its width in both windows and themes, and keep what it looks like."""
    for theme, theme_name in THEMES.items():
        choose_theme(page, theme_name)
        for window in WINDOWS:
            page.set_viewport_size(window)
            element.evaluate("element => element.scrollIntoView()")
            assert element.evaluate(PALE_TEXTS) == [], f"pale in the {theme} theme"
            assert element.evaluate("element => element.scrollWidth - element.clientWidth") <= 0, window
            keep_screenshot(page, folder, f"{name}-{window['width']}-{theme}")
    page.set_viewport_size(WINDOW)


def test_a_clicked_rating_is_found_again_after_a_reload_and_in_a_new_kernel(lab, tmp_path):
    in_git = NOTEBOOK.read_bytes()
    lab.ratings.unlink(missing_ok=True)

    with opened(lab, tmp_path) as (page, _):
        run_all(page)
        card(page, 2).locator(".couch-rate-keep").click()
        card(page, 2).locator(".couch-rate-star-4").click()
        expect(card(page, 2)).to_contain_text("★★★★☆")
        expect(card(page, 2)).to_contain_text("Saved")
        entries = [json.loads(line) for line in lab.ratings.read_text(encoding="utf-8").splitlines()]
        save(page)
        page.reload()
        wait_for_kernel(page)
        begin_anew(page)
        run_all(page)

        assert [(line.get("verdict"), line.get("stars")) for line in entries] == [("keep", None), (None, 4)]
        expect(card(page, 2).locator(".couch-rate-keep")).to_have_class(re.compile("mod-active"))
        expect(card(page, 2)).to_contain_text("★★★★☆")
        expect(page.locator(".couch-rating .mod-active")).to_have_count(1)
        page.locator(".jp-Cell", has=page.locator(".couch-panel")).evaluate("cell => cell.scrollIntoView()")
        keep_screenshot(page, tmp_path, "jupyterlab")
        command = page.locator("pre", has_text="couch reproduce").text_content()
    pasted = subprocess.run(
        command, shell=True, env=environment_of_a_shell(), capture_output=True, text=True, check=False
    )
    assert pasted.returncode == 0, f"{command}\n{pasted.stderr}"
    assert NOTEBOOK.read_bytes() == in_git


def test_jupyterlab_opens_without_questions_and_asks_nobody_outside(lab, tmp_path):
    with opened(lab, tmp_path) as (page, asked):
        expect(page.locator(".jp-Dialog, .Toastify__toast")).to_have_count(0)

    assert [address for address in asked if not address.startswith((lab.address, "data:", "blob:"))] == []


def test_a_notebook_that_is_opened_and_saved_stays_as_it_is_and_within_its_width(lab, tmp_path):
    with opened(lab, tmp_path) as (page, _):
        for notebook in sorted(NOTEBOOK.parent.glob("*.ipynb")):
            shutil.copy(notebook, lab.root / "notebooks")
            page.goto(f"{lab.address}/lab/tree/notebooks/{notebook.name}?token=secret")
            wait_for_kernel(page)

            expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
            wide = page.evaluate(
                "[...document.querySelectorAll('.jp-CodeCell .cm-scroller')].filter(it => it.scrollWidth > it.clientWidth).length"
            )
            assert wide == 0
            save(page)
            assert (lab.root / "notebooks" / notebook.name).read_bytes() == notebook.read_bytes()


DUEL = """from couch_explorers.exploration import Sweep, duel
from couch_explorers.workspace import connect
pictures = Sweep("A jeep on the savanna", seeds=(7, 21, 42)).run(connect("local"))
duel(pictures)"""


def test_duel_takes_clicks_and_arrow_keys_and_goes_on_after_a_reload(lab, tmp_path):
    # With a kernel: JupyterLab asks which one to take otherwise.
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DUEL)], metadata=kernel)
    nbformat.write(notebook, lab.root / "notebooks" / "duel.ipynb")
    lab.ratings.unlink(missing_ok=True)

    def answers():
        lines = lab.ratings.read_text(encoding="utf-8").splitlines() if lab.ratings.exists() else []
        entries = [json.loads(line) for line in lines]
        return [line["duel"].index(line["won"]) for line in entries]

    def wait_for(count):
        expect(page.locator(".couch-duel")).to_contain_text(f"{count} comparison", timeout=PATIENCE_MS)

    with opened(lab, tmp_path, "duel.ipynb") as (page, _):
        run_all(page)
        page.locator(".couch-duel-side").last.click()
        wait_for(1)
        page.locator(".couch-duel-stage").focus()
        page.keyboard.press("ArrowLeft")
        wait_for(2)
        # The next pair has the focus again.
        expect(page.locator(".couch-duel-stage")).to_be_focused(timeout=PATIENCE_MS)
        page.keyboard.press("ArrowRight")
        wait_for(3)
        look(page, page.locator(".couch-duel"), tmp_path, "duel")
        page.reload()
        wait_for_kernel(page)
        run_all(page)
        wait_for(3)
        page.locator(".couch-duel-left").click()
        wait_for(4)

    assert answers() == [1, 0, 1, 0]


FORM = """
from couch_explorers import workspace
from couch_explorers.exploration import explore

form = explore(workspace.connect("local"))
form
"""


@contextmanager
def opened_form(lab, folder):
    """A notebook with the form alone, run in a browser."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FORM.strip())], metadata=KERNEL)
    nbformat.write(notebook, lab.root / "notebooks" / "form.ipynb")
    lab.typed.unlink(missing_ok=True)
    with opened(lab, folder, "form.ipynb") as (page, _):
        choose(page, "Run", "Run All Cells")
        page.locator(".couch-form").wait_for()
        yield page, page.locator(".couch-form")


def press(form, name):
    form.get_by_role("button", name=name, exact=True).click()


def test_a_sweep_is_planned_run_looked_at_and_varied_by_the_form(lab, tmp_path):
    with opened_form(lab, tmp_path) as (page, form):
        plan, cells = form.locator(".couch-form-plan"), form.locator(".couch-cell:visible")
        expect(plan).to_contain_text("The sweep is empty: the axis prompts has no values")
        expect(form.get_by_role("button", name="Run", exact=True)).to_be_disabled()

        form.get_by_label("Prompts").fill("A {medium} of a cow in {place}")
        form.get_by_label("{medium}").fill("photo\nwatercolour")
        expect(plan).to_contain_text("and there is no such variable")
        form.get_by_label("{place}").fill("Norway = a Norwegian fjord at dusk\nEgypt = Giza, with its pyramids")
        form.get_by_label("Seeds").fill("7")
        form.get_by_label("Sizes").fill("512x512")
        expect(plan).to_contain_text("4 requests: ")
        press(form, "Run")
        expect(cells).to_have_count(4)
        expect(plan).to_contain_text("4 requests: 4 in the cache")

        look(page, form, tmp_path, "form")

        # By the keyboard alone: the button over a picture is reached and pressed, and leaves the focus where one goes on.
        page.get_by_role("button", name="Open picture 2", exact=True).focus()
        page.keyboard.press("Enter")
        expect(form.locator(".couch-large")).to_contain_text("A photo of a cow in Giza, with its pyramids")
        expect(form.get_by_role("button", name="Close")).to_be_focused()
        look(page, form.locator(".couch-enlarged"), tmp_path, "enlarged")
        press(form, "Vary this")
        expect(plan).to_contain_text("1 request: 1 in the cache")
        expect(form.get_by_label("{place}")).to_have_value("Egypt = Giza, with its pyramids")
        form.get_by_label("Seeds").fill("3 random")
        expect(form.get_by_label("Seeds")).to_have_value(re.compile(r"[0-9]+, [0-9]+, [0-9]+"))
        expect(plan).to_contain_text("3 requests: 3 new")
        press(form, "As parameters")
        command = form.get_by_label("The same by couch run").text_content()
        yaml = form.get_by_label("Parameters for papermill").text_content()
        assert command.startswith("couch run prompt_exploration -p prompts ")
        assert 'variables: {"medium": {"photo": "photo"}, "place": {"Egypt": "Giza, with its pyramids"}}' in yaml

        # After a reload and in a new kernel everything typed is there again, and the pictures of the last run.
        save(page)
        page.reload()
        wait_for_kernel(page)
        expect(form.get_by_label("{place}")).to_have_value("Egypt = Giza, with its pyramids")
        begin_anew(page)
        choose(page, "Run", "Run All Cells")
        expect(form.get_by_label("{place}")).to_have_value("Egypt = Giza, with its pyramids")
        expect(cells).to_have_count(4)


def test_a_run_of_the_form_is_cancelled_at_once(lab, tmp_path, local_cloud):
    with opened_form(lab, tmp_path) as (_, form):
        form.get_by_label("Prompts").fill("A couch in a museum")
        form.get_by_label("Seeds").fill("1-12")
        expect(form.locator(".couch-form-plan")).to_contain_text("12 requests: 12 new")
        local_cloud.set_faults("latency=60")
        try:
            press(form, "Run")
            expect(form).to_contain_text("0 of 12")
            press(form, "Cancel")
            expect(form).to_contain_text("Cancelled; finished pictures are kept.", timeout=10_000)
        finally:
            local_cloud.set_faults("clear")
        expect(form.get_by_role("button", name="Run", exact=True)).to_be_enabled()
