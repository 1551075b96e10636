"""Work in a child process: what it returns and raises comes back, what it did to its memory does not."""

from __future__ import annotations

import os

import pytest

from autorke.embedded.apart import apart
from autorke.embedded.errors import PortTaken

HERE: list[str] = []


def test_the_value_comes_back_and_nothing_else() -> None:
    def work() -> tuple[int, int]:
        HERE.append("x" * 1_000_000)
        return os.getpid(), len(HERE)

    child, grown = apart(work)
    assert child != os.getpid()
    assert (grown, HERE) == (1, [])


def test_an_answer_larger_than_a_pipe() -> None:
    assert len(apart(lambda: "y" * 5_000_000)) == 5_000_000


def test_our_errors_come_back_with_their_texts() -> None:
    def work() -> None:
        raise PortTaken(host="127.0.0.1", port=1)

    with pytest.raises(PortTaken, match=r"127\.0\.0\.1:1 is taken") as caught:
        apart(work)
    assert "AUTORKE_PORT" in caught.value.hint.en


def test_an_error_that_cannot_travel_is_told_as_text() -> None:
    class Local(Exception):
        pass

    def work() -> None:
        raise Local("cannot be pickled")

    with pytest.raises(RuntimeError, match="cannot be pickled"):
        apart(work)


def test_a_child_that_dies_without_a_word() -> None:
    with pytest.raises(RuntimeError, match="without an answer"):
        apart(lambda: os._exit(3))


def test_no_child_is_left() -> None:
    child = apart(os.getpid)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
