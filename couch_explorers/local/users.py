"""The IAM users of a local cloud: who deploys and who is on call, each with exactly the policies of `policies/`, and the root user."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.aws import bootstrap
from couch_explorers.aws.discovery import WorkspaceError
from couch_explorers.files import read_json, write_json
from couch_explorers.local.settings import ACCOUNT_ID, ROOT_SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from couch_explorers.paths import Home

# Names the user as whom commands and notebooks act on the local cloud.
USER_VARIABLE = "COUCH_LOCAL_USER"
ROOT_USER, DEPLOY, OPERATOR = "root", "deploy", "operator"
# The managed policies of each user. GitHub's role deploys and judges; here the notebooks are run by a person.
POLICIES: Mapping[str, tuple[str, ...]] = {DEPLOY: ("deploy",), OPERATOR: ("judge", "operator")}


@dataclass(frozen=True)
class Keys:
    """The access key of a user; its fields are named as boto3's sessions take them."""

    aws_access_key_id: str
    aws_secret_access_key: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make any AWS tool act as the user."""
        return {name.upper(): value for name, value in asdict(self).items()}

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments that make a boto3 session act as the user."""
        return asdict(self)


ROOT_KEYS = Keys(ACCOUNT_ID, ROOT_SECRET)


def prepare(session: Any, home: Home, candidate: str) -> dict[str, Keys]:
    """Prepare the account as `couch bootstrap` does, with two users in place of GitHub's role and the people on call.

    Args:
        session: Of the account's root.
        home: Where the users' keys are saved, for `keys_of`.
        candidate: The number in all names.

    Returns:
        The keys of each user of POLICIES: the saved ones where IAM knows them, else new ones, and the former are deleted.

    Raises:
        botocore.exceptions.ClientError: The local cloud refuses.

    """
    account = bootstrap.Account(ACCOUNT_ID, candidate)
    version, iam = _version(account), session.client("iam")
    users = {name: user_name(candidate, name) for name in POLICIES}
    saved = _saved_keys(home)
    known = {name: saved[name] for name, user in users.items() if name in saved and _is_known(iam, user, saved[name])}
    if _saved(home).get("version") == version and known.keys() == POLICIES.keys():
        return known
    for step in bootstrap.plan(session.client, account):
        if step.apply is not None:
            step.apply()
    keys = {}
    for name, user in users.items():
        _ensure_user(iam, user, [account.policy_arn(policy) for policy in POLICIES[name]])
        # The key is made last: where it is, the policies are attached.
        keys[name] = known.get(name) or _make_key(iam, user)
    write_json(home.users_file, {"version": version, "users": {name: one.arguments for name, one in keys.items()}})
    return keys


def user_name(candidate: str, name: str) -> str:
    """The user's name in IAM; not `couch-explorers-…`, for what is called that, the policy `deploy` may change."""
    return f"{name}-couch-explorers-{candidate}"


def chosen(home: Home) -> Keys:
    """The keys of the user that COUCH_LOCAL_USER names; of the root user without it.

    Raises:
        WorkspaceError: No such user is known, or `couch up` has not made it.

    """
    name = os.environ.get(USER_VARIABLE) or ROOT_USER
    if name != ROOT_USER and name not in POLICIES:
        known = ", ".join((ROOT_USER, *POLICIES))
        raise WorkspaceError(f"{USER_VARIABLE} is set wrongly: the local cloud has no user {name!r}. Known: {known}")
    return keys_of(home, name)


def keys_of(home: Home, name: str) -> Keys:
    """The keys of the root user, or of a user of POLICIES.

    Raises:
        WorkspaceError: `couch up` has not made the user.

    """
    if name == ROOT_USER:
        return ROOT_KEYS
    if (found := _saved_keys(home).get(name)) is None:
        raise WorkspaceError(f"The local cloud does not have the user {name} yet. Make it: couch up")
    return found


def _saved(home: Home) -> dict[str, Any]:
    saved = read_json(home.users_file)
    return saved if isinstance(saved, dict) else {}


def _saved_keys(home: Home) -> dict[str, Keys]:
    users = _saved(home).get("users")
    return {name: Keys(**keys) for name, keys in users.items()} if isinstance(users, dict) else {}


def _version(account: bootstrap.Account) -> str:
    """A hash of the policies for an account, and of who has which: with other ones, the account is prepared again."""
    digest = hashlib.sha256(repr(POLICIES).encode())
    for name in bootstrap.MANAGED:
        digest.update(repr(bootstrap.render(name, account)).encode())
    return digest.hexdigest()


def _is_known(iam: Any, user: str, keys: Keys) -> bool:
    try:
        listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    except iam.exceptions.NoSuchEntityException:
        return False
    return keys.aws_access_key_id in {key["AccessKeyId"] for key in listed}


def _ensure_user(iam: Any, user: str, policy_arns: list[str]) -> None:
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    for arn in policy_arns:
        iam.attach_user_policy(UserName=user, PolicyArn=arn)


def _make_key(iam: Any, user: str) -> Keys:
    for former in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=former["AccessKeyId"])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])
