"""The Dockerfile's two base images: put together from Debian's packages, so that tests need no registry of images.

With COUCH_IMAGE_BASES=pull in the environment the real ones are pulled instead.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[2] / "java_sqs_client" / "Dockerfile"

# The newest Debian with a JDK 17. Both stand-ins are of one release, so that libraries of the first run in the second.
SUITE = "bookworm"
BUILDER = ("openjdk-17-jdk-headless", "maven", "binutils", "ca-certificates")
# What distroless builds its `base-nossl` from. No shell, no package manager.
RUNTIME = ("base-files", "libc6", "netbase", "tzdata")
NOBODY = 65532

# Of the documentation only licences are kept: every stage of a build copies its base.
DOCUMENTATION = re.compile(r"usr/share/(man|locale|info)/.|usr/share/doc/.*/(?!copyright$)[^/]*$")

PULL = os.environ.get("COUCH_IMAGE_BASES") == "pull"
# Names the store, so that another recipe does not meet the images of this one.
RECIPE = "pulled" if PULL else hashlib.sha256(repr((SUITE, BUILDER, RUNTIME)).encode()).hexdigest()[:12]


def missing() -> str:
    """Why no image can be built here, in a sentence that says what to do; nothing when it can."""
    needed = {"buildah": "buildah", "unshare": "util-linux"}
    if not PULL:
        needed |= {"debootstrap": "debootstrap", "dpkg-deb": "dpkg"}
    if absent := [package for program, package in needed.items() if shutil.which(program) is None]:
        return f"{' and '.join(absent)} not installed: apt-get install {' '.join(absent)}"
    if os.geteuid() != 0:
        return "not root: building and entering an image changes roots and mounts; run these tests as root"
    return ""


def names() -> tuple[str, str]:
    """The names of the Dockerfile's first and last base, as a build without arguments asks for them."""
    text = DOCKERFILE.read_text()
    values = {name: value or "" for name, value in re.findall(r"^ARG (\w+)(?:=(.*))?$", text, re.MULTILINE)}

    def value(reference: re.Match) -> str:
        name, if_given = reference.groups()
        return values[name] if if_given is None else if_given if values[name] else ""

    bases = [
        re.sub(r"\$\{(\w+)(?::\+(@\$\{\w+\}))?\}", value, base)
        for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    ]
    return bases[0], bases[-1]


def make(buildah, folder: Path) -> None:
    """Put the bases into the store where it lacks them; `buildah(*words)` runs buildah on it and gives what it prints."""
    builder, runtime = names()
    if PULL:
        buildah("pull", "--policy", "missing", builder)
        buildah("pull", "--policy", "missing", runtime)
        return
    stored = buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()
    if builder in stored and runtime in stored:
        return
    packages = folder / "packages"
    shutil.rmtree(folder, ignore_errors=True)
    packages.mkdir(parents=True)
    _make_builder(buildah, builder, packages)
    _make_runtime(buildah, runtime, packages)
    shutil.rmtree(folder)


def _make_builder(buildah, name: str, packages: Path) -> None:
    container = buildah("from", "scratch").strip()
    root = Path(buildah("mount", container).strip())
    _run("debootstrap", "--variant=minbase", f"--include={','.join(BUILDER + RUNTIME)}", SUITE, root)
    for package in RUNTIME:
        (archive,) = root.glob(f"var/cache/apt/archives/{package}_*.deb")
        shutil.move(archive, packages)
    for path in root.glob("usr/share/*/**/*"):
        if path.is_file() and DOCUMENTATION.match(str(path.relative_to(root))):
            path.unlink()
    shutil.rmtree(root / "var/cache/apt")
    shutil.rmtree(root / "var/lib/apt/lists")
    buildah("commit", "--rm", container, name)


def _make_runtime(buildah, name: str, packages: Path) -> None:
    container = buildah("from", "scratch").strip()
    root = Path(buildah("mount", container).strip())
    for package in RUNTIME:
        (archive,) = packages.glob(f"{package}_*.deb")
        _run("dpkg-deb", "--extract", archive, root)
    (root / "etc/passwd").write_text(
        f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{NOBODY}:{NOBODY}:nonroot:/home/nonroot:/sbin/nologin\n"
    )
    (root / "etc/group").write_text(f"root:x:0:\nnonroot:x:{NOBODY}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "tmp").chmod(0o1777)
    (root / "home/nonroot").mkdir(parents=True)
    buildah("config", "--user", str(NOBODY), "--workingdir", "/home/nonroot", "--env", "PATH=/usr/bin:/bin", container)
    buildah("commit", "--rm", container, name)


def _run(*words) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
