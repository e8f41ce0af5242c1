"""What a rehearsed workflow finds in its environment.

Nothing of the user's reaches it but what an installation of packages may need: where they come from, and whom to trust. Python's
packages come from uv's cache, so that each workflow's own installation takes seconds.
"""

import os
import sys
from pathlib import Path

INHERITED = (
    *("LANG", "LC_ALL", "TZ", "JAVA_HOME", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
INHERITED_PREFIXES = ("PIP_", "UV_")


def clean_environment(home: Path) -> dict[str, str]:
    """The user's environment without whatever is the user's own, and with another home, which is made."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return kept | {
        "PATH": _path(),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(user_cache() / "uv"),
        # Where a second Python lies, for the local cloud: a runner has some beside the one that was set up.
        "PYENV_ROOT": os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv"),
        "UV_PYTHON_INSTALL_DIR": os.environ.get("UV_PYTHON_INSTALL_DIR")
        or str(Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "uv" / "python"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def user_cache() -> Path:
    """Where this user's programs keep what they have downloaded."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _path() -> str:
    """The PATH with this Python's own folder first, but without the environment that the tests run in: a workflow makes its own."""
    mine = str(Path(sys.prefix) / "bin")
    others = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part != mine]
    return os.pathsep.join([str(Path(__file__).parent / "shell"), str(Path(sys.base_prefix) / "bin"), *others])
