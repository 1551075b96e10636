"""Two clusters on one platform, and something of every kind in the second: what people of the first must not reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import select, text

from autorke.core.db import db_now, transaction
from autorke.core.redact import Secrets
from autorke.machines.models import MachineConflict
from autorke.stuck.models import Stuck
from autorke.users import audit
from autorke.users.access import may
from autorke.views.models import SavedView
from autorke.workflow import gates, outbox
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Attempt, Delegation, Gate, LogStream, PlanRow, StepRow, Ticket
from tests.api import V1, Api
from tests.clusters import make
from tests.machines.test_set_routes import make as make_machines
from tests.machines.test_set_routes import serve
from tests.workflow.conftest import Desk
from tests.workflow.toy import WORLD, fail

WORD = "bravo"
"""In every text of the second cluster and in nothing else."""
COMINGS_AND_GOINGS = ("user_session", "api_token", "login_attempts", "alembic_version")
"""Tables that asking alone may write to."""
_TABLES = text("select tablename from pg_tables where schemaname = 'public' order by tablename")


@dataclass
class Platform:
    """Cluster `alpha` with one machine; cluster `bravo` with nodes, revisions, tickets, gates, logs, locks, results.

    `values` are ids of bravo's things by the names that paths give them; `waiting` is a ticket with an open gate;
    `signs` are texts of which none may come back to people of alpha.
    """

    api: Api
    alpha: UUID
    bravo: UUID
    owner: UUID
    values: dict[str, str]
    waiting: str
    gate: dict[str, str]
    plan_hash: str
    signs: list[str]

    def path(self, route: str) -> str:
        """The address of bravo's thing. Gates are those of the ticket that waits for its signatures."""
        kind = "cluster" if "/locks/" in route else "config"
        values = {**self.values, "name": "add_workers", "kind": kind}
        if "/gates/" in route or route.endswith("{ticket_id}/decisions"):
            values["ticket_id"] = self.waiting
        return route.split(" ", 1)[1].format_map(values)


def rows() -> dict[str, str]:
    """A fingerprint of each table but those that asking alone writes to."""
    with transaction() as session:
        found = {}
        for name in session.scalars(_TABLES).all():
            if name not in COMINGS_AND_GOINGS:
                whole = f'select md5(string_agg(t::text, chr(10) order by t::text)) from "{name}" t'  # noqa: S608
                found[name] = session.execute(text(whole)).scalar_one() or ""
        return found


def build(api: Api, desk: Desk) -> Platform:
    """Everything through the api or the engine, as it comes about in life; the workers are this test."""
    gates.configure_directory(cast(gates.Holds, may))
    outbox._transport.clear()
    alpha, bravo = api.cluster("alpha"), _import(api)
    theirs = make_machines(2, rack="bravo-rack", owner="bravo team", datacenter="bravo-room")
    serve(alpha, "alpha", *make_machines(1, hostname="alpha-1"))
    serve(bravo, WORD, *theirs)
    with transaction() as session:
        session.add(MachineConflict(machine_id=theirs[0], field="kernel", cmdb_value="1", machine_value="2"))
        audit.record(session, None, action="machine.update", object_type="machine", object_id=theirs[0], note=WORD)
    desk.requester = api.user("rita", "requester", cluster_id=bravo)
    desk.approvers = [api.user("aaron", "approver", cluster_id=bravo)]
    WORLD.behave[f"change:{theirs[1]}"] = fail
    ticket = _ticket(desk, bravo, *map(str, theirs))
    _ticket(desk, bravo, "bravo-queued")
    desk.until(ticket, "change", "PARTIAL")
    other = _ticket(desk, bravo, "bravo-other", locks=[])
    desk.until(other, "change", "WAIT_PRE_GATE")
    values, gate, plan_hash = _of_tickets(ticket, other)
    values |= {**_others(api, bravo, desk.approvers[0], ticket), "cluster_id": str(bravo), "key": str(bravo)}
    values |= {"machine_id": str(theirs[0]), "node_id": str(theirs[0]), "field": "kernel"}
    signs = [WORD, str(bravo), str(ticket), str(other), *map(str, theirs), values["stream_id"], gate["gate_id"]]
    return Platform(api, alpha, bravo, desk.approvers[0], values, str(other), gate, plan_hash, signs)


def _import(api: Api) -> UUID:
    files = make.files()
    body = {"name": WORD, "cluster_yml": files.cluster_yml, "rkestate": files.rkestate, "kubeconfig": files.kubeconfig}
    made = api.caller("admin").post(f"{V1}/clusters", json=body)
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"])


def _ticket(desk: Desk, scope: UUID, *nodes: str, locks: list[str] | None = None) -> UUID:
    ticket_id = desk.submit(nodes=list(nodes), locks=[str(scope)] if locks is None else locks)
    with transaction() as session:
        ticket = session.get_one(Ticket, ticket_id)
        ticket.scope_id, ticket.summary = scope, f"a change of {WORD}"
    return ticket_id


def _of_tickets(stopped: UUID, waiting: UUID) -> tuple[dict[str, str], dict[str, str], str]:
    """Ids of what the stopped ticket has, a gate that is open on the other, and the hash of a plan."""
    with transaction() as session:
        steps = select(StepRow.id).where(StepRow.ticket_id == stopped)
        attempt_id = session.scalars(select(Attempt.id).where(Attempt.step_id.in_(steps))).first()
        assert attempt_id is not None
    with LogWriter(stopped, attempt_id, Secrets()) as writer:
        writer.line(None, f"failed: a line of {WORD}")
    with transaction() as session:
        line = session.scalars(
            select(LogStream.id).where(LogStream.attempt_id == attempt_id).order_by(LogStream.bytes.desc())
        ).first()
        theirs = select(StepRow.id).where(StepRow.ticket_id == waiting)
        gate = session.scalars(select(Gate).where(Gate.step_id.in_(theirs), Gate.state == "OPEN")).first()
        plan = session.scalars(
            select(PlanRow.plan_hash).where(PlanRow.step_id.in_(steps.where(StepRow.key == "change")))
        ).first()
        assert gate is not None
        ids = {"ticket_id": str(stopped), "attempt_id": str(attempt_id), "stream_id": str(line)}
        named = {"step": "change", "gate_id": str(gate.id), "number": "1"}
        return {**ids, **named}, {"gate_id": str(gate.id), "subject_hash": gate.subject_hash}, str(plan)


def _others(api: Api, bravo: UUID, owner: UUID, ticket: UUID) -> dict[str, str]:
    """What a person of bravo has for himself: a token, a view that he shares with nobody, a delegation. And a ticket
    that is stuck."""
    person = api.user("dana", "approver", cluster_id=bravo)
    client = api.signed_in("aaron")
    token = client.post(f"{V1}/me/tokens", json={"name": "bravo", "expires_at": "2099-01-01T00:00:00Z"})
    assert token.status_code == 201, token.text
    with transaction() as session:
        view = SavedView(owner_id=owner, page="machines", name=WORD, shared=False, state={"filter": [WORD]})
        now = db_now(session)
        lent = Delegation(
            **{"from_id": owner, "to_id": person, "scope_id": bravo, "reason": WORD},
            **{"valid_from": now, "valid_to": now + timedelta(days=1)},
        )
        stuck = Stuck(
            **{"cause": "pass_fails", "subject": WORD, "scope_id": bravo, "ticket_ids": [str(ticket)], "since": now},
            evidence={"what": "moved", "number": 1, "error": WORD, "times": 3, "zh": WORD, "en": WORD, "host": WORD},
        )
        session.add_all([view, lent, stuck])
        session.flush()
        return {
            **{"token_id": token.json()["id"], "view_id": str(view.id), "delegation_id": str(lent.id)},
            "stuck_id": str(stuck.id),
        }
