"""The person behind an answer that stays open: looked at anew whenever somebody's roles, session or token changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.users import sessions
from autorke.users.access import Actor
from autorke.web.sse import HEARTBEAT, Wakeups


class Present:
    """Whoever opened a stream, with the roles he holds now. `look` asks what is to be asked of him besides."""

    def __init__(self, actor: Actor, wakeups: Wakeups, look: Callable[[Session, Actor], object] | None = None) -> None:
        self.actor = actor
        self._wakeups = wakeups
        self._look = look
        self._seen = -1
        self._until = 0.0

    @property
    def due(self) -> bool:
        """Is he to be looked at? At once when anybody changed, else every 15 s; always, while there is no broker."""
        wakeups = self._wakeups
        return not wakeups.connected or wakeups.memory.people != self._seen or time.monotonic() > self._until

    def check(self) -> None:
        """Raises Unauthenticated once he is signed out, disabled, or his token has ended, and what `look` raises."""
        seen = self._wakeups.memory.people  # before the read: what changes during it causes one more
        with transaction() as session:
            self.actor = sessions.again(session, self.actor)
            if self._look is not None:
                self._look(session, self.actor)
        self._seen, self._until = seen, time.monotonic() + HEARTBEAT

    def sees(self, cluster_id: UUID | None) -> bool:
        """May he be told that a ticket of this cluster changed? What belongs to no cluster is for everybody."""
        return cluster_id is None or self.actor.may("ticket:read", cluster_id)
