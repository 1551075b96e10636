from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from autorke.core import db
from autorke.core.ids import new_id
from autorke.users.models import AuditEntry
from tests.api import V1, Api, counted
from tests.clusters.make import ADDRESSES, kubeconfig
from tests.clusters.make import text as fixture_text
from tests.machines.make import machine

URL = f"{V1}/clusters"
REGISTRY = "private_registries:\n- {url: r.example, user: u, password: S3cret-registry}\n"


def _body(**changes: Any) -> dict[str, Any]:
    files = {
        "cluster_yml": fixture_text("cluster.yml") + REGISTRY,
        "rkestate": fixture_text("cluster.rkestate"),
        "kubeconfig": kubeconfig(),
    }
    return {"name": "prod-a", **files, **changes}


def _rows() -> int:
    with db.transaction() as session:
        return sum(
            session.execute(text(f"select count(*) from {table}")).scalar_one()  # noqa: S608
            for table in ("cluster", "node", "config_revision", "state_revision", "credential")
        )


def test_import_and_read(api: Api) -> None:
    with db.transaction() as session:
        known = machine(session, address="127.0.0.21").id
    admin = api.caller("admin")
    made = admin.post(URL, json=_body(gate_policy={"default": "standard"}))
    assert made.status_code == 201, made.text
    cluster = made.json()
    assert (cluster["node_count"], cluster["gate_policy"], cluster["private_registry"]) == (
        3,
        {"default": "standard"},
        True,
    )
    viewer = api.caller("viewer")
    assert viewer.get(f"{URL}/{cluster['id']}").json() == cluster
    assert [row["name"] for row in viewer.get(URL).json()["items"]] == ["prod-a"]
    listed = viewer.get(f"{URL}/{cluster['id']}/nodes", params={"filter": "roles:contains:worker"}).json()["items"]
    assert [(row["hostname"], row["machine_id"]) for row in listed] == [("w1", str(known)), ("w2", None)]
    assert "S3cret-registry" not in made.text


def test_import_refuses_and_writes_nothing(api: Api) -> None:
    admin, wrong = api.caller("admin"), []
    cases: list[tuple[dict[str, Any], tuple[int, ...], str]] = [
        ({"rkestate": fixture_text("truncated.rkestate")}, (422,), "rkestate"),
        ({"kubeconfig": kubeconfig("other-ca.rkestate")}, (422,), "kubeconfig"),
        ({"rkestate": fixture_text("phantom-node.rkestate")}, (409, 422), "rkestate"),
        ({"cluster_yml": "nodes: [\n"}, (422,), "cluster_yml"),
        ({"cluster_yml": "a: &a [*a]\n"}, (422,), "cluster_yml"),
        ({"cluster_yml": "x: " + "[" * 2000}, (422,), "cluster_yml"),
        ({"cluster_yml": fixture_text("cluster.yml") + "kubelett: {}\n"}, (422,), "cluster_yml.kubelett"),
        ({"rkestate": "[" * 100_000}, (422,), "rkestate"),
        ({"rkestate": '{"desiredState": 1}'}, (422,), "rkestate"),
        ({"kubeconfig": kubeconfig().replace("client-key-data", "exec: {}\n    x")}, (422,), "kubeconfig"),
        ({"kubeconfig": ""}, (422,), "kubeconfig"),
        ({"cluster_yml": 7}, (422,), "cluster_yml"),
        ({"name": "$(reboot)"}, (422,), "name"),
        ({"name": "Prod"}, (422,), "name"),
        ({"name": "a" * 51}, (422,), "name"),
        ({"gate_policy": {"default": "none"}}, (422,), "gate_policy.default"),
        ({"surprise": 1}, (422,), "surprise"),
    ]  # fmt: skip
    for change, statuses, field in cases:
        answer = admin.post(URL, json=_body(**change))
        said = str(answer.json().get("field"))
        if answer.status_code not in statuses or not said.startswith(field) or not answer.json()["remedy"]["zh"]:
            wrong.append((str(change)[:80], answer.text[:300]))
    assert not wrong
    assert _rows() == 0


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = api.caller("admin").post(URL, json=_body(rkestate="x" * 10_100_000))
    assert answer.status_code == 413
    assert _rows() == 0


def test_importing_twice_is_a_conflict(api: Api) -> None:
    admin = api.caller("admin")
    assert admin.post(URL, json=_body()).status_code == 201
    again, renamed = admin.post(URL, json=_body()), admin.post(URL, json=_body(name="prod-b"))
    assert [(one.status_code, one.json()["field"]) for one in (again, renamed)] == [(409, "name"), (409, "rkestate")]


def _import(api: Api) -> UUID:
    return UUID(api.caller("admin").post(URL, json=_body()).json()["id"])


def test_scope_hides_other_clusters(api: Api) -> None:
    mine, theirs = api.cluster("mine"), _import(api)
    requester = api.caller("requester", cluster_id=mine)
    assert [row["name"] for row in requester.get(URL).json()["items"]] == ["mine"]
    for path in ("", "/nodes", "/revisions/config", "/revisions/config/1", "/revisions/state/compare?before=1&after=1"):
        assert requester.get(f"{URL}/{theirs}{path}").status_code == 404, path
    admin = api.caller("admin", cluster_id=mine)
    assert admin.patch(f"{URL}/{theirs}", json={"version": 1, "description": "x"}).status_code == 404
    assert admin.get(f"{URL}/{theirs}/revisions/config/1/file").status_code == 404


def test_policy_and_flag_change_with_the_version_seen(api: Api) -> None:
    cluster, admin = _import(api), api.caller("admin")
    changed = admin.patch(f"{URL}/{cluster}", json={"version": 1, "flat_network": True}).json()
    assert (changed["flat_network"], changed["version"]) == (True, 2)
    stale = admin.patch(f"{URL}/{cluster}", json={"version": 1, "flat_network": False})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale-cluster")


def test_revisions_are_masked_for_readers_and_whole_for_admins_on_the_record(api: Api) -> None:
    cluster = _import(api)
    reader, admin = api.caller("requester", name="reader"), api.caller("admin", name="wei")
    base = f"{URL}/{cluster}/revisions"
    assert api.caller("viewer").get(f"{base}/config").status_code == 403
    (listed,) = reader.get(f"{base}/config").json()["items"]
    assert (listed["number"], listed["reason"], listed["node_addresses"]) == (1, "import", list(ADDRESSES))
    shown = reader.get(f"{base}/config/1").json()["text"]
    assert ("S3cret-registry" in shown, "r.example" in shown) == (False, True)
    assert reader.get(f"{base}/config/1/file").status_code == 403
    whole = admin.get(f"{base}/config/1/file")
    assert whole.text == _body()["cluster_yml"]
    assert whole.headers["cache-control"] == "no-store"
    assert "client-key-data" not in reader.get(f"{base}/state/1").text
    assert reader.get(f"{base}/state/compare", params={"before": 1, "after": 1}).json()["text"] == []
    for path in ("/config/2", "/config/compare?before=1&after=9"):
        assert reader.get(base + path).status_code == 404
    for path in ("/config/x", "/certs", "/config/compare?before=0&after=1", "/config/99999999999"):
        assert reader.get(base + path).status_code in (404, 422), path
    with db.transaction() as session:
        query = select(AuditEntry.actor_name, AuditEntry.action).where(AuditEntry.action.like("config.%"))
        seen = [tuple(row) for row in session.execute(query.order_by(AuditEntry.id))]
    assert seen == [("reader", "config.read"), ("wei", "config.download")]


def test_forget(api: Api) -> None:
    cluster, admin = _import(api), api.caller("admin")
    assert admin.post(f"{URL}/{cluster}/forget", json={}).status_code == 422
    gone = admin.post(f"{URL}/{cluster}/forget", json={"reason": "moved to another platform"}).json()
    assert (gone["state"], gone["node_count"]) == ("archived", 0)


def test_a_cluster_held_by_a_ticket_is_not_forgotten(api: Api) -> None:
    cluster = _import(api)
    with db.transaction() as session:
        session.execute(text("set local session_replication_role = replica"))  # the ticket itself does not matter here
        session.execute(
            text("insert into resource_lock (kind, key, ticket_id, fence) values ('cluster', :key, :ticket, 1)"),
            {"key": str(cluster), "ticket": new_id()},
        )
    answer = api.caller("admin").post(f"{URL}/{cluster}/forget", json={"reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (409, "cluster-busy")


def test_query_budget(api: Api, engine: Any) -> None:
    cluster, viewer = _import(api), api.caller("viewer")
    for path, budget in (("", 4), (f"/{cluster}", 4), (f"/{cluster}/nodes", 4)):
        viewer.get(URL + path)
        with counted(engine) as statements:
            assert viewer.get(URL + path).status_code == 200
        assert len(statements) <= budget, statements
