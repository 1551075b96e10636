"""Work in a child process, for a parent that lives long and wants to stay small."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def apart(work: Callable[[], Value]) -> Value:
    """Call `work` in a forked child and return what it returns; what it imports and allocates ends with the child.

    An exception of it is raised here. For a process with one thread only, like the supervisor.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "wb") as out:
                out.write(_outcome(work))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        raise RuntimeError("a child process ended without an answer")
    value, error = pickle.loads(said)  # noqa: S301 - from our own child
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]


def _outcome(work: Callable[[], Value]) -> bytes:
    try:
        return pickle.dumps((work(), None))
    except Exception as error:
        try:
            said = pickle.dumps((None, error))
            pickle.loads(said)  # noqa: S301 - some exceptions can be written and not be read
        except Exception:
            return pickle.dumps((None, RuntimeError(traceback.format_exc())))
        return said
