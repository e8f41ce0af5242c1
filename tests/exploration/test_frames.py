"""What a run's frame knows of all its rows, and what becomes of that in parts and copies."""

import pickle

import pandas as pd
import pytest

from couch_explorers.exploration.results import RunContext, context_of

PARTS = {
    "rows": lambda frame: frame[frame["seed"] == 7],
    "first rows": lambda frame: frame.head(1),
    "columns": lambda frame: frame[["id", "seed"]],
    "row": lambda frame: frame.iloc[0],
    "copy": lambda frame: frame.copy(),
    "sorted": lambda frame: frame.sort_values("seed", ignore_index=True),
    "one more column": lambda frame: frame.assign(note="x"),
    "pickled": lambda frame: pickle.loads(pickle.dumps(frame)),
}


@pytest.mark.parametrize("part", PARTS)
def test_part_of_a_run_keeps_its_context(pictures, part):
    assert context_of(PARTS[part](pictures)) == RunContext("local", title="Journeys")


def test_frame_built_anew_has_no_context(pictures):
    assert context_of(pd.concat([pictures, pictures])) == RunContext()
    assert context_of(pd.DataFrame(pictures.to_dict("records"))) == RunContext()
    assert pictures.attrs == {}
