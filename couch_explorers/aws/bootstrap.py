"""Prepares an AWS account for the workflows: both buckets, the policies of people and pipelines, and the role that GitHub takes.

The policies are files in `policies/`, with placeholders for what differs from account to account. Everything is looked up
first, so that a second run changes nothing.
"""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.aws import PICTURE_BUCKET, REGION, STATE_BUCKET
from couch_explorers.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLICY_FOLDER = PROJECT_ROOT / "policies"
# Managed policies: the boundary of the execution roles, and what a deploy, a notebook and an operator may do.
MANAGED = ("boundary", "deploy", "judge", "operator")
# What the pipeline's role is given; an operator's rights are for people.
OF_THE_PIPELINE = ("deploy", "judge")
GITHUB = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: five versions of a managed policy.
MOST_VERSIONS = 5
NOT_FOUND, FORBIDDEN = "404", "403"


class BootstrapError(Exception):
    """The account cannot be prepared; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The account to prepare: what the placeholders of the policies stand for."""

    account: str
    candidate: str
    bucket: str = PICTURE_BUCKET
    state_bucket: str = STATE_BUCKET
    region: str = REGION

    def policy_name(self, name: str) -> str:
        """The managed policy's name in the account."""
        return f"couch-explorers-{self.candidate}-{name}"

    def policy_arn(self, name: str) -> str:
        """The managed policy's ARN."""
        return f"arn:aws:iam::{self.account}:policy/{self.policy_name(name)}"

    @property
    def role_name(self) -> str:
        """The pipeline's role; not `couch-explorers-…`, for those are the roles that it may change."""
        return f"deploy-couch-explorers-{self.candidate}"


@dataclass(frozen=True)
class Step:
    """One requirement of an account; `apply` creates it, and is None if it exists already."""

    what: str
    apply: Callable[[], object] | None = None


def subject(repository: str, owner_id: str = "", repository_id: str = "") -> str:
    """Return the repository as in the subject of GitHub's identity tokens.

    Args:
        repository: OWNER/NAME.
        owner_id: the owner's number, for a repository that was made or renamed since 15 July 2026: its tokens carry both
            numbers (https://docs.github.com/en/actions/reference/security/oidc, immutable subject claims).
        repository_id: the repository's number, likewise.

    Returns:
        "octocat/my-repo", or "octocat@123456/my-repo@456789".

    Raises:
        BootstrapError: the repository is not OWNER/NAME, or only one number is given.
    """
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or set(repository) & set("*?@: "):
        raise BootstrapError(f"The repository is OWNER/NAME, such as octocat/my-repo, not {repository!r}.")
    if bool(owner_id) != bool(repository_id) or not (owner_id + repository_id + "0").isdecimal():
        raise BootstrapError(
            f"Give both numbers or none: gh api repos/{repository} --jq '\"--owner-id \\(.owner.id) --repository-id \\(.id)\"'"
        )
    return f"{owner}@{owner_id}/{name}@{repository_id}" if owner_id else repository


def render(name: str, account: Account, github_subject: str = "") -> dict[str, Any]:
    """Fill in a policy's placeholders.

    Args:
        name: a file of `policies/` without its ending, such as "deploy".
        account: what the placeholders stand for.
        github_subject: as `subject` writes it, for "github_trust".

    Raises:
        KeyError: the policy has a placeholder that stands for nothing.
    """
    text = (POLICY_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    values = {key: str(value) for key, value in vars(account).items()} | {"subject": github_subject}
    document: dict[str, Any] = json.loads(string.Template(text).substitute(values))
    return document


def plan(client: Callable[[str], Any], account: Account, github_subject: str = "") -> Iterator[Step]:
    """Yield the requirements of an account, each looked up when its turn comes.

    Args:
        client: makes the client of a service.
        account: the account to prepare.
        github_subject: as `subject` writes it; without one neither identity provider nor role are made.

    Raises:
        BootstrapError: a bucket belongs to somebody else.
        botocore.exceptions.ClientError: the caller lacks a permission.
    """
    s3, iam = client("s3"), client("iam")
    for bucket in (account.bucket, account.state_bucket):
        yield _bucket(s3, bucket, account.region)
    for name in MANAGED:
        yield _policy(iam, name, account)
    if github_subject:
        yield _provider(iam, account)
        yield from _role(iam, account, github_subject)


def _bucket(s3: Any, name: str, region: str) -> Step:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        code = str(error.response["ResponseMetadata"]["HTTPStatusCode"])
        if code == NOT_FOUND:
            return Step(f"bucket {name}, versioned, encrypted, not public", lambda: _make_bucket(s3, name, region))
        if code == FORBIDDEN:
            raise BootstrapError(
                f"The bucket {name} belongs to another account, or you may not look at it: name your own with --bucket or "
                "--state-bucket, and set BUCKET_NAME or STATE_BUCKET on GitHub."
            ) from error
        raise
    return Step(f"bucket {name}")


def _make_bucket(s3: Any, name: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )


def _policy(iam: Any, name: str, account: Account) -> Step:
    document = render(name, account)
    arn, what = account.policy_arn(name), f"policy {account.policy_name(name)}"
    try:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except iam.exceptions.NoSuchEntityException:
        return Step(
            what,
            lambda: iam.create_policy(PolicyName=account.policy_name(name), PolicyDocument=_text(document)),
        )
    if iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"] == document:
        return Step(what)
    return Step(f"{what}, changed", lambda: _new_version(iam, arn, document))


def _new_version(iam: Any, arn: str, document: dict[str, Any]) -> None:
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    if len(versions) >= MOST_VERSIONS:
        oldest = min((each for each in versions if not each["IsDefaultVersion"]), key=lambda each: each["CreateDate"])
        iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=_text(document), SetAsDefault=True)


def _provider(iam: Any, account: Account) -> Step:
    arn = f"arn:aws:iam::{account.account}:oidc-provider/{GITHUB}"
    try:
        provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except iam.exceptions.NoSuchEntityException:
        return Step(
            f"identity provider {GITHUB}",
            lambda: iam.create_open_id_connect_provider(Url=f"https://{GITHUB}", ClientIDList=[AUDIENCE]),
        )
    if AUDIENCE in provider["ClientIDList"]:
        return Step(f"identity provider {GITHUB}")
    return Step(
        f"identity provider {GITHUB}, for {AUDIENCE}",
        lambda: iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=AUDIENCE),
    )


def _role(iam: Any, account: Account, github_subject: str) -> Iterator[Step]:
    trust, name = render("github_trust", account, github_subject), account.role_name
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        yield Step(
            f"role {name}, for {github_subject}",
            lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=_text(trust)),
        )
        attached = set()
    else:
        same = role["AssumeRolePolicyDocument"] == trust
        yield Step(
            f"role {name}, for {github_subject}",
            None if same else lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=_text(trust)),
        )
        attached = {each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]}
    for policy in OF_THE_PIPELINE:
        arn = account.policy_arn(policy)
        attach = partial(iam.attach_role_policy, RoleName=name, PolicyArn=arn)
        yield Step(f"{account.policy_name(policy)} attached to {name}", None if arn in attached else attach)


def _text(document: dict[str, Any]) -> str:
    # Blanks do not count toward the quota, but they are sent.
    return json.dumps(document, separators=(",", ":"))
