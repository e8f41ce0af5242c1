import pytest

from couch_explorers.files import read_json, write_json, write_whole


def test_a_written_file_is_whole_and_its_folder_is_made(tmp_path):
    path = write_whole(tmp_path / "new" / "picture.png", b"\x89PNG")

    assert path.read_bytes() == b"\x89PNG"
    assert [item.name for item in path.parent.iterdir()] == ["picture.png"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_json(tmp_path / "value.json", {"old": 1})

    with pytest.raises(TypeError):
        write_json(path, {"new": object()})

    assert read_json(path) == {"old": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize("content", [None, "", "{broken"])
def test_a_file_that_holds_no_json_reads_as_nothing(tmp_path, content):
    path = tmp_path / "value.json"
    if content is not None:
        path.write_text(content)

    assert read_json(path) is None
