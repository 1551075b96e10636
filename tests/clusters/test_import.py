from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.clusters import importing, nodes, service
from autorke.clusters.errors import ClusterKnown, MachineAmbiguous, NodesTaken
from autorke.clusters.importing import Files
from autorke.clusters.models import Cluster, Node
from autorke.clusters.nodes import NewNode
from autorke.configs import service as configs
from autorke.configs.models import ConfigRevision, StateRevision
from autorke.core import db
from autorke.core.errors import AutoRkeError, NotFound
from autorke.core.ids import new_id
from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.machines import service as machines
from autorke.machines.errors import MachinesUnavailable
from autorke.machines.models import MachineState
from autorke.users.models import AuditEntry, User
from tests.clusters.make import ADDRESSES, actor, files, kubeconfig
from tests.clusters.make import text as fixture_text
from tests.machines.make import machine

pytestmark = pytest.mark.usefixtures("secret_key")
WEI = actor()


@pytest.fixture
def session(session: Session) -> Session:
    """Credentials name the person who made them."""
    session.add(User(id=WEI.user_id, name=WEI.name, display_name="Wei"))
    session.flush()
    return session


def _import(session: Session, name: str = "prod-a", **changes: str) -> Cluster:
    return service.import_cluster(session, actor=WEI, name=name, files=files(**changes), fields={})


_TABLES = ("cluster", "node", "config_revision", "state_revision", "credential")


def _rows(session: Session) -> list[int]:
    return [session.execute(text(f"select count(*) from {table}")).scalar_one() for table in _TABLES]  # noqa: S608


def test_import_writes_cluster_nodes_revisions_and_the_sealed_kubeconfig(session: Session) -> None:
    cluster = _import(session)
    assert (cluster.kubernetes_version, cluster.api_url) == ("v1.20.15-rancher2-1", "https://127.0.0.11:6443")
    assert cluster.ca_fingerprint == "e0c2aa1287c9dd6ea7f939c7443f0dbbdce93d45a8304c82966ff920dacc1ac8"
    assert (cluster.network_plugin, cluster.private_registry, cluster.drift) == ("canal", False, [])
    found = {node.hostname: node for node in nodes.current(session, cluster.id)}
    assert {name: node.roles for name, node in found.items()} == {
        "cp1": ["controlplane", "etcd"], "w1": ["worker"], "w2": ["worker"],
    }  # fmt: skip
    assert {node.config_number for node in found.values()} == {1}
    config = configs.current(session, ConfigRevision, cluster.id)
    state = configs.current(session, StateRevision, cluster.id)
    assert (config.number, config.reason, config.node_addresses) == (1, "import", list(ADDRESSES))
    assert configs.open_text(config) == fixture_text("cluster.yml")
    assert configs.open_text(state) == fixture_text("cluster.rkestate")
    assert service.kubeconfig_of(session, cluster, purpose="test", actor=WEI) == kubeconfig()
    actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["credential.create", "cluster.import", "secret.open"]


def test_no_secret_of_the_files_is_readable_in_the_database(session: Session) -> None:
    secret = (
        fixture_text("cluster.yml") + "private_registries:\n- {url: r.example, user: u, password: S3cret-registry}\n"
    )
    cluster = _import(session, cluster_yml=secret)
    assert cluster.private_registry
    for table in (*_TABLES, AuditEntry.__tablename__):
        dump = "\n".join(session.execute(text(f"select t::text from {table} t")).scalars())  # noqa: S608
        for word in ("S3cret-registry", "PRIVATE KEY", b"S3cret-registry".hex(), "client-key-data"):
            assert word not in dump, table


def test_machines_are_linked_by_address_internal_address_or_name(session: Session) -> None:
    cp = machine(session, address="127.0.0.11", hostname="rack1-u3")
    w1 = machine(session, address="10.77.0.1", internal_address="127.0.0.21", hostname="rack1-u4")
    w2 = machine(session, address="10.77.0.2", hostname="w2")
    other = machine(session, address="10.77.0.3", hostname="w3")
    cluster = _import(session)
    linked = {node.hostname: node.machine_id for node in nodes.current(session, cluster.id)}
    assert linked == {"cp1": cp.id, "w1": w1.id, "w2": w2.id}
    session.expire_all()
    assert (cp.state, cp.cluster_name, cp.node_name, cp.node_roles) == (
        "in_cluster", "prod-a", "cp1", "controlplane,etcd",
    )  # fmt: skip
    assert other.state == "free"


def test_a_machine_that_a_ticket_holds_stops_the_import(session: Session) -> None:
    held = machine(session, address="127.0.0.21")
    machines.reserve(session, ids=[held.id], ticket_id=new_id())
    with pytest.raises(MachinesUnavailable), session.begin_nested():
        _import(session)
    assert _rows(session) == [0, 0, 0, 0, 0]


def test_two_machines_for_one_node_are_ambiguous(session: Session) -> None:
    machine(session, address="10.77.0.1", hostname="w2")
    machine(session, address="10.77.0.2", hostname="w2")
    with pytest.raises(MachineAmbiguous) as refused:
        _import(session)
    assert "10.77.0.1" in refused.value.message.en


def test_a_large_cluster_is_linked_node_by_node(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is read a few times, not once for every machine: 1,000 nodes once took over a minute."""
    count, asked = 60, 0
    found = [
        RkeNode(
            address=f"10.66.0.{n}", roles=("worker",), user="ops", hostname=f"n{n}", internal_address=f"10.67.0.{n}"
        )
        for n in range(1, count + 1)
    ]
    made = {node.address: machine(session, address=node.address, hostname=f"m-{node.hostname}") for node in found}
    canonical = nodes.canonical

    def counted(text: str) -> str:
        nonlocal asked
        asked += 1
        return canonical(text)

    monkeypatch.setattr(nodes, "canonical", counted)
    linked = importing.link_machines(session, found)
    assert {address: one.id for address, one in linked.items()} == {address: one.id for address, one in made.items()}
    assert asked <= 4 * count


def _other_state() -> dict[str, str]:
    return {"rkestate": fixture_text("other-ca.rkestate")}


REFUSED: list[tuple[str, Callable[[], dict[str, str]], str, str]] = [
    ("truncated", lambda: {"rkestate": fixture_text("truncated.rkestate")}, "rkestate-not-json", "rkestate"),
    ("phantom", lambda: {"rkestate": fixture_text("phantom-node.rkestate")}, "rkestate-phantom-node", "rkestate."),
    ("other state", _other_state, "kubeconfig-other-ca", "kubeconfig"),
    ("other kubeconfig", lambda: {"kubeconfig": kubeconfig("other-ca.rkestate")}, "kubeconfig-other-ca", "kubeconfig"),
    ("no kubeconfig", lambda: {"kubeconfig": "just text"}, "kubeconfig-refused", "kubeconfig"),
    ("not yaml", lambda: {"cluster_yml": "nodes: ["}, "cluster-yml-not-yaml", "cluster_yml."),
    ("empty", lambda: {"cluster_yml": ""}, "cluster-yml-not-yaml", "cluster_yml"),
    ("no nodes", lambda: {"cluster_yml": "nodes: []\n"}, "rkestate-phantom-node", "rkestate."),
    ("state is a list", lambda: {"rkestate": "[]"}, "rkestate-incomplete", "rkestate"),
    ("state is empty", lambda: {"rkestate": "{}"}, "rkestate-incomplete", "rkestate."),
    (
        "unknown key",
        lambda: {"cluster_yml": fixture_text("cluster.yml") + "kubernets_version: v1\n"},
        "cluster-yml-unknown-key",
        "cluster_yml.kubernets_version",
    ),
    (
        "wrong type",
        lambda: {"cluster_yml": fixture_text("cluster.yml") + "private_registries: yes\n"},
        "cluster-yml-wrong-type",
        "cluster_yml.private_registries",
    ),
    (
        "hostile hostname",
        lambda: {
            "cluster_yml": fixture_text("cluster.yml").replace("hostname_override: w1", "hostname_override: $(id)")
        },
        "node-invalid",
        "cluster_yml.nodes.hostname_override",
    ),
    (
        "another version",
        lambda: {"cluster_yml": fixture_text("cluster.yml").replace("v1.20.15-rancher2-1", "v1.21.14-rancher1-1")},
        "kubernetes-version-unknown",
        "cluster_yml.kubernetes_version",
    ),
    (
        "node missing from cluster.yml",
        lambda: {"cluster_yml": fixture_text("cluster.yml").replace("127.0.0.22", "127.0.0.99")},
        "rkestate-phantom-node",
        "rkestate.",
    ),
]


@pytest.mark.parametrize(
    ("changes", "code", "field"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_files_that_do_not_belong_together_are_refused_and_nothing_is_written(
    session: Session, changes: Callable[[], dict[str, str]], code: str, field: str
) -> None:
    with pytest.raises(AutoRkeError) as refused:
        _import(session, **changes())
    error = refused.value
    assert (error.code, 400 <= error.status < 500) == (code, True)
    assert (error.field or "").startswith(field)
    assert error.hint.zh
    assert error.hint.en
    assert _rows(session) == [0, 0, 0, 0, 0]


def test_an_unfinished_rke_run_is_shown_as_drift(session: Session) -> None:
    document = json.loads(fixture_text("cluster.rkestate"))
    document["desiredState"]["rkeConfig"]["addonJobTimeout"] = 99
    cluster = _import(session, rkestate=json.dumps(document))
    assert [item["code"] for item in cluster.drift] == ["rkestate-change-pending"]


def test_a_cluster_is_imported_once(session: Session) -> None:
    _import(session)
    for name, field in (("prod-a", "name"), ("prod-b", "rkestate")):
        with pytest.raises(ClusterKnown) as refused:
            _import(session, name)
        assert refused.value.field == field


def _other_cluster_files(address: str, hostname: str) -> dict[str, str]:
    """The second cluster of the fixtures, with w1's address or name changed."""
    state = fixture_text("other-ca.rkestate")
    config = fixture_text("cluster.yml")
    for old, new in (("127.0.0.11", "10.1.0.11"), ("127.0.0.22", "10.1.0.22"), ("127.0.0.21", address)):
        state, config = state.replace(old, new), config.replace(old, new)
    for old, new in (("cp1", "cp9"), ("w2", "w9"), ("w1", hostname)):
        state = state.replace(f'"{old}"', f'"{new}"')
        config = config.replace(f"hostname_override: {old}", f"hostname_override: {new}")
    return {"cluster_yml": config, "rkestate": state, "kubeconfig": kubeconfig("other-ca.rkestate")}


def test_a_machine_of_cluster_a_cannot_be_added_to_cluster_b(session: Session) -> None:
    _import(session)
    for address, hostname in (("127.0.0.21", "w8"), ("10.1.0.21", "w1")):
        with pytest.raises(NodesTaken) as refused:
            _import(session, "prod-b", **_other_cluster_files(address, hostname))
        assert "w1 127.0.0.21 (prod-a)" in refused.value.message.en
    assert _import(session, "prod-b", **_other_cluster_files("10.1.0.21", "w8")).name == "prod-b"


@pytest.mark.parametrize("column", ["machine_id", "address", "internal_address", "hostname"])
def test_the_database_keeps_a_node_out_of_a_second_cluster(session: Session, column: str) -> None:
    linked = machine(session, address="127.0.0.21")
    first = _import(session)
    second = Cluster(name="prod-b", kubernetes_version="v1.20.15", ca_fingerprint="bb", api_url="")
    session.add(second)
    session.flush()
    taken = next(node for node in nodes.current(session, first.id) if node.machine_id == linked.id)
    values: dict[str, Any] = {
        "machine_id": None, "address": "10.9.9.9", "internal_address": "10.9.9.9", "hostname": "w99",
        column: getattr(taken, column),
    }  # fmt: skip
    session.add(Node(cluster_id=second.id, roles=["worker"], ssh_user="u", ssh_port=22, config_number=1, **values))
    with pytest.raises(IntegrityError, match=f"uq_node_{column}"):
        session.flush()


def test_two_people_import_the_same_files_at_once(configured_db: Any) -> None:
    with db.transaction() as session:
        session.add(User(id=WEI.user_id, name=WEI.name, display_name="Wei"))
    start, outcomes = threading.Barrier(2), []

    def run(name: str) -> None:
        start.wait()
        try:
            with db.transaction() as session:
                _import(session, name)
            outcomes.append("imported")
        except (AutoRkeError, IntegrityError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("prod-a", "prod-b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes)[-1] == "imported"
    assert outcomes.count("imported") == 1
    with db.transaction() as session:
        assert _rows(session) == [1, 3, 1, 1, 1]


def _worker(address: str, hostname: str) -> RkeNode:
    return RkeNode(address=address, roles=("worker",), user="root", hostname=hostname, internal_address=address)


def test_nodes_join_and_leave(session: Session) -> None:
    cluster, ticket = _import(session), new_id()
    free = machine(session, address="127.0.0.31", hostname="w3")
    machines.reserve(session, ids=[free.id], ticket_id=ticket)
    joined = [NewNode(_worker("127.0.0.31", "w3"), free)]
    assert len(nodes.add(session, cluster, joined, config_number=2, ticket_id=ticket)) == 1
    assert nodes.add(session, cluster, joined, config_number=2, ticket_id=ticket) == [], "said again by a retry"
    session.refresh(free)
    assert (free.state, free.node_name, free.ticket_id) == ("in_cluster", "w3", None)
    (left,) = nodes.remove(session, cluster, ["127.0.0.31"], ticket_id=new_id())
    session.refresh(free)
    assert (left.left_at is not None, free.state) == (True, "free")
    with pytest.raises(NotFound):
        nodes.remove(session, cluster, ["127.0.0.31"], ticket_id=new_id())


def test_a_forgotten_clusters_machines_are_not_free(session: Session) -> None:
    served = machine(session, address="127.0.0.21")
    cluster = service.forget(session, _import(session).id, actor=WEI, reason="moved")
    session.refresh(served)
    assert (cluster.state, served.state, nodes.current(session, cluster.id)) == ("archived", "fault", [])
    assert "prod-a" in served.state_reason
    machines.set_state(session, served.id, to=MachineState.FREE, reason="checked")
    assert _import(session, "prod-a2").name == "prod-a2"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, "strict"),
        ({"default": "standard"}, "standard"),
        ({"default": "standard", "add_workers": "express"}, "express"),
    ],
)
def test_gate_policy_of_a_flow(policy: dict[str, str], expected: str) -> None:
    assert service.policy_of(Cluster(gate_policy=policy), "add_workers") == expected


def test_files_have_no_repr() -> None:
    assert repr(Files("a-secret", "b-secret", "c-secret")) == "Files()"
