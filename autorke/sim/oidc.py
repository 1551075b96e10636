"""An OpenID Connect provider: authorization code with PKCE, one page on which a visitor picks who he is.

Honest where a client could be wrong: codes work once and for a minute, redirect addresses and verifiers are compared,
tokens are signed. Names stand in the fleet description; there are no passwords, because nothing here is worth
protecting.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from autorke.sim.faults import FaultBook
from autorke.sim.fleet import OidcSpec, OidcUser
from autorke.sim.http import Cut, Handler, Request, Response, json_response, text_response

NAME = "oidc"
CODE_SECONDS = 60.0
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class _Grant:
    """What a code stands for."""

    user: OidcUser
    client_id: str
    redirect_uri: str
    nonce: str
    challenge: str
    made: float


class Refused(Exception):
    """An OAuth 2 error: code and text."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


class OidcProvider:
    """`issuer` is this provider's own URL, set once it listens."""

    def __init__(self, spec: OidcSpec, faults: FaultBook) -> None:
        self.spec = spec
        self.issuer = ""
        self._faults = faults
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
        self._grants: dict[str, _Grant] = {}
        self._tokens: dict[str, OidcUser] = {}

    def handler(self) -> Handler:
        async def answer(request: Request) -> Response:
            fault = self._faults.strike((NAME,), NAME, request.path.strip("/"))
            if fault is not None and fault.kind == "hang":
                await fault.hold()
            elif fault is not None and fault.kind in {"fail", "refuse"}:
                return json_response({"error": "server_error"}, fault.status)
            elif fault is not None:
                raise Cut
            try:
                return self._answer(request)
            except Refused as error:
                return json_response({"error": error.error, "error_description": str(error)}, 400)

        return answer

    def _answer(self, request: Request) -> Response:
        route = (request.method, request.path)
        if route == ("GET", "/.well-known/openid-configuration"):
            return json_response(self._discovery())
        if route == ("GET", "/jwks"):
            return json_response({"keys": [self._key.as_dict(private=False)]})
        if route == ("GET", "/authorize"):
            return self._authorize(dict(request.query))
        if route == ("POST", "/token"):
            return json_response(self._token(request), headers={"Cache-Control": "no-store"})
        if route == ("GET", "/userinfo"):
            return self._userinfo(request)
        return json_response({"error": "not_found"}, 404)

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email"],
        }

    def _authorize(self, query: dict[str, str]) -> Response:
        """The page with the names; with `login_hint` the choice is made already."""
        if query.get("client_id") != self.spec.client_id:
            raise Refused("unauthorized_client", "this client is not registered")
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            raise Refused("invalid_request", "only response_type=code with an S256 challenge")
        redirect = query.get("redirect_uri", "")
        if not redirect.startswith(("http://", "https://")):
            raise Refused("invalid_request", "redirect_uri is missing")
        user = next((one for one in self.spec.users if one.name == query.get("login_hint")), None)
        if user is None:
            return text_response(self._page(query), content_type="text/html; charset=utf-8")
        code = secrets.token_urlsafe(24)
        self._grants[code] = _Grant(
            user,
            query["client_id"],
            redirect,
            query.get("nonce", ""),
            query.get("code_challenge", ""),
            time.monotonic(),
        )
        back = urlencode({"code": code, "state": query.get("state", "")})
        joint = "&" if "?" in redirect else "?"
        return Response(302, headers={"Location": f"{redirect}{joint}{back}", "Cache-Control": "no-store"})

    def _page(self, query: dict[str, str]) -> str:
        links = ""
        for user in self.spec.users:
            target = "/authorize?" + urlencode(query | {"login_hint": user.name})
            links += f'<li><a href="{escape(target)}">{escape(user.display_name)}</a> ({escape(user.name)})</li>'
        return f'<!doctype html><html lang="en"><title>Sign in</title><h1>Who are you?</h1><ul>{links}</ul></html>'

    def _token(self, request: Request) -> dict[str, Any]:
        form = {key: values[0] for key, values in parse_qs(request.body.decode(errors="replace")).items()}
        client_id, secret = self._client(request, form)
        if client_id != self.spec.client_id or not self._secret_fits(secret):
            raise Refused("invalid_client", "unknown client or wrong secret")
        grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or time.monotonic() - grant.made > CODE_SECONDS:
            raise Refused("invalid_grant", "the code is unknown, used or too old")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if form.get("redirect_uri") != grant.redirect_uri or not hmac.compare_digest(challenge, grant.challenge):
            raise Refused("invalid_grant", "redirect_uri or code_verifier differ from the request")
        access = secrets.token_urlsafe(24)
        self._tokens[access] = grant.user
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "id_token": self._id_token(grant),
        }

    def _client(self, request: Request, form: dict[str, str]) -> tuple[str, str]:
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            name, _, secret = base64.b64decode(basic[6:]).decode(errors="replace").partition(":")
            return name, secret
        return form.get("client_id", ""), form.get("client_secret", "")

    def _secret_fits(self, given: str) -> bool:
        wanted = self.spec.client_secret
        return wanted is None or hmac.compare_digest(given.encode(), wanted.encode())

    def _id_token(self, grant: _Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "nonce": grant.nonce,
            **_claims(grant.user),
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key, algorithms=["ES256"])

    def _userinfo(self, request: Request) -> Response:
        user = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return json_response(_claims(user)) if user else json_response({"error": "invalid_token"}, 401)


def _claims(user: OidcUser) -> dict[str, Any]:
    return {
        "sub": hashlib.sha256(user.name.encode()).hexdigest()[:24],
        "preferred_username": user.name,
        "name": user.display_name,
        "email": f"{user.name}@example.com",
    }
