"""Keep secrets, show what may be shown, and open them for a named purpose, on the record."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.core import crypto
from autorke.core.errors import NotFound
from autorke.core.ids import new_id
from autorke.credentials.errors import CredentialExists, CredentialInUse, KindDiffers, StaleCredential, WrongKind
from autorke.credentials.kinds import Kind, Material
from autorke.credentials.models import Credential
from autorke.users import audit
from autorke.users.access import Actor


@dataclass(frozen=True)
class Secret:
    """An opened credential, in memory only. `values` is left out of repr(); keys per kind: see `kinds`."""

    credential_id: UUID
    version: int
    kind: str
    public: dict[str, Any]
    values: dict[str, str] = field(repr=False)


def get(session: Session, credential_id: UUID) -> Credential:
    """Raises NotFound."""
    found = session.get(Credential, credential_id)
    if found is None:
        raise NotFound(field="credential_id", what="credential", key=credential_id)
    return found


def _seal(secret: dict[str, str], credential_id: UUID, version: int) -> bytes:
    return crypto.seal(json.dumps(secret).encode(), object_id=credential_id, version=version)


def _free_name(session: Session, name: str, *, but: UUID | None = None) -> None:
    taken = select(Credential.id).where(Credential.name == name, Credential.id.is_distinct_from(but))
    if session.execute(taken).first() is not None:
        raise CredentialExists(field="name", name=name)


def create(
    session: Session, *, actor: Actor | None, name: str, note: str, kind: Kind, material: Material
) -> Credential:
    """Seal a new secret. Raises CredentialExists, KeyMissing."""
    _free_name(session, name)
    credential_id = new_id()
    row = Credential(
        id=credential_id,
        name=name,
        note=note,
        kind=kind,
        public=material.public,
        envelope=_seal(material.secret, credential_id, 1),
        version=1,
        created_by=actor.user_id if actor else None,
    )
    session.add(row)
    session.flush()
    session.refresh(row, ["created_at", "updated_at"])
    audit.record(
        session, actor, action="credential.create", object_type="credential", object_id=row.id, name=name, kind=kind
    )
    return row


def describe(session: Session, credential_id: UUID, *, actor: Actor, changes: dict[str, str]) -> Credential:
    """Change name or note; the secret stays. Raises NotFound, CredentialExists."""
    row = get(session, credential_id)
    if "name" in changes:
        _free_name(session, changes["name"], but=row.id)
    for name, value in changes.items():
        setattr(row, name, value)
    row.updated_at = func.now()
    session.flush()
    session.refresh(row, ["updated_at"])
    audit.record(
        session, actor, action="credential.update", object_type="credential", object_id=row.id, fields=sorted(changes)
    )
    return row


def replace_secret(
    session: Session, credential_id: UUID, *, actor: Actor, version: int, kind: Kind, material: Material
) -> Credential:
    """A new secret in place of version `version`. Raises NotFound, KindDiffers, StaleCredential."""
    row = get(session, credential_id)
    if row.kind != kind:
        raise KindDiffers(field="secret.kind", kind=row.kind, given=kind)
    changed = session.execute(
        update(Credential)
        .where(Credential.id == credential_id, Credential.version == version)
        .values(
            envelope=_seal(material.secret, credential_id, version + 1),
            public=material.public,
            version=version + 1,
            updated_at=func.now(),
        )
        .returning(Credential.version)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(row)
    if changed is None:
        raise StaleCredential(field="version", name=row.name, version=row.version)
    audit.record(
        session, actor, action="credential.replace", object_type="credential", object_id=row.id, version=row.version
    )
    return row


def remove(session: Session, credential_id: UUID, *, actor: Actor) -> None:
    """Raises NotFound, CredentialInUse."""
    row = get(session, credential_id)
    try:
        with session.begin_nested():
            session.execute(delete(Credential).where(Credential.id == credential_id))
    except IntegrityError as error:
        raise CredentialInUse(name=row.name) from error
    audit.record(
        session, actor, action="credential.delete", object_type="credential", object_id=credential_id, name=row.name
    )


def open_secret(
    session: Session, credential_id: UUID, *, purpose: str, actor: Actor | None, kinds: tuple[Kind, ...] = ()
) -> Secret:
    """The secret in memory, and an audit row in the same transaction: commit before you use it.

    `purpose` says what for (`add_workers join`), `actor` is None for the platform itself, `kinds` are those that the
    caller can work with. Raises NotFound, WrongKind, EnvelopeBroken, KeyMissing.
    """
    row = get(session, credential_id)
    if kinds and row.kind not in kinds:
        raise WrongKind(field="credential_id", name=row.name, kind=row.kind, wanted=", ".join(kinds))
    plain = crypto.unseal(row.envelope, object_id=row.id, version=row.version)
    session.execute(
        update(Credential)
        .where(
            Credential.id == row.id,
            or_(Credential.used_at.is_(None), Credential.used_at < func.now() - timedelta(minutes=1)),
        )
        .values(used_at=func.now())
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor,
        action="secret.open",
        object_type="credential",
        object_id=row.id,
        purpose=purpose,
        version=row.version,
    )
    return Secret(row.id, row.version, row.kind, row.public, json.loads(plain))


def rotate(session: Session) -> int:
    """Put every credential under the active key; the number that was not. The secrets themselves stay as they are."""
    ring = crypto.load_ring()
    rows = session.execute(select(Credential).with_for_update()).scalars().all()
    stale = [row for row in rows if crypto.needs_rewrap(row.envelope, ring=ring)]
    for row in stale:
        row.envelope = crypto.rewrap(row.envelope, object_id=row.id, version=row.version, ring=ring)
    session.flush()
    return len(stale)
