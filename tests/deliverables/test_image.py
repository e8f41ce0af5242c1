import re

import pytest

from couch_explorers.deliverables import image
from couch_explorers.deliverables.facts import Missing, Reason
from couch_explorers.paths import PROJECT_ROOT


def test_the_name_is_made_of_the_variables_that_the_workflow_takes():
    user = {"DOCKERHUB_USERNAME": "octocat"}

    assert image.name(None, user) == "octocat/couch-explorers-client"
    assert image.name(None, user | {"DOCKERHUB_REPOSITORY": "client"}) == "octocat/client"


def test_a_given_name_counts_before_the_variables():
    assert (
        image.name("glennbech/couchexplore-client", {"DOCKERHUB_USERNAME": "octocat"})
        == "glennbech/couchexplore-client"
    )


def test_without_a_name_it_is_not_known():
    assert image.name(None, {"DOCKERHUB_REPOSITORY": "client"}) == Missing(Reason.NO_IMAGE)


@pytest.mark.parametrize("given", ["Octocat/client", "client", "octocat/client:latest", "octocat/a/b", "octocat/$(id)"])
def test_what_docker_hub_does_not_take_is_told_with_its_value(given):
    assert image.name(given, {}) == Missing(Reason.BAD_IMAGE, {"image": given})


def test_the_default_is_the_workflows_own():
    workflow = (PROJECT_ROOT / ".github/workflows/docker_publish.yml").read_text(encoding="utf-8")

    assert re.findall(r"DOCKERHUB_REPOSITORY \|\| '([^']*)'", workflow) == [image.DEFAULT_REPOSITORY]
