"""Scripted faults: what goes wrong, where, and how often.

A place is a colon path that grows more precise to the right; a fault at `docker` strikes everything below it, and each
part may be a glob. `Fault` says what each kind does.

| place | struck is |
| --- | --- |
| `connect`, `banner`, `auth` | the way into a machine, step by step |
| `exec:<command>`, `ansible:<module>` | a command; a module of Ansible (fail, die) |
| `streamlocal`, `tcp:<port>` | opening docker.sock; opening a TCP port through the machine |
| `docker:<operation>:<container or image>` | a call of the Engine API; `docker:pull-stream:<image>` a pull under way |
| `container:<name>`, `health:<service>` | a program as it starts (fail: it exits so); its health port |
| `node:register`, `node:ready` | the node's way into its cluster |
| `kube:<VERB>:<resource>:<name>`, `kube-port:<port>` | a call of the Kubernetes API; its port (host: the cluster) |
| `cmdb`, `vcalico:<METHOD>`, `oidc:<path>` | the systems outside (host: their name) |
"""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

Kind = Literal["refuse", "hang", "slow", "fail", "cut", "cut_after", "die", "garbage"]


class Fault(BaseModel):
    """One fault. `host` is a glob over machine names and addresses (for `kube` and `cmdb`: over cluster names, or
    `cmdb`).

    - refuse: the port is closed (connect), or the request is denied (auth, forwarding)
    - hang: nothing is answered until the fault is lifted; at `connect` the packets are dropped, at `banner` the port
      is silent
    - slow: `ms` milliseconds late
    - fail: the call fails with `status` (HTTP status, or exit code for exec) and `text`
    - cut / cut_after: the connection ends before / after the call took effect
    - die: the whole machine goes dark from this call on
    - garbage: half an answer, then the end of the connection

    The first `after` matches are let through, then `times` matches are struck (None: all).
    """

    model_config = ConfigDict(extra="forbid")

    host: str = "*"
    where: str
    kind: Kind
    ms: Annotated[int, Field(ge=0)] = 0
    status: int = 500
    text: str = "simulated failure"
    after: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = None
    id: int = 0
    seen: int = 0
    hits: int = 0
    _lifted: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Wait as a hanging fault does: until it is lifted."""
        await self._lifted.wait()

    def lift(self) -> None:
        self._lifted.set()

    def fits(self, names: tuple[str, ...], place: tuple[str, ...]) -> bool:
        wanted = self.where.split(":")
        if len(wanted) > len(place) or not any(fnmatchcase(name, self.host) for name in names):
            return False
        return all(fnmatchcase(part, pattern) for part, pattern in zip(place, wanted, strict=False))

    def take(self) -> bool:
        """Count one match; True when this one is to be struck."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times


class FaultBook:
    """The faults in force. With none in force a look-up costs nothing."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last = 0

    def add(self, fault: Fault) -> Fault:
        self._last += 1
        fault.id = self._last
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: int | None = None) -> list[Fault]:
        """Lift one fault, or all. Whoever hangs on it goes on."""
        gone = [fault for fault in self._faults.values() if fault_id in (None, fault.id)]
        for fault in gone:
            del self._faults[fault.id]
            fault.lift()
        return gone

    def all(self) -> list[Fault]:
        return list(self._faults.values())

    def peek(self, names: tuple[str, ...], *place: str) -> Fault | None:
        """The fault in force at a place, without counting a match: for states that last (a closed port, a sick
        container).
        """
        for fault in self._faults.values():
            if fault.fits(names, place) and not fault.spent:
                return fault
        return None

    def strike(self, names: tuple[str, ...], *place: str) -> Fault | None:
        """The first fault that strikes this call, counting the match."""
        if not self._faults:
            return None
        for fault in self._faults.values():
            if fault.fits(names, place) and fault.take():
                return fault
        return None
