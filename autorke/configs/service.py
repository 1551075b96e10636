"""Revisions of cluster.yml and rkestate: append, read, and never lose one. Nobody commits here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from autorke.configs.errors import CaChanged, StaleParent, UnexpectedNodes
from autorke.configs.models import ConfigRevision, Reason, StateRevision
from autorke.core import crypto
from autorke.core.errors import NotFound
from autorke.core.ids import new_id
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.rkestate import RkeState, read_state

Kind = TypeVar("Kind", ConfigRevision, StateRevision)
AnyRevision = ConfigRevision | StateRevision


def current(session: Session, kind: type[Kind], cluster_id: UUID) -> Kind:
    """The newest revision of this kind. Raises NotFound for a cluster without one."""
    query = select(kind).where(kind.cluster_id == cluster_id).order_by(kind.number.desc()).limit(1)
    revision = session.scalars(query).one_or_none()
    if revision is None:
        raise NotFound(field="cluster_id", what=kind.__tablename__, key=cluster_id)
    return revision


def get(session: Session, kind: type[Kind], cluster_id: UUID, number: int) -> Kind:
    """One revision by its number. Raises NotFound."""
    revision = session.scalars(select(kind).where(kind.cluster_id == cluster_id, kind.number == number)).one_or_none()
    if revision is None:
        raise NotFound(field="number", what=kind.__tablename__, key=number)
    return revision


def open_text(revision: AnyRevision) -> str:
    """The file itself, secrets included: for drivers and audited downloads only. Raises EnvelopeBroken."""
    content = crypto.unseal(revision.content, object_id=revision.id, version=revision.number)
    if hashlib.sha256(content).hexdigest() != revision.sha256:
        raise crypto.EnvelopeBroken(reason="its checksum differs")
    return content.decode()


def add_config(
    session: Session,
    *,
    cluster_id: UUID,
    cluster: ClusterYml,
    reason: Reason,
    created_by: str,
    expected_nodes: Iterable[str],
    ticket_id: UUID | None = None,
    parent: int | None = None,
) -> ConfigRevision:
    """Append a cluster.yml, read and so checked before, whose nodes are exactly the expected addresses.

    `parent` is the revision it was made from (None for the first one). Raises UnexpectedNodes, and StaleParent when
    another revision came in between.
    """
    addresses = _expected("cluster.yml", (node.address for node in cluster.nodes), expected_nodes)
    revision = ConfigRevision(
        cluster_id=cluster_id,
        reason=reason.value,
        created_by=created_by,
        ticket_id=ticket_id,
        node_addresses=addresses,
        kubernetes_version=cluster.kubernetes_version,
    )
    return _append(session, revision, cluster.text, parent)


def add_state(
    session: Session,
    *,
    cluster_id: UUID,
    content: str,
    reason: Reason,
    created_by: str,
    expected_nodes: Iterable[str],
    ca_fingerprint: str,
    ticket_id: UUID | None = None,
    parent: int | None = None,
    read: Callable[[str], RkeState] = read_state,
) -> StateRevision:
    """Append a cluster.rkestate of this CA whose current nodes are exactly the expected addresses.

    Raises like `add_config`, CaChanged, and RkeFileError for a file that must not be used.
    """
    state = read(content)
    if state.ca_fingerprint != ca_fingerprint:
        raise CaChanged(field="state", expected=ca_fingerprint[:16], actual=state.ca_fingerprint[:16])
    addresses = _expected("cluster.rkestate", (node.address for node in state.nodes), expected_nodes)
    revision = StateRevision(
        cluster_id=cluster_id,
        reason=reason.value,
        created_by=created_by,
        ticket_id=ticket_id,
        node_addresses=addresses,
        ca_fingerprint=ca_fingerprint,
    )
    return _append(session, revision, content, parent)


def _expected(file: str, found: Iterable[str], expected: Iterable[str]) -> list[str]:
    addresses, wanted = list(found), set(expected)
    extra, missing = sorted(set(addresses) - wanted), sorted(wanted - set(addresses))
    if extra or missing:
        raise UnexpectedNodes(field="nodes", file=file, extra=", ".join(extra[:20]), missing=", ".join(missing[:20]))
    return addresses


def _append(session: Session, revision: Kind, content: str, parent: int | None) -> Kind:
    """Number it behind the newest one; one writer per cluster at a time, so that numbers have no gap."""
    kind = type(revision)
    key = f"autorke.{kind.__tablename__}.{revision.cluster_id}"
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    newest = session.scalar(select(func.max(kind.number)).where(kind.cluster_id == revision.cluster_id))
    if newest != parent:
        raise StaleParent(field="parent", file=kind.__tablename__, current=newest or "-", parent=parent or "-")
    data = content.encode()
    revision.id, revision.number, revision.parent = new_id(), (newest or 0) + 1, newest
    revision.size, revision.sha256 = len(data), hashlib.sha256(data).hexdigest()
    revision.content = crypto.seal(data, object_id=revision.id, version=revision.number)
    session.add(revision)
    session.flush()
    return revision


def rewrap(session: Session, *, limit: int = 100) -> int:
    """Put up to `limit` envelopes of each kind under the active key; how many were left to do and are done now."""
    return _rewrap(session, ConfigRevision, limit) + _rewrap(session, StateRevision, limit)


def _rewrap(session: Session, kind: type[Kind], limit: int) -> int:
    behind = func.substr(kind.content, len(crypto.MAGIC) + 1, crypto.ID_BYTES) != crypto.load_ring().active
    revisions = list(session.scalars(select(kind).where(behind).order_by(kind.id).limit(limit)))
    for revision in revisions:
        revision.content = crypto.rewrap(revision.content, object_id=revision.id, version=revision.number)
    session.flush()
    return len(revisions)
