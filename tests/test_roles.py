"""Who may call what: every route of the api has one row here, and every row is tried with every role.

A new route without a row fails `test_every_route_has_a_row`. Write the roles that may call it, then
- nothing more, when holding the role on one cluster is enough to come in (the service then looks at the cluster);
- `EVERYWHERE +`, when it belongs to no cluster and so takes the role on all clusters.
"""

from __future__ import annotations

import re
from typing import get_args

import pytest
from fastapi.testclient import TestClient

from autorke.app import create_app
from autorke.core.ids import new_id
from autorke.users.access import ROLES, Role
from autorke.web import sse
from tests.api import Api, secret_key  # noqa: F401
from tests.api import api as api

PUBLIC = "public"
SIGNED_IN = "signed in"
EVERYWHERE = "everywhere "

ALL = "viewer requester approver network-admin auditor admin"
CONFIGS = ALL.removeprefix("viewer ")

ACCESS: dict[str, str] = {
    # account
    "GET /api/v1/health": PUBLIC,
    "GET /api/v1/login-methods": PUBLIC,
    "POST /api/v1/session": PUBLIC,
    "DELETE /api/v1/session": SIGNED_IN,
    "GET /api/v1/session/oidc": PUBLIC,
    "GET /api/v1/session/oidc/callback": PUBLIC,
    "GET /api/v1/me": SIGNED_IN,
    "PATCH /api/v1/me": SIGNED_IN,
    "PUT /api/v1/me/password": SIGNED_IN,
    "GET /api/v1/me/tokens": SIGNED_IN,
    "POST /api/v1/me/tokens": SIGNED_IN,
    "DELETE /api/v1/me/tokens/{token_id}": SIGNED_IN,
    "GET /api/v1/roles": SIGNED_IN,
    "GET /api/v1/stream": SIGNED_IN,
    "GET /api/v1/directory": SIGNED_IN,
    # people
    "GET /api/v1/users": EVERYWHERE + "auditor admin",
    "POST /api/v1/users": EVERYWHERE + "admin",
    "GET /api/v1/users/{user_id}": EVERYWHERE + "auditor admin",
    "PATCH /api/v1/users/{user_id}": EVERYWHERE + "admin",
    "DELETE /api/v1/users/{user_id}": EVERYWHERE + "admin",
    "POST /api/v1/users/{user_id}/bindings": EVERYWHERE + "admin",
    "DELETE /api/v1/users/{user_id}/bindings/{binding_id}": EVERYWHERE + "admin",
    "GET /api/v1/audit": EVERYWHERE + "auditor admin",
    # credentials
    "GET /api/v1/credentials": EVERYWHERE + "auditor admin",
    "POST /api/v1/credentials": EVERYWHERE + "admin",
    "GET /api/v1/credentials/{credential_id}": EVERYWHERE + "auditor admin",
    "PATCH /api/v1/credentials/{credential_id}": EVERYWHERE + "admin",
    "PUT /api/v1/credentials/{credential_id}/secret": EVERYWHERE + "admin",
    "DELETE /api/v1/credentials/{credential_id}": EVERYWHERE + "admin",
    # machines
    "GET /api/v1/machines": ALL,
    "POST /api/v1/machines": EVERYWHERE + "admin",
    "POST /api/v1/machines/find": ALL,
    "GET /api/v1/machines/summary": ALL,
    "POST /api/v1/machines/selection": ALL,
    "GET /api/v1/machines/export": ALL,
    "POST /api/v1/machines/eligibility": ALL,
    "GET /api/v1/machines/{machine_id}": ALL,
    "GET /api/v1/machines/{machine_id}/tickets": ALL,
    "GET /api/v1/machines/{machine_id}/history": ALL,
    "PATCH /api/v1/machines/{machine_id}": "admin",
    "POST /api/v1/machines/{machine_id}/state": "admin",
    "POST /api/v1/machines/{machine_id}/host-key": "admin",
    "POST /api/v1/machines/{machine_id}/host-key/scan": "admin",
    "POST /api/v1/machines/{machine_id}/conflicts/{field}/resolution": "admin",
    # saved views: everybody has their own
    "GET /api/v1/views": SIGNED_IN,
    "POST /api/v1/views": SIGNED_IN,
    "PATCH /api/v1/views/{view_id}": SIGNED_IN,
    "DELETE /api/v1/views/{view_id}": SIGNED_IN,
    # cmdb
    "GET /api/v1/cmdb/freshness": ALL,
    "GET /api/v1/cmdb/sources": ALL,
    "POST /api/v1/cmdb/sources": EVERYWHERE + "admin",
    "GET /api/v1/cmdb/sources/{source_id}": EVERYWHERE + "admin",
    "PATCH /api/v1/cmdb/sources/{source_id}": EVERYWHERE + "admin",
    "POST /api/v1/cmdb/sources/{source_id}/sync": EVERYWHERE + "admin",
    "GET /api/v1/cmdb/sources/{source_id}/runs": EVERYWHERE + "admin",
    "GET /api/v1/cmdb/runs/{run_id}": EVERYWHERE + "admin",
    "POST /api/v1/cmdb/imports": EVERYWHERE + "admin",
    "POST /api/v1/cmdb/preview": EVERYWHERE + "admin",
    # clusters and their files
    "GET /api/v1/clusters": ALL,
    "POST /api/v1/clusters": EVERYWHERE + "admin",
    "GET /api/v1/clusters/{cluster_id}": ALL,
    "PATCH /api/v1/clusters/{cluster_id}": "admin",
    "POST /api/v1/clusters/{cluster_id}/forget": "admin",
    "POST /api/v1/clusters/{cluster_id}/verify": "admin",
    "GET /api/v1/clusters/{cluster_id}/nodes": ALL,
    "GET /api/v1/clusters/{cluster_id}/overview": ALL,
    "GET /api/v1/clusters/{cluster_id}/topology": ALL,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}": CONFIGS,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/compare": CONFIGS,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/{number}": CONFIGS,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/{number}/file": "admin",
    # tickets
    "GET /api/v1/flows": ALL,
    "POST /api/v1/flows/{name}/preview": "requester admin",
    "POST /api/v1/flows/{name}/checks": "requester admin",
    "GET /api/v1/inbox": ALL,
    "GET /api/v1/inbox/counts": ALL,
    "POST /api/v1/decisions": ALL,  # each gate asks for its own permission
    "GET /api/v1/tickets": ALL,
    "POST /api/v1/tickets": "requester admin",
    "GET /api/v1/tickets/{ticket_id}": ALL,
    "GET /api/v1/tickets/{ticket_id}/approvals": ALL,
    "GET /api/v1/tickets/{ticket_id}/nodes": ALL,
    "GET /api/v1/tickets/{ticket_id}/plans/{step}": ALL,
    "GET /api/v1/tickets/{ticket_id}/plans/{step}/compare": ALL,
    "PUT /api/v1/tickets/{ticket_id}/seen": ALL,  # one's own note
    "PUT /api/v1/tickets/{ticket_id}/watch": ALL,
    "DELETE /api/v1/tickets/{ticket_id}/watch": ALL,
    "GET /api/v1/tickets/{ticket_id}/events": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs.zip": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/merged": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/lines": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/search": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/first-error": ALL,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/file": ALL,
    "GET /api/v1/tickets/{ticket_id}/stream": ALL,
    "GET /api/v1/tickets/{ticket_id}/matrix": ALL,
    "GET /api/v1/tickets/{ticket_id}/nodes/{node_id}": ALL,
    "POST /api/v1/tickets/{ticket_id}/decisions": ALL,  # each gate asks for its own permission
    "DELETE /api/v1/tickets/{ticket_id}/gates/{gate_id}/approval": ALL,  # only one's own
    "POST /api/v1/tickets/{ticket_id}/retry": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/exclude": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/pause": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/resume": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/cancel": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/close": "requester approver admin",
    "POST /api/v1/tickets/{ticket_id}/attempts/{attempt_id}/resolution": "approver admin",
    "POST /api/v1/callbacks/{token}": PUBLIC,  # its token and signature are the credential
    # around tickets
    "GET /api/v1/overview": ALL,
    "GET /api/v1/locks": ALL,
    "GET /api/v1/stuck": ALL,
    "POST /api/v1/stuck/{stuck_id}/repair": ALL,  # each repair asks for its own permission
    "POST /api/v1/locks/{kind}/{key}/release": "admin",
    "GET /api/v1/delegations": SIGNED_IN,
    "POST /api/v1/delegations": "approver admin",
    "DELETE /api/v1/delegations/{delegation_id}": SIGNED_IN,
    "GET /api/v1/engine": SIGNED_IN,
    "PUT /api/v1/engine": EVERYWHERE + "admin",
}


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event stream answers until its connection is rotated: here at once."""
    monkeypatch.setattr(sse, "ROTATE", 0.02)


def _routes() -> set[str]:
    paths = create_app().openapi()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


def _allowed(row: str, role: Role) -> bool:
    return row in (PUBLIC, SIGNED_IN) or role in row.removeprefix(EVERYWHERE).split()


def _call(client: TestClient, route: str) -> int:
    """The status of a call with an id that is nobody's and an empty body: enough to come in, never enough to act."""
    method, path = route.split(" ", 1)
    path = re.sub(r"\{\w+\}", lambda _: str(new_id()), path)
    body = None if method in ("GET", "DELETE") else {}
    status = client.request(method, path, json=body).status_code
    assert status < 500, f"{route} broke"
    return status


def test_every_route_has_a_row() -> None:
    missing, gone = _routes() - set(ACCESS), set(ACCESS) - _routes()
    assert not missing, f"add these routes to ACCESS: {sorted(missing)}"
    assert not gone, f"these rows have no route: {sorted(gone)}"


def test_rows_name_roles_that_exist() -> None:
    assert set(get_args(Role)) == set(ROLES) == set(ALL.split())
    for route, row in ACCESS.items():
        if row not in (PUBLIC, SIGNED_IN):
            assert set(row.removeprefix(EVERYWHERE).split()) <= set(ROLES), route


def test_a_stranger_comes_in_only_where_it_is_public(api: Api) -> None:
    for route, row in ACCESS.items():
        status = _call(api.anonymous, route)
        if row == PUBLIC:
            assert status != 403, route
        else:
            assert status == 401, route


@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_on_all_clusters(api: Api, role: Role) -> None:
    client = api.caller(role)
    wrong = {
        route: status
        for route, row in ACCESS.items()
        if (status := _call(client, route)) and (status == 403) is _allowed(row, role)
        if not (route in FORBIDDEN_TO_TOKENS and status in (403, 422))
    }
    assert not wrong


# A token may not mint tokens nor change passwords, whatever its owner's role.
FORBIDDEN_TO_TOKENS = {"PUT /api/v1/me/password", "POST /api/v1/me/tokens"}


@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_on_one_cluster_only(api: Api, role: Role) -> None:
    client = api.caller(role, cluster_id=api.cluster())
    wrong = {
        route: status
        for route, row in ACCESS.items()
        if (status := _call(client, route))
        and (status == 403) is (_allowed(row, role) and not row.startswith(EVERYWHERE))
        if not (route in FORBIDDEN_TO_TOKENS and status in (403, 422))
    }
    assert not wrong


def test_no_role_at_all_opens_only_ones_own_account(api: Api) -> None:
    client = api.caller()
    for route, row in ACCESS.items():
        assert (_call(client, route) == 403) is (row not in (PUBLIC, SIGNED_IN)), route


def test_a_token_with_scopes_may_only_what_they_name(api: Api) -> None:
    admin = api.user("root", "admin")
    client = api.anonymous
    client.headers["Authorization"] = f"Bearer {api.token(admin, scopes=['credential:read'])}"
    open_routes = {
        route for route, row in ACCESS.items() if row not in (PUBLIC, SIGNED_IN) and _call(client, route) != 403
    }
    assert open_routes == {"GET /api/v1/credentials", "GET /api/v1/credentials/{credential_id}"}
