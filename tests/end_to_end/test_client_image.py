"""The Java client's image: built from its Dockerfile, looked into, and run as a container engine would run it."""

import hashlib
import re
import ssl
import stat
from xml.etree import ElementTree as ET

import pytest

from couch_explorers.sample_prompts import SAMPLE_PROMPTS
from tests.java import stand_ins
from tests.java.image import BUILD_TIME, CLIENT, built_image
from tests.java.sqs_stand_in import make_certificate, stand_in_of_sqs
from tests.waiting import wait_until

MISSING = stand_ins.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

# The project's own limits for all that the image adds to its base, in bytes.
LARGEST = 72_000_000
LARGEST_COMPRESSED = 32_000_000

SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "toybox"}
LABELS = {"VERSION": "1.2.3", "REVISION": "0123456789abcdef", "CREATED": "2026-11-01T00:00:00Z"}
SENT = re.compile(r"Message sent successfully\. Message ID: (\S+)\n")


@pytest.fixture(scope="module")
def image():
    with built_image(**LABELS) as built:
        yield built


@pytest.fixture
def queue(workspace):
    """What the environment of a run holds to reach the deployed queue."""
    if workspace.queue_url is None:
        pytest.skip("the queue is not deployed: install Terraform 1.10 or newer")
    credentials = workspace.session.get_credentials()
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_ENDPOINT_URL": workspace.endpoint,
        "SQS_QUEUE_URL": workspace.queue_url,
    }


def test_the_image_tells_its_version_and_nothing_else(image):
    done = image.run("--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"imagegenerator {pom_version()}\n", "")


def test_without_a_prompt_one_sentence_says_what_to_do(image):
    done = image.run()

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: .+\n", done.stderr)


def test_the_classes_of_a_run_come_from_the_archive(image, queue):
    done = image.run("Me on top of K2", jvm=("-Xshare:on", "-Xlog:class+load:stdout"), **queue)

    sources = re.findall(r"\] (\S+) source: (.*)", done.stdout)
    archived = [name for name, source in sources if source == "shared objects file"]
    assert SENT.search(done.stdout)
    assert "no.couchexplorers.imagegenerator.ImageGenerator" in archived
    assert "software.amazon.awssdk.services.sqs.DefaultSqsClient" in archived
    assert len(archived) > 0.97 * len(sources)


def test_the_times_of_the_files_do_not_matter_to_the_archive(image):
    jar = image.layers[0].files["opt/client/client.jar"]
    assert jar.mtime == BUILD_TIME

    done = image.run("--version", jvm=("-Xshare:on",))

    assert done.returncode == 0, done.stderr


def test_the_image_is_small(image):
    assert sum(layer.plain for layer in image.layers) <= LARGEST
    assert sum(layer.compressed for layer in image.layers) <= LARGEST_COMPRESSED


def test_the_image_adds_one_folder_without_a_shell_or_a_program_with_special_rights(image):
    added = {name: info for layer in image.layers for name, info in layer.files.items() if not info.isdir()}
    programs = {
        name for name, info in added.items() if info.isfile() and info.mode & 0o111 and not name.endswith(".so")
    }

    assert all(name.startswith("opt/client/") for name in added)
    assert not SHELLS & {name.rpartition("/")[2] for name in added}
    assert programs <= {"opt/client/runtime/bin/java", "opt/client/runtime/lib/jspawnhelper"}
    assert not any(info.mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH) for info in added.values() if info.isfile())


def test_the_licences_of_all_libraries_come_along(image):
    added = {name for layer in image.layers for name in layer.files}
    libraries = {name.rpartition("/")[2] for name in added if re.search(r"\.so\.\d+$", name)}
    licences = {name.split("/")[-2] for name in added if name.endswith("/copyright")}

    assert "opt/client/runtime/legal/java.base/LICENSE" in added
    assert len(licences) >= len(libraries)


def test_the_image_runs_as_a_user_who_is_not_root_and_is_named_by_number(image):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.config["User"])


def test_the_labels_tell_what_was_built(image):
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in image.config["Labels"].items()}

    assert labels["title"] == "imagegenerator"
    assert labels["description"]
    assert {name.upper(): labels[name] for name in ("version", "revision", "created")} == LABELS


def test_the_version_in_the_dockerfile_is_that_of_the_client():
    assert f"ARG VERSION={pom_version()}\n" in stand_ins.DOCKERFILE.read_text()


def test_the_sample_prompts_become_pictures_under_the_ids_that_the_image_prints(image, queue, keys):
    ids = []
    for prompt in SAMPLE_PROMPTS.values():
        done = image.run(prompt, **queue)
        assert done.returncode == 0, done.stderr
        ids.append(SENT.fullmatch(done.stdout)[1])

    for job_id in ids:
        wait_until(lambda job_id=job_id: keys(f"{job_id}.png"), what=f"the picture of {job_id}")


def test_a_batch_comes_in_by_standard_input(image, queue, keys):
    lines = ["Me on top of K2", '{"prompt": "A jeep on the savanna", "id": "from-the-image", "seed": 7}']

    done = image.run("--file", "-", text="\n".join(lines), **queue)

    assert done.returncode == 0, done.stderr
    assert len(SENT.findall(done.stdout)) == len(lines)
    wait_until(lambda: keys("from-the-image.png"), what="the picture")


def test_the_smoke_test_of_the_queue_passes_after_the_image_has_sent(local_cloud, image, queue, tmp_path):
    image.run("Me on top of K2", **queue)

    done = local_cloud.couch("run", "smoke_test", "-p", "checks", "queue", "--out", str(tmp_path), check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("prompt", ["Meg på toppen av Galdhøpiggen ☀ 山", "@home in the mountains"])
def test_a_prompt_arrives_as_it_was_typed(image, prompt):
    with stand_in_of_sqs() as (url, bodies):
        done = image.run(prompt, **credentials_for(url))

    assert done.returncode == 0, done.stderr
    assert bodies == [prompt]


def test_a_server_with_an_ecdsa_certificate_is_reached(image, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted = image.root / "home" / "nonroot" / "trusted"
    make_certificate(context, tmp_path, trusted)

    with stand_in_of_sqs(context) as (url, bodies):
        refused = image.run("Me on top of K2", **credentials_for(url))
        done = image.run(
            "Me on top of K2",
            jvm=(f"-Djavax.net.ssl.trustStore=/home/nonroot/{trusted.name}", "-Djavax.net.ssl.trustStorePassword=test"),
            **credentials_for(url),
        )

    assert refused.returncode == 1
    assert re.fullmatch(r"Error: .+\n", refused.stderr)
    assert done.returncode == 0, done.stderr
    assert bodies == ["Me on top of K2"]


def test_a_role_is_assumed_with_the_token_of_a_web_identity(image):
    """STS answers in XML, for whose reader the runtime holds only a part of Java's."""
    (image.root / "home" / "nonroot" / "token").write_text("token")

    with stand_in_of_sqs() as (url, bodies):
        environment = credentials_for(url) | {
            "AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/sender",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/home/nonroot/token",
            "AWS_ENDPOINT_URL_STS": url,
        }
        del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        done = image.run("Me on top of K2", **environment)

    assert done.returncode == 0, done.stderr
    assert bodies == ["Me on top of K2"]


def test_the_same_source_gives_the_same_files(image):
    """All but the archive, in which it shows which thread of the JVM was first; most builds agree on it, not all."""
    with built_image(**LABELS) as again:
        first, second = contents(image), contents(again)

    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} <= {"client.jsa"}


def contents(image):
    folder = image.root / "opt" / "client"
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }


def pom_version():
    return ET.parse(CLIENT / "pom.xml").findtext("{http://maven.apache.org/POM/4.0.0}version")


def credentials_for(url):
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SQS_QUEUE_URL": f"{url}/000000000000/jobs",
    }
