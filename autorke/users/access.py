"""Who may do what, where: roles, permissions, and the actor that every route and service asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from autorke.core.errors import Forbidden
from autorke.users.models import RoleBinding, User

Role = Literal["viewer", "requester", "approver", "network-admin", "admin", "auditor"]
Permission = Literal[
    "machine:read",
    "machine:write",
    "cluster:read",
    "cluster:write",
    "config:read",
    "config:write",
    "credential:read",  # metadata; a secret itself is never readable
    "credential:write",
    "user:read",
    "user:write",
    "ticket:read",
    "ticket:create",
    "ticket:operate",  # pause, cancel, retry
    "ticket:approve",
    "ticket:resolve",  # say what became of an UNKNOWN attempt
    "network:approve",
    "cmdb:sync",
    "audit:read",
    "lock:release",
    "settings:write",
]

_SEE: frozenset[Permission] = frozenset({"machine:read", "cluster:read", "ticket:read"})

ROLES: dict[Role, frozenset[Permission]] = {
    "viewer": _SEE,
    "requester": _SEE | {"config:read", "ticket:create", "ticket:operate"},
    "approver": _SEE | {"config:read", "ticket:operate", "ticket:approve", "ticket:resolve"},
    "network-admin": _SEE | {"config:read", "network:approve"},
    "auditor": _SEE | {"config:read", "credential:read", "user:read", "audit:read"},
    "admin": frozenset(get_args(Permission)),
}


@dataclass(frozen=True)
class Actor:
    """The caller of one request, with the roles it held when the request began.

    `bindings` are (role, cluster id or None for all); `method` is password, oidc or token; `session_id` names the
    sign-in or the token; `scopes` narrows an API token, None = everything its owner may.
    """

    user_id: UUID
    name: str
    bindings: frozenset[tuple[str, UUID | None]]
    method: str
    session_id: UUID
    ip: str | None
    scopes: frozenset[str] | None = None

    def clusters(self, permission: Permission) -> frozenset[UUID] | None:
        """Clusters on which the actor holds the permission; None = on all of them and on the platform itself."""
        if self.scopes is not None and permission not in self.scopes:
            return frozenset()
        return _clusters(self.bindings, permission)

    def may(self, permission: Permission, cluster_id: UUID | None = None) -> bool:
        """On this cluster; without one: on the platform itself, which takes a binding for all clusters."""
        held = self.clusters(permission)
        return held is None or cluster_id in held

    def anywhere(self, permission: Permission) -> bool:
        """On at least one cluster: enough to enter a list, whose rows `scope` then narrows."""
        held = self.clusters(permission)
        return held is None or bool(held)

    def require(self, permission: Permission, cluster_id: UUID | None = None) -> None:
        """Raises Forbidden."""
        if not self.may(permission, cluster_id):
            raise Forbidden(permission=permission)

    def has_role(self, role: Role, cluster_id: UUID | None = None) -> bool:
        """For gates, which name roles. A token narrowed by scopes holds no role."""
        return self.scopes is None and _has_role(self.bindings, role, cluster_id)


def _clusters(bindings: Iterable[tuple[str, UUID | None]], permission: Permission) -> frozenset[UUID] | None:
    held = [cluster for role, cluster in bindings if permission in ROLES.get(role, ())]  # type: ignore[call-overload]
    return None if None in held else frozenset(cluster for cluster in held if cluster is not None)


def _has_role(bindings: Iterable[tuple[str, UUID | None]], role: Role, cluster_id: UUID | None) -> bool:
    return any(held == role and where in (None, cluster_id) for held, where in bindings)


def scope(
    actor: Actor,
    permission: Permission,
    cluster_id: InstrumentedAttribute[Any] | ColumnElement[Any],
    *,
    unowned: bool = False,
) -> ColumnElement[bool]:
    """SQL condition: rows whose cluster the actor may see. `unowned` adds rows without a cluster (free machines),
    for whoever holds the permission anywhere."""
    held = actor.clusters(permission)
    if held is None:
        return true()
    if not held:
        return false()
    inside = cluster_id.in_(held)
    return or_(inside, cluster_id.is_(None)) if unowned else inside


def current_bindings(session: Session, user_id: UUID) -> frozenset[tuple[str, UUID | None]]:
    """Bindings as they are now; none for a disabled or deleted user."""
    rows = session.execute(
        select(RoleBinding.role, RoleBinding.cluster_id)
        .join(User, User.id == RoleBinding.user_id)
        .where(User.id == user_id, ~User.disabled)
    )
    return frozenset((role, cluster) for role, cluster in rows)


def person(session: Session, user_id: UUID) -> Actor:
    """Somebody with the roles that he holds now, for work on his behalf without a request of his own."""
    return Actor(user_id, "", current_bindings(session, user_id), "person", user_id, None)


@dataclass(frozen=True)
class Rights:
    """What several people hold, read in one statement; answers as `may` does, without asking again."""

    bindings: Mapping[UUID, frozenset[tuple[str, UUID | None]]]

    def may(self, user_id: UUID, permission: Permission, cluster_id: UUID | None) -> bool:
        held = _clusters(self.bindings.get(user_id, frozenset()), permission)
        return held is None or cluster_id in held

    def may_see(self, user_id: UUID, permission: Permission, cluster_id: UUID | None) -> bool:
        """Like `scope(..., unowned=True)`: what belongs to no cluster is seen by whoever holds it anywhere."""
        held = _clusters(self.bindings.get(user_id, frozenset()), permission)
        return held is None or cluster_id in held or (cluster_id is None and bool(held))


def rights_of(session: Session, user_ids: Collection[UUID]) -> Rights:
    """Of these people, as it is now; disabled ones hold nothing."""
    rows = session.execute(
        select(RoleBinding.user_id, RoleBinding.role, RoleBinding.cluster_id)
        .join(User, User.id == RoleBinding.user_id)
        .where(User.id.in_(user_ids), ~User.disabled)
    )
    found: dict[UUID, set[tuple[str, UUID | None]]] = {}
    for user_id, role, cluster_id in rows:
        found.setdefault(user_id, set()).add((role, cluster_id))
    return Rights({user_id: frozenset(bindings) for user_id, bindings in found.items()})


def may(session: Session, user_id: UUID, permission: Permission, cluster_id: UUID | None) -> bool:
    """Asked anew at claim time (engine.md §3.9): a role taken away or a disabled user no longer counts."""
    return rights_of(session, (user_id,)).may(user_id, permission, cluster_id)


def has_role(session: Session, user_id: UUID, role: Role, cluster_id: UUID | None) -> bool:
    """Like `may`, for gates that name roles."""
    return _has_role(current_bindings(session, user_id), role, cluster_id)


@dataclass(frozen=True)
class Holder:
    """Somebody who holds a permission, and by which roles."""

    id: UUID
    name: str
    display_name: str
    roles: tuple[str, ...]


def holders(session: Session, permission: Permission, cluster_id: UUID | None) -> list[Holder]:
    """Everybody who holds the permission on this cluster at this moment, by name; disabled people hold nothing."""
    roles = [role for role, held in ROLES.items() if permission in held]
    here = RoleBinding.cluster_id == cluster_id if cluster_id is not None else false()
    rows = session.execute(
        select(User.id, User.name, User.display_name, RoleBinding.role)
        .join(RoleBinding, RoleBinding.user_id == User.id)
        .where(RoleBinding.role.in_(roles), or_(RoleBinding.cluster_id.is_(None), here), ~User.disabled)
        .order_by(User.name, RoleBinding.role)
    )
    found: dict[UUID, Holder] = {}
    for user_id, name, display_name, role in rows:
        before = found.get(user_id)
        held = (*before.roles, role) if before else (role,)
        found[user_id] = Holder(user_id, name, display_name, tuple(dict.fromkeys(held)))
    return list(found.values())
