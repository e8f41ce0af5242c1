from couch_explorers.reports import kernel, output_dir


def test_files_lie_beside_the_report_that_a_run_makes(tmp_path, monkeypatch):
    monkeypatch.setenv(output_dir.OUT_VARIABLE, str(tmp_path / "reports"))

    assert output_dir.folder("any") == tmp_path / "reports"


def test_without_a_report_they_have_a_folder_of_their_own_in_the_local_home(tmp_path, monkeypatch):
    monkeypatch.delenv(output_dir.OUT_VARIABLE, raising=False)
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))

    assert output_dir.folder("exam_report") == tmp_path / "exam_report"


def test_the_kernel_gets_the_folder_from_the_same_variable():
    assert kernel.OUT_VARIABLE == output_dir.OUT_VARIABLE == "COUCH_OUT"
