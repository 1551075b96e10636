"""Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce; one provider, found by discovery.

Nothing of a half-done sign-in is stored: state, nonce and verifier travel in a signed cookie of the browser that
started it, so that a link with somebody else's code does not sign anybody in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from autorke.core import crypto
from autorke.users.access import Role
from autorke.users.errors import OidcOff, OidcRefused, OidcUnavailable

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
START_SECONDS = 600
LEEWAY_SECONDS = 60
CACHE_SECONDS = 600
HTTP_SECONDS = 10.0
MOST_BYTES = 1_000_000
_PURPOSE = "oidc start"
_PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OidcSettings(BaseSettings):
    """`AUTORKE_OIDC_*`; without an issuer there is no single sign-on."""

    model_config = SettingsConfigDict(env_prefix="AUTORKE_OIDC_", extra="ignore")

    issuer: str | None = Field(None, description="https://sso.example.com/realms/ops; http only for loopback")
    client_id: str = Field("autorke", description="The client registered at the provider")
    client_secret: SecretStr | None = Field(None, description="Unset for a public client (PKCE alone)")
    scopes: str = Field("openid profile email", description="Scopes to ask for")
    label: str = Field("SSO", description="Text of the button on the sign-in page")
    ca_file: Path | None = Field(None, description="PEM of the authority that signed the provider's certificate")
    create_users: bool = Field(True, description="Make an account at the first sign-in; else an admin makes it before")
    default_role: Role | None = Field(None, description="Role, on all clusters, of an account made this way")


@lru_cache(maxsize=1)
def get_oidc_settings() -> OidcSettings:
    return OidcSettings()


@dataclass(frozen=True)
class Start:
    """Where to send the browser, and the cookie it has to bring back."""

    url: str
    cookie: str


@dataclass(frozen=True)
class Identity:
    """Who the provider says this is. `subject` is unique and never reused; a name is neither."""

    subject: str
    name: str
    display_name: str
    email: str | None
    return_to: str


@dataclass(frozen=True)
class _Provider:
    authorize: str
    token: str
    keys: KeySet
    fetched: float


_cache: dict[str, _Provider] = {}
_lock = threading.Lock()


def _client(settings: OidcSettings) -> httpx.Client:
    verify = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
    return httpx.Client(timeout=HTTP_SECONDS, verify=verify, follow_redirects=False, headers=_PLAIN)


def _get(client: httpx.Client, url: str) -> Any:
    status, found = _asked(client, client.build_request("GET", url))
    if status != 200:
        raise OidcUnavailable(reason=f"status {status}")
    return found


def _asked(client: httpx.Client, request: httpx.Request, auth: httpx.Auth | None = None) -> tuple[int, Any]:
    """Status and JSON of an answer; no more of it is read than any provider says. Raises OidcUnavailable."""
    try:
        answer = client.send(request, stream=True, auth=auth)
        try:
            data = bytearray()
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise OidcUnavailable(reason="its answer is packed, which was not asked for")
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > MOST_BYTES:
                    raise OidcUnavailable(reason="its answer does not end")
        finally:
            answer.close()
        return answer.status_code, json.loads(data)
    except (httpx.HTTPError, httpx.StreamError, ValueError, RecursionError) as error:
        raise OidcUnavailable(reason=type(error).__name__) from error


def _must_be_private(url: object, issuer: str) -> None:
    """https; on this very machine also http, but only where the operator has put the provider there."""
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    here = urlsplit(issuer).hostname in _LOOPBACK and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise OidcUnavailable(reason="an endpoint is not https")


def _provider(settings: OidcSettings, *, fresh: bool = False) -> _Provider:
    """Endpoints and keys, kept for ten minutes. Raises OidcOff, OidcUnavailable."""
    if settings.issuer is None:
        raise OidcOff()
    with _lock:
        known = _cache.get(settings.issuer)
        if known and not fresh and time.monotonic() - known.fetched < CACHE_SECONDS:
            return known
        _must_be_private(settings.issuer, settings.issuer)
        with _client(settings) as client:
            found = _get(client, settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if not isinstance(found, dict) or found.get("issuer") != settings.issuer:
                raise OidcUnavailable(reason="discovery names another issuer")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                _must_be_private(found.get(name), settings.issuer)
            try:
                keys = KeySet.import_key_set(_get(client, found["jwks_uri"]))
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise OidcUnavailable(reason="its keys cannot be read") from error
        made = _Provider(found["authorization_endpoint"], found["token_endpoint"], keys, time.monotonic())
        _cache[settings.issuer] = made
        return made


def _sealed(value: dict[str, Any]) -> str:
    data = json.dumps(value).encode()
    return base64.urlsafe_b64encode(crypto.sign(data, purpose=_PURPOSE) + data).decode()


def _opened(cookie: str | None, state: str) -> dict[str, Any]:
    """What this browser started. Raises OidcRefused when it did not, or too long ago."""
    try:
        raw = base64.urlsafe_b64decode(cookie or "")
        genuine = crypto.signed(raw[16:], raw[:16], purpose=_PURPOSE)
        value: dict[str, Any] = json.loads(raw[16:]) if genuine else {}
    except ValueError:
        value = {}
    fits = secrets.compare_digest(str(value.get("state", "")).encode(), state.encode(errors="replace"))
    if not value or not fits or value["ends"] < time.time():
        raise OidcRefused(reason="this browser did not start it, or too long ago")
    return value


def local_path(text: str | None) -> str:
    """`text` when it is a path on this very site, else `/`: a sign-in must not lead elsewhere."""
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    return text


def start(settings: OidcSettings, *, callback_url: str, return_to: str | None) -> Start:
    """Begin a sign-in. Raises OidcOff, OidcUnavailable."""
    provider = _provider(settings)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": callback_url,
        "scope": settings.scopes,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    ends, back = time.time() + START_SECONDS, local_path(return_to)
    cookie = _sealed({"state": state, "nonce": nonce, "verifier": verifier, "ends": ends, "return_to": back})
    joint = "&" if "?" in provider.authorize else "?"
    return Start(f"{provider.authorize}{joint}{urlencode(query)}", cookie)


def finish(settings: OidcSettings, *, callback_url: str, code: str, state: str, cookie: str | None) -> Identity:
    """Exchange the code and check the id token. Raises OidcRefused, OidcUnavailable, OidcOff."""
    started = _opened(cookie, state)
    claims = _claims(settings, _exchange(settings, code, started["verifier"], callback_url), started["nonce"])
    email = claims.get("email")
    name = str(claims.get("preferred_username") or email or claims["sub"])
    return Identity(
        subject=f"{settings.issuer} {claims['sub']}",
        name=name,
        display_name=str(claims.get("name") or name)[:128],
        email=email if isinstance(email, str) and len(email) <= 254 else None,
        return_to=started["return_to"],
    )


def _exchange(settings: OidcSettings, code: str, verifier: str, callback_url: str) -> str:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_url, "code_verifier": verifier}
    secret = settings.client_secret
    auth = httpx.BasicAuth(settings.client_id, secret.get_secret_value()) if secret else None
    if auth is None:
        form["client_id"] = settings.client_id
    with _client(settings) as client:
        request = client.build_request("POST", _provider(settings).token, data=form)
        status, body = _asked(client, request, auth)
    token = body.get("id_token") if isinstance(body, dict) else None
    if status != 200 or not isinstance(token, str):
        raise OidcRefused(reason="the provider did not accept the code")
    return token


def _claims(settings: OidcSettings, token: str, nonce: str) -> dict[str, Any]:
    """Signature, issuer, audience, time and nonce. An unknown key id makes us fetch the keys once more."""
    try:
        try:
            claims = jwt.decode(token, _provider(settings).keys, algorithms=ALGORITHMS).claims
        except InvalidKeyIdError:
            claims = jwt.decode(token, _provider(settings, fresh=True).keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": str(settings.issuer)},
            aud={"essential": True, "value": settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (JoseError, ValueError) as error:
        raise OidcRefused(reason=f"its id token is not valid ({type(error).__name__})") from error
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if (several or "azp" in claims) and claims.get("azp") != settings.client_id:
        raise OidcRefused(reason="its id token is for another client")
    return dict(claims)
