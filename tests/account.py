"""An account under test, prepared as CONTRIBUTING says, and people in it who may do what `policies/` grants and nothing else."""

from couch_explorers.aws.bootstrap import Account, plan
from couch_explorers.local.settings import ACCOUNT_ID

# A person on call, and a pipeline that has the keys of a user in the place of GitHub's role.
OPERATOR, PIPELINE = ("judge", "operator"), ("deploy", "judge")


def prepare(session, account=None):
    """Make buckets and policies as `couch bootstrap --apply` does, as the account's administrator; gives the account."""
    account = account or Account(ACCOUNT_ID, "42")
    for step in plan(session.client, account):
        if step.apply:
            step.apply()
    return account


def make_user(session, account, name, policies):
    """Make a user with managed policies alone; the variables that make a tool act as that user."""
    iam = session.client("iam")
    iam.create_user(UserName=name)
    for policy in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=account.policy_arn(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    iam.close()
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
