"""The folders of a project: where results, pictures and the local cloud's state go, and how paths are shown to people."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
# Below a folder of images.
THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Home:
    """The folder that holds one local cloud: its state, its logs and what was deployed on it."""

    path: Path

    @classmethod
    def current(cls) -> Home:
        """The folder named by COUCH_HOME, else `.couch` in the project."""
        return cls(Path(os.environ.get("COUCH_HOME") or PROJECT_ROOT / ".couch").expanduser().resolve())

    @property
    def cloud_file(self) -> Path:
        """The running process, with its port and endpoint."""
        return self.path / "cloud.json"

    @property
    def deployment_file(self) -> Path:
        """The record of the deployment: names, URLs, and the fingerprint of the sources."""
        return self.path / "deployment.json"

    @property
    def choices_file(self) -> Path:
        """The settings of `couch up`, kept until they are changed."""
        return self.path / "choices.json"

    @property
    def users_file(self) -> Path:
        """The access keys of the local cloud's IAM users."""
        return self.path / "users.json"

    @property
    def logs(self) -> Path:
        """The logs, one file per program: cloud, sam-build, sam-deploy, terraform-init, terraform-apply."""
        return self.path / "logs"

    @property
    def saved(self) -> Path:
        """The state of the engine: a journal of its records, and the bodies of S3's objects."""
        return self.path / "saved"

    @property
    def earlier_objects(self) -> Path:
        """The objects of the engine before LocalEmu, which left them as files."""
        return self.path / "objects"

    @property
    def metrics_file(self) -> Path:
        """The metrics that the local cloud keeps, its own and those that a user puts: SQLite."""
        return self.path / "metrics.sqlite"

    @property
    def inbox(self) -> Path:
        """The e-mails sent, one file each; none of them leaves this machine."""
        return self.path / "inbox"

    @property
    def pictures(self) -> Path:
        """The images saved by `couch paint`."""
        return self.path / "pictures"

    def images(self, target: str) -> Path:
        """The pictures of explorations, one per request and target."""
        return self.path / "images" / target

    def thumbnails(self, target: str) -> Path:
        """The thumbnails of explorations' pictures, created when first shown."""
        return self.images(target) / THUMBNAILS

    def runs(self, target: str) -> Path:
        """The runs of explorations, one folder each."""
        return self.path / "runs" / target

    def ratings(self, target: str) -> Path:
        """People's ratings of the pictures."""
        return self.path / "ratings" / f"{target}.jsonl"

    def scores(self, target: str) -> Path:
        """A judge's scores of the pictures."""
        return self.path / "scores" / f"{target}.jsonl"

    def form(self, target: str) -> Path:
        """The saved input of the exploration form."""
        return self.path / "forms" / f"{target}.json"

    @property
    def lock_file(self) -> Path:
        """The lock held while the cloud is started, stopped or deployed to."""
        return self.path / "lock"


def display(path: Path | str) -> str:
    """Return a path relative to the project's folder; one outside it unchanged."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(PROJECT_ROOT)) if absolute.is_relative_to(PROJECT_ROOT) else str(path)


def resolve(path: Path | str) -> Path:
    """Find a path that `display` wrote: relative to the current folder, else to the project's."""
    here = Path(path)
    there = PROJECT_ROOT / here
    return there if not here.exists() and there.exists() else here


def redact_folders(text: str) -> str:
    """Remove the project's folder from a text to be shared, and shorten the user's home folder to a tilde."""
    text = text.replace(f"{PROJECT_ROOT.as_uri()}/", "").replace(f"{PROJECT_ROOT}/", "")
    home = Path.home()
    if home == Path(home.anchor):
        return text
    # Not in the middle of a longer path or address.
    return re.sub(rf"(?<![\w./~-]){re.escape(str(home))}/", "~/", text)
