"""T8: hosts whose clocks are ten minutes off; only the database's time decides leases, expiries, order and signatures.

One round is one ticket, moved by three hosts: one ten minutes fast, one ten minutes slow, one right; who does what is
drawn. The clocks are bent by libfaketime where it is installed, else inside the process (`skewed.py`). Beside it the
code is searched: nothing in the engine reads the host's clock but what `HARMLESS` lists with its reason.
"""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from autorke.core.db import db_now, transaction
from autorke.workflow import callbacks
from autorke.workflow.models import Attempt, Gate, StepRow
from tests.faults import place
from tests.workflow.conftest import Desk
from tests.workflow.vanish import silence

ROOT = Path(__file__).parents[2]
SKEW = 600
LEASE, GATE_TTL = timedelta(minutes=4), timedelta(minutes=5)
"""Both shorter than the clocks are wrong, and far longer than a slow machine takes from a claim to the look at it."""
ENGINE = ("autorke/workflow", "autorke/worker")
CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}
HARMLESS = {
    ("autorke/workflow/logstore.py", "line"),  # shown before a log line; lines are ordered by their number
    ("autorke/worker/begun.py", "sweep"),  # the age of a host's own files after days, by the clock that dated them
}


def host_clock_reads() -> set[tuple[str, str]]:
    """(file, function) of everything in the engine that asks the host what time it is."""
    found = set()
    for path in sorted(file for folder in ENGINE for file in (ROOT / folder).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and (ast.unparse(node.value).split(".")[-1], node.attr) in CLOCKS:
                    found.add((str(path.relative_to(ROOT)), function.name))
    return found


def run(seed: int, rounds: int) -> dict[str, Any]:
    figures: Counter[str] = Counter()
    with place.seeded(seed) as dice, pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        reads = host_clock_reads()
        assert reads == HARMLESS, reads
        environment.setenv("AUTORKE_GATE_TTL", "PT5M")
        environment.setenv("AUTORKE_LEASE", "PT4M")
        desk = stack.enter_context(place.desk())
        hosts = [
            stack.enter_context(_host(name, skew)) for name, skew in (("fast", SKEW), ("slow", -SKEW), ("right", 0))
        ]
        for host in hosts:
            assert abs(host.ask("clock") - _database_clock() - host.skew) < SKEW / 10, "the clock is not bent"
        for number in range(rounds):
            figures.update(_Round(desk, dice, hosts, f"m{number}").live())
    bent_by = "libfaketime" if shutil.which("faketime") else "the process itself"
    return {"tickets": rounds, "skew_s": SKEW, "clocks_bent_by": bent_by, **figures}


def _database_clock() -> float:
    with transaction() as session:
        return db_now(session).timestamp()


@dataclass
class Wrong:
    """A host with another time; it does what it is asked to, in a process of its own."""

    name: str
    skew: int
    child: subprocess.Popen[str]

    def ask(self, what: str, **more: Any) -> Any:
        if self.child.stdin is None or self.child.stdout is None:
            raise RuntimeError("the host has no pipes")
        self.child.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        assert answer, f"host {self.name} died of {what}"
        return json.loads(answer)


@contextmanager
def _host(name: str, skew: int) -> Iterator[Wrong]:
    tool = shutil.which("faketime") if skew else None
    bend = [tool, "-m", "-f", f"{skew:+d}s"] if tool else []
    command = [*bend, sys.executable, "-m", "tests.faults.skewed", "0" if tool else str(skew)]
    environ = {**os.environ, "AUTORKE_RUNNER_ID": name, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ, cwd=ROOT) as child:
        try:
            yield Wrong(name, skew, child)
        finally:
            child.stdin.close() if child.stdin else None
            child.wait(120)


class _Round:
    """One ticket's life among them."""

    def __init__(self, desk: Desk, dice: random.Random, hosts: list[Wrong], machine: str) -> None:
        self.desk, self.dice, self.hosts = desk, dice, hosts
        self.began = _moment()
        self.ticket = desk.submit(nodes=[machine], flat=True)
        self.figures: Counter[str] = Counter()

    def any_host(self) -> Wrong:
        self.figures["acts"] += 1
        return self.dice.choice(self.hosts)

    def live(self) -> Counter[str]:
        for step in ("configure", "change", "notice", "close"):
            self._all_reconcile()
            self.any_host().ask("work")
            self._gates_stay_open()
            self._sign()
            self._claim_stays(lost=step == "change")
            if step == "notice":
                self._callback()
        self._sign()
        assert self.desk.state(self.ticket) == "SUCCEEDED", self.desk.steps(self.ticket)
        self._order()
        return self.figures

    def _all_reconcile(self) -> None:
        for host in self.dice.sample(self.hosts, len(self.hosts)):
            host.ask("reconcile")
            self.figures["passes"] += 1

    def _gates_stay_open(self) -> None:
        """A gate of five minutes outlives passes of a host that is ten minutes ahead; its end is the database's."""
        shown = self.desk.open_gates(self.ticket)
        assert shown
        self._all_reconcile()
        assert self.desk.open_gates(self.ticket) == shown
        with transaction() as session:
            for gate in session.execute(select(Gate).where(Gate.id.in_(shown))).scalars():
                assert gate.expires_at is not None
                assert abs(gate.expires_at - gate.opened_at - GATE_TTL) < timedelta(minutes=1)
                self.figures["gates"] += 1

    def _sign(self) -> None:
        shown = {str(gate): subject for gate, subject in self.desk.open_gates(self.ticket).items()}
        who = str(self.desk.approvers[0])
        assert self.any_host().ask("sign", ticket=str(self.ticket), gates=shown, who=who) == "accepted"

    def _claim_stays(self, *, lost: bool) -> None:
        """A claim is neither lost early by a fast clock nor kept for ever by a slow one."""
        holder = self.any_host()
        claim = holder.ask("claim")
        self._all_reconcile()
        with transaction() as session:
            row = session.get_one(Attempt, UUID(claim["attempt"]))
            assert (row.state, row.runner_id) == ("CLAIMED", holder.name)
            assert row.lease_until is not None
            assert timedelta(0) < row.lease_until - db_now(session) <= LEASE
            self.figures["leases"] += 1
        if not lost:
            holder.ask("run", **claim)
            return
        silence()
        self.any_host().ask("reconcile")
        with transaction() as session:
            assert session.get_one(Attempt, UUID(claim["attempt"])).state == "ABANDONED"
        self.any_host().ask("work")

    def _callback(self) -> None:
        """The signature's age is told by the database: the right time is right everywhere, a host's own is not."""
        with transaction() as session:
            attempt = self.desk.attempts(self.ticket, "notice")[-1]
            issued = callbacks.issue(session, attempt.id, "order", ttl=timedelta(minutes=5), allowed_from=())
        self._all_reconcile()
        host = self.dice.choice([host for host in self.hosts if host.skew])
        given = {"token": issued.token, "secret": issued.hmac_secret}
        assert host.ask("callback", **given, at=int(_database_clock()) + host.skew) == "bad-signature"
        assert host.ask("callback", **given, at=int(_database_clock())) == "accepted"
        self.figures["callbacks"] += 1

    def _order(self) -> None:
        """Events carry the database's time, in their order, whoever wrote them."""
        times = [event.at for event in self.desk.events(self.ticket)]
        assert times == sorted(times)
        assert self.began <= times[0]
        assert times[-1] <= _moment()
        with transaction() as session:
            query = select(func.count()).select_from(Attempt).join(StepRow, StepRow.id == Attempt.step_id)
            query = query.where(
                StepRow.ticket_id == self.ticket, Attempt.purpose == "RUN", Attempt.state == "SUCCEEDED"
            )
            assert session.execute(query).scalar_one() == 4
        self.figures["events"] += len(times)


def _moment() -> datetime:
    with transaction() as session:
        return db_now(session)
