"""Make the two Python environments beside the project's own: the local cloud's engine, and what Lambda's runtime holds.

    environments.py           the engine's and the functions'
    environments.py checkov   that of checkov, whose 90 packages nothing else needs (`make check`)
    environments.py mutants   that of mutmut and of what the tests of the Lambdas need (`make mutants`)

Each is installed from its lock file in `couch_explorers/local/environments/`. LocalEmu is written in the syntax of Python 3.12, so
the engine runs on the project's own Python when that is 3.12 or newer, otherwise on one that uv finds here or downloads.
Functions run on Python 3.12, the stacks' runtime, where there is one, otherwise on the engine's.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "couch_explorers" / "local" / "environments"
UV = ROOT / ".venv" / "bin" / "uv"

ENGINE_MINIMUM = (3, 12)
# Tested with these, the newest first; an older one that is here is taken before one that must be fetched.
ENGINE_VERSIONS = ("3.13", "3.14", "3.12")
LAMBDA_VERSION = "3.12"


def find(version: str, *, download: bool = False) -> str | None:
    """The path of a Python of that version: on the PATH, among pyenv's, or uv's own; None when there is none."""
    # pyenv puts shims on the PATH that fail for all versions but the chosen one, and uv stops at the first that fails.
    path = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if not folder.endswith("pyenv/shims")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    path += [str(folder) for folder in sorted(pyenv.glob("3.*/bin"), reverse=True)]
    if download:
        subprocess.run([UV, "python", "install", "--quiet", version], check=False)
    found = subprocess.run(
        [UV, "python", "find", "--no-project", "--no-python-downloads", "--system", version],
        env=os.environ | {"PATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def engine_python() -> str:
    """The Python for the engine; ends the program with a sentence when there is none."""
    if sys.version_info >= ENGINE_MINIMUM:
        return sys.executable
    for version in ENGINE_VERSIONS:
        if python := find(version):
            return python
    if python := find(ENGINE_VERSIONS[0], download=True):
        return python
    sys.exit(
        f"The local cloud needs a Python {'.'.join(map(str, ENGINE_MINIMUM))} or newer beside this one "
        f"({sys.version.split()[0]}), and uv could not fetch one. Install one, or call: make PYTHON=python3.13"
    )


def make(name: str, python: str, folder: Path, locks: Path = LOCKS) -> None:
    """Create or update an environment from `NAME.lock` in the folder `locks`, on that Python; ends the program with a sentence when uv cannot.

    One whose making was interrupted, or whose Python is gone or has another version now, is made from the start.
    """
    made_with = folder / "made-with"
    wanted = f"{python} {version_of(python)}"
    if not made_with.exists() or made_with.read_text() != wanted or not _works(folder / "bin" / "python"):
        run_uv("venv", "--clear", "--no-project", "--python", python, str(folder))
    else:
        made_with.unlink()
    lock = locks / f"{name}.lock"
    run_uv("pip", "sync", "--require-hashes", "--compile-bytecode", str(lock), environment=folder)
    made_with.write_text(wanted)


def run_uv(*arguments: str, environment: Path | None = None) -> None:
    """Run uv, in a virtual environment if one is given; raises SystemExit with its error message."""
    variables = os.environ | ({"VIRTUAL_ENV": str(environment)} if environment else {})
    done = subprocess.run([UV, *arguments, "--quiet"], env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"uv {' '.join(arguments[:2])} failed, so the local cloud cannot start: {done.stderr.strip()}")


def _works(python: Path) -> bool:
    """Whether an interpreter starts: the Python that an environment was made on may be gone."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def version_of(python: str | Path) -> str:
    """The version that an interpreter says it has, such as `3.13.0`."""
    code = "import sys; print(sys.version.split()[0])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def main(names: Sequence[str] = ()) -> None:
    """Make both, and say on which Python each runs; or those of tools that are named."""
    for name in names:
        make(name, sys.executable, ROOT / f".venv-{name}", ROOT / "tools")
    if names:
        return
    engine = engine_python()
    functions = find(LAMBDA_VERSION) or engine
    make("engine", engine, ROOT / ".venv-engine")
    make("lambda", functions, ROOT / ".venv-lambda")
    print(f"The local cloud runs on Python {version_of(engine)}, its functions on {version_of(functions)}")


if __name__ == "__main__":
    main(sys.argv[1:])
