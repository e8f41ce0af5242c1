import json
from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import surroundings_deploys
from couch_explorers.metrics.facts import API_FUNCTION, WORKER, Deploy, FunctionFacts, Window
from couch_explorers.paths import Home

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def noted(tmp_path, content):
    home = Home(tmp_path)
    home.deployment_file.write_text(json.dumps(content), encoding="utf-8")
    return surroundings_deploys.noted(home)


def function(resource, minutes, commit=""):
    return FunctionFacts(resource, resource, 60.0, 512, NOON + timedelta(minutes=minutes), commit)


def test_the_notes_of_couch_up_are_deploys_oldest_first(tmp_path):
    found = noted(
        tmp_path,
        {
            "deploys": [
                {"time": "2026-11-25T14:00:00+01:00", "parts": ["queue"], "commit": "b"},
                {"time": "2026-11-25T12:00:00+00:00", "parts": ["api", "queue"], "commit": "a"},
            ]
        },
    )

    assert found == (
        Deploy(NOON, (API_FUNCTION, WORKER), "a"),
        Deploy(NOON + timedelta(hours=1), (WORKER,), "b"),
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"deploys": [None, {}, {"time": "noon", "parts": []}, {"time": "2026-11-25T12:00:00", "parts": ["api"]}]},
    ],
)
def test_notes_that_cannot_be_read_are_left_out(tmp_path, content):
    assert noted(tmp_path, content) == ()


def test_without_a_local_cloud_there_are_no_notes(tmp_path):
    assert surroundings_deploys.noted(Home(tmp_path / "nothing")) == ()


def test_functions_that_changed_together_are_one_deploy():
    found = surroundings_deploys.told_by([function(API_FUNCTION, 4, "a"), function(WORKER, 0, "a")])

    assert found == (Deploy(NOON, (WORKER, API_FUNCTION), "a"),)


def test_functions_of_which_one_names_no_commit_are_one_deploy_if_they_changed_together():
    told = Deploy(NOON, (WORKER, API_FUNCTION), "a")

    assert surroundings_deploys.told_by([function(WORKER, 0), function(API_FUNCTION, 4, "a")]) == (told,)
    assert surroundings_deploys.told_by([function(WORKER, 0, "a"), function(API_FUNCTION, 4)]) == (told,)


def test_functions_that_changed_apart_or_from_other_commits_are_two():
    assert len(surroundings_deploys.told_by([function(WORKER, 0, "a"), function(API_FUNCTION, 4, "b")])) == 2
    assert len(surroundings_deploys.told_by([function(WORKER, 0), function(API_FUNCTION, 11)])) == 2
    assert surroundings_deploys.told_by([FunctionFacts(WORKER, "w", 60.0, 512)]) == ()


def test_only_deploys_inside_a_window_are_kept():
    windows = (Window("now", NOON, NOON + timedelta(hours=1)), Window("before", NOON - timedelta(hours=2), NOON))
    deploys = [Deploy(NOON + timedelta(hours=hours), (WORKER,)) for hours in (1, 0.5, -1, -3)]

    kept = surroundings_deploys.inside(deploys, windows)

    assert [deploy.time for deploy in kept] == [NOON - timedelta(hours=1), NOON + timedelta(hours=0.5)]
