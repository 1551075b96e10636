"""The fleet in figures: each one counted against rows that a test made, each one within the caller's scope."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import text

from autorke.clusters.models import Cluster, Node
from autorke.core import db
from tests.api import V1, Api, counted
from tests.cmdb.test_freshness import source
from tests.machines.test_set_routes import make, serve
from tests.overview.test_machine_story import of_cluster
from tests.workflow.conftest import Desk
from tests.workflow.toy import fail, unreachable

BUDGETS: dict[str, int] = json.loads((Path(__file__).parents[1] / "query_counts.json").read_text())
URL = f"{V1}/overview"


def figures(client: Any, **params: Any) -> dict[str, Any]:
    answer = client.get(URL, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def noon_zone() -> str:
    """Where it is about noon now: no day ends while a test counts what happened today."""
    with db.transaction() as session:
        ahead = 12 - db.db_now(session).astimezone(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"  # these names count westwards


def backdate(statement: str, **values: Any) -> None:
    with db.transaction() as session:
        session.execute(text(statement), values)


def test_nothing_is_a_figure_too(api: Api) -> None:
    found = figures(api.caller("viewer"))
    assert (found["machines"], found["cmdb"], found["versions"], found["clusters"]) == ([], [], [], [])
    assert found["tickets"] == {"opened": 0, "ended": {}, "open_now": {}}
    approvals = found["approvals"]
    assert (approvals["decided"], approvals["median_seconds"], approvals["oldest_open_at"]) == (0, None, None)
    assert [day["decided"] for day in approvals["days"]] == [0] * 7
    assert found["failures"] == {"total": 0, "by_step": [], "by_cause": []}


def test_machines_by_place_and_clusters_by_version(api: Api) -> None:
    north, south, gone = api.cluster("north"), api.cluster("south"), api.cluster("gone")
    serve(north, "north", *make(2, datacenter="idc-1"))
    make(3, datacenter="idc-1")
    make(1, datacenter="idc-2")
    with db.transaction() as session:
        session.get_one(Cluster, south).kubernetes_version = "v1.28.5"
        session.get_one(Cluster, gone).state = "archived"
        for number in range(3):
            name = f"n{number}"
            texts = {"hostname": name, "address": name, "internal_address": name, "ssh_user": "ops"}
            session.add(Node(cluster_id=north, roles=["worker"], ssh_port=22, config_number=1, **texts))
    source("main", ok_hours_ago=1)
    found = figures(api.caller("viewer"))
    assert [tuple(place.values()) for place in found["machines"]] == [
        ("idc-1", "free", 3),
        ("idc-1", "in_cluster", 2),
        ("idc-2", "free", 1),
    ]
    assert [(one["name"], one["nodes"]) for one in found["clusters"]] == [("north", 3), ("south", 0)]
    assert [tuple(one.values()) for one in found["versions"]] == [("v1.24.17", 1, 3), ("v1.28.5", 1, 0)]
    assert [one["name"] for one in found["cmdb"]] == ["main"]


def test_tickets_of_today_are_those_of_the_callers_day(api: Api, desk: Desk, world: Any) -> None:
    for name in ("a", "b"):
        desk.finish(desk.submit(nodes=[name], policy="express"))
    world.behave["change:c"] = fail
    desk.finish(desk.submit(nodes=["c"], policy="express"))
    old = desk.submit(nodes=["d"], policy="express")
    desk.finish(old)
    backdate(
        "update ticket set created_at = now() - interval '3 days', ended_at = now() - interval '2 days' where id = :id",
        id=old,
    )
    found = figures(api.caller("viewer"), tz=noon_zone())
    assert found["tickets"] == {"opened": 3, "ended": {"SUCCEEDED": 2}, "open_now": {"ATTENTION": 1}}
    shanghai = figures(api.caller("viewer"), tz="Asia/Shanghai")
    assert shanghai["day_start"].endswith(("16:00:00Z", "+08:00"))
    assert api.caller("viewer").get(URL, params={"tz": "Mars"}).json()["field"] == "tz"


def test_approvals_are_measured_from_opening_to_decision(api: Api, desk: Desk) -> None:
    ticket = desk.submit()
    desk.until(ticket, "change", "WAIT_PRE_GATE")
    backdate("update gate set closed_at = opened_at + interval '60 seconds' where state = 'APPROVED'")
    quick = desk.submit(nodes=["z"], policy="express")
    desk.finish(quick)
    backdate(
        "update gate g set opened_at = now() - interval '3 days 1000 seconds', closed_at = now() - interval '3 days'"
        " from step s where s.id = g.step_id and s.ticket_id = :id",
        id=quick,
    )
    approvals = figures(api.caller("viewer"), tz=noon_zone())["approvals"]
    today, three_ago = approvals["days"][-1], approvals["days"][-4]
    assert (today["decided"], today["median_seconds"]) == (1, 60)
    assert (three_ago["decided"], three_ago["median_seconds"]) == (1, 1000)
    assert (approvals["decided"], approvals["median_seconds"]) == (2, 530)
    assert approvals["p90_seconds"] == 906
    assert approvals["open_now"] == len(desk.open_gates(ticket)) > 0
    backdate("update gate set opened_at = opened_at - interval '9 days', closed_at = closed_at - interval '9 days'")
    assert figures(api.caller("viewer"))["approvals"]["decided"] == 0


def test_failures_are_counted_by_step_and_by_cause(api: Api, desk: Desk, world: Any) -> None:
    world.behave = {"change:a": fail, "change:b": unreachable, "change:c": unreachable}
    everybody = {"canary": 0, "size": 9, "budget": 9}
    ticket = desk.submit(nodes=["a", "b", "c", "d"], policy="express", batches=everybody)
    desk.finish(ticket)
    found = figures(api.caller("viewer"))["failures"]
    assert found["total"] == 3
    assert found["by_step"] == [{"flow_name": "toy", "step": "change", "title": {"zh": "x", "en": "x"}, "count": 3}]
    assert [(cause["code"], cause["count"]) for cause in found["by_cause"]] == [("ssh-unreachable", 2), ("failed", 1)]
    assert "192.0.2.1" in found["by_cause"][0]["example"]["en"]
    assert found["by_cause"][1]["example"] is None
    backdate("update node_result set ended_at = now() - interval '8 days'")
    assert figures(api.caller("viewer"))["failures"]["total"] == 0


def test_every_figure_keeps_to_the_callers_clusters(api: Api, desk: Desk, world: Any, engine: Any) -> None:
    mine, theirs = api.cluster("mine"), api.cluster("theirs")
    for cluster, name in ((mine, "mine"), (theirs, "theirs")):
        serve(cluster, name, *make(1, datacenter=name))
        world.behave[f"change:{name}"] = fail
        ticket = desk.submit(nodes=[name], policy="express")
        desk.finish(ticket)
        of_cluster(ticket, cluster)
    viewer = api.caller("viewer", cluster_id=mine)
    figures(viewer)
    with counted(engine) as statements:
        found = figures(viewer)
    assert len(statements) <= BUDGETS["overview"], statements
    assert [place["datacenter"] for place in found["machines"]] == ["mine"]
    assert found["tickets"]["open_now"] == {"ATTENTION": 1}
    assert (found["approvals"]["decided"], found["failures"]["total"]) == (1, 1)
    assert [one["name"] for one in found["clusters"]] == ["mine"]
    bot = api.anonymous
    bot.headers["Authorization"] = f"Bearer {api.token(api.user('bot', 'viewer'), scopes=['machine:read'])}"
    narrow = figures(bot)
    assert len(narrow["machines"]) == 2
    assert (narrow["tickets"]["opened"], narrow["failures"]["total"], narrow["clusters"]) == (0, 0, [])
