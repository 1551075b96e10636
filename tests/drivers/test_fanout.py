"""Fan-out: one item's trouble stays its own."""

from __future__ import annotations

import contextvars
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import SshTarget, Unreachable
from autorke.drivers.fanout import Outcome, Stopped, WorkOverdue, fan_out
from tests.sshd import Sshd, make_key, running_sshd


def test_outcomes_are_in_the_order_of_the_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number * 2

    assert [outcome.value for outcome in fan_out(range(10), work)] == list(range(0, 20, 2))


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_is_the_outcome_of_its_item_only(error: BaseException) -> None:
    def work(number: int) -> int:
        if number == 1:
            raise error
        return number

    first, second, third = fan_out([0, 1, 2], work)

    assert (first.value, third.value) == (0, 2)
    assert second.error is error
    assert not second.ok


def test_no_more_than_the_limit_run_at_once() -> None:
    running, most, lock, four = 0, 0, threading.Lock(), threading.Barrier(4)

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        four.wait(60)
        time.sleep(0.01)
        with lock:
            running -= 1

    fan_out(range(40), work, limit=4)

    assert most == 4


def test_an_overdue_item_is_given_up_and_the_next_takes_its_place() -> None:
    hold = threading.Event()

    def work(name: str) -> str:
        if name.startswith("hangs"):
            hold.wait(200)
        return name

    outcomes = fan_out(["hangs-1", "hangs-2", "a", "b"], work, limit=2, deadline=2)
    hold.set()

    assert [type(outcome.error) for outcome in outcomes] == [WorkOverdue, WorkOverdue, type(None), type(None)]
    assert outcomes[0].error.maybe_done  # type: ignore[union-attr]
    assert "hangs-1" in str(outcomes[0].error)


def test_each_outcome_is_told_when_it_is_there_in_the_callers_thread() -> None:
    told: list[tuple[int, threading.Thread]] = []
    turns = [threading.Event() for _ in range(4)]
    turns[0].set()

    def work(number: int) -> None:
        assert turns[number].wait(60), "the one before was not told"

    def tell(outcome: Outcome[int, None]) -> None:
        told.append((outcome.item, threading.current_thread()))
        turns[outcome.item + 1].set()

    assert all(outcome.ok for outcome in fan_out([2, 0, 1], work, on_done=tell))

    assert told == [(number, threading.current_thread()) for number in (0, 1, 2)]


def test_work_sees_the_callers_context() -> None:
    ticket = contextvars.ContextVar("ticket", default="none")
    ticket.set("T1")

    assert fan_out([1], lambda _: ticket.get())[0].value == "T1"


def test_nothing_to_do_is_done() -> None:
    assert fan_out([], print) == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path) as running:
        yield running


@pytest.mark.sshd
def test_one_hanging_machine_among_fifty_holds_none_up(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        targets = [server.target(f"m{number}") for number in range(49)]
        port = silent.getsockname()[1]
        targets.insert(0, server.target("hangs", port=port, host_key=make_key().public))
        ended: list[str] = []

        def work(target: SshTarget) -> str:
            with ssh.connect(target, limits=ssh.Limits(banner=60, login=60)) as remote:
                return remote.run(["echo", target.name], timeout=60).stdout

        def tell(outcome: Outcome[SshTarget, str]) -> None:
            ended.append(outcome.item.name)
            if len(ended) == 49:
                silent.accept()[0].close()  # only now may it give up

        outcomes = fan_out(targets, work, on_done=tell)

    assert ended[-1] == "hangs"
    assert isinstance(outcomes[0].error, Unreachable)
    assert [outcome.value for outcome in outcomes[1:]] == [f"m{number}\n" for number in range(49)]


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_no_other_item_begins_once_nobody_wants_the_outcomes(deadline: float | None) -> None:
    stop, hold = threading.Event(), threading.Event()
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        if len(begun) == 2:
            stop.set()
        hold.wait(200)

    with pytest.raises(Stopped):
        fan_out(range(50), work, limit=2, deadline=deadline, stop=stop)
    hold.set()
    assert len(begun) == 2


def test_a_stop_that_is_never_wished_changes_nothing() -> None:
    outcomes = fan_out(range(5), lambda number: time.sleep(0.3 if number == 0 else 0), limit=2, stop=threading.Event())
    assert all(outcome.ok for outcome in outcomes)
