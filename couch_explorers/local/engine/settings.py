"""How LocalEmu is configured for one local cloud, and where its Python environments are."""

import os
from pathlib import Path

from couch_explorers import loopback
from couch_explorers.local.settings import ACCOUNT_ID, HOST, NO_AWS_FILES
from couch_explorers.paths import PROJECT_ROOT, Home

# Made by `make` from `local/environments/*.lock`.
ENGINE_PYTHON = PROJECT_ROOT / ".venv-engine" / "bin" / "python"
LAMBDA_PYTHON = PROJECT_ROOT / ".venv-lambda" / "bin" / "python"

# What the two stacks, the notebooks and SAM's own helper stack call. CloudFormation resolves parameters by SSM and secrets,
# and S3 encrypts with KMS.
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


# What of the user's environment reaches the server. LocalEmu reads two hundred variables, among them DEBUG, PROVIDER_OVERRIDE_SQS
# and HTTPS_PROXY, and a function must not see the user's credentials: so all others stay outside.
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
    """The whole environment of the server's process."""
    inherited = {
        name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    # Without proxies and files of the user's, as a function on AWS has none; NO_PROXY also keeps macOS's own proxies out.
    inherited |= NO_AWS_FILES | loopback.no_proxy({})
    address = f"{HOST}:{port}"
    return inherited | {
        "COUCH_HOME": str(home.path),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_LISTEN": address,
        "LOCALEMU_HOST": address,
        # Two clouds on one machine share no files, and no profile of an installed LocalEmu is read.
        "FILESYSTEM_ROOT": str(home.path / "engine"),
        "LOCALEMU_VOLUME_DIR": str(home.path / "engine"),
        "CONFIG_DIR": str(home.path / "engine" / "profiles"),
        "TEST_AWS_ACCOUNT_ID": ACCOUNT_ID,
        "SERVICES": ",".join(SERVICES),
        "STRICT_SERVICE_LOADING": "1",
        "IAM_ENFORCEMENT": "1",
        # Access keys begin as AWS's do.
        "PARITY_AWS_ACCESS_KEY_ID": "1",
        # Presigned URLs are held against their signature where all calls are: LocalEmu knows no secret of the root's but its own.
        "S3_SKIP_SIGNATURE_VALIDATION": "1",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        # Services call each other without a way through HTTP and this server's event loop.
        "IN_MEMORY_CLIENT": "1",
        "OVERRIDE_IN_DOCKER": "0",
        # A template with a resource that is not offered fails, instead of leaving it out.
        "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES": "0",
        # Queue addresses that carry the account, as AWS's do, whatever host a client came by.
        "SQS_ENDPOINT_STRATEGY": "off",
        # What AWS always does: one purge a minute, a deleted name free after a minute, messages gone after their retention.
        "SQS_DELAY_PURGE_RETRY": "1",
        "SQS_DELAY_RECENTLY_DELETED": "1",
        "SQS_ENABLE_MESSAGE_RETENTION_PERIOD": "1",
        # The local cloud measures queues itself, by AWS's rules.
        "SQS_DISABLE_CLOUDWATCH_METRICS": "1",
        # Nothing leaves this machine; an SDK without credentials would ask the address of EC2's instance metadata.
        "AWS_EC2_METADATA_DISABLED": "true",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }


def missing_environments() -> list[Path]:
    """The Python interpreters that `make setup` has yet to install; none when the engine can start."""
    return [python for python in (ENGINE_PYTHON, LAMBDA_PYTHON) if not python.exists()]
