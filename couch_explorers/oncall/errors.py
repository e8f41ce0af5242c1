"""What can go wrong while somebody looks after jobs, and how AWS's refusals are said."""

from __future__ import annotations

from botocore.exceptions import ClientError

from couch_explorers.aws.errors import is_access_denied
from couch_explorers.core.aws_errors import describe


class OncallError(Exception):
    """What was asked for could not be done; the message says why and what to do."""


class JobNotFoundError(OncallError):
    """No trace of a job was found; `job_id` is what was asked for, the message says where it was looked for."""

    def __init__(self, job_id: str, message: str) -> None:
        super().__init__(message)
        self.job_id = job_id


def said(error: Exception, right: str) -> str:
    """Say what botocore raised, without a full stop; `right` is the IAM action that the call needs."""
    if not isinstance(error, ClientError):
        return f"AWS could not be reached ({type(error).__name__})"
    code, _, message = describe(error)
    if is_access_denied(error):
        return f"no right to do it: allow {right}"
    return f"{code}: {message}".rstrip(". ")
