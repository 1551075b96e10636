"""A cluster, free machines and people: what a ticket starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from autorke.core.db import transaction
from autorke.workflow.models import LockRequest, ResourceLock, StepRow, Ticket
from tests.api import V1, Api
from tests.clusters import make


@dataclass
class Scene:
    """Cluster prod-a (nodes 127.0.0.11, .21, .22), three free machines, and people."""

    api: Api
    cluster_id: str
    machines: dict[str, str]
    requester: TestClient

    def request(self, *names: str, **more: Any) -> dict[str, Any]:
        wanted = [{"machine_id": self.machines[name]} for name in names]
        return {"cluster_id": self.cluster_id, "machines": wanted, **more}

    def submit(self, request: dict[str, Any], client: TestClient | None = None, **headers: str) -> Any:
        body = {"flow": "add_workers", "request": request}
        return (client or self.requester).post(f"{V1}/tickets", json=body, headers=headers)

    def rows(self) -> tuple[int, ...]:
        """Sizes of the tables that a submit writes."""
        with transaction() as session:
            tables = (Ticket, StepRow, LockRequest, ResourceLock)
            return tuple(session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


@pytest.fixture
def scene(api: Api) -> Scene:
    admin = api.caller("admin")
    files = make.files()
    body = {
        "name": "prod-a",
        "cluster_yml": files.cluster_yml,
        "rkestate": files.rkestate,
        "kubeconfig": files.kubeconfig,
    }
    cluster = admin.post(f"{V1}/clusters", json=body)
    assert cluster.status_code == 201, cluster.text
    ids = {}
    for number, name in enumerate(("f1", "f2", "f3"), start=41):
        body = {"hostname": name, "address": f"10.9.0.{number}", "sn": f"S{number}", "ssh_user": "ops"}
        made = admin.post(f"{V1}/machines", json=body)
        assert made.status_code == 201, made.text
        ids[name] = made.json()["id"]
    return Scene(api, cluster.json()["id"], ids, api.caller("requester"))
