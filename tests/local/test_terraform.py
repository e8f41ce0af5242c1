import hashlib
import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pysequoia
import pytest

from couch_explorers.local import terraform
from couch_explorers.local.terraform import DOWNLOAD_VERSION, DownloadError, download, downloaded
from couch_explorers.paths import PROJECT_ROOT


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without a mirror and without a way to the registry."""
    monkeypatch.delenv("COUCH_TF_MIRROR", raising=False)
    monkeypatch.setattr(terraform, "IMPLIED_FOLDERS", (str(tmp_path / "implied"),))
    monkeypatch.setattr(terraform, "SYSTEM_FOLDERS", (str(tmp_path / "system"),))
    monkeypatch.setattr(terraform, "REGISTRY", "http://127.0.0.1:9/closed")
    return tmp_path


def mirror(folder):
    (folder / terraform.PROVIDER_PATH).mkdir(parents=True)
    return folder


def test_a_named_mirror_comes_before_everything_else(nowhere, monkeypatch):
    mirror(nowhere / "implied")
    named = mirror(nowhere / "named")
    monkeypatch.setenv("COUCH_TF_MIRROR", str(named))

    source = terraform.provider_source()

    assert source.arguments == (f"-plugin-dir={named}",)
    assert "COUCH_TF_MIRROR" in source.sentence


def test_a_named_mirror_that_holds_no_provider_is_reported_by_name(nowhere, monkeypatch):
    monkeypatch.setenv("COUCH_TF_MIRROR", str(nowhere))

    with pytest.raises(terraform.TerraformError, match=r"registry\.terraform\.io/hashicorp/aws"):
        terraform.provider_source()


def test_an_implied_folder_needs_no_argument_because_terraform_looks_there_itself(nowhere):
    folder = mirror(nowhere / "implied")

    source = terraform.provider_source()

    assert source.arguments == ()
    assert str(folder) in source.sentence


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_mirror_within_three_levels_of_a_system_folder_is_found(nowhere, depth):
    folder = mirror(nowhere.joinpath("system", *["level"] * depth))

    source = terraform.provider_source()

    assert source.arguments == (f"-plugin-dir={folder}",)
    assert "the registry cannot be reached" in source.sentence


def test_a_mirror_four_levels_down_is_not_looked_for(nowhere):
    mirror(nowhere.joinpath("system", *["level"] * 4))

    with pytest.raises(terraform.TerraformError, match="COUCH_TF_MIRROR"):
        terraform.provider_source()


def test_a_missing_terraform_is_reported_with_the_version_that_is_needed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(terraform.TerraformError, match=r"Install version 1\.10 or newer"):
        terraform.executable()


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.9.8", False), ("1.10.0", True), ("1.11.4", True), ("2.0.0", True)]
)
def test_the_version_of_terraform_decides(monkeypatch, tmp_path, version, accepted):
    program = tmp_path / "terraform"
    program.write_text(f"#!/bin/sh\necho 'Terraform v{version}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    if accepted:
        assert terraform.executable() == str(program)
    else:
        with pytest.raises(terraform.TerraformError, match=rf"v{version} .* too old"):
            terraform.executable()


def test_a_configuration_file_that_is_not_there_is_not_passed_on(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "absent"))

    assert "TF_CLI_CONFIG_FILE" not in terraform.environment()


PROGRAM = b"#!/bin/sh\necho Terraform v1.11.4\n"
ARCHIVE = f"terraform_{DOWNLOAD_VERSION}_linux_amd64.zip"
SUMS = f"terraform_{DOWNLOAD_VERSION}_SHA256SUMS"


def archive(name="terraform"):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("LICENSE.txt", "…")
        file.writestr(name, PROGRAM)
    return packed.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    cut = None

    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        content = source.read()
        half = self.cut is not None and self.path.endswith(self.cut)
        outputfile.write(content[: len(content) // 2] if half else content)


class Site:
    """A release site on loopback: its files, the key that signs them, and which answer is cut off."""

    def __init__(self, folder):
        self.files = folder / "releases" / DOWNLOAD_VERSION
        self.files.mkdir(parents=True)
        self.key = pysequoia.Tsk.generate("Releases <releases@example.com>")
        self.key_file = folder / "key.asc"
        self.key_file.write_text(str(self.key.extract_certificate()), encoding="utf-8")
        self.handler = type("Handler", (Quiet,), {})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(self.handler, directory=str(folder / "releases")))
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.publish(archive())

    def publish(self, content, *, listed=None, key=None):
        (self.files / ARCHIVE).write_bytes(content)
        sums = f"{hashlib.sha256(listed or content).hexdigest()}  {ARCHIVE}\n{'0' * 64}  other.zip\n".encode()
        (self.files / SUMS).write_bytes(sums)
        signer = (key or self.key).signer()
        signature = pysequoia.sign(signer, sums, mode=pysequoia.SignatureMode.DETACHED, armor=False)
        (self.files / f"{SUMS}.sig").write_bytes(signature)

    def download(self, folder):
        return download(folder, releases=self.url, public_key=self.key_file)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(terraform.platform, "system", lambda: "Linux")
    monkeypatch.setattr(terraform.platform, "machine", lambda: "x86_64")
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "bin"


def assert_refused(site, folder, message):
    with pytest.raises(DownloadError, match=message):
        site.download(folder)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_fetch_installs_a_program_that_runs(site, folder):
    program = site.download(folder)

    assert program == downloaded(folder) == folder / f"terraform-{DOWNLOAD_VERSION}"
    assert program.read_bytes() == PROGRAM
    assert program.stat().st_mode & 0o111 == 0o111
    assert [path.name for path in folder.iterdir()] == [program.name]


def test_fetch_refuses_a_wrong_checksum(site, folder):
    site.publish(archive(), listed=b"something else")

    assert_refused(site, folder, "has the checksum .* but HashiCorp signed")


def test_fetch_refuses_a_signature_by_another_key(site, folder):
    site.publish(archive(), key=pysequoia.Tsk.generate("Mallory <mallory@example.com>"))

    assert_refused(site, folder, f"not signed by the key {site.key.extract_certificate().fingerprint}")


def test_fetch_refuses_a_list_that_was_changed_after_it_was_signed(site, folder):
    content = archive("terraform") + b" "
    (site.files / ARCHIVE).write_bytes(content)
    (site.files / SUMS).write_text(f"{hashlib.sha256(content).hexdigest()}  {ARCHIVE}\n", encoding="utf-8")

    assert_refused(site, folder, "not signed by the key")


@pytest.mark.parametrize("signature", [b"", b"no signature", b"\x00" * 100], ids=["empty", "text", "zeros"])
def test_fetch_refuses_what_is_no_signature(site, folder, signature):
    (site.files / f"{SUMS}.sig").write_bytes(signature)

    assert_refused(site, folder, "not signed by the key")


@pytest.mark.parametrize("name", [ARCHIVE, SUMS, f"{SUMS}.sig"])
def test_fetch_refuses_an_answer_that_was_cut_off(site, folder, name):
    site.handler.cut = name

    assert_refused(site, folder, "could not be read")


@pytest.mark.parametrize("name", [ARCHIVE, SUMS, f"{SUMS}.sig"])
def test_fetch_names_what_the_site_does_not_have(site, folder, name):
    (site.files / name).unlink()

    assert_refused(site, folder, f"{name} answered 404")


def test_fetch_refuses_an_archive_without_the_program(site, folder):
    site.publish(archive("readme"))

    assert_refused(site, folder, "holds no program")


def test_fetch_names_an_address_that_nobody_answers(site, folder):
    site.close()

    assert_refused(site, folder, "could not be read")


def test_fetch_names_a_platform_that_has_no_build(site, folder, monkeypatch):
    monkeypatch.setattr(terraform.platform, "machine", lambda: "riscv64")

    assert_refused(site, folder, "no Terraform to fetch for Linux on riscv64")


def test_fetch_names_a_folder_that_cannot_be_written(site, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(DownloadError, match="could not be written"):
        site.download(tmp_path / "file" / "bin")


def test_the_kept_key_is_hashicorps():
    key = pysequoia.Cert.from_file(str(terraform.PUBLIC_KEY))

    assert key.fingerprint.upper() == "C874011F0AB405110D02105534365D9472D7468F"
    assert not key.is_revoked


def test_the_version_is_the_one_that_the_workflows_install():
    workflow = (PROJECT_ROOT / ".github" / "workflows" / "terraform_deploy.yml").read_text(encoding="utf-8")

    assert f"terraform_version: {DOWNLOAD_VERSION}\n" in workflow


# What `terraform.executable` makes of it.


@pytest.fixture
def without_terraform(site, tmp_path, monkeypatch):
    """A machine without Terraform, whose release site is the test's."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(terraform.DOWNLOAD_SWITCH, raising=False)
    monkeypatch.setattr(terraform, "download", site.download)
    monkeypatch.setattr(terraform, "environment", lambda: {"PATH": "/usr/bin:/bin"})
    return site


def test_executable_is_fetched_once_and_reported(without_terraform, folder):
    messages = []

    assert terraform.executable(fetch=messages.append) == str(folder / f"terraform-{DOWNLOAD_VERSION}")
    without_terraform.close()
    assert (
        terraform.executable(fetch=messages.append)
        == terraform.executable()
        == str(folder / f"terraform-{DOWNLOAD_VERSION}")
    )

    assert messages == [f"fetching Terraform {DOWNLOAD_VERSION} into {folder}"]


def test_executable_is_not_fetched_where_nobody_asks(without_terraform):
    with pytest.raises(terraform.TerraformError, match="`couch up` fetches it"):
        terraform.executable()


def test_executable_is_not_fetched_where_that_is_switched_off(without_terraform, monkeypatch, folder):
    monkeypatch.setenv(terraform.DOWNLOAD_SWITCH, "0")

    with pytest.raises(terraform.TerraformError, match="COUCH_FETCH_TERRAFORM=0"):
        terraform.executable(fetch=print)

    assert downloaded(folder) is None


def test_executable_says_why_it_could_not_be_fetched(without_terraform):
    without_terraform.close()

    with pytest.raises(terraform.TerraformError, match=r"not installed.*could not be fetched.*Install version 1\.10"):
        terraform.executable(fetch=print)


def test_executable_on_the_path_is_never_replaced(without_terraform, tmp_path, monkeypatch, folder):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "terraform").write_text("#!/bin/sh\necho Terraform v1.12.0\n", encoding="utf-8")
    (programs / "terraform").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))

    assert terraform.executable(fetch=print) == str(programs / "terraform")
    assert downloaded(folder) is None
