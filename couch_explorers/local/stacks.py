"""What may differ between two local deployments, and the names and looks that both stacks share."""

from dataclasses import dataclass
from typing import Any

from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS
from couch_explorers.local.settings import DEFAULT_CANDIDATE, WORKER_TIMEOUT_S


@dataclass(frozen=True)
class Settings:
    """What may differ between two local deployments."""

    candidate: str = DEFAULT_CANDIDATE
    worker_timeout_s: int = WORKER_TIMEOUT_S
    worker_concurrency: int = 8
    alarm_email: str = "standup@couch-explorers.example"

    @property
    def oldest_message_age_s(self) -> int:
        """The threshold of the age alarm: five time-outs of the worker, as 300 s are on AWS, where it has 60.

        A laptop's day goes faster; and an age ends at the third receive, after twelve time-outs, whatever the threshold.
        """
        return 5 * self.worker_timeout_s

    @property
    def stem(self) -> str:
        """How every resource's name begins."""
        return f"couch-explorers-{self.candidate}"

    @property
    def model_arns(self) -> list[str]:
        """Every model, the default first: nothing here costs money."""
        ordered = sorted(MODELS.values(), key=lambda model: model.id != DEFAULT_MODEL_ID)
        return [model.arn for model in ordered]


def function_exists(session: Any, name: str) -> bool:
    """Whether a Lambda function of that name is deployed."""
    functions = session.client("lambda")
    try:
        functions.get_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return False
    return True
