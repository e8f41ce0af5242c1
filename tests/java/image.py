"""Build the Java client's image with buildah, without a container engine, and run it as its configuration says.

`python tests/java/image.py FOLDER` builds the image, leaves its files in FOLDER/root, and prints as JSON how to run it:
`command` (put the client's arguments behind it), `environment`, and the sizes of its own layers in bytes.
"""

import gzip
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.java import stand_ins

CLIENT = stand_ins.DOCKERFILE.parent

# Where base images (0.5 GB) and Maven's downloads wait for the next run.
CACHE = Path(
    os.environ.get("COUCH_IMAGE_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "couch-explorers" / "image"
)

# How many images of different sources stay there to be run: 0.1 GB each.
KEPT = 3

# The given times of a layer's files: any but those that the files had when the archive of classes was made.
BUILD_TIME = 1_700_000_000

# What a container engine does: a root that cannot be written, /proc and /dev, the image's user. Each step replaces the process, so that
# the process which is started is the client in the end.
ENTER = """
mount=$1 chroot=$2 root=$3 user=$4
shift 4
"$mount" --bind "$root" "$root" && "$mount" -o remount,bind,ro "$root" || exit 125
"$mount" -t proc proc "$root/proc" && "$mount" --bind /dev "$root/dev" || exit 125
exec "$chroot" --userspec="$user" "$root" "$@"
"""


class Buildah:
    """buildah on a store of its own, so that nobody's images are touched."""

    def __init__(self, folder: Path):
        self._options = ["--root", str(folder / "images"), "--runroot", str(folder / "run")]
        # For anyone who makes or removes images: one that is removed takes its unnamed parents along, and stumbles over those that
        # another build's container stands on.
        self.alone = FileLock(folder / "lock")
        self._environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *words: str | Path) -> str:
        done = subprocess.run(
            ["buildah", *self._options, *map(str, words)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"buildah {words[0]} ended with {done.returncode}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
            )
        return done.stdout


@dataclass(frozen=True)
class Layer:
    """One layer above the base: bytes as tar and as gzip, and its files with what tar knows of them."""

    digest: str
    plain: int
    compressed: int
    files: dict[str, tarfile.TarInfo]


@dataclass(frozen=True)
class Image:
    """A built image: its root folder, its configuration, its own layers."""

    root: Path
    config: dict
    layers: list[Layer]

    @property
    def environment(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config.get("Env", []))

    def command(self, *before_main_class: str) -> list[str]:
        """The words that run the image's entrypoint; options of the JVM go before the main class."""
        *java, main_class = self.config["Entrypoint"]
        # By their paths, because the environment is the image's.
        unshare, shell, mount, chroot = (str(shutil.which(tool)) for tool in ("unshare", "sh", "mount", "chroot"))
        return [
            *(unshare, "--mount", "--propagation", "private", shell, "-c", ENTER, "enter"),
            *(mount, chroot, str(self.root), self.config["User"]),
            *(*java, *before_main_class, main_class),
        ]

    def run(self, *arguments: str, jvm: tuple[str, ...] = (), text: str | None = None, **environment: str):
        """Run the image with nothing in its environment but its own and the given variables."""
        return subprocess.run(
            [*self.command(*jvm), *arguments],
            env={**self.environment, **environment},
            input=text,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )


def store() -> Buildah:
    """The store that holds the bases; makes them where they are missing, which takes a minute."""
    folder = CACHE / stand_ins.RECIPE
    folder.mkdir(parents=True, exist_ok=True)
    buildah = Buildah(folder)
    with buildah.alone:
        stand_ins.make(buildah, folder / "packages")
    return buildah


def maven_volumes(folder: Path) -> list[str]:
    """How Maven reaches its repository from inside a build as it does outside: kept downloads, this machine's settings and trust."""
    downloads = CACHE / "maven" / hashlib.sha256((CLIENT / "pom.xml").read_bytes()).hexdigest()[:12]
    downloads.mkdir(parents=True, exist_ok=True)
    volumes = [f"{downloads}:/root/.m2/repository"]
    settings = Path.home() / ".m2" / "settings.xml"
    if settings.is_file():
        volumes.append(f"{settings}:/root/.m2/settings.xml:ro")
    if java := shutil.which("java"):
        trusted = (Path(java).resolve().parents[1] / "lib" / "security" / "cacerts").resolve()
        options = folder / "mavenrc"
        options.write_text('MAVEN_OPTS="$MAVEN_OPTS -Djavax.net.ssl.trustStore=/run/trusted"\n')
        volumes += [f"{trusted}:/run/trusted:ro", f"{options}:/etc/mavenrc:ro"]
    return [f"--volume={volume}" for volume in volumes]


@contextmanager
def built_image(**arguments: str) -> Iterator[Image]:
    """The image as the Dockerfile makes it, with the given build arguments; gone afterwards."""
    buildah = store()
    name = f"localhost/imagegenerator:{secrets.token_hex(4)}"
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as leftovers:
        with buildah.alone:
            remove_leftovers(buildah)
            buildah(
                *("bud", "--pull-never", "--no-cache", "--force-rm", "--timestamp", str(BUILD_TIME), "--tag", name),
                *(*given, *maven_volumes(Path(scratch)), CLIENT),
            )
        leftovers.callback(_without_others, buildah, "rmi", name)
        container = buildah("from", "--pull-never", name).strip()
        leftovers.callback(buildah, "rm", container)
        yield Image(
            Path(buildah("mount", container).strip()),
            _inspected(buildah, name)["config"],
            _own_layers(buildah, name, Path(scratch) / "pushed"),
        )


def remove_leftovers(buildah: Buildah) -> None:
    """Remove the containers of a build that was killed, which hold the images of its steps; to be called with none going on."""
    for container in json.loads(buildah("containers", "--json")) or ():
        # Those that stand on a finished image are somebody's to look into, and are not in a build's way.
        if not container["containername"].startswith("imagegenerator-working-container"):
            buildah("rm", container["id"])


def _without_others(buildah: Buildah, *words: str) -> None:
    with buildah.alone:
        buildah(*words)


def _inspected(buildah: Buildah, name: str) -> dict:
    return json.loads(buildah("inspect", "--type", "image", name))["OCIv1"]


def _own_layers(buildah: Buildah, name: str, folder: Path) -> list[Layer]:
    base = _inspected(buildah, stand_ins.names()[1])["rootfs"]["diff_ids"]
    digests = _inspected(buildah, name)["rootfs"]["diff_ids"]
    if digests[: len(base)] != base:
        raise AssertionError(f"{name} does not stand on {stand_ins.names()[1]}")
    buildah("push", name, f"oci:{folder}")
    index = json.loads((folder / "index.json").read_bytes())
    manifest = json.loads(_blob(folder, index["manifests"][0]["digest"]).read_bytes())
    layers = []
    for digest, entry in list(zip(digests, manifest["layers"], strict=True))[len(base) :]:
        with gzip.open(_blob(folder, entry["digest"])) as plain:
            size = sum(len(chunk) for chunk in iter(lambda: plain.read(1 << 20), b""))
        with tarfile.open(_blob(folder, entry["digest"])) as archive:
            files = {member.name: member for member in archive}
        layers.append(Layer(digest, size, entry["size"], files))
    return layers


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def exported(folder: Path, **arguments: str) -> Image:
    """Build the image and leave its files in `folder`/root, where it runs without buildah's store."""
    root = folder.resolve() / "root"
    folder.mkdir(parents=True, exist_ok=True)
    with built_image(**arguments) as image:
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "--archive", image.root, root], check=True)
        return Image(root, image.config, image.layers)


def kept_image() -> dict:
    """How to run the image of the client as its sources are now: `command` and `environment`. Built where no earlier run has."""
    made_of = hashlib.sha256(stand_ins.RECIPE.encode())
    for path in sorted(CLIENT.rglob("*")):
        place = path.relative_to(CLIENT)
        if path.is_file() and place.parts[0] != "target":
            made_of.update(str(place).encode() + path.read_bytes())
    images = CACHE / "client"
    name = made_of.hexdigest()[:12]
    folder = images / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(images / "lock"):
        if not (folder / "how.json").is_file():
            # A label of its own: an image that somebody else builds at this moment must not be the same one to buildah.
            image = exported(folder, REVISION=name)
            how = {"command": image.command(), "environment": image.environment}
            (folder / "how.json").write_text(json.dumps(how), encoding="utf-8")
        os.utime(folder)
        others = sorted((path for path in images.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for old in others[:-KEPT]:
            shutil.rmtree(old)
    return json.loads((folder / "how.json").read_text(encoding="utf-8"))


def export(folder: Path) -> None:
    """Leave the image's files in FOLDER/root and print how to run them."""
    image = exported(folder)
    json.dump(
        {
            "command": image.command(),
            "environment": image.environment,
            "plain": sum(layer.plain for layer in image.layers),
            "gzip": sum(layer.compressed for layer in image.layers),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if reason := stand_ins.missing():
        sys.exit(f"No image can be built here: {reason}")
    export(Path(sys.argv[1]))
