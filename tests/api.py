"""The whole api in-process, and people to call it. A test package imports these fixtures in its conftest:

from tests.api import api, secret_key  # noqa: F401
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, func, text

from autorke.app import create_app
from autorke.clusters.models import Cluster
from autorke.core import crypto, db
from autorke.core.ids import new_id
from autorke.core.settings import get_settings
from autorke.users import passwords, sessions
from autorke.users.access import Role
from autorke.users.deps import CSRF_COOKIE, CSRF_HEADER
from autorke.users.models import ApiToken, RoleBinding, User

PASSWORD = "correct horse battery staple"
V1 = "/api/v1"


@lru_cache(maxsize=1)
def _password_hash() -> str:
    return passwords.hash_password(PASSWORD)


@dataclass
class Api:
    """The application with its database, and callers of it."""

    app: FastAPI
    running: TestClient

    @property
    def anonymous(self) -> TestClient:
        """A client without cookies and tokens."""
        return self._client({})

    def user(self, name: str, *roles: Role, cluster_id: UUID | None = None) -> UUID:
        """A local account with PASSWORD and these roles (on one cluster, or on all)."""
        with db.transaction() as session:
            user = User(name=name, display_name=name, password_hash=_password_hash())
            session.add(user)
            session.flush()
            session.add_all(RoleBinding(user_id=user.id, role=role, cluster_id=cluster_id) for role in roles)
            return user.id

    def cluster(self, name: str = "north") -> UUID:
        """A cluster to bind roles to."""
        with db.transaction() as session:
            values = {"name": name, "kubernetes_version": "v1.24.17", "api_url": f"https://{name}:6443"}
            row = Cluster(**values, ca_fingerprint=f"ca of {name}")
            session.add(row)
            session.flush()
            return row.id

    def token(self, user_id: UUID, *, scopes: list[str] | None = None) -> str:
        """An API token of the user."""
        secret = sessions.TOKEN_PREFIX + new_id().hex
        with db.transaction() as session:
            ends = func.now() + text("interval '1 day'")
            row = ApiToken(
                user_id=user_id, name=secret, token_sha256=sessions.digest(secret), scopes=scopes, expires_at=ends
            )
            session.add(row)
        return secret

    def caller(self, *roles: Role, cluster_id: UUID | None = None, name: str | None = None) -> TestClient:
        """A client that sends a bearer token of a new user with these roles."""
        user_id = self.user(name or f"u-{new_id().hex[-12:]}", *roles, cluster_id=cluster_id)
        return self._client({"Authorization": f"Bearer {self.token(user_id)}"})

    def signed_in(self, name: str) -> TestClient:
        """A client with the session cookie of this user, which sends the CSRF header as the page does."""
        client = self._client({})
        answer = client.post(f"{V1}/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers[CSRF_HEADER] = client.cookies[CSRF_COOKIE]
        return client

    def _client(self, headers: dict[str, str]) -> TestClient:
        client = TestClient(self.app, headers=headers)
        client.portal = self.running.portal  # one event loop for all, the one that runs the lifespan
        return client


@pytest.fixture
def secret_key() -> Iterator[str]:
    """A key for secrets and cursors in the settings."""
    key = crypto.new_key()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_SECRET_KEY", key)
        get_settings.cache_clear()
        yield key
    get_settings.cache_clear()


@pytest.fixture
def api(configured_db: Engine, secret_key: str) -> Iterator[Api]:
    """The api on this test's database, started and stopped."""
    get_settings.cache_clear()
    app = create_app()
    with TestClient(app) as client:
        yield Api(app, client)


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """SQL statements sent meanwhile: for query budgets."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
