import pytest

from couch_explorers import doctor


@pytest.fixture
def findings(monkeypatch, tmp_path):
    monkeypatch.setenv("COUCH_HOME", str(tmp_path / "home"))
    return lambda: {finding.name: finding for finding in doctor.examine()}


def test_whatever_is_not_well_comes_with_the_command_that_fixes_it(findings):
    assert [finding.name for finding in findings().values() if finding.verdict != "OK" and not finding.fix] == []


def test_a_stopped_cloud_and_a_missing_deployment_cost_nothing_but_a_command(findings):
    found = findings()

    assert (found["local cloud"].verdict, found["local cloud"].fix) == ("WARN", "couch up")
    assert (found["deployment"].verdict, found["deployment"].fix) == ("WARN", "couch up")


def test_every_program_that_a_machine_lacks_is_reported_with_what_it_is_for(findings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    found = findings()

    assert found["make"].verdict == "BAD"
    assert found["Terraform"].verdict == "WARN"
    assert "the queue is not deployed" in found["Terraform"].detail
    assert "only the Java client" in found["Java client"].detail


def test_a_folder_that_cannot_be_made_stops_the_work(findings, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)

    assert findings()["folder"].verdict == "BAD"
