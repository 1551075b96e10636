"""The recordings of stock rke (tests/fixtures/rke), as the golden tests read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "rke"
SCENARIOS = sorted(path.stem for path in DIRECTORY.glob("[0-9]*-*.json") if not path.stem.endswith(".rkeconfig"))


def scenario(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return document


def state(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DIRECTORY / f"{name}.rkeconfig.json").read_text())
    return document


@dataclass(frozen=True)
class RecordedWorker:
    scenario: str
    run: str
    address: str
    record: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.scenario}:{self.run}:{self.address}"


def recorded_workers() -> list[RecordedWorker]:
    """Every node with the worker role of the first run, and the node of the run that adds one."""
    found = []
    for name in SCENARIOS:
        document = scenario(name)
        runs = {"up": document, "add": document.get("add_worker") or {}}
        for run, part in runs.items():
            found += [RecordedWorker(name, run, record["address"], record) for record in part.get("workers", ())]
    return found
