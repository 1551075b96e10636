"""One connection per machine, shared by all threads of a step."""

from __future__ import annotations

import dataclasses
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from autorke.drivers import ssh
from autorke.drivers.base import SshTarget, Unreachable
from autorke.drivers.fanout import Outcome, fan_out
from tests.sshd import Sshd, make_key

pytestmark = pytest.mark.sshd


def test_many_threads_share_one_connection_per_machine(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    targets = [server.target(f"m{number % 3}") for number in range(30)]

    with ssh.ConnectionPool() as pool:
        outcomes = fan_out(targets, lambda target: pool.get(target).run(["true"]).exit_code)

        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert [outcome.value for outcome in outcomes] == [0] * 30
        assert len(server.sessions()) == 3
    assert all_gone(server)


def test_a_bastion_is_connected_once_for_all_machines_behind_it(sshd: Sshd, make_sshd: Callable[..., Sshd]) -> None:
    bastion = make_sshd()
    targets = [sshd.target(f"m{number}", bastion=bastion.target("bastion")) for number in range(20)]

    with ssh.ConnectionPool() as pool:
        outcomes = fan_out(targets, lambda target: pool.get(target).run(["true"]).exit_code)

        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert [outcome.value for outcome in outcomes] == [0] * 20
        assert len(bastion.sessions()) == 1
    assert all_gone(bastion)


def test_a_connection_that_died_is_opened_again(make_sshd: Callable[..., Sshd]) -> None:
    server = make_sshd()
    with ssh.ConnectionPool() as pool:
        first = pool.get(server.target())
        server.signal_sessions(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while first.alive and time.monotonic() < deadline:
            time.sleep(0.02)

        second = pool.get(server.target())

        assert second is not first
        assert second.run(["true"]).ok
        assert pool.get(server.target()) is second


def test_a_dead_bastion_costs_one_wait_and_not_one_per_machine(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bastion = dataclasses.replace(sshd.target("bastion"), port=silent.getsockname()[1], host_key=make_key().public)
        targets = [sshd.target(f"m{number}", bastion=bastion) for number in range(20)]
        asking = threading.Barrier(21)

        def refuse() -> None:
            asking.wait(60)
            time.sleep(1)  # so that all of them are waiting for the bastion
            silent.accept()[0].close()

        refusing = threading.Thread(target=refuse)
        refusing.start()
        with ssh.ConnectionPool(limits=ssh.Limits(banner=100)) as pool:
            outcomes = fan_out(targets, lambda target: (asking.wait(60), pool.get(target)))
        refusing.join()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has tried a second time
            silent.accept()

    assert all(isinstance(outcome.error, Unreachable) for outcome in outcomes)


def test_a_slow_machine_holds_no_other_up(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = dataclasses.replace(sshd.target("slow"), port=silent.getsockname()[1])
        ended: list[str] = []

        def tell(outcome: Outcome[SshTarget, int]) -> None:
            ended.append(outcome.item.name)
            if len(ended) == 1:
                silent.accept()[0].close()  # only now may it give up

        with ssh.ConnectionPool(limits=ssh.Limits(banner=100)) as pool:
            work = lambda target: pool.get(target).run(["true"]).exit_code  # noqa: E731
            outcomes = fan_out([slow, sshd.target("m1")], work, on_done=tell)

    assert ended == ["m1", "slow"]
    assert isinstance(outcomes[0].error, Unreachable)
    assert outcomes[1].value == 0


def test_a_closed_pool_opens_nothing(sshd: Sshd) -> None:
    pool = ssh.ConnectionPool()
    pool.close()

    with pytest.raises(RuntimeError, match="closed"):
        pool.get(sshd.target())


def all_gone(server: Sshd) -> bool:
    deadline = time.monotonic() + 60
    while server.sessions() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not server.sessions()
