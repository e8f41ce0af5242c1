"""As whom the modules of this folder act on AWS's API.

A person at a notebook or a terminal: the operator, whose policies are `judge` and `operator`. A deploy: the user with the policy `deploy`.
The functions: their execution roles. conftest.py hands these out. The account's owner, its root user, may do everything and is for what
is listed here; test_identities.py compares the list with what the modules use.
"""

# What makes a module act as the owner: by name, wherever it is written.
WAYS_TO_BE_OWNER = frozenset(
    {
        "as_owner", "owner",
        "local_session", "client_environment", "tool_environment",
        "ROOT_CREDENTIALS", "ROOT_SECRET", "ROOT_KEYS", "ROOT_USER", "ACCOUNT_ID",
    }
)  # fmt: skip
OWNERS = {
    "test_account": "prepares the account by `couch bootstrap`, plays the administrator who replaces a policy, and looks at what others made",
    "test_closed_api": "plays the administrator who prepares the account and adds the permissions of the README to a user",
    "test_cloud": "plays the administrator who makes a user; asks for the list of all models, which no policy allows",
    "test_deploy": "looks from outside at users, roles and buckets, which the operator may not",
    "test_documentation": "plays a reader who sets up an account of their own, deploys to it by hand and removes everything",
    "test_grants": "takes each grant away and gives it back; sends an alarm into a state",
    "test_plan": "plays the administrator who makes a user without permissions",
    "test_review": "plays the administrator who forbids an operator to read metrics",
    "test_trouble": "takes a permission away from an execution role; looks at all that the roles hold",
}
# Other systems than the local cloud, and what there is in place of users with policies.
ELSEWHERE = {"test_moto": "moto checks no permissions (test_moto_checks_no_rights)"}
