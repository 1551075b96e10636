"""P19: looking changes nothing. Every GET of the tickets' API is called, and every row of the engine compared."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from autorke.core.db import transaction
from autorke.workflow import commands, gates, outbox
from autorke.workflow.models import LogStream, PlanRow, StepRow
from tests.api import Api
from tests.workflow.conftest import USER, Desk
from tests.workflow.toy import World, fail

TABLES = (
    *("ticket", "ticket_node", "step", "plan", "gate", "approval", "delegation", "step_attempt", "node_result"),
    *("resource_lock", "lock_queue", "event", "log_stream", "log_chunk", "callback_token", "outbox", "op_journal"),
    *("runner", "kept_secret", "engine_switch"),
)
DIGEST = "select md5(coalesce(string_agg(t.xmin::text || t::text, ',' order by t::text), '')) from {} t"
STREAMS = ("/api/v1/tickets/{ticket_id}/stream",)  # never ends by itself; it reads the same rows as the others


def rows() -> dict[str, str]:
    """One digest per table over every column of every row, physical versions included."""
    with transaction() as session:
        return {table: session.execute(text(DIGEST.format(table))).scalar_one() for table in TABLES}


def stuck_ticket(desk: Desk, world: World) -> UUID:
    """A ticket with something in every list: results, logs, gates, a waiter, an open problem."""
    world.behave["change:b"] = fail
    ticket = desk.submit(nodes=["a", "b"])
    desk.until(ticket, "change", "PARTIAL")
    desk.submit(nodes=["a"])
    with transaction() as session:
        commands.pause(session, ticket, USER, paused=True)
    return ticket


def test_no_get_route_changes_a_row(desk: Desk, world: World, api: Api) -> None:
    gates.configure_directory(desk.holds)
    outbox._transport.clear()
    ticket = stuck_ticket(desk, world)
    with transaction() as session:
        stream = session.execute(select(LogStream.id).limit(1)).scalar_one()
        step = session.execute(
            select(StepRow.id).where(StepRow.ticket_id == ticket, StepRow.key == "change")
        ).scalar_one()
        plan = session.execute(select(PlanRow.plan_hash).where(PlanRow.step_id == step)).scalar_one()
    asked = {"/api/v1/tickets/{ticket_id}/plans/{step}/compare": {"before": plan, "after": plan}}
    known = {"ticket_id": str(ticket), "step": "change", "stream_id": str(stream), "node_id": "a"}
    client = api.caller("admin")
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    wanted = [
        path
        for path, verbs in paths.items()
        if "get" in verbs and "tickets" in verbs["get"].get("tags", []) and path not in STREAMS
    ]
    assert len(wanted) >= 8
    before, answers = rows(), {}
    for path in wanted * 2:
        answers[path] = client.get(path.format(**known), params=asked.get(path)).status_code
    assert answers == dict.fromkeys(wanted, 200)
    assert rows() == before
