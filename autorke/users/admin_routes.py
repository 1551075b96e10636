"""Other people's accounts, their roles, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from autorke.core.schemas import Page
from autorke.users import service
from autorke.users.access import Actor
from autorke.users.deps import allowed
from autorke.users.models import AuditEntry, RoleBinding, User
from autorke.users.schemas import AuditOut, BindingIn, BindingOut, UserIn, UserOut, UserPatch
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Column, Slice, page

router = APIRouter(tags=["users"])

Reader = Annotated[Actor, allowed("user:read", everywhere=True)]
Writer = Annotated[Actor, allowed("user:write", everywhere=True)]
Auditor = Annotated[Actor, allowed("audit:read", everywhere=True)]

USER_COLUMNS = {
    "name": Column(User.name),
    "display_name": Column(User.display_name),
    "email": Column(User.email),
    "locale": Column(User.locale),
    "disabled": Column(User.disabled, bool),
    "created_at": Column(User.created_at, datetime),
    "updated_at": Column(User.updated_at, datetime),
}
AUDIT_COLUMNS = {
    "at": Column(AuditEntry.at, datetime),
    "actor_id": Column(AuditEntry.actor_id, UUID),
    "actor_name": Column(AuditEntry.actor_name),
    "method": Column(AuditEntry.method),
    "action": Column(AuditEntry.action),
    "object_type": Column(AuditEntry.object_type),
    "object_id": Column(AuditEntry.object_id),
    "ip": Column(AuditEntry.ip),
}


@router.get("/users", response_model=Page[UserOut])
def list_users(_actor: Reader, session: SessionDep, query: PageDep) -> Slice:
    """People and their roles."""
    return page(session, service.listing(), USER_COLUMNS, query, key=User.id, default_sort="name")


@router.post("/users", response_model=UserOut, status_code=201)
def create_user(body: UserIn, actor: Writer, session: SessionDep) -> User:
    """A new account, without roles yet."""
    password = body.password.get_secret_value() if body.password else None
    return service.create(session, actor=actor, **body.model_dump(exclude={"password"}), password=password)


@router.get("/users/{user_id}", response_model=UserOut)
def get_user(user_id: UUID, _actor: Reader, session: SessionDep) -> User:
    return service.get(session, user_id)


@router.patch("/users/{user_id}", response_model=UserOut)
def update_user(user_id: UUID, body: UserPatch, actor: Writer, session: SessionDep) -> User:
    """Change the fields that are sent. Disabling, or a new password, signs the user out everywhere."""
    return service.update(session, user_id, actor=actor, changes=body.changes())


@router.delete("/users/{user_id}", status_code=204)
def delete_user(user_id: UUID, actor: Writer, session: SessionDep) -> None:
    """Only somebody to whom no record refers; others can be disabled."""
    service.delete_user(session, user_id, actor=actor)


@router.post("/users/{user_id}/bindings", response_model=BindingOut, status_code=201)
def bind_role(user_id: UUID, body: BindingIn, actor: Writer, session: SessionDep) -> RoleBinding:
    """Give a role, on one cluster or on all."""
    return service.bind(session, user_id, actor=actor, role=body.role, cluster_id=body.cluster_id)


@router.delete("/users/{user_id}/bindings/{binding_id}", status_code=204)
def unbind_role(user_id: UUID, binding_id: UUID, actor: Writer, session: SessionDep) -> None:
    """Take a role away; it counts from the next request on."""
    service.unbind(session, user_id, binding_id, actor=actor)


@router.get("/audit", response_model=Page[AuditOut])
def list_audit(_actor: Auditor, session: SessionDep, query: PageDep) -> Slice:
    """Who did what, newest first."""
    return page(session, select(AuditEntry), AUDIT_COLUMNS, query, key=AuditEntry.id, default_sort="-at")
