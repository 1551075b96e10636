"""Sign in by single sign-on: away to the provider, and back with a code."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from autorke.core.db import transaction
from autorke.core.settings import get_settings
from autorke.users import oidc, service, sessions
from autorke.users.deps import client_of, set_cookies
from autorke.users.errors import OidcRefused
from autorke.users.models import User
from autorke.web.parameters import PREFIX

router = APIRouter(prefix="/session/oidc", tags=["account"])

COOKIE = "autorke_oidc"
COOKIE_PATH = f"{PREFIX}/session/oidc"


def _callback_url() -> str:
    return get_settings().public_url.rstrip("/") + f"{COOKIE_PATH}/callback"


@router.get("", response_class=RedirectResponse, status_code=303)
def start_sso(
    return_to: Annotated[str | None, Query(max_length=500, description="Path to come back to")] = None,
) -> RedirectResponse:
    """Send the browser to the provider."""
    begun = oidc.start(oidc.get_oidc_settings(), callback_url=_callback_url(), return_to=return_to)
    answer = RedirectResponse(begun.url, status_code=303)
    answer.set_cookie(
        COOKIE,
        begun.cookie,
        max_age=oidc.START_SECONDS,
        path=COOKIE_PATH,
        httponly=True,
        secure=get_settings().cookie_secure,
        samesite="lax",
    )
    return answer


@router.get("/callback", response_class=RedirectResponse, status_code=303, openapi_extra={"x-any-query": True})
def finish_sso(
    request: Request,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """The provider sends the browser back here; it leaves signed in. No transaction is open meanwhile."""
    if not code:
        raise OidcRefused(reason="the provider sent no code")
    who = oidc.finish(
        oidc.get_oidc_settings(),
        callback_url=_callback_url(),
        code=code,
        state=state,
        cookie=request.cookies.get(COOKIE),
    )
    with transaction() as session:
        opened = sessions.open_session(session, _account(session, who), method="oidc", client=client_of(request))
    answer = RedirectResponse(who.return_to, status_code=303)
    set_cookies(answer, opened)
    answer.delete_cookie(COOKIE, path=COOKIE_PATH)
    return answer


def _account(session: Session, who: oidc.Identity) -> User:
    settings = oidc.get_oidc_settings()
    return service.by_identity(session, who, may_create=settings.create_users, role=settings.default_role)
