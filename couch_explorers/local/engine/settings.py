"""The configuration of LocalEmu for one local cloud, and the paths of its Python environments."""

import os
from pathlib import Path

from couch_explorers import loopback
from couch_explorers.local.settings import ACCOUNT_ID, HOST, NO_AWS_FILES
from couch_explorers.paths import PROJECT_ROOT, Home

# Created by `make` from `local/environments/*.lock`.
ENGINE_PYTHON = PROJECT_ROOT / ".venv-engine" / "bin" / "python"
LAMBDA_PYTHON = PROJECT_ROOT / ".venv-lambda" / "bin" / "python"

# The services that the two stacks, the notebooks and SAM's own helper stack use. CloudFormation resolves parameters with SSM and
# Secrets Manager, and S3 encrypts with KMS.
SERVICES = (
    "apigateway",
    "bedrock",
    "bedrock-runtime",
    "cloudformation",
    "cloudwatch",
    "iam",
    "kms",
    "lambda",
    "logs",
    "resourcegroupstaggingapi",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
)


# The user's environment variables that the server inherits. LocalEmu reads two hundred, among them DEBUG, PROVIDER_OVERRIDE_SQS and
# HTTPS_PROXY, and functions must not see the user's credentials, so it gets no others.
INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SYSTEMROOT",
    "PYTHONDONTWRITEBYTECODE",
)
INHERITED_PREFIXES = ("COUCH_", "LC_")


def server_environment(home: Home, port: int) -> dict[str, str]:
    """Return all environment variables of the server's process."""
    inherited = {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    # Without the user's proxies and AWS files, as on AWS; NO_PROXY also turns off macOS's own proxies.
    inherited |= NO_AWS_FILES | loopback.no_proxy({})
    address = f"{HOST}:{port}"
    return inherited | {
        "COUCH_HOME": str(home.path),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_LISTEN": address,
        "LOCALEMU_HOST": address,
        # Two clouds on one machine share no files, and the profiles of an installed LocalEmu are not read.
        "FILESYSTEM_ROOT": str(home.path / "engine"),
        "LOCALEMU_VOLUME_DIR": str(home.path / "engine"),
        "CONFIG_DIR": str(home.path / "engine" / "profiles"),
        "TEST_AWS_ACCOUNT_ID": ACCOUNT_ID,
        "SERVICES": ",".join(SERVICES),
        "STRICT_SERVICE_LOADING": "1",
        "IAM_ENFORCEMENT": "1",
        # Access keys begin as AWS's do.
        "PARITY_AWS_ACCESS_KEY_ID": "1",
        # The signatures of presigned URLs are checked by `patches.iam`, as all others.
        "S3_SKIP_SIGNATURE_VALIDATION": "1",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        # Services call each other directly, not through HTTP and this server's event loop.
        "IN_MEMORY_CLIENT": "1",
        "OVERRIDE_IN_DOCKER": "0",
        # A template with an unsupported resource type fails, instead of being deployed without it.
        "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "0",
        # Queue URLs include the account, as on AWS, whatever host a client has used.
        "SQS_ENDPOINT_STRATEGY": "off",
        # As AWS always does: one purge a minute, a deleted name reserved for a minute, messages deleted after their retention.
        "SQS_DELAY_PURGE_RETRY": "1",
        "SQS_DELAY_RECENTLY_DELETED": "1",
        "SQS_ENABLE_MESSAGE_RETENTION_PERIOD": "1",
        # The local cloud's telemetry measures queues.
        "SQS_DISABLE_CLOUDWATCH_METRICS": "1",
        # glibc otherwise keeps up to eight heaps a core, and what one thread has freed is of no use to the others: the server's memory
        # then depends on how many requests overlapped. https://man7.org/linux/man-pages/man3/mallopt.3.html, M_ARENA_MAX
        "MALLOC_ARENA_MAX": "2",
        # Nothing leaves this machine: an SDK without credentials would call the address of EC2's instance metadata.
        "AWS_EC2_METADATA_DISABLED": "true",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }


def missing_environments() -> list[Path]:
    """Return the Python interpreters that `make setup` has yet to install; none where the engine can start."""
    return [python for python in (ENGINE_PYTHON, LAMBDA_PYTHON) if not python.exists()]
