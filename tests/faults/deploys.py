"""T12: worker processes are restarted one after another, as a deployment does, while steps run: no UNKNOWN by that.

One round is one restart (SIGTERM, wait for the end, start) of a Celery worker, a launcher or the api.
"""

from __future__ import annotations

import time
from typing import Any

from tests.faults import place, servers
from tests.faults.crowd import Crowd, judge
from tests.faults.live import stack, two_people


def run(seed: int, rounds: int) -> dict[str, Any]:
    with (
        place.seeded(seed) as dice,
        servers.database() as database,
        servers.broker() as broker,
        servers.configured(database) as engine,
        stack(database, broker, AUTORKE_LEASE="PT20S", AUTORKE_HEARTBEAT="PT5S") as live,
    ):
        crowd = Crowd(live, *two_people(live), engine, dice, width=8, longest=3000)
        longest = 0.0
        for number in range(rounds):
            _go_on(crowd, dice.uniform(0.5, 2))
            begun = time.monotonic()
            live.restart(live.names[number % len(live.names)])
            longest = max(longest, time.monotonic() - begun)
        crowd.finish(lambda: _go_on(crowd, 0.2))
        figures = judge(crowd)
        assert figures["unknown"] == 0, f"restarts made {figures['unknown']} runs unknown"
        return {"longest_stop_s": round(longest, 1), **figures, "restarts": rounds}


def _go_on(crowd: Crowd, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        crowd.work()
        time.sleep(0.05)
