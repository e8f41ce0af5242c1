"""Deployed clouds from one deploy: `couch up` takes a minute from nothing, a copy of a cloud that was stopped five seconds."""

import fcntl
import hashlib
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from couch_explorers.local.engine.state.journal import FILE, Journal, Key
from couch_explorers.paths import Home


def copy_deployed(original: Path, folder: Path, port: int, deploy: Callable[[Path], int]) -> None:
    """Fill a cloud's folder with a copy of a cloud that was deployed and stopped, moved to another port.

    Args:
        original: The folder of the cloud that is copied, which all processes of this test run share.
        folder: The copy's folder.
        port: The copy's port, of as many digits as the original's: saved records hold the lengths of their texts.
        deploy: Deploys the original in the given folder, stops it and returns its port. Called by the first who comes; others wait.

    """
    original.mkdir(parents=True, exist_ok=True)
    deployed = original / "port"
    with (original / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not deployed.exists():
            shutil.rmtree(original / "home", ignore_errors=True)
            deployed.write_text(str(deploy(original / "home")))
    shutil.copytree(original / "home", folder, symlinks=True, dirs_exist_ok=True)
    _move(Home(folder), int(deployed.read_text()), port)


def _move(home: Home, old: int, new: int) -> None:
    """Change the port in all that is saved: in the queues' addresses, the functions' settings and Terraform's state."""
    assert len(str(old)) == len(str(new))
    changes = {f"127.0.0.1:{old}".encode(): f"127.0.0.1:{new}".encode()}
    for file in (home.deployment_file, home.choices_file):
        text = file.read_bytes().replace(f'"port": {old}'.encode(), f'"port": {new}'.encode())
        file.write_bytes(_replace(text, changes))
    # S3 keeps checksums of an object in its record; what reads Terraform's state compares them.
    checksums = {}
    for file in (home.saved / "objects").iterdir():
        before = file.read_bytes()
        if (after := _replace(before, changes)) != before:
            file.write_bytes(after)
            checksums |= dict(zip(_checksums(before), _checksums(after), strict=True))
    with closing(sqlite3.connect(home.saved / FILE)) as database:
        (engine,) = database.execute("SELECT value FROM meta WHERE name = 'engine'").fetchone()
        records = {Key(kind, name): value for kind, name, value in database.execute("SELECT * FROM record")}
    with closing(Journal(home.saved, engine)) as journal:
        journal.write({key: _replace(value, changes | checksums) for key, value in records.items()})


def _replace(content: bytes, changes: Mapping[bytes, bytes]) -> bytes:
    for old, new in changes.items():
        content = content.replace(old, new)
    return content


def _checksums(content: bytes) -> list[bytes]:
    return [hashlib.md5(content).hexdigest().encode(), b64encode(hashlib.sha256(content).digest())]
