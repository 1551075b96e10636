"""The person behind an answer that stays open: looked at anew now and then, because sessions end and roles change."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.users import sessions
from autorke.users.access import Actor


class Present:
    """Whoever opened a stream, with the roles he holds now."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def look(self, session: Session) -> Actor:
        """Raises Unauthenticated once he is signed out, disabled, or his token has ended."""
        self.actor = sessions.again(session, self.actor)
        return self.actor

    def check(self) -> None:
        """The same in a transaction of its own."""
        with transaction() as session:
            self.look(session)

    def sees(self, cluster_id: UUID | None) -> bool:
        """May he be told that a ticket of this cluster changed? What belongs to no cluster is for everybody."""
        return cluster_id is None or self.actor.may("ticket:read", cluster_id)
