"""What CloudWatch answers to a request that it does not serve."""


class RefusedError(Exception):
    """A request that is refused: `code` is AWS's name for the reason, the message AWS's words where they are known."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid_value(message: str) -> RefusedError:
    """A parameter has a value that is not taken."""
    return RefusedError("InvalidParameterValue", message)


def invalid_combination(message: str) -> RefusedError:
    """Parameters do not go together."""
    return RefusedError("InvalidParameterCombination", message)


def validation_error(message: str) -> RefusedError:
    """The request as a whole does not hold; the code of GetMetricData and of alarms."""
    return RefusedError("ValidationError", message)
