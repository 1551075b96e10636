"""One connection per machine, for as long as a ticket step needs it."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from autorke.drivers.base import DriverError, SshTarget
from autorke.drivers.ssh.connecting import DEFAULT_LIMITS, connect
from autorke.drivers.ssh.dialing import Limits
from autorke.drivers.ssh.remote import SshRemote


class ConnectionPool:
    """Opens each machine and each bastion once, on first use, and again when its connection died.

    Safe to use from many threads: one that waits for a slow machine holds nobody else up. Use as a context manager.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._places: dict[SshTarget, _Place] = {}
        self._closed = False

    def get(self, target: SshTarget) -> SshRemote:
        """The open connection to a machine; the pool closes it. Raises what `connect` raises."""
        asked_at = time.monotonic()
        with self._lock:
            place = self._places.setdefault(target, _Place())
        with place.lock:
            if self._closed:
                raise RuntimeError("the connection pool is closed")
            if place.remote is not None and place.remote.alive:
                return place.remote
            if place.error is not None and place.failed_at >= asked_at:
                raise place.error  # whoever waited for this attempt shares its result: a dead bastion costs one wait
            return self._open(target, place)

    def _open(self, target: SshTarget, place: _Place) -> SshRemote:
        try:
            via = self.get(target.bastion) if target.bastion else None
            place.remote = connect(target, limits=self._limits, via=via)
        except DriverError as error:
            place.error, place.failed_at = error, time.monotonic()
            raise
        return place.remote

    def close(self) -> None:
        """Close every connection, machines before their bastions."""
        with self._lock:
            self._closed = True
            places = dict(self._places)
            self._places.clear()
        for target in sorted(places, key=_depth, reverse=True):
            with places[target].lock:
                remote = places[target].remote
                if remote is not None:
                    remote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Place:
    """Where one machine's connection is kept."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.remote: SshRemote | None = None
        self.error: DriverError | None = None
        self.failed_at = 0.0


def _depth(target: SshTarget) -> int:
    return 0 if target.bastion is None else 1 + _depth(target.bastion)
