"""What can go wrong while the list of deliverables is made."""


class DeliverablesError(Exception):
    """The list could not be written; the message says where and what to do."""
