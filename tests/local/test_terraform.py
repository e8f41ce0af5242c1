import pytest

from couch_explorers.local import terraform


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


def test_a_named_mirror_that_holds_no_provider_is_told_by_name(nowhere, monkeypatch):
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


def test_a_missing_terraform_is_told_with_the_version_that_is_needed(monkeypatch, tmp_path):
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
