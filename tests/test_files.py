import resource

import pytest

from couch_explorers import files
from couch_explorers.files import OutputError, check_writable, read_json, write_json, write_whole


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


def test_half_a_character_pair_is_written_as_its_escape(tmp_path):
    assert write_whole(tmp_path / "text", "caf\udce9").read_bytes() == b"caf\\udce9"
    assert read_json(write_json(tmp_path / "value.json", {"a": "\udce9"})) == {"a": "\udce9"}


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    folder = check_writable(tmp_path / "new" / "one", what="The report", how="give another")

    assert list(folder.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("here")

    with pytest.raises(
        OutputError, match=r"^The report cannot be written into .*file \(it is a file\): give another\.$"
    ):
        check_writable(tmp_path / "file", what="The report", how="give another")


def test_a_folder_without_room_is_reported_and_left_empty(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (files.PROBE_BYTES // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"\(File too large\): give another\.$"):
            check_writable(tmp_path, what="The report", how="give another")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(tmp_path.iterdir()) == []
