"""Put together what runs inside a Lambda: its handler, the core, and the handler's pinned dependencies.

    python tools/stage_lambda.py lambda_code .couch/build/worker --zip .couch/build/worker.zip

SAM's makefile builder and Terraform's archive both come from here, so both functions ship the same core. The same sources
give the same bytes on every machine: the archive's hash changes exactly when the code does.
Standard library only: it runs before anything of the project is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
HANDLERS = ("lambda_code", "sam_lambda/generate_image")
PYTHON_VERSION = "3.12"  # the runtime that both stacks name
CACHE = ROOT / ".couch" / "build"

# Read by the build, not by the function.
NOT_STAGED = ("requirements.txt", "Makefile")
# What the installers note for themselves: it differs between uv and pip, and from machine to machine.
INSTALLER_NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json")
NATIVE_LIBRARIES = (".so", ".pyd", ".dylib", ".dll")
# Goes into the name of a cached dependency folder: raise it when the rules of this file change what lies in there.
RULES = "1"
# The earliest time a zip can hold.
ARCHIVE_TIME = (1980, 1, 1, 0, 0, 0)


class StageError(Exception):
    """The reason why there is no staged package; one sentence."""


def stage(name: str, target: Path, *, root: Path = ROOT, cache: Path = CACHE) -> list[Path]:
    """Fill `target` with everything that the handler `name` needs at run time but boto3, and return its files, sorted.

    What the folder held before is gone afterwards; a folder that is neither empty nor a stage is refused.
    Raises StageError for that, an unknown name, and dependencies that cannot be had or hold a native library.
    """
    if name not in HANDLERS:
        raise StageError(f"There is no handler {name!r}: name one of {', '.join(HANDLERS)}.")
    _check_target(target, root)
    # An unpinned release on one machine would be another archive on the next: the file with the pins is the source.
    dependencies = _dependencies(root / name / "requirements.txt", cache)

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        new = Path(scratch) / "stage"
        shutil.copytree(dependencies, new)
        for source, place in _sources(name, root):
            (new / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, new / place)
        files = _files(new)
        for path in files:
            (new / path).chmod(0o644)
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return files


def archive(folder: Path, file: Path) -> None:
    """Write the folder's files into a zip whose bytes depend on their names and contents alone.

    Nothing is compressed: compressors differ between machines, and a change of zlib would look like a change of the code.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as scratch:
        new = Path(scratch) / file.name
        with zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as out:
            for place in _files(folder):
                entry = zipfile.ZipInfo(place.as_posix(), ARCHIVE_TIME)
                entry.create_system = 3  # Unix, whatever this machine is: it is what makes Lambda read the mode
                entry.external_attr = 0o100644 << 16
                out.writestr(entry, (folder / place).read_bytes())
        new.replace(file)


def _files(folder: Path) -> list[Path]:
    """List all files below a folder, in an order that is the same on every system."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=Path.as_posix)


def _sources(name: str, root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file of the project that is staged, with its place in the stage."""
    handler = root / name
    for path in sorted(handler.rglob("*")):
        place = path.relative_to(handler)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in place.parts)
        if path.is_file() and not hidden and place.name not in NOT_STAGED:
            yield path, place
    package = Path("couch_explorers")
    core = [path.relative_to(root) for path in sorted((root / package / "core").glob("*.py"))]
    if not core:
        raise StageError(f"{root / package / 'core'} holds no module: run this in a complete copy of the project.")
    for place in (package / "__init__.py", *core):
        yield root / place, place


def _check_target(target: Path, root: Path) -> None:
    """Refuse a folder whose content is somebody's work: it would be deleted."""
    resolved = target.resolve()
    if not resolved.exists() or (resolved.is_dir() and not any(resolved.iterdir())):
        return
    is_stage = (resolved / "couch_explorers" / "core").is_dir()
    if not is_stage or resolved == root or resolved in root.parents or (resolved / "pyproject.toml").exists():
        raise StageError(f"{target} holds something that is not a stage: name a new folder, or empty this one.")


def _dependencies(requirements: Path, cache: Path) -> Path:
    """Return a folder with the installed requirements; it is made once for each content of the file."""
    content = requirements.read_bytes()
    key = hashlib.sha256(f"{RULES} {PYTHON_VERSION} ".encode() + content).hexdigest()
    folder = cache / f"dependencies-{key[:16]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".dependencies-") as scratch:
        new = Path(scratch) / "installed"
        install(requirements, new)
        _prune(new)
        try:
            new.rename(folder)
        except OSError:
            # Two stages are made side by side: the other one was first, with the same content.
            if not folder.is_dir():
                raise
    return folder


def install(requirements: Path, folder: Path) -> None:
    """Install packages for the functions' platform into a folder; raises SystemExit with uv's error message."""
    beside_python = Path(sys.executable).with_name("uv")
    uv = str(beside_python) if beside_python.exists() else shutil.which("uv")
    # Every file is pinned by its hash, and a source distribution would run its own code here.
    rules = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON_VERSION]
    if uv:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy", *rules]
    else:
        pure = ["--platform", "any", "--implementation", "py", "--abi", "none"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command = [*pip, *rules, *pure]
    command += ["--target", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "UV_NO_PROGRESS": "1"}
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise StageError(
            f"The dependencies in {requirements} could not be installed; {Path(command[0]).name} said:\n{output}"
        )


def _prune(folder: Path) -> None:
    """Leave only what the function imports, and what its licences ask for."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.suffix in NATIVE_LIBRARIES:
            raise StageError(
                f"{path.relative_to(folder)} is a native library: take a dependency with a pure Python wheel."
            )
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.parent.suffix == ".dist-info" and path.name in INSTALLER_NOTES:
            path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Stage one handler as the command line says; 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(description="Put together what runs inside a Lambda.")
    parser.add_argument("name", choices=HANDLERS, metavar="NAME", help=" or ".join(HANDLERS))
    parser.add_argument("target", type=Path, metavar="TARGET", help="the folder to fill; what it holds is deleted")
    parser.add_argument("--zip", type=Path, metavar="FILE", help="also write the folder into this archive")
    chosen = parser.parse_args(arguments)
    try:
        files = stage(chosen.name, chosen.target)
        if chosen.zip:
            archive(chosen.target, chosen.zip)
    except StageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{chosen.target}: {len(files)} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
