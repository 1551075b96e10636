"""One's own account: sign in, sign out, who am I, API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from autorke.core.schemas import Page
from autorke.users import service, sessions
from autorke.users.access import ROLES, Actor
from autorke.users.deps import CSRF_COOKIE, SESSION_COOKIE, CurrentActor, client_of, set_cookies
from autorke.users.models import ApiToken, User
from autorke.users.oidc import get_oidc_settings
from autorke.users.schemas import (
    BindingOut,
    LogIn,
    LoginMethods,
    Me,
    MeIn,
    PasswordIn,
    PersonOut,
    RoleOut,
    TokenCreated,
    TokenIn,
    TokenOut,
)
from autorke.web.deps import PageDep, SessionDep
from autorke.web.paging import Column, Slice, page

router = APIRouter(tags=["account"])

TOKEN_COLUMNS = {"name": Column(ApiToken.name), "created_at": Column(ApiToken.created_at, datetime)}


def describe(session: Session, actor: Actor) -> Me:
    """The caller as the page sees itself."""
    user = service.get(session, actor.user_id)
    held = {name: actor.clusters(name) for name in ROLES["admin"] if actor.anywhere(name)}
    return Me(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        locale=user.locale,
        method=actor.method,
        bindings=[BindingOut.model_validate(binding) for binding in user.bindings],
        permissions={name: None if where is None else sorted(where) for name, where in sorted(held.items())},
    )


@router.get("/login-methods", response_model=LoginMethods)
def login_methods() -> LoginMethods:
    """What the sign-in page can offer. Needs no sign-in."""
    settings = get_oidc_settings()
    return LoginMethods(password=True, oidc=settings.label if settings.issuer else None)


@router.post("/session", response_model=Me)
def log_in(body: LogIn, request: Request, response: Response, session: SessionDep) -> Me:
    """Sign in with a local account; sets the session cookie and its CSRF cookie."""
    password, client = body.password.get_secret_value(), client_of(request)
    opened = sessions.log_in(session, name=body.name, password=password, client=client)
    set_cookies(response, opened)
    return describe(session, opened.actor)


@router.delete("/session", status_code=204)
def log_out(actor: CurrentActor, response: Response, session: SessionDep) -> None:
    """Sign out; the session ends on the server."""
    sessions.close(session, actor)
    response.delete_cookie(SESSION_COOKIE)
    response.delete_cookie(CSRF_COOKIE)


@router.get("/me", response_model=Me)
def get_me(actor: CurrentActor, session: SessionDep) -> Me:
    """Who am I, and what may I do where?"""
    return describe(session, actor)


@router.patch("/me", response_model=Me)
def update_me(body: MeIn, actor: CurrentActor, session: SessionDep) -> Me:
    """Change one's display name or language."""
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    service.update(session, actor.user_id, actor=actor, changes=changes)
    return describe(session, actor)


@router.put("/me/password", status_code=204)
def change_password(body: PasswordIn, actor: CurrentActor, session: SessionDep) -> None:
    """Change one's password; all other sessions end."""
    current, new = body.current.get_secret_value(), body.new.get_secret_value()
    service.change_password(session, actor=actor, current=current, new=new)


@router.get("/me/tokens", response_model=Page[TokenOut])
def list_tokens(actor: CurrentActor, session: SessionDep, query: PageDep) -> Slice:
    """One's API tokens, without their text."""
    return page(session, service.tokens_of(actor), TOKEN_COLUMNS, query, key=ApiToken.id, default_sort="name")


@router.post("/me/tokens", response_model=TokenCreated, status_code=201)
def create_token(body: TokenIn, actor: CurrentActor, session: SessionDep) -> TokenCreated:
    """Make an API token. Its text is in this answer and nowhere else."""
    scopes = None if body.scopes is None else list[str](body.scopes)
    token, secret = service.create_token(
        session, actor=actor, name=body.name, expires_at=body.expires_at, scopes=scopes
    )
    return TokenCreated(token=secret, **TokenOut.model_validate(token).model_dump())


@router.delete("/me/tokens/{token_id}", status_code=204)
def delete_token(token_id: UUID, actor: CurrentActor, session: SessionDep) -> None:
    """Revoke one of one's tokens."""
    service.delete_token(session, token_id, actor=actor)


@router.get("/roles", response_model=list[RoleOut])
def list_roles(_actor: CurrentActor) -> list[RoleOut]:
    """The roles there are and what each may do."""
    return [RoleOut(name=name, permissions=sorted(held)) for name, held in ROLES.items()]


@router.get("/directory", response_model=list[PersonOut])
def list_people(
    _actor: CurrentActor,
    session: SessionDep,
    ids: Annotated[list[UUID] | None, Query(alias="id", max_length=200, description="These people only")] = None,
    search: Annotated[str, Query(max_length=64, description="Part of a name")] = "",
) -> list[User]:
    """Names to show beside ids, by name; at most 2,000."""
    return service.directory(session, ids=ids or (), search=search)
