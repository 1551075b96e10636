"""Who is calling: `CurrentActor` for any signed-in caller, `allowed(permission)` for one who holds it.

    @router.get("/machines")
    def list_machines(actor: Annotated[Actor, allowed("machine:read")], session: SessionDep) -> …:

Both answer before the body is validated, so that a stranger learns nothing from error texts.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from autorke.core.errors import Forbidden, Unauthenticated
from autorke.core.logs import context
from autorke.core.settings import get_settings
from autorke.users import sessions
from autorke.users.access import Actor, Permission
from autorke.users.errors import CsrfRefused
from autorke.users.sessions import Client, Opened
from autorke.web.deps import SessionDep

SESSION_COOKIE = "autorke_session"
CSRF_COOKIE = "autorke_csrf"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="An API token")
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"Cookie of a signed-in browser; writes also need {CSRF_HEADER} with the value of cookie {CSRF_COOKIE}",
)


def client_of(request: Request) -> Client:
    """Address and browser of the caller; behind a proxy the server takes the address from trusted headers."""
    host = request.client.host if request.client else "unknown"
    return Client(ip=host[:64], user_agent=request.headers.get("user-agent", ""))


def set_cookies(response: Response, opened: Opened) -> None:
    """The session for the server only, and its CSRF token for the page's script. Lax: an SSO redirect must arrive."""
    secure, age = get_settings().cookie_secure, int(sessions.MAX_AGE.total_seconds())
    response.set_cookie(SESSION_COOKIE, opened.token, max_age=age, httponly=True, secure=secure, samesite="lax")
    csrf = sessions.csrf_token(opened.token)
    response.set_cookie(CSRF_COOKIE, csrf, max_age=age, httponly=False, secure=secure, samesite="lax")


def current_actor(
    request: Request,
    session: SessionDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Actor:
    """A bearer token wins over the cookie and needs no CSRF token, since browsers never send it by themselves."""
    ip = client_of(request).ip
    actor: Actor | None = None
    if bearer is not None:
        actor = sessions.by_token(session, bearer.credentials, ip=ip)
    elif cookie:
        actor = sessions.by_cookie(session, cookie, ip=ip)
        if actor and request.method not in _SAFE and not sessions.csrf_fits(cookie, request.headers.get(CSRF_HEADER)):
            raise CsrfRefused(field=CSRF_HEADER, permission="csrf")
    if actor is None:
        raise Unauthenticated()
    context.set({**(context.get() or {}), "actor": actor.name})
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


def allowed(permission: Permission, *, everywhere: bool = False) -> Any:
    """A dependency on a caller who holds the permission on some cluster at least. Raises Unauthenticated, Forbidden.

    On which cluster is for the service to ask: `actor.require(permission, cluster_id)`, or `access.scope(...)` in SQL.
    `everywhere` is for what belongs to no cluster (people, credentials, settings): it takes a role on all clusters.
    """

    def check(actor: CurrentActor) -> Actor:
        if not (actor.may(permission) if everywhere else actor.anywhere(permission)):
            raise Forbidden(permission=permission)
        return actor

    return Depends(check)
