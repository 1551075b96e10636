"""People at work on the live stack: they open tickets, sign, look after what is unknown, and retry what failed.

Then the judge: what the tools' own journal says against what the database says (P1, P2, P4, P7, P8, P9).
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from autorke.core import db
from autorke.web.problems import MEDIA_TYPE
from autorke.workflow import journal
from tests.faults.live import Live
from tests.story.people import Person

UNANSWERED = "unanswered"
MACHINES = [f"m{number}" for number in range(1, 41)]
OPEN = text("select id::text, state from ticket where id::text = any(:ids) and ended_at is null")
GATES = text(
    "select s.ticket_id::text as ticket, g.id::text as gate_id, g.subject_hash from gate g join step s"
    " on s.id = g.step_id where g.state = 'OPEN' and s.ticket_id::text = any(:ids)"
)
STUCK = text(
    "select ticket_id::text as ticket, key from step where ticket_id::text = any(:ids)"
    " and state in ('PARTIAL', 'FAILED', 'PLAN_FAILED', 'GATE_CLOSED')"
)
UNKNOWN = text(
    "select s.ticket_id::text as ticket, a.id::text as attempt, array_agg(r.node_id) as nodes from step_attempt a"
    " join step s on s.id = a.step_id join node_result r on r.attempt_id = a.id and r.state = 'UNKNOWN'"
    " where a.state = 'UNKNOWN' and a.death_proof is not null and s.ticket_id::text = any(:ids) group by 1, 2"
)


_STANDS = text(
    "select t.number, t.state, s.key, s.state, a.n, a.purpose, a.state, a.runner_id, a.pid, a.reason,"
    " a.death_proof is not null, a.lease_until - clock_timestamp() from ticket t join step s on s.ticket_id = t.id"
    " left join step_attempt a on a.step_id = s.id where t.id::text = any(:ids) order by 1, 5"
)


@dataclass
class Crowd:
    """`width` tickets are open at a time, each for one to three machines, which may be another's too (P18)."""

    live: Live
    requester: Person
    approver: Person
    engine: Engine
    dice: random.Random
    width: int = 12
    longest: int = 1200
    tickets: list[str] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    signed: int = 0
    """Decisions that the api has taken."""
    answered: int = 0
    """Requests that the api has carried out."""
    dishonest: list[str] = field(default_factory=list)
    """Answers that blame nobody and say no remedy: whatever fails, the api must tell it as problem+json."""
    accepting: bool = True
    signing: bool = True
    _wish: tuple[dict[str, Any], str] | None = None
    """A ticket whose opening was not answered yet: it is asked for again with the same key, as a page does."""

    def work_for(self, seconds: float) -> None:
        """Look again and again, while what has died is started again as its supervisor would."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.live.keep()
            self.work()
            time.sleep(0.03)

    def work(self) -> None:
        """One look at everything; what the api or the database refuses now is tried at the next look."""
        try:
            with self.engine.connect() as connection:
                ids = {"ids": list(self.open)}
                self.open = {row.id for row in connection.execute(OPEN, ids)}
                gates: dict[str, list[dict[str, str]]] = defaultdict(list)
                for row in connection.execute(GATES, ids):
                    gates[row.ticket].append({"gate_id": row.gate_id, "subject_hash": row.subject_hash})
                stuck, unknown = connection.execute(STUCK, ids).all(), connection.execute(UNKNOWN, ids).all()
        except SQLAlchemyError:
            self.refused["database"] += 1
            return
        while self.accepting and len(self.open) < self.width and self.submit():
            pass
        for ticket, found in gates.items() if self.signing else ():
            body = {"gates": found, "decision": "approve", "comment": "read"}
            self.signed += self.ask(self.approver, f"/tickets/{ticket}/decisions", body) is not None
        for row in unknown:
            body = {"verdicts": {node: self.done(row.ticket, node) for node in row.nodes}, "reason": "looked at it"}
            self.ask(self.approver, f"/tickets/{row.ticket}/attempts/{row.attempt}/resolution", body)
        for row in stuck:
            self.ask(self.requester, f"/tickets/{row.ticket}/retry", {"step": row.key})

    def finish(self, look: Callable[[], Any], seconds: float = 400) -> None:
        """No new tickets; look again and again until those that are open have ended."""
        self.accepting = False
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._wish is not None:
                self.submit()
            look()
            if not self.open and self._wish is None:
                return
        with self.engine.connect() as connection:
            stand = [tuple(row) for row in connection.execute(_STANDS, {"ids": list(self.open)})]
        raise AssertionError(f"P7: not every ticket ends: {stand}")

    def submit(self, nodes: list[str] | None = None) -> bool:
        """A ticket for these machines, or for some that are drawn. False: there is no answer yet."""
        form, key = self._wish = self._wish or self._new_wish(nodes)
        made = self.ask(self.requester, "/tickets", {"flow": "field", "request": form}, {"Idempotency-Key": key})
        if made is None:
            return False
        self._wish = None
        self.tickets.append(made["id"])
        self.open.add(made["id"])
        return True

    def _new_wish(self, nodes: list[str] | None) -> tuple[dict[str, Any], str]:
        nodes = nodes or self.dice.sample(MACHINES, self.dice.randint(1, 3))
        milliseconds = self.dice.randint(100, self.longest)
        return {"journal": str(self.live.journal), "nodes": nodes, "ms": milliseconds}, f"key {uuid4()}"

    def ask(self, person: Person, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        """What the api says; None for a refusal, or when nobody answers, which is counted by its kind."""
        try:
            answer = person.http.post(path, json=body, headers=headers)
        except httpx.HTTPError as error:
            self.refused[f"{UNANSWERED}: {type(error).__name__}"] += 1
            return None
        if answer.is_error:
            self.refused[_told(answer)] += 1
            if answer.status_code >= 500 and not _honest(answer):
                self.dishonest.append(f"{path}: {answer.status_code} {answer.text}")
            return None
        self.answered += 1
        return answer.json()

    def unanswered(self) -> int:
        return sum(count for kind, count in self.refused.items() if kind.startswith(UNANSWERED))

    def done(self, ticket: str, node: str) -> bool:
        """The person's look at the machine: the tool's own last word."""
        return any(line[0] == "END" and line[1:3] == [ticket, node] for line in lines(self.live))


def _told(answer: httpx.Response) -> str:
    said = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    return f"{answer.status_code} {said.get('code', '')}".strip()


def _honest(answer: httpx.Response) -> bool:
    """503 as problem+json that says when to come back and what helps."""
    if answer.status_code != 503 or not answer.headers.get("content-type", "").startswith(MEDIA_TYPE):
        return False
    return bool(answer.headers.get("retry-after") and answer.json()["remedy"]["en"])


def lines(live: Live) -> list[list[str]]:
    return [line.split() for line in live.journal.read_text().splitlines()] if live.journal.exists() else []


def judge(crowd: Crowd) -> dict[str, Any]:
    """Figures of a run that has come to its end; raises AssertionError with everything that must not be."""
    said = lines(crowd.live)
    starts = Counter((line[3], line[2]) for line in said if line[0] == "START")
    wrong = [f"attempt {a} started {count} times on {node} (P1)" for (a, node), count in starts.items() if count > 1]
    wrong += [f"two tools at {line[2]} (P2)" for line in said if line[0] == "OVERLAP"]
    wrong += [f"ticket {ticket} did not end (P7)" for ticket in crowd.open]
    wrong += _again_without_a_person(crowd, said)
    wrong += [f"an answer that is no help: {it}" for it in crowd.dishonest[:3]]
    with crowd.engine.connect() as connection, db.new_session() as session:
        states = dict(
            connection.execute(text("select state, count(*) from ticket group by 1")).all()  # type: ignore[arg-type]
        )
        lost = connection.execute(
            text("select count(*) from ticket where id::text = any(:ids)"), {"ids": crowd.tickets}
        )
        if lost.scalar_one() != len(crowd.tickets):
            wrong.append("a ticket that the api had confirmed is gone")
        wrong += [
            f"events of {ticket} do not chain (P4)"
            for ticket in crowd.tickets
            if not journal.verify_chain(session, UUID(ticket))
        ]
        unknown = connection.execute(text("select count(*) from event where kind = 'attempt.unknown'")).scalar_one()
        again = connection.execute(text("select count(*) from event where kind = 'attempt.abandoned'")).scalar_one()
        doubled = connection.execute(
            text(
                "select count(*) from (select 1 from node_result where state = 'SUCCEEDED' group by step_id, node_id"
                " having count(*) > 1) x"
            )
        ).scalar_one()
    if doubled:
        wrong.append(f"{doubled} nodes succeeded twice in a step (P10)")
    assert starts, "nothing has run"
    assert not wrong, wrong
    return {
        "tickets": states,
        "tool_starts": len(starts),
        "doubled_runs": 0,
        "overlapping_tools": 0,
        "lost_tickets": 0,
        "unknown": unknown,
        "given_up_before_effect_and_repeated": again,
        "requests_carried_out": crowd.answered,
        "requests_not_carried_out": dict(crowd.refused),
    }


def _again_without_a_person(crowd: Crowd, said: list[list[str]]) -> list[str]:
    """Between two starts of a node in a ticket stands a person's retry; after an END there is no start (P8, P10)."""
    with crowd.engine.connect() as connection:
        rows = connection.execute(text(_PERSONS_ACTS)).all()
        told = set(connection.execute(text("select ticket_id::text from event where kind = 'run.forgotten'")).scalars())
    retries: dict[str, list[float]] = defaultdict(list)
    for ticket, at in rows:
        retries[ticket].append(float(at))
    seen: dict[tuple[str, str], float] = {}
    ended: set[tuple[str, str]] = set()
    wrong = []
    for what, ticket, node, _attempt, _pid, at in said:
        key, when = (ticket, node), float(at)
        if what == "START":
            if key in ended and ticket not in told:
                wrong.append(f"{node} of {ticket} ran again after its end (P10)")
            if key in seen and not any(seen[key] < retry < when for retry in retries[ticket]):
                wrong.append(f"{node} of {ticket} ran again without a person (P8)")
            seen[key] = when
        elif what == "END":
            ended.add(key)
    return wrong


_PERSONS_ACTS = """
select ticket_id::text, extract(epoch from at) from event where kind = 'step.retry'
union all
select d.ticket_id::text, extract(epoch from d.at) from event d
  join event f on f.ticket_id = d.ticket_id and f.kind = 'run.forgotten' and f.seq < d.seq
 where d.kind = 'gate.decided'
"""
"""A retry, or a signature by somebody whom the ticket has told that a failover has forgotten a run."""


def median(seconds: list[float]) -> float | None:
    return round(statistics.median(seconds), 2) if seconds else None
