"""Logs and watch: nothing is lost or told twice, whatever the connection does; the exit code tells how it stands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import delete

from autorke.cli import events
from autorke.cli.client import Api
from autorke.cli.errors import Unreachable
from autorke.cli.events import StreamEvent, lines, parse
from autorke.cli.output import console
from autorke.cli.ticket_follow import LogPrinter
from autorke.core.db import transaction
from autorke.users.models import RoleBinding
from autorke.workflow import commands
from tests.cli.cutting import cutting
from tests.cli.site import Person, Site
from tests.workflow.conftest import USER
from tests.workflow.toy import WORLD, fail

NODES = [f"n{number:02}" for number in range(30)]
LINES = 2 * (len(NODES) + 1)
"""Of each node and of the first step: what it does, and how it ended."""


@contextmanager
def following(site: Site, act: Callable[[], object], when: Callable[[], bool] | None = None) -> Iterator[None]:
    """Do something once the command line follows: its stream is open, or what `when` says has come."""
    streams = site.api.app.state.wakeups
    come = when or (lambda: streams.count > 0)

    def wait_and_act() -> None:
        deadline = time.monotonic() + 120
        while not come() and time.monotonic() < deadline:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    yield
    thread.join()


def cancel(ticket: UUID) -> None:
    with transaction() as session:
        commands.cancel(session, ticket, USER, "test")


@pytest.fixture
def standing(site: Site, requester: Person, approver: Person) -> UUID:
    """A ticket that has run its nodes, with a log of each, and waits for a person."""
    ticket = site.toy(requester, nodes=NODES)
    for _ in range(2):
        site.work()
        approver.ok("ticket", "approve", "1", "--yes")
    site.work()
    return ticket


def test_logs_name_step_and_node(standing: UUID, requester: Person) -> None:
    shown = requester.ok("ticket", "logs", "1").stdout.splitlines()
    assert len(shown) == LINES
    assert shown[0].startswith("[configure *] ")
    assert shown[0].endswith("Z whole step")
    assert shown[2].startswith("[change node-n00] ")
    only = requester.ok("ticket", "logs", "1", "--node", "node-n07").stdout.splitlines()
    assert {line.split("]")[0] for line in only} == {"[change node-n07"}
    assert len(requester.ok("ticket", "logs", "1", "--step", "configure").stdout.splitlines()) == 2
    streams = requester.json("ticket", "logs", "1", "--step", "change")
    assert {stream["node_id"] for stream in streams} == set(NODES)
    assert requester.run("ticket", "logs", "1", "--node", "node-z").exit_code == 4
    assert requester.run("ticket", "logs", "9").exit_code == 4


def test_a_log_line_cannot_act_on_the_terminal() -> None:
    printer = LogPrinter({"a": "[bold]a\x1b"}, console(), lambda _step, _node: True)
    stream = {"stream_id": "s", "step": "join", "node_id": "a"}
    with printer.screen.capture() as captured:
        printer.text(stream, "\x1b]0;owned\x07[red]x[/red]\tpart\rgone\x85one line\n", 9)
    assert captured.get() == "[join [bold]a\\x1b] \\x1b]0;owned\\x07[red]x[/red]    part\\rgone\\x85one line\n"


def test_following_survives_dropped_connections(
    site: Site, standing: UUID, requester: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE", 0.02)
    with (
        cutting(site.url, [900, 2500, 5000, 1, 9000, 30, 7000]) as proxy,
        following(site, lambda: cancel(standing), when=lambda: proxy.streams >= 8),
    ):
        done = requester.ok("ticket", "logs", "1", "-f", AUTORKE_URL=proxy.url)
    assert not proxy.cuts
    assert proxy.streams >= 8
    assert len(set(proxy.resumed)) >= 3
    touched = [line.split("]")[0].removeprefix("[change ") for line in done.stdout.splitlines() if "touching" in line]
    assert sorted(touched) == sorted(f"node-{node}" for node in NODES)
    assert done.stdout.count("whole step") == 1
    assert "── configure: PENDING → PLANNING\n" in done.stderr
    assert "── change: PLANNING → WAIT_PRE_GATE · autorke ticket approve 1\n" in done.stderr
    assert done.stderr.count("── ticket: CANCELLED") == 1


def test_following_as_json_gives_every_event_once(site: Site, standing: UUID, requester: Person) -> None:
    with following(site, lambda: cancel(standing)):
        done = requester.ok("ticket", "logs", "1", "-f", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    seqs = [line["data"]["seq"] for line in told if line["event"] == "ticket"]
    assert seqs == list(range(1, len(seqs) + 1))
    logged = [line["data"]["node_id"] for line in told if line["event"] == "log"]
    assert sorted(logged, key=str) == sorted([None, *NODES], key=str)


def test_following_an_ended_ticket_shows_all_of_it(standing: UUID, requester: Person) -> None:
    cancel(standing)
    done = requester.ok("ticket", "logs", "1", "--follow", "--node", "node-n03")
    assert len(done.stdout.splitlines()) == 2


def test_following_ends_when_the_right_to_look_is_taken(
    site: Site, standing: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = site.person("guest", "viewer")
    printed: list[str] = []
    real = LogPrinter._line

    def noting(printer: LogPrinter, step: str, node_id: str | None, line: str) -> None:
        real(printer, step, node_id, line)
        printed.append(line)

    monkeypatch.setattr(LogPrinter, "_line", noting)

    def take_away() -> None:
        with transaction() as session:
            session.execute(delete(RoleBinding).where(RoleBinding.user_id == viewer.user_id))

    with following(site, take_away, when=lambda: len(printed) == LINES):
        done = viewer.run("ticket", "logs", "1", "-f")
    assert done.exit_code in (3, 4)
    assert len(done.stdout.splitlines()) == LINES


def test_a_server_that_stays_away_is_given_up(
    site: Site, standing: UUID, requester: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE", 0.3)
    monkeypatch.setattr(events, "PAUSE", 0.05)
    with cutting(site.url, [2000, *[0] * 10_000]) as proxy:
        done = requester.run("ticket", "logs", "1", "-f", AUTORKE_URL=proxy.url)
    assert done.exit_code == 6


def test_ctrl_c_leaves_no_traceback(site: Site, standing: UUID, requester: Person) -> None:
    command = [sys.executable, "-c", "from autorke.cli.app import main; main()", "ticket", "logs", "1", "-f"]
    environment = {**os.environ, "AUTORKE_URL": site.url, "AUTORKE_TOKEN": requester.token, "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert "whole step" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in told


def test_watch_ends_where_a_person_is_needed(site: Site, requester: Person, approver: Person) -> None:
    site.toy(requester)
    with following(site, site.work):
        waiting = requester.run("ticket", "watch", "1")
    assert waiting.exit_code == 7
    assert "configure: WAIT_PRE_GATE" in waiting.stderr
    assert "waits for configure:pre" in waiting.stderr
    assert requester.run("ticket", "watch", "1", "--json").exit_code == 7


def test_watch_tells_success_failure_and_trouble(site: Site, requester: Person, approver: Person) -> None:
    site.toy(requester, policy="express")
    site.work()
    approver.ok("ticket", "approve", "1", "--yes")
    with following(site, site.work):
        done = requester.run("ticket", "watch", "1")
    assert done.exit_code == 0
    assert "SUCCEEDED" in done.stdout
    WORLD.behave["change:b"] = fail
    trouble = site.toy(requester, policy="express", batches={"canary": 0, "size": 9, "budget": 9})
    site.work()
    approver.ok("ticket", "approve", "2", "--yes")
    site.work()
    assert requester.run("ticket", "watch", "2").exit_code == 7
    cancel(trouble)
    assert requester.run("ticket", "watch", "2").exit_code == 1


def test_watch_on_a_terminal_draws_in_place(
    site: Site, requester: Person, approver: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _self: True))
    site.toy(requester)
    with following(site, site.work):
        done = requester.run("ticket", "watch", "1")
    assert done.exit_code == 7
    assert "node-a" in done.stderr


def test_events_are_parsed_at_any_cut() -> None:
    raw = 'id: 1;x=2\nevent: log\ndata: {"text": "é\u2028\x85z"}\n\n: alive\n\n'
    raw += 'id: 2\r\ndata: {"a":\ndata: 1}\n\ndata: {"cut"'
    whole = [
        StreamEvent("1;x=2", "log", {"text": "é\u2028\x85z"}),
        StreamEvent("2", "message", {"a": 1}),
    ]
    data = raw.encode()
    for size in (1, 2, 3, 7, len(data)):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert list(parse(lines(pieces))) == whole


def test_time_passes_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(events, "time", SimpleNamespace(sleep=slept.append, monotonic=lambda: next(clock)))
    with Api("http://127.0.0.1:1") as api, pytest.raises(Unreachable):
        next(events.follow(api, "x", logs=False))
    assert slept[:3] == [1.0, 2.0, 4.0]
    assert max(slept) == events.LONGEST_PAUSE
