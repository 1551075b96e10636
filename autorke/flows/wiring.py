"""Tie the engine to the product: register the flows, say who answers for people, and how hints travel.

Called once by every process that touches tickets: api, Celery worker, launcher, runner.
"""

from __future__ import annotations

from typing import cast

from autorke.core import hints, queue
from autorke.flows import add_workers
from autorke.users.access import may
from autorke.workflow import gates, outbox

FLOWS = (add_workers.flow,)
"""Importing a flow's file registers it; this list is what a process carries."""

_TASKS = {outbox.LAUNCH: queue.LAUNCH}

TOPICS: dict[str, tuple[str, ...]] = {
    "machine": ("machines",),
    "machine_conflict": ("machines",),
    "cluster": ("clusters",),
    "node": ("clusters",),
    "config_revision": ("clusters",),
    "state_revision": ("clusters",),
    "cmdb_source": ("cmdb",),
    "cmdb_run": ("cmdb", "machines"),
    "engine_switch": ("engine",),
    "stuck": ("engine",),
    "ticket_watch": ("inbox",),
    "delegation": ("inbox",),
    "user_account": ("people",),
    "role_binding": ("people",),
    "user_session:delete": ("people",),
    "api_token:delete": ("people",),
}
"""Which pages a change of a table concerns; tickets are told of by their journal, which knows their cluster. `people`
is for no page: processes look anew at those who hold a stream open."""


def wire() -> None:
    hints.watch(TOPICS)
    gates.configure_directory(cast(gates.Holds, may))
    outbox.configure_transport(lambda topic, key: queue.hint(_TASKS[topic], key) if topic in _TASKS else True)
