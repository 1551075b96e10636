"""The fault programme (docs/reliability.md): every part with its full number of rounds, going on after a failed one.

`AUTORKE_FAULTS=T4,T10` chooses parts (`T1` means all that begin with `T1-` too), `AUTORKE_SEED` repeats a run,
`AUTORKE_ROUNDS` replaces the number of rounds. Violations are counted, and quoted with the seed.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from importlib import import_module
from random import SystemRandom
from typing import Any

from bench import CannotRun
from tests.faults import place

PROGRAMME: dict[str, tuple[str, int]] = {
    "T1-memory": ("tests.faults.sequences", 10_000),
    "T1-deadends": ("tests.faults.deadends", 6),
    "T1-postgres": ("tests.faults.model", 500),
    "T2-field": ("tests.faults.points", 10_000),
    "T2-add-workers": ("tests.faults.points_on_sim", 10_000),
    "T3": ("tests.faults.kills", 1_000),
    "T4": ("tests.faults.hints", 10_000),
    "T5": ("tests.faults.broker", 45),
    "T6-outages": ("tests.faults.outages", 60),
    "T6-disk": ("tests.faults.full_disk", 30),
    "T6-failover": ("tests.faults.failover", 10),
    "T7": ("tests.faults.partition", 12),
    "T8": ("tests.faults.clocks", 50),
    "T9": ("tests.faults.races", 100),
    "T10": ("tests.faults.storm", 200),
    "T11": ("tests.faults.release", 50),
    "T12": ("tests.faults.deploys", 90),
    "T14": ("tests.faults.redaction", 100_000),
    "T15": ("tests.faults.streaming", 200),
    "T16": ("tests.faults.mutants", 1_000),
}
"""Part → the module whose `run(seed, rounds)` does it, and the rounds of the whole programme."""


def run() -> dict[str, Any]:
    """Figures of each part; `violations` counts the parts in which something happened that must not."""
    seed = int(os.environ.get("AUTORKE_SEED") or SystemRandom().randrange(2**31))
    parts: dict[str, Any] = {}
    with place.server():
        for name in chosen(os.environ.get("AUTORKE_FAULTS", "")):
            say(f"{name} (AUTORKE_SEED={seed})")
            parts[name] = part(name, seed)
    return {"seed": seed, "violations": sum(bool(it["violation"]) for it in parts.values()), "parts": parts}


def chosen(wanted: str) -> list[str]:
    """The parts that a comma-separated list means; all of them for an empty one. Raises CannotRun."""
    wishes = [wish.strip() for wish in wanted.split(",") if wish.strip()]
    found = [name for name in PROGRAMME if not wishes or name in wishes or name.split("-")[0] in wishes]
    if not found:
        raise CannotRun(f"no such part: {wanted}; there are: {', '.join(PROGRAMME)}")
    return found


def part(name: str, seed: int) -> dict[str, Any]:
    """One part's figures; a violation, or a part that broke, is quoted and does not stop the others."""
    module, full = PROGRAMME[name]
    rounds = int(os.environ.get("AUTORKE_ROUNDS") or full)
    begun = time.monotonic()
    figures: dict[str, Any] = {}
    violation = not_run = None
    try:
        figures = import_module(module).run(seed, rounds)
    except CannotRun as reason:
        not_run = str(reason)
    except Exception as error:
        violation = "".join(traceback.format_exception(error))[-4000:]
        say(f"{name} failed: {violation}")
    seconds = round(time.monotonic() - begun, 1)
    return {"rounds": rounds, "seconds": seconds, "violation": violation, "not_run": not_run, "figures": figures}


def say(words: str) -> None:
    """Progress for who watches; the figures go to standard output."""
    print(f"faults: {words}", file=sys.stderr, flush=True)  # noqa: T201
