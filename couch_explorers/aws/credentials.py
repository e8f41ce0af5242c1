"""The user's own AWS configuration: isolated from the local cloud, and explained if it prevents calls to AWS."""

from __future__ import annotations

import configparser
import os
import shlex
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConstantProvider
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    InvalidConfigError,
    LoginError,
    MissingDependencyException,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    UnknownCredentialError,
)
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

# As botocore reads them, the first one that is set.
PROFILE_VARIABLES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")

# The codes with which AWS's services say that credentials are no longer, or never were, what they claim to be.
EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN_CODES = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"}

_BROKEN_CREDENTIALS = (
    CredentialRetrievalError,
    InvalidConfigError,
    MissingDependencyException,
    RefreshWithMFAUnsupportedError,
    UnknownCredentialError,
)


def session(*, isolated: bool) -> botocore.session.Session:
    """Make a botocore session whose answers tell their times in UTC.

    An isolated one reads neither AWS_… variables nor configuration files, so that a profile, a region or FIPS endpoints of
    the user's never reach the local cloud. (By itself botocore tells times in this machine's zone, through
    an arithmetic that takes longer than everything else there is to do for a day of metrics.)
    """
    if isolated:
        silent = {
            name: (None, None, default, convert)
            for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        }
        for name in ("config_file", "credentials_file"):
            silent[name] = (None, None, os.devnull, None)
        made = botocore.session.Session(session_vars=silent)
        made.get_component("config_store").set_config_provider("s3", ConstantProvider(None))
    else:
        made = botocore.session.get_session()
    made.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_in_utc)
    return made


def _in_utc(value: Any) -> datetime:
    """Read a time as AWS writes it: a number of seconds, or text."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    parsed: datetime = parse_timestamp(value)
    return parsed.astimezone(UTC)


def profile() -> str:
    """Return the name of the profile selected by the environment."""
    return next((value for name in PROFILE_VARIABLES if (value := os.environ.get(name))), "default")


# What botocore raises for an answer that is neither XML nor JSON is no BotoCoreError.
UNREADABLE = ResponseParserError


class Problem(NamedTuple):
    """The error in the AWS configuration or credentials, and its remedy: two sentences, the last without a full stop."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}"


NO_CREDENTIALS = Problem(
    "No AWS credentials were found",
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run: aws configure",
)


NOT_AN_AWS_ANSWER = Problem(
    "The answer is not one of AWS's: something between here and AWS answered in its place, with a web page for example",
    "Check HTTPS_PROXY and AWS_ENDPOINT_URL, and whether this network wants you to log in first",
)


def explain(error: Exception) -> Problem | None:
    """Return what is wrong with the AWS configuration or credentials, and what to do.

    None where `error` is about something else. Nothing of a file's content is quoted: it may be a secret.
    """
    problem: Problem | None = None
    match error:
        case ProfileNotFound():
            problem = _unknown_profile(str(error.kwargs["profile"]))
        case ConfigParseError():
            problem = _broken_file(Path(error.kwargs["path"]), error.kwargs.get("error"))
        case NoCredentialsError():
            problem = NO_CREDENTIALS
        case PartialCredentialsError():
            given = f"{error.kwargs['provider']}, profile {profile()}"
            problem = Problem(
                f"The AWS credentials are incomplete: {error.kwargs['cred_var']} is missing ({given})",
                "Set it too, or unset the others",
            )
        case SSOError() | TokenRetrievalError():
            problem = _signed_out("SSO login", "sso login")
        case LoginError():
            problem = _signed_out("login", "login")
        case ClientError():
            problem = _refused(error)
        case ResponseParserError():
            problem = NOT_AN_AWS_ANSWER
        case _ if isinstance(error, _BROKEN_CREDENTIALS):
            error_text = " ".join(str(error).split()).rstrip(".")
            problem = Problem(
                f"The AWS profile {profile()} gives no credentials: {error_text}",
                "Correct it, or choose another: export AWS_PROFILE=NAME",
            )
    return problem


@contextmanager
def explained(raised: type[Exception]) -> Iterator[None]:
    """Raise what goes wrong while a session or a client is made as `raised`, with the Problem as its argument.

    Of a setting that is no number and of an endpoint that is no address botocore says that it is a ValueError, of a program
    that cannot be started an OSError.
    """
    try:
        yield
    except (BotoCoreError, OSError, ValueError) as error:
        other = Problem(
            f"The AWS configuration cannot be used: {str(error).rstrip('.')}",
            f"Look through {_files()[0]} and the AWS_… variables: env | grep AWS_",
        )
        raise raised(explain(error) or other) from error


def _signed_out(what: str, command: str) -> Problem:
    sentence = f"The {what} of the AWS profile {profile()} has expired or was never made"
    return Problem(sentence, f"Log in: {_log_in(command)}")


def _log_in(command: str) -> str:
    name = profile()
    return f"aws {command}" if name == "default" else f"aws {command} --profile {shlex.quote(name)}"


def _refused(error: ClientError) -> Problem | None:
    code = error.response.get("Error", {}).get("Code")
    if code in EXPIRED_CODES:
        return Problem(
            f"The AWS credentials have expired ({code})",
            f"Get new ones; for a profile with SSO: {_log_in('sso login')}",
        )
    if code in UNKNOWN_CODES:
        return Problem(
            f"AWS does not know these credentials ({code})",
            f"Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile {profile()}",
        )
    return None


def _unknown_profile(name: str) -> Problem:
    chosen_by = next((variable for variable in PROFILE_VARIABLES if os.environ.get(variable) == name), None)
    config, credentials = _files()
    subject = f"{chosen_by} names the AWS profile {name!r}" if chosen_by else f"The AWS profile {name!r} is asked for"
    known = sorted(_profiles(config, prefixed=True) | _profiles(credentials, prefixed=False))
    return Problem(
        f"{subject}, which stands neither in {config} nor in {credentials} (known: {', '.join(known) or 'none'})",
        f"Name a known one, or go without: unset {chosen_by or 'AWS_PROFILE'}",
    )


def _files() -> tuple[Path, Path]:
    """Return the configuration and the credentials file, as located by the environment."""
    named = os.environ.get("AWS_CONFIG_FILE"), os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    config, credentials = named[0] or "~/.aws/config", named[1] or "~/.aws/credentials"
    return Path(os.path.expandvars(config)).expanduser(), Path(os.path.expandvars(credentials)).expanduser()


def _profiles(file: Path, *, prefixed: bool) -> set[str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file)
    except (configparser.Error, UnicodeDecodeError):
        return set()
    if not prefixed:
        return set(parser.sections())
    named = {section.split(None, 1)[1].strip("\"' ") for section in parser.sections() if section.startswith("profile ")}
    return named | {"default"} & set(parser.sections())


def _broken_file(file: Path, fault: Exception | None) -> Problem:
    line, what = _place(file, fault)
    place = f"{file}, line {line}" if line else str(file)
    other = "AWS_SHARED_CREDENTIALS_FILE" if file == _files()[1] else "AWS_CONFIG_FILE"
    return Problem(
        f"The AWS configuration cannot be read: {place}: {what}",
        f"Correct it, or name another file: export {other}=FILE",
    )


def _place(file: Path, fault: Exception | None) -> tuple[int | None, str]:
    """Return the line of the error, if known, and what is wrong there."""
    match fault:
        case configparser.MissingSectionHeaderError():
            return fault.lineno, "a setting before the first [section]"
        case configparser.DuplicateSectionError():
            return fault.lineno, f"the section [{fault.section}] stands there for the second time"
        case configparser.DuplicateOptionError():
            return fault.lineno, f"{fault.option} is set for the second time in [{fault.section}]"
        case configparser.ParsingError():
            return (fault.errors[0][0] if fault.errors else None), "no [section] and no NAME = VALUE"
        case UnicodeDecodeError():
            return _first_undecodable(file, fault.encoding), f"bytes that are no {fault.encoding.upper()}"
        case _:
            return _broken_subsection(file), "an indented line without NAME = VALUE"


def _first_undecodable(file: Path, encoding: str) -> int | None:
    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        try:
            line.decode(encoding)
        except UnicodeDecodeError:
            return number
    return None


def _broken_subsection(file: Path) -> int | None:
    """Return the first indented line below a setting without a value that is not a setting itself."""
    inside = False
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
        if line.strip().startswith(("#", ";")) or not line.strip():
            continue
        if not line[0].isspace():
            name, equals, value = line.partition("=")
            inside = bool(name.strip() and equals and not value.strip())
        elif inside and "=" not in line:
            return number
    return None
