"""The switch that breaks a machine and mends it again: what is broken now, and what it was like before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from autorke.sim.breakages import KINDS, Breakage
from autorke.sim.cmdb import NAME as CMDB
from autorke.sim.faults import Fault
from autorke.sim.machine.host import Host
from autorke.sim.world import World


class Unbreakable(Exception):
    """That cannot be broken in this way, or is already."""


@dataclass
class Broken:
    """One breakage in force. `facts`, `files` and `seed` are what mending puts back; fault ids are of this run."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    seed: str = ""
    fault_ids: list[int] = field(default_factory=list)


class Switch:
    """All breakages of one world, by the name of the machine (or `cmdb`)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._broken: dict[str, dict[str, Broken]] = {}

    def broken(self, name: str) -> list[str]:
        """Kinds in force there."""
        return sorted(self._broken.get(name, {}))

    def names(self) -> Iterator[str]:
        """Whoever is broken."""
        return iter(sorted(name for name, kinds in self._broken.items() if kinds))

    def break_(self, name: str, kind: str) -> None:
        """Put a breakage in force. Raises Unbreakable, and KeyError for an unknown machine or kind."""
        breakage = KINDS[kind]
        host = None if name == CMDB else self._world.host(name)
        name = host.name if host else name
        if breakage.of_cmdb is not (host is None):
            raise Unbreakable(f"{kind} is nothing that {name} can have")
        mine = self._broken.setdefault(name, {})
        if kind in mine:
            raise Unbreakable(f"{name} has {kind} already")
        mine[kind] = self._apply(breakage, host) if host else Broken(kind)
        mine[kind].fault_ids = self._faults(breakage, name)
        self._world.record.note(name, "broken", kind=kind)

    def mend(self, name: str, kind: str | None = None) -> list[str]:
        """Undo one breakage, or all of a machine; the kinds undone. Raises KeyError for an unknown machine."""
        host = None if name == CMDB else self._world.host(name)
        name = host.name if host else name
        mine = self._broken.get(name, {})
        gone = [mine.pop(found) for found in self.broken(name) if kind in (None, found)]
        for was in reversed(gone):
            for fault_id in was.fault_ids:
                self._world.lift_faults(fault_id)
            if host is not None:
                self._restore(host, was)
            self._world.record.note(name, "mended", kind=was.kind)
        if host is not None and host.dead and not any(KINDS[left].dead for left in mine):
            self._world.revive(host)  # also one that died of its breakage
        return [was.kind for was in gone]

    def _faults(self, breakage: Breakage, name: str) -> list[int]:
        return [self._world.add_fault(Fault.model_validate({"host": name, **fault})).id for fault in breakage.faults]

    def _apply(self, breakage: Breakage, host: Host) -> Broken:
        """Change the machine and remember what it was like."""
        change = breakage.facts(host.facts)
        was = Broken(breakage.kind, facts=_picked(host.facts.model_dump(), change))
        if change:
            self._world.change_facts(host, dict(change))
        for path, text in breakage.files.items():
            if host.files.get(path) is None:
                host.files.write(path, text.encode())
                was.files.append(path)
        if breakage.rekey:
            was.seed = host.seed.hex()
            host.rekey()
        if breakage.dead:
            host.die()
        return was

    def _restore(self, host: Host, was: Broken) -> None:
        if was.facts:
            self._world.change_facts(host, was.facts)
        for path in was.files:
            host.files.remove(path)
        if was.seed:
            host.seed = bytes.fromhex(was.seed)

    def dump(self) -> dict[str, Any]:
        """For a snapshot."""
        return {name: [asdict(was) for was in kinds.values()] for name, kinds in self._broken.items() if kinds}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """After a restart: machines are as they were left, only the faults have to be put in force again."""
        for name, kinds in saved.items():
            for entry in kinds:
                was = Broken(**entry)
                if was.kind in KINDS:
                    was.fault_ids = self._faults(KINDS[was.kind], name)
                    self._broken.setdefault(name, {})[was.kind] = was


def _picked(facts: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a change is about to lie over."""
    return {
        key: _picked(facts[key], value) if isinstance(value, Mapping) else facts[key] for key, value in change.items()
    }
