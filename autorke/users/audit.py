"""The audit log: sign-ins, changes of people and secrets, and every read of a secret or a config (design §10)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.users.access import Actor
from autorke.users.models import AuditEntry


def record(
    session: Session, actor: Actor | None, *, action: str, object_type: str, object_id: UUID | str, **detail: Any
) -> None:
    """Add one row to this transaction, so that what is not recorded does not happen. No actor = the system itself.

    `detail` takes JSON-ready values and never a secret.
    """
    session.add(
        AuditEntry(
            actor_id=actor.user_id if actor else None,
            actor_name=actor.name if actor else "system",
            method=actor.method if actor else "system",
            ip=actor.ip if actor else None,
            action=action,
            object_type=object_type,
            object_id=str(object_id)[:128],
            detail=detail,
        )
    )
