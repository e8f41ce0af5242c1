"""What .ci/run does around the commands that it calls, with programs in the place of all of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci" / "run"
# What the script and the programs below are made of. Nothing else is on the PATH, so that no test installs anything on this machine.
TOOLS = ("dirname", "mkdir", "touch", "chmod", "sh")
SILENT = ("git", "python3", "javac", "mvn", "buildah", "debootstrap", "chromium")
GO = """#!/bin/sh
case "$*" in
  "env GOBIN") echo "$GOBIN" ;;
  "env GOPATH") echo "$GOPATH" ;;
  "install "*)
    to=${GOBIN:-$GOPATH/bin} name=${2##*/}
    mkdir -p "$to" && touch "$to/${name%@*}" && chmod +x "$to/${name%@*}" ;;
esac
"""
MAKE = """#!/bin/sh
echo "make $* with $(command -v actionlint) and $(command -v act)"
"""


@pytest.fixture
def machine(tmp_path):
    """A machine on which everything is installed but the programs in Go."""
    programs = dict.fromkeys(SILENT, "#!/bin/sh\n") | {"go": GO, "make": MAKE}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in TOOLS:
        (tmp_path / name).symlink_to(shutil.which(name))
    return tmp_path


@pytest.mark.parametrize(("gobin", "folder"), [("", "gopath/bin"), ("elsewhere", "elsewhere")])
def test_programs_in_go_are_found_where_go_has_put_them(machine, gobin, folder):
    environment = {
        "PATH": str(machine),
        "GOPATH": str(machine / "gopath"),
        "GOBIN": gobin and str(machine / gobin),
    }

    done = subprocess.run([shutil.which("bash"), str(CI)], env=environment, capture_output=True, text=True, check=True)

    both = f"{machine / folder / 'actionlint'} and {machine / folder / 'act'}"
    assert done.stdout.splitlines() == [f"make check with {both}", f"make test ALL=1 with {both}"]
