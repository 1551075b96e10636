"""Signing in and staying signed in: server-side sessions behind an opaque cookie, and API tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, select, true, update
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.errors import Unauthenticated
from autorke.core.settings import get_settings
from autorke.users import audit, passwords, throttle
from autorke.users.access import Actor
from autorke.users.errors import LoginRefused
from autorke.users.models import ApiToken, RoleBinding, User, UserSession

TOKEN_PREFIX = "ark_"  # noqa: S105  a marker that secret scanners can find, not a secret
MAX_AGE = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Client:
    """Where a request comes from."""

    ip: str
    user_agent: str = ""


@dataclass(frozen=True)
class Opened:
    """A fresh session. `token` goes into the cookie and is kept nowhere else."""

    actor: Actor
    token: str = field(repr=False)


def digest(token: str) -> bytes:
    """What is stored of a token. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def csrf_token(session_token: str) -> str:
    """Belongs to one session and can be computed by nobody who lacks its cookie; not stored."""
    return hmac.new(session_token.encode(), b"autorke csrf", "sha256").hexdigest()


def csrf_fits(session_token: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(csrf_token(session_token).encode(), given.encode())


def log_in(session: Session, *, name: str, password: str, client: Client) -> Opened:
    """Check a local account and open a session. Raises TooManyLogins, LoginRefused (the same for every reason)."""
    with transaction() as own:  # of its own: it must survive the rollback that a refusal causes
        throttle.count(own, name=name, ip=client.ip)
    user = session.execute(select(User).where(User.name == name)).scalar_one_or_none()
    fits = passwords.verify(user.password_hash if user else None, password)
    if user is None or not fits or user.disabled:
        if user is not None:
            with transaction() as own:
                audit.record(own, None, action="session.refuse", object_type="user", object_id=user.id, ip=client.ip)
        raise LoginRefused()
    throttle.forget(session, name=name, ip=client.ip)
    if user.password_hash is not None and passwords.outdated(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    return open_session(session, user, method="password", client=client)


def open_session(session: Session, user: User, *, method: Literal["password", "oidc"], client: Client) -> Opened:
    """A new session for a user whose identity has just been proved."""
    session.execute(delete(UserSession).where(UserSession.user_id == user.id, UserSession.expires_at < func.now()))
    token = secrets.token_urlsafe(32)
    row = UserSession(
        user_id=user.id,
        token_sha256=digest(token),
        method=method,
        ip=client.ip,
        user_agent=client.user_agent[:256],
        expires_at=func.now() + get_settings().session_ttl,
    )
    session.add(row)
    session.flush()
    bindings = session.execute(select(RoleBinding.role, RoleBinding.cluster_id).where(RoleBinding.user_id == user.id))
    actor = Actor(user.id, user.name, frozenset((role, where) for role, where in bindings), method, row.id, client.ip)
    audit.record(session, actor, action="session.create", object_type="user", object_id=user.id)
    return Opened(actor, token)


def _with_roles(source: type[UserSession] | type[ApiToken], token: str) -> Select[*tuple[Any, ...]]:
    """One row per role binding: who the token belongs to, unless expired or disabled. One statement per request."""
    seen = UserSession.last_seen_at if source is UserSession else ApiToken.last_used_at
    due = func.coalesce(seen < func.now() - TOUCH_EVERY, true()).label("due")
    return (
        select(source, User.name, RoleBinding.role, RoleBinding.cluster_id, due)
        .join(User, User.id == source.user_id)
        .outerjoin(RoleBinding, RoleBinding.user_id == User.id)
        .where(source.token_sha256 == digest(token), source.expires_at > func.now(), ~User.disabled)
    )


def _bindings(rows: list[Row[Any]]) -> frozenset[tuple[str, UUID | None]]:
    return frozenset((row.role, row.cluster_id) for row in rows if row.role is not None)


def by_cookie(session: Session, token: str, *, ip: str) -> Actor | None:
    """The signed-in actor, or None; each use moves the expiry, up to MAX_AGE after the sign-in."""
    rows = list(session.execute(_with_roles(UserSession, token)))
    if not rows:
        return None
    found: UserSession = rows[0][0]
    if rows[0].due:
        ends = func.least(func.now() + get_settings().session_ttl, UserSession.created_at + MAX_AGE)
        _touch(session, UserSession, found.id, last_seen_at=func.now(), expires_at=ends)
    return Actor(found.user_id, rows[0].name, _bindings(rows), found.method, found.id, ip)


def _touch(session: Session, table: type[UserSession] | type[ApiToken], row_id: UUID, **values: Any) -> None:
    """At most once a minute; a row that another request is touching is left to it, so that nobody waits."""
    free = select(table.id).where(table.id == row_id).with_for_update(skip_locked=True).scalar_subquery()
    changed = update(table).where(table.id == free).values(**values)
    session.execute(changed.execution_options(synchronize_session=False))


def by_token(session: Session, token: str, *, ip: str) -> Actor | None:
    """The owner of an API token, narrowed to the token's scopes, or None."""
    rows = list(session.execute(_with_roles(ApiToken, token)))
    if not rows:
        return None
    found: ApiToken = rows[0][0]
    if rows[0].due:
        _touch(session, ApiToken, found.id, last_used_at=func.now())
    scopes = None if found.scopes is None else frozenset(found.scopes)
    return Actor(found.user_id, rows[0].name, _bindings(rows), "token", found.id, ip, scopes)


def again(session: Session, actor: Actor) -> Actor:
    """The same caller with the roles he holds now, for an answer that is open for long. It does not count as a use: a
    page that is only left open is signed out in time. Raises Unauthenticated once his session or token has ended."""
    source = ApiToken if actor.method == "token" else UserSession
    rows: list[Row[Any]] = list(
        session.execute(
            select(source.id, RoleBinding.role, RoleBinding.cluster_id)
            .join(User, User.id == source.user_id)
            .outerjoin(RoleBinding, RoleBinding.user_id == User.id)
            .where(source.id == actor.session_id, source.expires_at > func.now(), ~User.disabled)
        )
    )
    if not rows:
        raise Unauthenticated()
    return replace(actor, bindings=_bindings(rows))


def close(session: Session, actor: Actor) -> None:
    """Sign out: this session ends everywhere at once."""
    session.execute(delete(UserSession).where(UserSession.id == actor.session_id))
    audit.record(session, actor, action="session.delete", object_type="user", object_id=actor.user_id)


def close_all(session: Session, user_id: UUID, *, keep: UUID | None = None) -> None:
    """End every session of a user (disabled, password changed), except the one in use."""
    session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.id.is_distinct_from(keep)))
