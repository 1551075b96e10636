"""Role × object × verb: a person of one cluster reaches, hears, finds and counts nothing of another one.

Every route of the application has a row here. A new one fails `test_every_route_has_a_row` until somebody has said how
it keeps clusters apart:
- OBJECT: its path or body names something of a cluster. Who has no role there gets 403 or 404, and nothing is written.
- LIST: it tells of many. Who has no role there gets what he may see, without a trace of the other cluster.
- PERSONAL: it belongs to one person. Everybody else gets 404.
- SHARED: it says nothing of any cluster.
Routes of the whole platform (`EVERYWHERE` in tests/test_roles.py) refuse everybody whose role is for one cluster.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, get_args
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from autorke.app import ROUTERS
from autorke.core.ids import new_id
from autorke.users.access import Role
from autorke.web import hearing, sse
from autorke.web.parameters import PREFIX
from tests.api import V1, Api, secret_key  # noqa: F401
from tests.api import api as api
from tests.machines.test_set_routes import make as make_machines
from tests.security.twoclusters import WORD, Platform, build, rows
from tests.streams import UntilIdle
from tests.test_roles import ACCESS, EVERYWHERE, PUBLIC
from tests.workflow.conftest import desk, world  # noqa: F401

OBJECT, LIST, PERSONAL, SHARED = "object", "list", "personal", "shared"

ROWS: dict[str, str] = {
    "DELETE /api/v1/session": SHARED,
    "GET /api/v1/me": SHARED,
    "PATCH /api/v1/me": SHARED,
    "PUT /api/v1/me/password": SHARED,
    "GET /api/v1/me/tokens": SHARED,
    "POST /api/v1/me/tokens": SHARED,
    "DELETE /api/v1/me/tokens/{token_id}": PERSONAL,
    "GET /api/v1/roles": SHARED,
    "GET /api/v1/stream": LIST,
    "GET /api/v1/directory": SHARED,  # names of all people: who signs, who asks
    "GET /api/v1/machines": LIST,
    "POST /api/v1/machines/find": LIST,
    "GET /api/v1/machines/summary": LIST,
    "POST /api/v1/machines/selection": LIST,
    "GET /api/v1/machines/export": LIST,
    "POST /api/v1/machines/eligibility": LIST,
    "GET /api/v1/machines/{machine_id}": OBJECT,
    "GET /api/v1/machines/{machine_id}/tickets": OBJECT,
    "GET /api/v1/machines/{machine_id}/history": OBJECT,
    "PATCH /api/v1/machines/{machine_id}": OBJECT,
    "POST /api/v1/machines/{machine_id}/state": OBJECT,
    "POST /api/v1/machines/{machine_id}/host-key": OBJECT,
    "POST /api/v1/machines/{machine_id}/host-key/scan": OBJECT,
    "POST /api/v1/machines/{machine_id}/conflicts/{field}/resolution": OBJECT,
    "GET /api/v1/views": SHARED,
    "POST /api/v1/views": SHARED,
    "PATCH /api/v1/views/{view_id}": PERSONAL,
    "DELETE /api/v1/views/{view_id}": PERSONAL,
    "GET /api/v1/cmdb/freshness": SHARED,
    "GET /api/v1/cmdb/sources": SHARED,
    "GET /api/v1/clusters": LIST,
    "GET /api/v1/clusters/{cluster_id}": OBJECT,
    "PATCH /api/v1/clusters/{cluster_id}": OBJECT,
    "POST /api/v1/clusters/{cluster_id}/forget": OBJECT,
    "POST /api/v1/clusters/{cluster_id}/verify": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/nodes": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/overview": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/topology": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/compare": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/{number}": OBJECT,
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/{number}/file": OBJECT,
    "GET /api/v1/flows": SHARED,
    "POST /api/v1/flows/{name}/preview": OBJECT,
    "POST /api/v1/flows/{name}/checks": OBJECT,
    "GET /api/v1/inbox": LIST,
    "GET /api/v1/inbox/counts": LIST,
    "POST /api/v1/decisions": LIST,
    "GET /api/v1/tickets": LIST,
    "POST /api/v1/tickets": OBJECT,
    "GET /api/v1/tickets/{ticket_id}": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/approvals": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/nodes": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/plans/{step}": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/plans/{step}/compare": OBJECT,
    "PUT /api/v1/tickets/{ticket_id}/seen": OBJECT,
    "PUT /api/v1/tickets/{ticket_id}/watch": OBJECT,
    "DELETE /api/v1/tickets/{ticket_id}/watch": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/events": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs.zip": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/merged": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/lines": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/search": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/first-error": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/file": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/stream": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/matrix": OBJECT,
    "GET /api/v1/tickets/{ticket_id}/nodes/{node_id}": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/decisions": OBJECT,
    "DELETE /api/v1/tickets/{ticket_id}/gates/{gate_id}/approval": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/retry": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/exclude": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/pause": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/resume": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/cancel": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/close": OBJECT,
    "POST /api/v1/tickets/{ticket_id}/attempts/{attempt_id}/resolution": OBJECT,
    "GET /api/v1/overview": LIST,
    "GET /api/v1/locks": LIST,
    "POST /api/v1/locks/{kind}/{key}/release": OBJECT,
    "GET /api/v1/delegations": SHARED,
    "POST /api/v1/delegations": SHARED,
    "DELETE /api/v1/delegations/{delegation_id}": PERSONAL,
    "GET /api/v1/engine": SHARED,
    "GET /api/v1/stuck": LIST,
    "POST /api/v1/stuck/{stuck_id}/repair": OBJECT,
}


def _form(platform: Platform) -> dict[str, Any]:
    return {"cluster_id": str(platform.bravo), "machines": [{"machine_id": platform.values["machine_id"]}]}


def _decision(platform: Platform) -> dict[str, Any]:
    return {"gates": [platform.gate], "decision": "approve", "comment": "x"}


BODIES: dict[str, Callable[[Platform], Any]] = {
    "POST /api/v1/machines/find": lambda p: {"keys": ["10.0.0.0/8"]},
    "POST /api/v1/machines/selection": lambda p: {"ids": [p.values["machine_id"]], "column": "cluster_name"},
    "POST /api/v1/machines/eligibility": lambda p: {
        "action": "add_workers", "filter": ["hostname:prefix:bm"]
    },
    "PATCH /api/v1/machines/{machine_id}": lambda _: {"version": 1, "rack": "x"},
    "POST /api/v1/machines/{machine_id}/state": lambda _: {"state": "fault", "reason": "x"},
    "POST /api/v1/machines/{machine_id}/host-key": lambda _: {"host_key": "ssh-ed25519 AAAA", "replace": True},
    "POST /api/v1/machines/{machine_id}/conflicts/{field}/resolution": lambda _: {"accept": "cmdb"},
    "PATCH /api/v1/views/{view_id}": lambda _: {"shared": True},
    "PATCH /api/v1/clusters/{cluster_id}": lambda _: {"version": 1, "description": "x"},
    "POST /api/v1/clusters/{cluster_id}/forget": lambda _: {"reason": "x"},
    "POST /api/v1/flows/{name}/preview": lambda p: {"request": _form(p)},
    "POST /api/v1/flows/{name}/checks": lambda p: {"request": _form(p)},
    "POST /api/v1/decisions": lambda p: {
        "items": [{"ticket_id": p.waiting, "gates": [p.gate]}], "decision": "approve", "comment": "x"
    },
    "POST /api/v1/tickets": lambda p: {"flow": "add_workers", "request": _form(p)},
    "PUT /api/v1/tickets/{ticket_id}/seen": lambda _: {"seq": 1},
    "POST /api/v1/tickets/{ticket_id}/decisions": _decision,
    "POST /api/v1/tickets/{ticket_id}/retry": lambda _: {"step": "change"},
    "POST /api/v1/tickets/{ticket_id}/exclude": lambda p: {"nodes": [p.values["node_id"]], "reason": "x"},
    "POST /api/v1/tickets/{ticket_id}/cancel": lambda _: {"reason": "x"},
    "POST /api/v1/tickets/{ticket_id}/close": lambda _: {"reason": "x"},
    "POST /api/v1/tickets/{ticket_id}/attempts/{attempt_id}/resolution": lambda p: {
        "verdicts": {p.values["node_id"]: True}, "reason": "x"
    },
    "POST /api/v1/stuck/{stuck_id}/repair": lambda _: {"reason": "x"},
    "POST /api/v1/locks/{kind}/{key}/release": lambda _: {"reason": "x", "close_ticket": True},
}  # fmt: skip
QUERIES: dict[str, Callable[[Platform], dict[str, Any]]] = {
    "GET /api/v1/machines/summary": lambda _: {"facet": "rack,cluster_name,owner"},
    "GET /api/v1/clusters/{cluster_id}/revisions/{kind}/compare": lambda _: {"before": 1, "after": 1},
    "GET /api/v1/tickets/{ticket_id}/plans/{step}/compare": lambda p: {"before": p.plan_hash, "after": p.plan_hash},
    "GET /api/v1/tickets/{ticket_id}/logs/merged": lambda _: {"step": "configure"},
    "GET /api/v1/tickets/{ticket_id}/logs/{stream_id}/search": lambda _: {"q": WORD},
    "GET /api/v1/inbox": lambda _: {"tab": "failed"},
}
MUTE = ("GET /api/v1/inbox/counts", "POST /api/v1/decisions")
"""They tell numbers, or only what was sent: tests of their own look at them."""


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "ROTATE", UntilIdle())
    monkeypatch.setattr(hearing, "SKEW", 600.0)


@pytest.fixture
def platform(api: Api, desk: Any) -> Platform:  # noqa: F811
    found = build(api, desk)
    told = [{"topic": "tickets", "scope": str(found.bravo), "ids": [found.values["ticket_id"]]}]
    api.app.state.wakeups.memory.take(json.dumps(told).encode())
    return found


def _ask(platform: Platform, client: TestClient, route: str) -> tuple[int, list[str]]:
    """Status of a well-formed request for bravo's thing, and what its answer tells of bravo besides what was sent."""
    body = BODIES[route](platform) if route in BODIES else None
    query = QUERIES[route](platform) if route in QUERIES else None
    path = platform.path(route)
    answer = client.request(route.split(" ")[0], path, json=body, params=query)
    assert answer.status_code < 500, f"{route}: {answer.text}"
    text = _unpacked(answer.content) if answer.headers.get("content-type") == "application/zip" else answer.text
    sent = f"{path} {body} {query}"
    return answer.status_code, [sign for sign in platform.signs if sign in text and sign not in sent]


def _unpacked(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return "\n".join([name + packed.read(name).decode() for name in packed.namelist()])


def _registered() -> set[str]:
    """Every route that the application answers, whether or not its description shows it."""
    return {
        f"{method} {PREFIX}{route.path.replace(':path', '')}"
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def test_every_route_has_a_row() -> None:
    whole = {route for route, row in ACCESS.items() if row == PUBLIC or row.startswith(EVERYWHERE)}
    assert _registered() == set(ACCESS), "a route is hidden from the description of the api"
    assert set(ROWS) == set(ACCESS) - whole
    assert set(BODIES) | set(QUERIES) <= set(ROWS)


def test_a_person_of_one_cluster_reaches_nothing_of_another(platform: Platform) -> None:
    before, wrong = rows(), []
    for role in get_args(Role):
        client = platform.api.caller(role, cluster_id=platform.alpha)
        for route in [route for route, row in ROWS.items() if row in (OBJECT, PERSONAL)]:
            status, told = _ask(platform, client, route)
            if status not in (403, 404) or told:
                wrong.append((role, route, status, told))
    assert not wrong
    after = rows()
    assert {name for name in before if before[name] != after[name]} <= {"user_account", "role_binding"}  # the callers


def test_lists_counts_files_and_streams_hold_nothing_of_another_cluster(platform: Platform) -> None:
    wrong = []
    for role in get_args(Role):
        client = platform.api.caller(role, cluster_id=platform.alpha)
        for route in [route for route, row in ROWS.items() if row == LIST]:
            status, told = _ask(platform, client, route)
            if status != 200 or told:
                wrong.append((role, route, status, told))
    assert not wrong


def test_numbers_count_nothing_of_another_cluster(platform: Platform) -> None:
    stranger = platform.api.caller(*get_args(Role), cluster_id=platform.alpha)
    assert set(stranger.get(f"{V1}/inbox/counts").json().values()) == {0}
    assert stranger.get(f"{V1}/machines/summary").json()["states"] == {"in_cluster": 1}
    assert stranger.post(f"{V1}/machines/selection", json={}).json()["count"] == 1
    overview = stranger.get(f"{V1}/overview").json()
    assert (overview["tickets"]["open_now"], overview["approvals"]["open_now"], overview["failures"]["total"]) == (
        {}, 0, 0,
    )  # fmt: skip
    for listed in ("machines", "clusters"):
        assert stranger.get(f"{V1}/{listed}", params={"total": True}).json()["total"] == 1
    for listed in ("tickets", "locks", "inbox"):
        assert stranger.get(f"{V1}/{listed}", params={"total": True}).json()["total"] == 0


def test_many_decisions_at_once_sign_nothing_of_another_cluster(platform: Platform) -> None:
    for role in get_args(Role):
        client = platform.api.caller(role, cluster_id=platform.alpha)
        (said,) = client.post(f"{V1}/decisions", json=BODIES["POST /api/v1/decisions"](platform)).json()
        assert (said["ok"], said["problem"]["code"], said["state"]) == (False, "not-found", None)


def test_a_ticket_cannot_name_machines_or_nodes_of_another_cluster(platform: Platform) -> None:
    """A hidden machine is as unknown as none; of a node that serves elsewhere no more is told than what was sent."""
    requester = platform.api.caller("requester", cluster_id=platform.alpha)
    (free,) = make_machines(1, hostname="free-1", rack="none")
    hidden, nobodys = UUID(platform.values["machine_id"]), new_id()
    told = {}
    for machine in (hidden, nobodys):
        request = {"cluster_id": str(platform.alpha), "machines": [{"machine_id": str(machine)}]}
        answer = requester.post(f"{V1}/tickets", json={"flow": "add_workers", "request": request})
        told[machine] = (answer.status_code, answer.json()["detail"].replace(str(machine), "it"))
    assert told[hidden] == told[nobodys]
    request = {"cluster_id": str(platform.alpha), "machines": [{"machine_id": str(free), "hostname": "w1"}]}
    answer = requester.post(f"{V1}/tickets", json={"flow": "add_workers", "request": request})
    assert (answer.status_code, answer.json()["code"]) == (409, "nodes-in-other-cluster")
    assert "w1" in answer.text
    assert WORD not in answer.text
    assert "127.0.0.21" not in answer.text


def test_the_rows_speak_of_what_is_there(platform: Platform) -> None:
    """The same requests by somebody of the second cluster come in: what the tests above were refused exists."""
    client = platform.api.caller(*get_args(Role), cluster_id=platform.bravo)
    owner = platform.api.anonymous
    owner.headers["Authorization"] = f"Bearer {platform.api.token(platform.owner)}"
    refused, silent = [], []
    order = sorted(ROWS, key=lambda route: (not route.startswith("GET"), route.startswith("DELETE"), route))
    for route in [route for route in order if not route.endswith("/scan")]:
        status, told = _ask(platform, owner if ROWS[route] == PERSONAL else client, route)
        if status in (403, 404) and ROWS[route] != SHARED:
            refused.append((route, status))
        if ROWS[route] == LIST and route not in MUTE and not told:
            silent.append(route)
    assert not refused
    assert not silent
