import json
from pathlib import Path

import pytest

from tests import scripts

TOOL = Path(__file__).resolve().parents[2] / "tools" / "measured.py"


def figure(unit, median, budget=None):
    return {
        "title": "x",
        "unit": unit,
        "minimum": median / 2,
        "median": median,
        "maximum": median * 2,
        "budget": budget,
    }


CLIENT = {
    "benchmark": "client",
    "runs": 9,
    "figures": {
        "image.to_id": figure("s", 0.2345, budget=0.5),
        "image.part": figure("", 0.0812),
        "image.size": figure("MB", 31.94),
        "sweep.pictures": figure("pictures", 1500),
        "storm.lost": figure("messages", 0),
        "warm.above_model": figure("ms", 15.4),
    },
}


@pytest.fixture(scope="module")
def tool():
    return scripts.load("tools/measured.py")


@pytest.fixture
def project(tmp_path):
    """A project with one saved run and whatever text a test gives to its README."""
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "client.json").write_text(json.dumps(CLIENT), encoding="utf-8")
    return tmp_path


@pytest.fixture
def measured(tool, project, capsys):
    """Give the tool a page; what it ended with, what it printed, and the page afterwards."""

    def measured(text, *options, name="README.md"):
        page = project / name
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8")
        code = tool.main(["--root", str(project), *options])
        return code, capsys.readouterr().out, page.read_text(encoding="utf-8")

    return measured


@pytest.mark.parametrize(
    ("stood", "stands"),
    [
        ("9.99 s<!-- client image.to_id -->", "0.23 s<!-- client image.to_id -->"),
        ("9.999<!-- client image.to_id -->", "0.234<!-- client image.to_id -->"),
        ("9 ms<!-- client image.to_id -->", "234 ms<!-- client image.to_id -->"),
        ("9.999 s<!-- client warm.above_model -->", "0.015 s<!-- client warm.above_model -->"),
        ("9 kB<!-- client image.size -->", "31,940 kB<!-- client image.size -->"),
        ("9.9 %<!-- client image.part -->", "8.1 %<!-- client image.part -->"),
        ("9%<!-- client image.part -->", "8%<!-- client image.part -->"),
        ("9.99 ×<!-- client image.part -->", "0.08 ×<!-- client image.part -->"),  # noqa: RUF001 - the sign for "times"
        ("9 pictures<!-- client sweep.pictures -->", "1,500 pictures<!-- client sweep.pictures -->"),
        ("2,000 pictures<!-- client sweep.pictures -->", "1,500 pictures<!-- client sweep.pictures -->"),
        ("2000 pictures<!-- client sweep.pictures -->", "1500 pictures<!-- client sweep.pictures -->"),
        ("medians of 3<!-- client runs -->", "medians of 9<!-- client runs -->"),
        ("9 lost<!-- client storm.lost -->", "0 lost<!-- client storm.lost -->"),
        ("**9.99 s**<!-- client image.to_id -->", "**0.23 s**<!-- client image.to_id -->"),
        ("(of 9.99 s)<!-- client image.to_id -->", "(of 0.23 s)<!-- client image.to_id -->"),
        ("USD 9.99<!-- client image.to_id -->", "USD 0.23<!-- client image.to_id -->"),
    ],
)
def test_a_marked_number_is_written_as_it_was_measured_with_its_own_digits(measured, stood, stands):
    code, _, after = measured(f"It takes {stood}, today.\n")

    assert (code, after) == (0, f"It takes {stands}, today.\n")


@pytest.mark.parametrize(
    ("stood", "stands"),
    [
        ("9,99 s<!-- client image.to_id -->", "0,23 s<!-- client image.to_id -->"),
        ("2 000 bilder<!-- client sweep.pictures -->", "1 500 bilder<!-- client sweep.pictures -->"),
        ("2\u00a0000 bilder<!-- client sweep.pictures -->", "1\u00a0500 bilder<!-- client sweep.pictures -->"),
        ("9 000,5 kB<!-- client image.size -->", "31 940,0 kB<!-- client image.size -->"),
    ],
)
def test_a_norwegian_number_stays_norwegian(measured, stood, stands):
    assert measured(f"Tar {stood}.\n", name="docs/svar.md")[2] == f"Tar {stands}.\n"


@pytest.mark.parametrize(
    ("statistic", "shown"),
    [("", "0.23"), (" median", "0.23"), (" minimum", "0.12"), (" maximum", "0.47"), (" budget", "0.50")],
)
def test_a_marker_may_name_the_statistic_and_means_the_median_otherwise(measured, statistic, shown):
    text = measured(f"9.99 s<!-- client image.to_id{statistic} -->\n")[2]

    assert text == f"{shown} s<!-- client image.to_id{statistic} -->\n"


def test_each_number_of_a_table_row_has_its_own_marker(measured):
    row = "| start | 9.99 s<!-- client image.to_id --> / 8.8 MB<!-- client image.size --> | 7 s |\n"

    assert measured(row)[2] == (
        "| start | 0.23 s<!-- client image.to_id --> / 31.9 MB<!-- client image.size --> | 7 s |\n"
    )


def test_a_check_names_file_line_and_both_numbers_and_changes_nothing(measured):
    text = "# Title\n\nIt takes 0.24 s<!-- client image.to_id -->.\n"

    code, output, after = measured(text, "--check")

    assert code == 1
    assert output.splitlines()[0] == "README.md:3: 0.24 is 0.23 by <!-- client image.to_id -->"
    assert "python tools/measured.py" in output
    assert after == text


def test_a_check_of_right_numbers_says_nothing(measured):
    text = "It takes 0.23 s<!-- client image.to_id -->, in 31.9 MB<!-- client image.size -->.\n"

    assert measured(text, "--check") == (0, "", text)


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("1 s<!-- cleint image.to_id -->", "there is no saved run of cleint; there are client"),
        ("1 s<!-- client image.to_di -->", "client has no figure 'image.to_di'; it has image.to_id, image.part"),
        ("1 s<!-- client -->", "client has no figure ''"),
        ("1 s<!-- client image.to_id average -->", "'average' is none of median, minimum, maximum, budget"),
        ("1 s<!-- client image.to_id the maximum -->", "'the maximum' is none of"),
        ("1 MB<!-- client image.size budget -->", "no budget was set for it"),
        ("a while<!-- client image.to_id -->", "there is no number in front of it"),
        ("9 s and then<!-- client image.to_id -->", "there is no number in front of it"),
        ("9 MB<!-- client image.to_id -->", "it is shown in MB and measured in s"),
        ("9 %<!-- client image.size -->", "it is shown in % and measured in MB"),
        ("9 s<!-- client image.part -->", "it is shown in s and measured in parts of one"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_marker_that_cannot_be_followed_is_named_and_its_number_left_alone(measured, marker, sentence, options):
    text = f"\n{marker}\n"

    code, output, after = measured(text, *options)

    assert code == 1
    assert output.startswith("README.md:2: <!-- ")
    assert sentence in output
    assert after == text


@pytest.mark.parametrize(
    "text",
    [
        "`1 s<!-- client image.to_id -->`\n",
        "```md\n1 s<!-- client image.to_id -->\n```\n",
        "~~~\n```\n1 s<!-- client image.to_id -->\n~~~\n",
        "<!-- what follows is for the examiner -->\n",
        "1 s <!-- seconds, not minutes. -->\n",
    ],
)
def test_code_and_other_comments_are_left_alone(measured, text):
    assert measured(text, "--check") == (0, "", text)


def test_a_number_behind_code_is_found(measured):
    text = measured("```sh\nmake demo\n```\n\n`make` takes 9.9 s<!-- client image.to_id -->\n")[2]

    assert text == "```sh\nmake demo\n```\n\n`make` takes 0.2 s<!-- client image.to_id -->\n"


def test_a_file_of_results_that_holds_none_is_named(measured, project):
    (project / "benchmarks" / "results" / "broken.json").write_text("{", encoding="utf-8")

    code, output, _ = measured("nothing marked\n", "--check")

    assert code == 1
    assert "broken.json is no saved run of a benchmark" in output


TEMPLATE = """| | measured | budget |
|---|---|---|
| start, medians of {client runs: 0} | {client image.to_id: 0.00 s} (`docker run`) | {client image.to_id budget: 0.0 s} |
| pictures / share | {client sweep.pictures: 0 pictures} / {client image.part: 0.0 %} | |
"""
RENDERED = """| | measured | budget |
|---|---|---|
| start, medians of 9 | 0.23 s (`docker run`) | 0.5 s |
| pictures / share | 1,500 pictures / 8.1 % | |
"""


@pytest.fixture
def template(project):
    """Write the template of the table `start`."""

    def template(text, name="start"):
        folder = project / "benchmarks" / "tables"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.md.tmpl").write_text(text, encoding="utf-8")

    return template


def between_marks(table, name="start"):
    return f"# Title\n\n<!-- figures {name} -->\n{table}<!-- end -->\n\nMore.\n"


@pytest.mark.parametrize("stood", ["", "| an old table |\n", RENDERED.replace("0.23", "0.32"), RENDERED])
def test_table_is_rendered_from_its_template(measured, template, stood):
    template(TEMPLATE)

    code, _, after = measured(between_marks(stood))

    assert (code, after) == (0, between_marks(RENDERED))


def test_template_may_write_numbers_the_norwegian_way(measured, template):
    template("| {client image.to_id: 0,00 s} | {client image.size: 9 000,0 kB} |\n")

    assert measured(between_marks(""))[2] == between_marks("| 0,23 s | 31 940,0 kB |\n")


def test_check_names_the_line_of_a_table_that_differs_and_changes_nothing(measured, template):
    template(TEMPLATE)
    text = between_marks(RENDERED.replace("8.1 %", "8.2 %"))

    code, output, after = measured(text, "--check")

    assert (code, after) == (1, text)
    assert output.startswith(
        "README.md:7: | pictures / share | 1,500 pictures / 8.2 % | | is "
        "| pictures / share | 1,500 pictures / 8.1 % | | in the table start\n"
    )


@pytest.mark.parametrize("table", [RENDERED + "| one more |\n", RENDERED.rpartition("| pictures")[0]])
def test_check_finds_a_line_too_many_and_a_missing_line(measured, template, table):
    template(TEMPLATE)

    assert measured(between_marks(table), "--check")[0] == 1


def test_check_of_a_current_table_is_silent(measured, template):
    template(TEMPLATE)

    assert measured(between_marks(RENDERED), "--check") == (0, "", between_marks(RENDERED))


def test_numbers_behind_a_table_that_grows_are_updated_too(measured, template):
    template(TEMPLATE)

    code, _, after = measured(between_marks("") + "It takes 9.99 s<!-- client image.to_id -->.\n")

    assert (code, after) == (0, between_marks(RENDERED) + "It takes 0.23 s<!-- client image.to_id -->.\n")


@pytest.mark.parametrize(
    ("page", "text", "sentence"),
    [
        (between_marks("", "strat"), TEMPLATE, "<!-- figures strat -->: there is no template strat; there are start"),
        ("\n\n<!-- figures start -->\n| x |\n", TEMPLATE, "there is no line <!-- end --> behind the table"),
        (
            "\n\n<!-- figures start -->\n<!-- figures start -->\n<!-- end -->\n",
            TEMPLATE,
            "there is no line <!-- end --> behind the table",
        ),
        (between_marks(""), "| {client image.to_di: 0.0 s} |\n", "{client image.to_di: 0.0 s}: client has no figure"),
        (between_marks(""), "| {client image.size: 0.0 s} |\n", "it is shown in s and measured in MB"),
        (between_marks(""), "| {client image.size: MB} |\n", "there is no number in front of it"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_table_that_cannot_be_rendered_is_named_and_left_alone(measured, template, page, text, sentence, options):
    template(text)

    code, output, after = measured(page, *options)

    assert code == 1
    assert output.startswith("README.md:3: <!-- figures ")
    assert sentence in output
    assert page == after or "<!-- figures start -->\n<!-- figures start -->" in page


def test_marks_of_a_table_in_code_are_left_alone(measured, template):
    template(TEMPLATE)
    text = "```md\n" + between_marks("| 1 s |\n") + "```\n"

    assert measured(text, "--check") == (0, "", text)


def test_every_template_of_this_project_is_shown_by_a_page(tool):
    shown = {
        table["name"] for page in tool.documents(tool.ROOT) for table in tool.TABLE.finditer(page.read_text("utf-8"))
    }

    assert shown == set(tool.read_templates(tool.ROOT / "benchmarks" / "tables"))
