"""What the control API says to a request that makes no sense."""

from __future__ import annotations


class Refused(Exception):
    """Answered with `status` and the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
