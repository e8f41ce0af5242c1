"""What docker_publish.yml promises where no registry is: what is asked of BuildKit and of Docker Hub, read from the file."""

import pytest

from .workflow_files import ROOT, jobs

PATH = ROOT / ".github" / "workflows" / "docker_publish.yml"
PULL_REQUEST = "github.event_name == 'pull_request'"


@pytest.fixture(scope="module")
def step():
    """The steps of each job, by what they use or are called."""

    def name(each):
        return each["uses"].partition("@")[0] if "uses" in each else each["name"]

    found = {job: {name(each): each for each in content["steps"]} for job, content in jobs(PATH).items()}
    return lambda job, of: found[job][of]


@pytest.fixture(scope="module")
def build(step):
    return step("build", "docker/build-push-action")["with"]


def order(job, *names):
    """Where the named steps stand in a job."""
    listed = [each.get("name") for each in jobs(PATH)[job]["steps"]]
    return [listed.index(name) for name in names]


def test_what_is_pushed_tells_where_it_comes_from_and_what_is_in_it(build):
    assert build["provenance"] == f"${{{{ {PULL_REQUEST} && 'false' || 'mode=max' }}}}"
    assert build["sbom"] == "${{ github.event_name != 'pull_request' }}"


def test_each_architecture_has_a_cache_of_its_own_that_no_version_is_built_from(build):
    scope = "scope=java-client-${{ matrix.architecture }}"

    assert build["cache-from"] == f"type=gha,{scope}"
    assert build["cache-to"] == f"type=gha,{scope},mode=max"
    assert build["no-cache"] == "${{ github.ref_type == 'tag' }}"


def test_each_architecture_is_built_on_a_machine_of_its_own_kind(build):
    matrix = jobs(PATH)["build"]["strategy"]["matrix"]["include"]

    assert {each["architecture"]: each["runner"] for each in matrix} == {
        "amd64": "ubuntu-24.04",
        "arm64": "${{ vars.ARM64_RUNNER || 'ubuntu-24.04-arm' }}",
    }
    assert build["platforms"] == "linux/${{ matrix.architecture }}"


def test_a_pull_request_pushes_nothing_and_logs_in_nowhere(build, step):
    of_a_pull_request, _, of_a_push = build["outputs"].partition("||")

    assert PULL_REQUEST in of_a_pull_request
    assert "type=docker," in of_a_pull_request
    assert "push" not in of_a_pull_request.replace(PULL_REQUEST, "").replace("pull-request", "")
    assert "push-by-digest=true,name-canonical=true,push=true" in of_a_push
    assert step("build", "docker/login-action")["if"] == "github.event_name != 'pull_request'"
    assert jobs(PATH)["publish"]["if"] == "github.event_name != 'pull_request'"


def test_the_tags_are_those_that_the_readme_promises(step):
    tags = step("publish", "docker/metadata-action")

    assert tags["env"]["DOCKER_METADATA_SHORT_SHA_LENGTH"] == 12
    assert tags["with"]["flavor"] == "latest=false"
    assert tags["with"]["tags"].splitlines() == [
        "type=sha,enable=${{ github.ref_type != 'tag' }}",
        "type=raw,value=latest,enable=${{ github.ref == 'refs/heads/main' }}",
        "type=raw,value=${{ needs.settings.outputs.moment }},enable=${{ github.ref == 'refs/heads/main' }}",
        "type=semver,pattern={{version}}",
        "type=semver,pattern={{major}}.{{minor}}",
        "type=semver,pattern={{major}},enable=${{ !startsWith(github.ref, 'refs/tags/v0.') }}",
    ]


def test_each_image_is_run_before_a_tag_points_at_it(step):
    run = step("build", "Run the image just built")

    assert run["run"] == 'docker run --rm --env _JAVA_OPTIONS=-Xshare:on "$BUILT" --help'
    assert "format('{0}@{1}', env.IMAGE, steps.build.outputs.digest)" in run["env"]["BUILT"]
    first, then = order("build", "Run the image just built", "Hand on the digest")
    assert first < then
    assert "build" in jobs(PATH)["publish"]["needs"]


def test_what_was_published_is_run_by_the_digest_that_both_architectures_share(step):
    run = step("publish", "Run what was published, by its digest")

    assert run["run"] == 'docker run --rm "$IMAGE@$DIGEST" --help'
    assert run["env"]["DIGEST"] == "${{ steps.join.outputs.digest }}"
    join = step("publish", "Join both architectures under these tags")
    assert join["id"] == "join"
    assert '"$IMAGE@$AMD64" "$IMAGE@$ARM64"' in join["run"]
