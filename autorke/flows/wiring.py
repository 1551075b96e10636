"""Tie the engine to the product: register the flows, say who answers for people, and how hints travel.

Called once by every process that touches tickets: api, Celery worker, launcher, runner.
"""

from __future__ import annotations

from typing import cast

from autorke.core import queue
from autorke.flows import add_workers
from autorke.users.access import may
from autorke.workflow import gates, outbox

FLOWS = (add_workers.flow,)
"""Importing a flow's file registers it; this list is what a process carries."""

_TASKS = {outbox.LAUNCH: queue.LAUNCH}


def wire() -> None:
    gates.configure_directory(cast(gates.Holds, may))
    outbox.configure_transport(lambda topic, key: queue.hint(_TASKS[topic], key) if topic in _TASKS else True)
