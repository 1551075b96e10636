"""Accounts, roles and API tokens."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from autorke.core.errors import NotFound, Unprocessable
from autorke.users import audit, passwords, sessions
from autorke.users.access import Actor, Role
from autorke.users.errors import (
    BindingExists,
    LastAdmin,
    LoginNeeded,
    LoginRefused,
    OidcNameTaken,
    OidcNoAccount,
    StillInUse,
    TokenExists,
    UserExists,
    WrongPassword,
)
from autorke.users.models import ApiToken, RoleBinding, User
from autorke.users.oidc import Identity

FIRST_ADMIN = "admin"


def listing() -> Select[User]:
    """All users with their roles; the route pages it."""
    return select(User).options(selectinload(User.bindings))


def get(session: Session, user_id: UUID) -> User:
    """Raises NotFound."""
    user = session.execute(listing().where(User.id == user_id)).scalar_one_or_none()
    if user is None:
        raise NotFound(what="user", key=user_id)
    return user


MAX_PEOPLE = 2_000


def directory(session: Session, *, ids: Sequence[UUID] = (), search: str = "") -> list[User]:
    """People by name, also disabled ones: old records name them. These ids, or whose name holds `search`."""
    query = select(User).order_by(User.name).limit(MAX_PEOPLE)
    if ids:
        query = query.where(User.id.in_(ids))
    if search:
        found = or_(User.name.icontains(search, autoescape=True), User.display_name.icontains(search, autoescape=True))
        query = query.where(found)
    return list(session.scalars(query))


def names(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Display names, also of disabled people; who was deleted is missing."""
    query = select(User.id, User.display_name).where(User.id.in_(ids))
    return {row.id: row.display_name for row in session.execute(query)} if ids else {}


def create(session: Session, *, actor: Actor | None, name: str, password: str | None = None, **fields: Any) -> User:
    """A new account without roles. Raises UserExists."""
    clash: ColumnElement[bool] = User.name == name
    subject = fields.get("oidc_subject")
    if subject is not None:
        clash = or_(clash, User.oidc_subject == subject)
    if session.execute(select(User.id).where(clash)).first() is not None:
        raise UserExists(field="name", name=name)
    user = User(name=name, password_hash=passwords.hash_password(password) if password else None, **fields)
    user.bindings = []
    session.add(user)
    session.flush()
    session.refresh(user, ["created_at", "updated_at"])
    audit.record(session, actor, action="user.create", object_type="user", object_id=user.id, name=name)
    return user


def update(session: Session, user_id: UUID, *, actor: Actor, changes: dict[str, Any]) -> User:
    """Change the given fields. A new password or a disabled account ends the user's sessions. Raises LastAdmin."""
    user = get(session, user_id)
    password = changes.pop("password", None)
    if password is not None:
        user.password_hash = passwords.hash_password(password)
    for name, value in changes.items():
        setattr(user, name, value)
    session.flush()
    if password is not None or changes.get("disabled"):
        sessions.close_all(session, user.id)
    if changes.get("disabled"):
        _keep_an_admin(session)
    session.refresh(user, ["updated_at"])
    changed = sorted(changes) + (["password"] if password is not None else [])
    audit.record(session, actor, action="user.update", object_type="user", object_id=user.id, fields=changed)
    return user


def delete_user(session: Session, user_id: UUID, *, actor: Actor) -> None:
    """Only a user to whom no record refers can go; the others are disabled. Raises StillInUse, LastAdmin."""
    user = get(session, user_id)
    try:
        with session.begin_nested():
            session.execute(delete(User).where(User.id == user_id))
    except IntegrityError as error:
        raise StillInUse(name=user.name) from error
    if any(held.role == "admin" for held in user.bindings):
        _keep_an_admin(session)
    audit.record(session, actor, action="user.delete", object_type="user", object_id=user_id, name=user.name)


def _keep_an_admin(session: Session) -> None:
    """Serialised, so that two admins cannot remove each other at the same moment. Raises LastAdmin."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('autorke last admin'))"))
    admins = (
        select(func.count())
        .select_from(RoleBinding)
        .join(User, User.id == RoleBinding.user_id)
        .where(RoleBinding.role == "admin", RoleBinding.cluster_id.is_(None), ~User.disabled)
    )
    if session.execute(admins).scalar_one() == 0:
        raise LastAdmin()


def bind(session: Session, user_id: UUID, *, actor: Actor | None, role: Role, cluster_id: UUID | None) -> RoleBinding:
    """Give a role on one cluster or on all. Raises NotFound, BindingExists."""
    user = get(session, user_id)
    if any((held.role, held.cluster_id) == (role, cluster_id) for held in user.bindings):
        raise BindingExists(field="role")
    binding = RoleBinding(user_id=user_id, role=role, cluster_id=cluster_id)
    session.add(binding)
    session.flush()
    where = str(cluster_id) if cluster_id else None
    audit.record(
        session, actor, action="role.grant", object_type="user", object_id=user_id, role=role, cluster_id=where
    )
    return binding


def unbind(session: Session, user_id: UUID, binding_id: UUID, *, actor: Actor) -> None:
    """Take a role away, at once and for every open session. Raises NotFound, LastAdmin."""
    gone = session.execute(
        delete(RoleBinding)
        .where(RoleBinding.id == binding_id, RoleBinding.user_id == user_id)
        .returning(RoleBinding.role, RoleBinding.cluster_id)
    ).one_or_none()
    if gone is None:
        raise NotFound(what="role binding", key=binding_id)
    if gone.role == "admin":
        _keep_an_admin(session)
    where = str(gone.cluster_id) if gone.cluster_id else None
    audit.record(
        session, actor, action="role.revoke", object_type="user", object_id=user_id, role=gone.role, cluster_id=where
    )


def change_password(session: Session, *, actor: Actor, current: str, new: str) -> None:
    """One's own; every other session of the user ends. Raises LoginNeeded, WrongPassword."""
    _must_be_signed_in(actor)
    user = get(session, actor.user_id)
    if not passwords.verify(user.password_hash, current):
        raise WrongPassword(field="current")
    user.password_hash = passwords.hash_password(new)
    sessions.close_all(session, user.id, keep=actor.session_id)
    audit.record(session, actor, action="user.update", object_type="user", object_id=user.id, fields=["password"])


def _must_be_signed_in(actor: Actor) -> None:
    if actor.method == "token":
        raise LoginNeeded(permission="session")


def tokens_of(actor: Actor) -> Select[ApiToken]:
    """The caller's own tokens; the route pages it."""
    return select(ApiToken).where(ApiToken.user_id == actor.user_id)


def create_token(
    session: Session, *, actor: Actor, name: str, expires_at: datetime, scopes: list[str] | None
) -> tuple[ApiToken, str]:
    """A token and its text, which is never seen again. Raises LoginNeeded, TokenExists, Unprocessable."""
    _must_be_signed_in(actor)
    if session.execute(select(ApiToken.id).where(ApiToken.user_id == actor.user_id, ApiToken.name == name)).first():
        raise TokenExists(field="name", name=name)
    if session.execute(select(func.now() >= expires_at)).scalar_one():
        raise Unprocessable(field="expires_at", reason_zh="过期时间应在将来", reason_en="expires_at is in the past")
    secret = sessions.TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        user_id=actor.user_id, name=name, token_sha256=sessions.digest(secret), scopes=scopes, expires_at=expires_at
    )
    session.add(token)
    session.flush()
    session.refresh(token, ["created_at"])
    audit.record(session, actor, action="token.create", object_type="token", object_id=token.id, name=name)
    return token, secret


def delete_token(session: Session, token_id: UUID, *, actor: Actor) -> None:
    """Revoke one's own token. Raises NotFound."""
    mine = delete(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == actor.user_id).returning(ApiToken.name)
    name = session.execute(mine).scalar_one_or_none()
    if name is None:
        raise NotFound(what="token", key=token_id)
    audit.record(session, actor, action="token.delete", object_type="token", object_id=token_id, name=name)


def by_identity(session: Session, who: Identity, *, may_create: bool, role: Role | None) -> User:
    """The account of somebody whom the provider has named; made at the first sign-in when that is allowed.

    Accounts are found by subject only. Raises OidcNoAccount, OidcNameTaken, LoginRefused (disabled).
    """
    user = session.execute(listing().where(User.oidc_subject == who.subject)).scalar_one_or_none()
    if user is None:
        if not may_create:
            raise OidcNoAccount(permission="account", subject=who.subject)
        user = _create_from(session, who, role)
    if user.disabled:
        raise LoginRefused()
    return user


def _create_from(session: Session, who: Identity, role: Role | None) -> User:
    name = re.sub(r"[^a-z0-9._@-]+", "-", who.name.lower()).strip("-._@")[:64] or "sso-user"
    if session.execute(select(User.id).where(User.name == name)).first() is not None:
        raise OidcNameTaken(name=name, subject=who.subject)
    fields = {"display_name": who.display_name, "email": who.email, "locale": "zh", "oidc_subject": who.subject}
    user = create(session, actor=None, name=name, **fields)
    if role is not None:
        bind(session, user.id, actor=None, role=role, cluster_id=None)
    return user


def create_first_admin(session: Session, *, name: str = FIRST_ADMIN, password: str | None = None) -> str | None:
    """Make the first admin and return its password, for printing once; None when there is a user already.

    The password is random unless the operator gives one; there is no default.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('autorke last admin'))"))
    if session.execute(select(User.id).limit(1)).first() is not None:
        return None
    password = password or secrets.token_urlsafe(18)
    user = create(session, actor=None, name=name, display_name=name, locale="zh", password=password)
    bind(session, user.id, actor=None, role="admin", cluster_id=None)
    return password
