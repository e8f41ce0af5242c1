import errno
import json
import os
import re
from xml.etree import ElementTree as ET

import pytest

from couch_explorers import plot_style
from couch_explorers.checks import CHECKS_MIME, Verdict
from couch_explorers.figures import benchmark_results, charts, contact_sheet, report
from couch_explorers.figures.figure import Figure, MissingFigure, RenderedFigure
from couch_explorers.figures.provenance import Kind, Source
from couch_explorers.figures.report import Report
from couch_explorers.metrics.model import MetricsParameterError
from couch_explorers.metrics.plots.figure import Panel
from couch_explorers.reports.output_dir import OUT_VARIABLE
from tests.aws_fakes.monitored import client_error

pytestmark = pytest.mark.drawing


@pytest.fixture
def whole(workspace, frame_of):
    return Report(workspace, frame_of(target="aws"))


def made_all(made):
    for name in ("architecture", "age", "duration", "client", "cost", "beta"):
        getattr(made, name)()
    return made


def test_figures_have_the_number_of_their_place_whenever_they_are_made(whole):
    cost, first = whole.cost(), whole.architecture()

    assert (first.number, cost.number) == (1, 6)
    assert [figure.name for figure in whole.in_order()] == ["architecture", "cost"]


def test_making_a_figure_again_replaces_it(whole):
    whole.age()
    whole.age()

    assert len(whole.in_order()) == 1


def test_each_figures_check_stands_in_the_table_that_couch_run_reads(whole):
    found = made_all(whole).checks()._repr_mimebundle_()[CHECKS_MIME]

    assert [check["name"].partition(":")[0] for check in found] == [f"figure {number}" for number in (1, 3, 4, 5, 6, 7)]
    assert found[0]["verdict"] == Verdict.OK
    assert found[0]["detail"].startswith("AWS: Read from the services of AWS")


def test_a_missing_run_of_the_benchmark_is_no_data_and_the_others_are_made(whole, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark_results, "FOLDER", tmp_path)

    made_all(whole)

    verdicts = {figure.name: figure.check.verdict for figure in whole.in_order()}
    assert verdicts.pop("client") is Verdict.NO_DATA
    assert set(verdicts.values()) == {Verdict.OK}


def test_metrics_that_cannot_be_fetched_leave_out_their_figures_only(aws, workspace):
    aws.errors["GetMetricData"] = client_error("Throttling", status=400)

    made = report.begin(workspace)

    assert isinstance(made.architecture(), Figure)
    age = made.age()
    assert isinstance(age, MissingFigure)
    assert "CloudWatch throttled GetMetricData" in age.reason
    assert age.check.verdict is Verdict.NO_DATA


def test_a_window_that_makes_no_sense_stops_the_report(workspace):
    with pytest.raises(MetricsParameterError, match="Europe/Oslo"):
        report.begin(workspace, timezone="Europe/Olso")


def test_metrics_are_fetched_once_for_all_figures(aws, workspace):
    made = report.begin(workspace, hours=24, compare="none")
    asked = len(aws.calls("GetMetricData"))

    made.age(), made.duration(), made.cost()

    assert len(aws.calls("GetMetricData")) == asked


def test_a_refusal_by_aws_is_no_data(whole, monkeypatch):
    def refused(*_arguments, **_keywords):
        raise client_error("AccessDenied", "not allowed")

    monkeypatch.setattr(contact_sheet, "make", refused)
    figure = whole.contact_sheet(seed=7, max_cost_usd=0.2)

    assert (figure.check.verdict, figure.name) == (Verdict.NO_DATA, "contact_sheet")
    assert "not allowed" in figure.reason


def test_a_defect_is_bad_names_itself_and_does_not_stop_the_others(whole, monkeypatch):
    def broken(*_arguments, **_keywords):
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(contact_sheet, "make", broken)
    figure = whole.contact_sheet(seed=7, max_cost_usd=0.2)

    assert figure.check.verdict is Verdict.BAD
    assert "KeyError" in figure.reason
    assert isinstance(whole.age(), Figure)


def test_saved_figures_are_those_made_so_far(whole, tmp_path):
    whole.age()

    assert [path.name for path in whole.save(tmp_path)] == [
        "age.svg",
        "age.pdf",
        "age.png",
        "figures.md",
        "figures.json",
    ]


def test_titles_are_those_of_the_drawings(whole):
    made_all(whole)

    for figure in whole.in_order():
        assert figure.title == report.TITLES[figure.name]


def test_sources_follow_the_target(whole):
    assert whole.age().made.source.kind is Kind.AWS


SVG = "{http://www.w3.org/2000/svg}svg"


def figure(number, name, picture="", sentence="It costs 5 $ [a lot]_really_."):
    with plot_style.sheet():
        sheet = charts.blank(40)
        sheet.text((10, 20), "words")
    panel = Panel(name, name.title(), sentence, f"A drawing of {name} [1].", sheet.figure)
    return Figure(number, RenderedFigure(panel, Source(Kind.LOCAL, "Measured here."), picture=picture))


@pytest.fixture
def figures():
    absent = MissingFigure(2, "client", "Client", "No run: make it with `bench --save`.")
    return [figure(1, "age"), absent, figure(3, "sheet", picture="<img>")]


def test_each_figure_lies_there_in_three_formats_of_its_kind(figures, workspace, tmp_path):
    report.save(figures, workspace, tmp_path)

    root = ET.parse(tmp_path / "age.svg").getroot()
    assert (root.tag, root.get("role")) == (SVG, "img")
    assert root.get("aria-label") == "A drawing of age [1]."
    pdf = (tmp_path / "age.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert (tmp_path / "age.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_figures_are_the_same_files(workspace, tmp_path):
    for folder in ("first", "second"):
        report.save([figure(1, "age")], workspace, tmp_path / folder)

    for form in report.FORMATS:
        assert (tmp_path / "first" / f"age.{form}").read_bytes() == (tmp_path / "second" / f"age.{form}").read_bytes()


def test_a_figure_that_could_not_be_made_leaves_no_older_file(figures, workspace, tmp_path):
    old = tmp_path / "client.svg"
    old.write_text("of another day", encoding="utf-8")

    saved = report.save(figures, workspace, tmp_path)

    assert not old.exists()
    assert [path.name for path in saved] == [
        "age.svg", "age.pdf", "age.png", "sheet.svg", "sheet.pdf", "sheet.png", "figures.md", "figures.json",
    ]  # fmt: skip


def test_every_link_of_the_snippet_leads_to_a_file(figures, workspace, tmp_path):
    report.save(figures, workspace, tmp_path)

    links = re.findall(r"(?<!\\)\]\(([^)]+)\)", (tmp_path / "figures.md").read_text(encoding="utf-8"))
    assert len(links) == 8
    assert all((tmp_path / link).is_file() for link in links)


def test_the_snippet_has_numbered_captions_sources_and_plain_words(figures):
    snippet = report.snippet(figures)

    assert "![A drawing of age \\[1\\].](age.svg)" in snippet
    assert "**Figure 1. Age.** It costs 5 \\$ \\[a lot\\]\\_really\\_. *LOCAL: Measured here.*" in snippet
    assert "![A drawing of sheet \\[1\\].](sheet.png)" in snippet


def test_the_snippet_says_of_a_missing_figure_what_makes_it(figures):
    assert "**Figure 2. Client** could not be made. No run: make it with `bench --save`." in report.snippet(figures)


def test_the_manifest_tells_words_source_and_files_of_each(figures, workspace, tmp_path):
    report.save(figures, workspace, tmp_path)

    manifest = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    first, second, _ = manifest["figures"]
    assert (manifest["target"], manifest["candidate"]) == ("aws", "42")
    assert first["source"] == {"kind": "LOCAL", "sentence": "Measured here.", "synthetic": []}
    assert first["files"] == {"svg": "age.svg", "pdf": "age.pdf", "png": "age.png"}
    assert first["alternative_text"] == "A drawing of age [1]."
    assert (second["verdict"], second["files"]) == ("NO DATA", {})
    assert "bench --save" in second["reason"]


def test_in_a_run_they_lie_in_a_folder_beside_the_report_and_the_page_links_to_them(
    figures, workspace, tmp_path, monkeypatch
):
    monkeypatch.setenv(OUT_VARIABLE, str(tmp_path / "reports"))

    saved = report.save(figures, workspace)

    assert {path.parent for path in saved} == {tmp_path / "reports" / "exam_report"}
    html = saved._repr_mimebundle_()["text/html"]
    links = re.findall(r'href="([^"]+)"', html)
    assert len(links) == 8
    assert all((tmp_path / "reports" / link).is_file() for link in links)


def test_by_hand_they_lie_in_the_local_home_and_links_are_whole(figures, workspace, tmp_path, monkeypatch):
    monkeypatch.delenv(OUT_VARIABLE, raising=False)
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))

    saved = report.save(figures, workspace)

    assert {path.parent for path in saved} == {tmp_path / "exam_report"}
    assert f'href="{saved[0].as_uri()}"' in saved._repr_mimebundle_()["text/html"]


def test_a_full_disk_is_reported_in_place_of_the_files(figures, workspace, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("COUCH_OUT", str(tmp_path))
    monkeypatch.setattr(report, "write_whole", full)
    shown = report.save(figures, workspace)

    assert list(shown) == []
    assert "No space left on device." in shown._repr_mimebundle_()["text/html"]
    with pytest.raises(OSError, match="No space left"):
        report.save(figures, workspace, tmp_path)
