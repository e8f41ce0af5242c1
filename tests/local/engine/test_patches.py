from tests.engine_python import in_engine


def test_patched_pieces_of_the_engine_are_those_of_the_pinned_release():
    code = "import json; from couch_explorers.local.engine import patches; print(json.dumps(dict(patches.changed_seams())))"

    assert in_engine(code) == {}
