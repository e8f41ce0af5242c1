"""What CONTRIBUTING.md adds as a notebook: it runs, takes its parameter, and shows what it found."""

import json

import pytest

from couch_explorers import reports
from couch_explorers.core import image_models
from couch_explorers.reports import ParameterError


def test_the_notebook_runs_with_its_parameter_and_leaves_its_report(tmp_path):
    result = reports.run("picture_prices", {"size": "512x512"}, out=tmp_path)

    assert (result.outcome, result.parameters) == ("passed", {"size": "512x512"})
    assert image_models.get(image_models.DEFAULT_MODEL_ID).name in result.path("html").read_text(encoding="utf-8")
    assert json.loads(result.path("json").read_text(encoding="utf-8"))["status"] == "ok"


def test_a_misspelt_parameter_stops_before_anything_runs(tmp_path):
    with pytest.raises(ParameterError, match="size"):
        reports.run("picture_prices", {"sise": "512x512"}, out=tmp_path)
