"""The saved costs are those of the templates as they are today; nothing of them is measured."""

import importlib.util
import json
from pathlib import Path

import pytest

from couch_explorers.core import image_models

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def images_a_minute(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("costs", BENCHMARKS / "costs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(zip(("api", "queue"), module.images_a_minute(), strict=True))


@pytest.mark.parametrize("path", ["api", "queue"])
def test_saved_bound_of_a_minutes_cost_is_that_of_the_templates(images_a_minute, path):
    saved = json.loads((BENCHMARKS / "results" / "costs.json").read_text(encoding="utf-8"))["figures"]
    price_usd = image_models.get(image_models.DEFAULT_MODEL_ID).price_usd()

    assert saved[f"{path}.minute_images"]["median"] == images_a_minute[path]
    assert saved[f"{path}.minute"]["median"] == pytest.approx(images_a_minute[path] * price_usd)
