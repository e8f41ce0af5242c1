import subprocess

from couch_explorers.local import deploy


def git(folder, *arguments):
    identity = ["-c", "user.name=Kari", "-c", "user.email=kari@couch-explorers.example"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_deploy_outside_of_git_has_no_commit(tmp_path):
    assert deploy.commit(tmp_path) == ""


def test_a_deploy_names_the_commit_and_whether_files_differ_from_it(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "app.py").write_text("one", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    clean = deploy.commit(tmp_path)
    (tmp_path / "app.py").write_text("two", encoding="utf-8")

    changed = deploy.commit(tmp_path)

    assert len(clean) == 7
    assert changed == f"{clean}+"
