"""The figures of the report on the local cloud: with a week behind it, on a fresh one, and as on AWS."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from couch_explorers.figures import benchmark_results

from .test_review import FETCHED

FIGURES = ("architecture", "contact_sheet", "age", "duration", "client", "cost", "beta")
MEASURED = ("age", "duration", "cost")
SVG = "{http://www.w3.org/2000/svg}svg"
# Of the file that a benchmark saves on a machine with Docker's tools; where it is not there, its figure says so.
CLIENT_IS_SAVED = (benchmark_results.FOLDER / "java_client.json").exists()
MADE = tuple(name for name in FIGURES if name != "client" or CLIENT_IS_SAVED)


def report(cloud, out, *arguments, environment=None):
    done = cloud.couch("run", "exam_report", *arguments, "--out", str(out), environment=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((out / "exam_report" / "figures.json").read_text(encoding="utf-8"))
    return done, {figure["name"]: figure for figure in manifest["figures"]}


def verdicts(out):
    read = json.loads((out / "exam_report.json").read_text(encoding="utf-8"))
    assert read["status"] == "ok"
    return [check["verdict"] for check in read["checks"]]


@pytest.fixture(scope="module")
def with_a_week(week, tmp_path_factory):
    """The report of a cloud with a week behind it: its folder, what `couch run` printed, and its manifest."""
    out = tmp_path_factory.mktemp("reports")
    return out, *report(week, out)


def test_without_a_history_nothing_is_synthetic_and_what_was_not_measured_says_what_to_do(
    local_cloud, workspace, tmp_path
):
    local_cloud.couch("seed-metrics", "--erase")

    _, figures = report(local_cloud, tmp_path)

    assert "BAD" not in verdicts(tmp_path)
    for name in ("architecture", "contact_sheet"):
        assert figures[name]["source"]["kind"] == "LOCAL"
    for figure in (figures[name] for name in MEASURED):
        # What the tests before have left behind was measured; a cloud that nobody used has nothing to show.
        assert figure["files"] or "couch run smoke_test" in figure["reason"]
        assert "SYNTHETIC" not in json.dumps(figure)


def test_every_figure_is_made_and_counted(with_a_week):
    out, done, _ = with_a_week

    found = verdicts(out)
    assert len(found) == len(FIGURES)
    assert found.count("OK") == len(MADE)
    assert f"{len(MADE)} OK" in done.stdout


@pytest.mark.parametrize("name", MADE)
def test_each_figure_lies_there_for_screen_print_and_word_processor(with_a_week, name):
    out, _, figures = with_a_week
    paths = {form: out / "exam_report" / file for form, file in figures[name]["files"].items()}

    root = ET.parse(paths["svg"]).getroot()
    assert (root.tag, root.get("role"), root.get("aria-label")) == (SVG, "img", figures[name]["alternative_text"])
    pdf = paths["pdf"].read_bytes()
    assert pdf.startswith(b"%PDF")
    assert (b"/Subtype /Image" if name == "contact_sheet" else b"/FontFile2") in pdf
    with Image.open(paths["png"]) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width == pytest.approx(160 / 25.4 * 300, abs=1)
        assert image.height > 300
        assert len(set(image.convert("L").resize((64, 64)).get_flattened_data())) > 2


def test_each_figure_says_where_its_data_come_from(with_a_week):
    out, _, figures = with_a_week

    kinds = {name: figures[name]["source"]["kind"] for name in MADE}
    expected = {"architecture": "LOCAL", "contact_sheet": "LOCAL", "client": "SAVED RUN", "beta": "MODEL"}
    assert kinds == {name: expected.get(name, "SYNTHETIC") for name in MADE}
    page = (out / "exam_report.html").read_text(encoding="utf-8")
    assert page.count("◌ SYNTHETIC") == len(MEASURED)
    assert page.count("○ LOCAL") == 2


def test_the_snippet_shows_every_figure_and_its_links_lead_to_files(with_a_week):
    out, _, _ = with_a_week
    folder = out / "exam_report"

    snippet = (folder / "figures.md").read_text(encoding="utf-8")
    links = re.findall(r"(?<!\\)\]\(([^)]+)\)", snippet)
    assert len(links) == 4 * len(MADE)
    assert all((folder / link).stat().st_size > 0 for link in links)
    assert re.findall(r"^\*\*Figure (\d)\.", snippet, re.MULTILINE) == list("1234567")


def test_the_page_opens_offline_and_its_links_lead_to_the_files(with_a_week):
    out, _, _ = with_a_week

    page = (out / "exam_report.html").read_text(encoding="utf-8")
    assert not FETCHED.search(page)
    assert page.count('<figure class="couch-figure"') == len(MADE)
    links = re.findall(r'href="(exam_report/[^"]+)"', page)
    assert len(links) == 3 * len(MADE) + 2
    assert all((out / link).is_file() for link in links)


def test_on_aws_the_same_notebook_says_aws(week, workspace, tmp_path):
    _, figures = report(
        week, tmp_path, "--target", "aws", "-p", "candidate", "42", environment=week.exported_environment()
    )

    kinds = {name: figures[name]["source"]["kind"] for name in MADE}
    expected = {"client": "SAVED RUN", "beta": "MODEL"}
    assert kinds == {name: expected.get(name, "AWS") for name in MADE}
    assert "Amazon Bedrock in us-west-2" in figures["contact_sheet"]["source"]["sentence"]


def test_pictures_that_are_there_are_not_painted_again(week, with_a_week, workspace, tmp_path):
    before = week.stats.images

    _, figures = report(week, tmp_path)

    assert week.stats.images == before
    assert "none of them new" in figures["contact_sheet"]["caption"]


def test_models_that_fail_leave_out_the_contact_sheet_and_nothing_else(week, workspace, faults, tmp_path):
    faults("error=1", "latency=0")

    _, figures = report(week, tmp_path, "-p", "seed", "4711")

    assert figures["contact_sheet"]["verdict"] == "NO DATA"
    assert figures["contact_sheet"]["reason"].startswith("No picture came")
    assert figures["architecture"]["verdict"] == "OK"
