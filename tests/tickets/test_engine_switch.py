"""Safe mode as people see it: nothing may start, why, what it waits for; and an admin who ends it with a reason."""

from __future__ import annotations

from sqlalchemy import text

from autorke.core.db import transaction
from autorke.core.ids import new_id
from autorke.workflow import safemode
from autorke.workflow.models import DatabaseLine, Runner
from tests.tickets.office import V1, Office


def test_safe_mode_is_shown_with_its_reason_and_left_by_an_admin_only(office: Office) -> None:
    ticket = str(new_id())
    with transaction() as session:
        safemode.watch(session)
        session.add(Runner(id="w1", host="w1", boot_id="b", version="1", handlers=[], line="another"))
        session.get_one(DatabaseLine, DatabaseLine.ONLY).line = "another"
    with transaction() as session:
        assert safemode.watch(session)
        session.get_one(DatabaseLine, DatabaseLine.ONLY).lost = [{"host": "w1", "what": "run", "ticket_id": ticket}]
    requester, admin = office.person("li", "requester"), office.person("root", "admin")
    seen = requester.client.get(f"{V1}/engine").json()
    assert (seen["halted"], seen["safe_mode"]["waits_for"]) == (True, ["w1"])
    assert seen["safe_mode"]["lost"] == [
        {"host": "w1", "what": "run", "ticket": None, "ticket_id": ticket, "step": None}
    ]
    release = {"halted": False, "reason": "looked at w1"}
    assert requester.client.put(f"{V1}/engine", json=release).status_code == 403
    left = admin.client.put(f"{V1}/engine", json=release).json()
    assert (left["halted"], left["safe_mode"]) == (False, None)
    with transaction() as session:
        by, reason = session.execute(text("select by, reason from engine_switch where name = 'safe-mode'")).one()
        assert (by, reason) == (admin.id, "looked at w1")
