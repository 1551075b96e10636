"""The cluster's page: nodes by role and health, revisions, locks, open tickets, and where everything stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from autorke.clusters import live
from autorke.clusters.live import NodeDown, NodeMissing, NodeUnknown
from autorke.clusters.models import Node
from autorke.core import db
from tests.api import V1, Api, counted
from tests.clusters import make
from tests.machines.test_set_routes import make as make_machines
from tests.overview.test_machine_story import of_cluster
from tests.workflow.conftest import Desk

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/clusters"


@pytest.fixture
def cluster(api: Api) -> UUID:
    """prod-a: cp1 (control plane and etcd), w1 and w2; the machine behind w1 is known."""
    place = {"datacenter": "idc-1", "room": "r2", "rack": "B12"}
    make_machines(1, hostname="w1", address="127.0.0.21", **place)
    files = make.files()
    body = {"name": "prod-a", "cluster_yml": files.cluster_yml, "rkestate": files.rkestate}
    made = api.caller("admin", name="importer").post(URL, json={**body, "kubeconfig": files.kubeconfig})
    assert made.status_code == 201, made.text
    return UUID(made.json()["id"])


def look(cluster_id: UUID, *drift: live.Drift) -> None:
    """Keep what a look at the live cluster would have found."""
    with db.transaction() as session:
        live.record_drift(session, cluster_id, [one.as_json() for one in drift], actor=None)


def read(api: Api, path: str) -> Any:
    answer = api.caller("viewer").get(f"{URL}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_nodes_are_counted_by_role_and_by_what_the_last_look_saw(api: Api, cluster: UUID) -> None:
    before = read(api, f"{cluster}/overview")
    assert (before["nodes"], before["health"], before["verified_at"]) == (3, None, None)
    assert before["roles"]["worker"] == 2
    assert before["roles"]["etcd"] == before["roles"]["controlplane"] == 1
    look(
        cluster,
        NodeDown(field="nodes.w1", node="w1", reason="x"),
        NodeMissing(field="nodes.w2", node="w2"),
        NodeUnknown(field="nodes.w9", node="w9", address="127.0.0.99"),
    )
    with db.transaction() as session:
        texts = {"hostname": "w3", "address": "127.0.0.33", "internal_address": "127.0.0.33", "ssh_user": "ops"}
        session.add(Node(cluster_id=cluster, roles=["worker"], ssh_port=22, config_number=1, **texts))
    after = read(api, f"{cluster}/overview")
    assert after["health"] == {"ready": 1, "not_ready": 1, "missing": 1, "unseen": 1}
    assert (after["nodes"], after["drift_count"]) == (4, 3)
    shown = {node["name"]: node["health"] for node in read(api, f"{cluster}/topology")["nodes"]}
    assert shown == {"cp1": "ready", "w1": "not_ready", "w2": "missing", "w3": "unseen"}


def test_the_overview_names_revisions_locks_and_open_tickets(api: Api, cluster: UUID, desk: Desk) -> None:
    desk.requester = api.user("li", "requester")
    holder = desk.submit(nodes=["n1"], locks=[str(cluster)])
    waiting = desk.submit(nodes=["n2"], locks=[str(cluster)])
    ended = desk.submit(nodes=["n3"], policy="express")
    for ticket in (holder, waiting, ended):
        of_cluster(ticket, cluster)
    desk.finish(ended)
    found = read(api, f"{cluster}/overview")
    assert (found["config"]["number"], found["config"]["created_by"]) == (1, "importer")
    assert found["rkestate"]["reason"] == "import"
    assert [(lock["kind"], lock["name"]) for lock in found["locks"]] == [("cluster", "prod-a"), ("machine", "n1")]
    assert [UUID(one["ticket_id"]) for one in found["locks"][0]["waiting"]] == [waiting]
    assert [UUID(ticket["id"]) for ticket in found["open_tickets"]] == [waiting, holder]
    assert (found["open_tickets_total"], found["open_tickets"][0]["requester_name"]) == (2, "li")
    bot = api.anonymous
    bot.headers["Authorization"] = f"Bearer {api.token(api.user('bot', 'viewer'), scopes=['cluster:read'])}"
    narrow = bot.get(f"{URL}/{cluster}/overview").json()
    assert (narrow["nodes"], narrow["locks"], narrow["open_tickets"]) == (3, [], [])


def test_the_topology_places_every_node_and_names_its_ticket(api: Api, cluster: UUID, desk: Desk) -> None:
    (w1,) = [node for node in read(api, f"{cluster}/topology")["nodes"] if node["name"] == "w1"]
    assert (w1["datacenter"], w1["room"], w1["rack"], w1["state"]) == ("idc-1", "r2", "B12", "in_cluster")
    assert (w1["roles"], w1["ticket_id"], w1["health"]) == (["worker"], None, None)
    ticket = desk.submit(nodes=[w1["machine_id"]])
    found = read(api, f"{cluster}/topology")
    assert [node["name"] for node in found["nodes"]] == ["cp1", "w1", "w2"]
    assert found["total"] == 3
    cp1, w1, _ = found["nodes"]
    assert w1["ticket_id"] == str(ticket)
    assert w1["ticket_number"] >= 1
    assert (cp1["machine_id"], cp1["rack"], cp1["state"]) == (None, "", "")


def test_both_keep_to_the_callers_clusters_and_to_their_budgets(
    api: Api, cluster: UUID, desk: Desk, engine: Any
) -> None:
    for number in range(3):
        of_cluster(desk.submit(nodes=[f"n{number}"], locks=["k" + str(number)]), cluster)
    stranger = api.caller("viewer", cluster_id=api.cluster("other"))
    viewer = api.caller("viewer", cluster_id=cluster)
    for what in ("overview", "topology"):
        assert stranger.get(f"{URL}/{cluster}/{what}").status_code == 404
        assert viewer.get(f"{URL}/{cluster}/{what}").status_code == 200
        with counted(engine) as statements:
            viewer.get(f"{URL}/{cluster}/{what}")
        assert len(statements) <= BUDGETS[f"clusters.{what}"], statements
