import json

import pytest

from couch_explorers.deliverables import writing
from couch_explorers.deliverables.errors import DeliverablesError
from couch_explorers.deliverables.facts import NOTHING_DEPLOYED
from couch_explorers.deliverables.rendering import markdown
from couch_explorers.deliverables.rows import POSTMAN_COLLECTION
from couch_explorers.deliverables.words import in_language

PAGE = f"# Title\n\nA sentence on `<!-- deliverables -->`.\n\n{writing.BEGIN}\nold\n{writing.END}\n\n## After\n"


@pytest.fixture
def project(tmp_path):
    """A project's pages and its collection, before the first deploy."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "docs/besvarelse.md").write_text(PAGE, encoding="utf-8")
    variables = [{"key": "endpoint", "value": ""}, {"key": "run", "value": "æ"}]
    (tmp_path / POSTMAN_COLLECTION).write_text(
        writing.as_text({"variable": variables, "info": {"name": "a"}}), encoding="utf-8"
    )
    return tmp_path


def test_the_list_takes_the_place_of_what_stood_between_the_marks_and_nothing_else_changes(project, facts):
    writing.write(facts, project)

    begin, end = f"{writing.BEGIN}\n", writing.END
    for page, language in (("README.md", "en"), ("docs/besvarelse.md", "nb")):
        expected = PAGE.replace(f"{begin}old\n{end}", f"{begin}{markdown(facts, in_language(language))}{end}")
        assert (project / page).read_text(encoding="utf-8") == expected


def test_the_collection_gets_the_address_and_keeps_everything_else_in_its_order(project, facts):
    before = (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")

    writing.write(facts, project)

    after = (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")
    assert json.loads(after)["variable"][0]["value"] == facts.api_url
    assert after.replace(facts.api_url, "") == before


def test_a_second_write_changes_nothing(project, facts):
    assert writing.write(facts, project) == (["README.md", "docs/besvarelse.md", POSTMAN_COLLECTION], [])
    assert writing.write(facts, project) == ([], ["README.md", "docs/besvarelse.md", POSTMAN_COLLECTION])


def test_the_empty_list_undoes_a_filled_one(project, facts):
    writing.write(NOTHING_DEPLOYED, project)
    before = {path: path.read_bytes() for path in project.rglob("*.*")}
    writing.write(facts, project)

    writing.write(NOTHING_DEPLOYED, project)

    assert {path: path.read_bytes() for path in project.rglob("*.*")} == before


def test_a_project_without_the_norwegian_page_is_written_without_it(project, facts):
    (project / "docs/besvarelse.md").unlink()

    assert writing.write(facts, project) == (["README.md", POSTMAN_COLLECTION], [])
    assert not (project / "docs/besvarelse.md").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Title\n", "no line `<!-- deliverables -->`"),
        (f"{writing.BEGIN}\n", "no line `<!-- /deliverables -->`"),
        (f"{PAGE}{PAGE}", "2 lines `<!-- deliverables -->`"),
        (f"{writing.END}\n{writing.BEGIN}\n", "turn them round"),
        (f"  {writing.BEGIN}\n{writing.END}\n", "no line `<!-- deliverables -->`"),
    ],
)
def test_marks_that_are_not_as_they_should_be_are_told_and_no_file_is_touched(project, facts, text, said):
    (project / "docs/besvarelse.md").write_text(text, encoding="utf-8")

    with pytest.raises(DeliverablesError, match=r"docs/besvarelse\.md") as told:
        writing.write(facts, project)

    assert said in str(told.value)
    assert (project / "README.md").read_text(encoding="utf-8") == PAGE
    assert '"value": ""' in (project / POSTMAN_COLLECTION).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"variable": []}', '{"variable": [{"value": ""}]}'])
def test_a_collection_without_its_variable_is_told_and_no_file_is_touched(project, facts, text):
    (project / POSTMAN_COLLECTION).write_text(text, encoding="utf-8")

    with pytest.raises(DeliverablesError, match="git checkout docs/couch-explorers"):
        writing.write(facts, project)

    assert (project / "README.md").read_text(encoding="utf-8") == PAGE


def test_a_page_that_is_not_there_is_told_by_its_name(project, facts):
    (project / "README.md").unlink()

    with pytest.raises(DeliverablesError, match=r"README\.md could not be read"):
        writing.write(facts, project)


def test_what_stands_between_the_marks_can_be_read_back(facts):
    content = markdown(facts, in_language("en"))

    assert writing.read_between(writing.between_marks(PAGE, content, "a page"), "a page") == content
    assert writing.read_between(f"{writing.BEGIN}\n{writing.END}", "a page") == ""
