import errno
import json
import os
import re
from xml.etree import ElementTree as ET

import pytest

from couch_explorers.figures import canvas, saving
from couch_explorers.figures.figure import Absent, Figure, Made
from couch_explorers.figures.sources import Kind, Source
from couch_explorers.metrics.plots import style
from couch_explorers.metrics.plots.figure import Panel
from couch_explorers.reports.beside import OUT_VARIABLE

SVG = "{http://www.w3.org/2000/svg}svg"


def figure(number, name, picture="", sentence="It costs 5 $ [a lot]_really_."):
    with style.sheet():
        sheet = canvas.blank(40)
        sheet.text((10, 20), "words")
    panel = Panel(name, name.title(), sentence, f"A drawing of {name} [1].", sheet.figure)
    return Figure(number, Made(panel, Source(Kind.LOCAL, "Measured here."), picture=picture))


@pytest.fixture
def figures():
    absent = Absent(2, "client", "Client", "No run: make it with `bench --save`.")
    return [figure(1, "age"), absent, figure(3, "sheet", picture="<img>")]


def test_each_figure_lies_there_in_three_formats_of_its_kind(figures, workspace, tmp_path):
    saving.save(figures, workspace, tmp_path)

    root = ET.parse(tmp_path / "age.svg").getroot()
    assert (root.tag, root.get("role")) == (SVG, "img")
    assert root.get("aria-label") == "A drawing of age [1]."
    pdf = (tmp_path / "age.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert (tmp_path / "age.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_figures_are_the_same_files(workspace, tmp_path):
    for folder in ("first", "second"):
        saving.save([figure(1, "age")], workspace, tmp_path / folder)

    for form in saving.FORMATS:
        assert (tmp_path / "first" / f"age.{form}").read_bytes() == (tmp_path / "second" / f"age.{form}").read_bytes()


def test_a_figure_that_could_not_be_made_leaves_no_older_file(figures, workspace, tmp_path):
    old = tmp_path / "client.svg"
    old.write_text("of another day", encoding="utf-8")

    saved = saving.save(figures, workspace, tmp_path)

    assert not old.exists()
    assert [path.name for path in saved] == [
        "age.svg", "age.pdf", "age.png", "sheet.svg", "sheet.pdf", "sheet.png", "figures.md", "figures.json",
    ]  # fmt: skip


def test_every_link_of_the_snippet_leads_to_a_file(figures, workspace, tmp_path):
    saving.save(figures, workspace, tmp_path)

    links = re.findall(r"(?<!\\)\]\(([^)]+)\)", (tmp_path / "figures.md").read_text(encoding="utf-8"))
    assert len(links) == 8
    assert all((tmp_path / link).is_file() for link in links)


def test_the_snippet_has_numbered_captions_sources_and_plain_words(figures):
    snippet = saving.snippet(figures)

    assert "![A drawing of age \\[1\\].](age.svg)" in snippet
    assert "**Figure 1. Age.** It costs 5 \\$ \\[a lot\\]\\_really\\_. *LOCAL: Measured here.*" in snippet
    assert "![A drawing of sheet \\[1\\].](sheet.png)" in snippet


def test_the_snippet_says_of_a_missing_figure_what_makes_it(figures):
    assert "**Figure 2. Client** could not be made. No run: make it with `bench --save`." in saving.snippet(figures)


def test_the_manifest_tells_words_source_and_files_of_each(figures, workspace, tmp_path):
    saving.save(figures, workspace, tmp_path)

    told = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    first, second, _ = told["figures"]
    assert (told["target"], told["candidate"]) == ("aws", "42")
    assert first["source"] == {"kind": "LOCAL", "sentence": "Measured here.", "synthetic": []}
    assert first["files"] == {"svg": "age.svg", "pdf": "age.pdf", "png": "age.png"}
    assert first["alternative_text"] == "A drawing of age [1]."
    assert (second["verdict"], second["files"]) == ("NO DATA", {})
    assert "bench --save" in second["reason"]


def test_in_a_run_they_lie_in_a_folder_beside_the_report_and_the_page_links_to_them(
    figures, workspace, tmp_path, monkeypatch
):
    monkeypatch.setenv(OUT_VARIABLE, str(tmp_path / "reports"))

    saved = saving.save(figures, workspace)

    assert {path.parent for path in saved} == {tmp_path / "reports" / "exam_report"}
    html = saved._repr_mimebundle_()["text/html"]
    links = re.findall(r'href="([^"]+)"', html)
    assert len(links) == 8
    assert all((tmp_path / "reports" / link).is_file() for link in links)


def test_by_hand_they_lie_in_the_local_home_and_links_are_whole(figures, workspace, tmp_path, monkeypatch):
    monkeypatch.delenv(OUT_VARIABLE, raising=False)
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))

    saved = saving.save(figures, workspace)

    assert {path.parent for path in saved} == {tmp_path / "exam_report"}
    assert f'href="{saved[0].as_uri()}"' in saved._repr_mimebundle_()["text/html"]


def test_a_full_disk_is_told_in_the_place_of_the_files(figures, workspace, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("COUCH_OUT", str(tmp_path))
    monkeypatch.setattr(saving, "write_whole", full)
    shown = saving.save(figures, workspace)

    assert list(shown) == []
    assert "No space left on device." in shown._repr_mimebundle_()["text/html"]
    with pytest.raises(OSError, match="No space left"):
        saving.save(figures, workspace, tmp_path)
