"""Why a figure of the report cannot be made."""


class FigureError(Exception):
    """A figure cannot be made; the message says why, and what to do so that it can."""
