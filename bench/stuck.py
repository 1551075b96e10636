"""From the injection of a cause to the moment at which it is told by its name, and from its repair to its end.

Every cause that the product knows is brought about on a running one, and its documented repair is carried out. Default
settings: what machines do is stuck after 30 s, a look is taken every 5 s. `told_s`: an open page has heard of it;
`visible_s`: the cause is in `GET /api/v1/stuck`; `gone_s`: from the beginning of the repair, or of the end of the
cause, until it is not, so what is tried after a repair counts. `AUTORKE_STUCK=host_silent,broker_down` chooses some.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import Any

from autorke.stuck.words import CAUSES
from bench import CannotRun, _stuck_hosts, _stuck_tickets
from bench._stuck_site import Case, Site, site, wait

TARGET_S = 60.0
LOOK_S = 1.0
"""From a look's commit until this bench has read its result, at most: what was told before is of something else."""
CASES: dict[str, Case] = {**_stuck_tickets.CASES, **_stuck_hosts.CASES}


def run() -> dict[str, Any]:
    """Seconds by cause; `late`: those over the target; `not_injected`: what this machine lacks for the others."""
    wanted = [name for name in os.environ.get("AUTORKE_STUCK", "").split(",") if name] or list(CASES)
    causes: dict[str, dict[str, float]] = {}
    missing: dict[str, str] = {}
    with site() as there:
        for name in wanted:
            try:
                causes[name] = _measure(there, name)
            except CannotRun as reason:
                missing[name] = str(reason)
    visible = [it["visible_s"] for it in causes.values()]
    return {
        "target_s": TARGET_S,
        "causes_known": len(CAUSES),
        "causes_injected": len(causes),
        "not_injected": missing,
        "worst_visible_s": max(visible, default=None),
        "late": [name for name, it in causes.items() if it["visible_s"] > TARGET_S],
        "causes": causes,
    }


def _measure(there: Site, name: str) -> dict[str, float]:
    sys.stderr.write(f"stuck: {name}\n")
    with contextmanager(CASES[name])(there):
        begun = time.monotonic()
        wait(lambda: name in there.stuck())
        visible = time.monotonic() - begun
        told = wait(lambda: [moment for moment in there.told if moment >= begun + visible - LOOK_S])[0] - begun
        repaired = time.monotonic()
    wait(lambda: name not in there.stuck())
    gone = time.monotonic() - repaired
    wait(lambda: not there.stuck())
    return {"told_s": round(told, 1), "visible_s": round(visible, 1), "gone_s": round(gone, 1)}
