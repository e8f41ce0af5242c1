import re

from couch_explorers.paths import PROJECT_ROOT
from tests.engine_python import in_engine


def test_patched_pieces_of_the_engine_are_those_of_the_pinned_release():
    code = "import json; from couch_explorers.local.engine import patches; print(json.dumps(dict(patches.changed_seams())))"

    assert in_engine(code) == {}


def test_installed_and_documented_release_is_the_pinned_one():
    requirements = (PROJECT_ROOT / "couch_explorers" / "local" / "environments" / "engine.in").read_text()
    pinned = re.search(r"^localemu\S*==(\S+)$", requirements, re.MULTILINE)[1]
    documented = re.search(r"\[LocalEmu\]\(\S+\)\s+(\d\S*),", (PROJECT_ROOT / "README.md").read_text())[1]
    installed = in_engine("import json; from importlib.metadata import version; print(json.dumps(version('localemu')))")

    assert (installed, documented) == (pinned, pinned)
