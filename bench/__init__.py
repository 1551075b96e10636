"""Benches: one module each, with a `run()` that returns figures. They measure; they never pass or fail."""


class CannotRun(Exception):
    """What the bench needs is not on this machine; the text says what."""
