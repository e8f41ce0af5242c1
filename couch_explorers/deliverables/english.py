"""The list of deliverables in English: the end of README.md."""

from couch_explorers.deliverables.facts import Reason
from couch_explorers.deliverables.words import Words

WORDS = Words(
    language="en",
    page="README.md",
    tasks={
        1: "Task 1: Lambda and API",
        2: "Task 2: Queue by Terraform",
        3: "Task 3: Java client and image",
        4: "Task 4: Alarm on the age",
        5: "Task 5: Serverless or containers",
    },
    tags="Which tag for whom",
    deliverables="Deliverables",
    labels={
        "endpoint": "A. HTTP endpoint, for POST",
        "postman": "A. The same in Postman",
        "lambda_run": "B. A successful run of `deploy_lambda.yml` on main",
        "terraform_run": "B. A successful run of `terraform_deploy.yml` on main (plan and apply)",
        "plan_run": "B. A successful run of `terraform_deploy.yml` on another branch (plan only)",
        "queue": "B. URL of the SQS queue",
        "tags": "B. Tag strategy",
        "image": "B. Container image",
        "alarm": "A. The alarm",
        "alarm_code": "A. Its code",
        "essay": "The discussion",
    },
    empty="*empty*.",
    reasons={
        Reason.API_NOT_ON_AWS: "The API is not deployed: push to main (`deploy_lambda.yml`), or run `sam deploy` in `sam_lambda/`.",
        Reason.API_NOT_LOCAL: "The API is not deployed: run `couch up`.",
        Reason.QUEUE_NOT_ON_AWS: "The queue is not deployed: push to main (`terraform_deploy.yml`), or run `terraform apply` in `infra/`.",
        Reason.QUEUE_NOT_LOCAL: "The queue is not deployed: run `couch up` (it needs Terraform; see `couch doctor`).",
        Reason.ALARM_MISSING: "The queue is deployed, but nothing watches the age of its jobs: run `terraform apply` in `infra/`.",
        Reason.ALARM_UNREADABLE: "The alarm could not be read: {why}.",
        Reason.RUNS_NOT_ASKED_FOR: "Nothing has run yet: push to GitHub, with the settings that CONTRIBUTING.md lists.",
        Reason.RUNS_NOT_LOCAL: "A local cloud is deployed by `couch up`, not by a workflow; `--target aws` asks GitHub.",
        Reason.NO_RUN_ON_MAIN: "`{workflow}` has not yet succeeded on main in {repository}: push to main, and see the page Actions.",
        Reason.NO_RUN_ELSEWHERE: "Among the newest runs of `{workflow}` in {repository} none succeeded on another branch: push to one.",
        Reason.NO_REPOSITORY: "The repository on GitHub is not known: give `--repository OWNER/NAME`.",
        Reason.NOT_ON_GITHUB: "Git's remote origin is at {host}, not at GitHub: give `--repository OWNER/NAME`.",
        Reason.NOT_FOUND: "GitHub shows no `{workflow}` in {repository}: check the name, push to main, and set GITHUB_TOKEN if the repository is private.",
        Reason.TOKEN_REFUSED: "GitHub does not take the token in GITHUB_TOKEN or GH_TOKEN: make a new one, or unset it for a public repository.",
        Reason.NO_RIGHT: "The token may not read the runs of {repository}: give it the right to read Actions.",
        Reason.RATE_LIMIT: "GitHub answers no more until {until}: wait, or set GITHUB_TOKEN, which may ask more often.",
        Reason.GITHUB_FAILED: "GitHub failed (HTTP {status}): try again later.",
        Reason.GITHUB_UNREACHABLE: "{host} could not be reached ({why}): try again when it can.",
        Reason.GITHUB_UNREADABLE: "{host} answered something that is no list of runs: check GITHUB_API_URL.",
        Reason.NO_IMAGE: "The name on Docker Hub is not known: export DOCKERHUB_USERNAME, or give `--image USER/REPOSITORY`.",
        Reason.BAD_IMAGE: "`{image}` is no name on Docker Hub: give `--image user/repository`, in lower case and without a tag.",
    },
    before_any_deploy=(
        "Rows that only a deployed copy of this repository can fill are empty until then. "
        "`couch deliverables --target aws --write` fills them in."
    ),
    on_local=(
        "As deployed on the local cloud for candidate {candidate}, read on {day}. These addresses work on this machine only; "
        "`couch deliverables --target aws` lists those on AWS."
    ),
    on_aws=(
        "As deployed on AWS ({region}) for candidate {candidate}, read on {day} by "
        "`couch deliverables --target aws --write`."
    ),
    through=" AWS was reached through {endpoint}.",
    run="[run {number}]({url}) on `{branch}`, {day}",
    postman="[collection]({path}), good and bad requests with what must be answered. Its variable `endpoint` is the address above.",
    alarm="`{name}` rings when the {statistic} of `{metric}` ({namespace}) over {period_s} s is {operator} {threshold} s. {heard}",
    operators={
        "GreaterThanThreshold": "above",
        "GreaterThanOrEqualToThreshold": "at least",
        "LessThanThreshold": "below",
        "LessThanOrEqualToThreshold": "at most",
    },
    tells="Confirmed e-mail subscriptions of its topic `{topic}`: {confirmed}; pending: {pending}.",
    pending=" Whoever is pending hears nothing before clicking the link in the first e-mail from AWS.",
    tells_nobody="It tells nobody: run `terraform apply` in `infra/`.",
    alarm_code="[infra/alarms.tf]({alarms}); the address is the variable `alarm_email` in [infra/variables.tf]({variables})",
)
