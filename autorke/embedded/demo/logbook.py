"""What the demo remembers in its data directory between starts: logins, and how far its history has come."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOGINS = "demo-logins.json"
HISTORY = "demo-history.json"


@dataclass(frozen=True)
class Login:
    """Somebody who may sign in, as it is printed."""

    name: str
    role: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Logbook:
    """Two private files, each written whole. The logins are written last: without them nothing is filled.

    They name the fleet that they belong to, since simulated machines are built from its description at each start.
    """

    path: Path

    @property
    def simulation(self) -> Path:
        return self.path / "sim"

    def index(self) -> dict[str, Any]:
        """What the simulation says of itself: where it listens, its machines and clusters."""
        found: dict[str, Any] = json.loads((self.simulation / "index.json").read_text())
        return found

    @property
    def filled(self) -> bool:
        return (self.path / LOGINS).exists()

    @property
    def history_done(self) -> bool:
        return (self.path / HISTORY).exists()

    def logins(self) -> list[Login]:
        return [Login(**entry) for entry in self._kept()["logins"]]

    @property
    def fits(self) -> bool:
        """Whether what is filled is about the machines that are simulated now."""
        return bool(self._kept()["fleet"] == self.index()["fleet"])

    def keep_logins(self, logins: Sequence[Login]) -> None:
        kept = {"fleet": self.index()["fleet"], "logins": [asdict(login) for login in logins]}
        _write(self.path / LOGINS, json.dumps(kept))

    def _kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / LOGINS).read_text())
        return found

    def keep_history(self, told: dict[str, str]) -> None:
        """`told`: chapter to how its ticket stood when the demo left it."""
        _write(self.path / HISTORY, json.dumps(told, indent=1))


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    fresh.replace(path)
