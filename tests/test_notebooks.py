import json

import pytest

from couch_explorers import reports
from couch_explorers.lab.kernel import LANGUAGE_INFO
from couch_explorers.reports import parameters as notebook_parameters

NAMES = reports.names()


@pytest.fixture(params=NAMES)
def path(request):
    return reports.find(request.param)


def test_there_are_notebooks():
    assert "smoke_test" in NAMES


def test_a_notebook_declares_its_parameters_once_and_in_literals(path):
    notebook = notebook_parameters.load(path)

    parameters = notebook_parameters.read(notebook, path.stem)

    assert parameters
    assert all(parameter.comment for parameter in parameters)


def test_a_notebook_begins_with_its_question(path):
    first = notebook_parameters.load(path)["cells"][0]

    title = "".join(first["source"]).splitlines()[0]
    assert first["cell_type"] == "markdown"
    assert title.startswith("# ")
    assert title.endswith("?") or path.stem == "exam_report"


def test_cells_are_short_and_bring_no_outputs(path):
    cells = [cell for cell in notebook_parameters.load(path)["cells"] if cell["cell_type"] == "code"]

    # The parameters cell is a list: as long as the notebook has parameters.
    read = [cell for cell in cells if "parameters" not in cell["metadata"].get("tags", ())]
    assert all(len("".join(cell["source"]).splitlines()) <= 10 for cell in read)
    kept = [cell for cell in cells if "#NBVAL_CHECK_OUTPUT" not in "".join(cell["source"]).replace(" ", "")]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in kept)


def test_a_notebook_names_the_kernel_that_every_venv_has_and_no_version_of_python(path):
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]

    assert metadata["kernelspec"]["name"] == "python3"
    # What the kernel of `couch lab` says of itself: JupyterLab would write anything else over it.
    assert metadata["language_info"] == LANGUAGE_INFO
    assert "version" not in LANGUAGE_INFO
