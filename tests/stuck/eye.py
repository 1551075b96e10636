"""Somebody who looks at an installation whose workers are run by the test, and repairs over the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from autorke.core.db import db_now, transaction
from autorke.core.settings import Settings
from autorke.stuck.facts import Limits
from autorke.stuck.models import HostReport
from autorke.stuck.watch import look
from autorke.workflow.definition import handlers
from autorke.workflow.models import Runner
from tests.tickets.office import Office, Somebody

LIMITS = Limits.of(Settings())
HOUR = timedelta(hours=1)


@dataclass
class Eye:
    """People of an office, one worker host that reports, and a look at everything."""

    office: Office
    admin: Somebody
    requester: Somebody
    approver: Somebody
    limits: Limits = field(default_factory=lambda: LIMITS)

    def host(self, name: str = "here", *, ago: float = 0, drain: bool = False, **report: Any) -> None:
        """A worker host whose last pass ended `ago` seconds ago."""
        with transaction() as session:
            seen = db_now(session) - timedelta(seconds=ago)
            row = session.get(Runner, name) or Runner(id=name, host=name, boot_id="b", version="1", handlers=handlers())
            row.last_seen, row.drain = seen, drain
            said = {"skew_ms": 0, "run_dir_free": 10**9, "alive": [], "stopped_at": None, "broker_down_since": None}
            session.add(row)
            session.merge(HostReport(id=name, **{"last_pass": seen, **said, **report}))

    def sees(self) -> dict[str, dict[str, Any]]:
        """One look; what the admin reads afterwards, by cause."""
        with transaction() as session:
            look(session, self.limits)
        return {item["cause"]: item for item in self.admin.get("/stuck")["items"]}

    def repair(self, item: dict[str, Any], status: int = 200, by: Somebody | None = None) -> Any:
        return (by or self.admin).post(f"/stuck/{item['id']}/repair", {"reason": "a test"}, status=status)

    def ticket(self, *nodes: str, **request: Any) -> UUID:
        """A ticket that waits for its first gate."""
        return self.office.ticket(self.requester, *nodes, **request).id

    def approve(self, ticket: UUID) -> None:
        self.office.desk.decide(ticket, self.approver.id)


def age(by: timedelta = HOUR) -> None:
    """Everything has been as it is for longer by now."""
    moved = {
        "ticket": ("updated_at", "created_at"),
        "step_attempt": ("ready_at", "lease_until", "ended_at", "started_at"),
        "gate": ("opened_at", "expires_at"),
        "log_chunk": ("at",),
        "lock_queue": ("requested_at",),
    }
    for table, names in moved.items():
        earlier = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in names)
        run(f"update {table} set {earlier}", seconds=by.total_seconds())  # noqa: S608  names of this file


def run(*statements: str, **values: Any) -> None:
    """What only a restored backup, a repair by hand or a bug could have done."""
    with transaction() as session:
        for statement in statements:
            session.execute(text(statement), values)


@pytest.fixture
def eye(office: Office) -> Eye:
    eye = Eye(
        office,
        office.person("ann", "admin"),
        office.person("rita", "requester"),
        office.person("aaron", "approver"),
    )
    eye.host()
    return eye
