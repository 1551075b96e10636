"""The outages of design §1 that adding workers could cause, by name: each must be impossible."""

from __future__ import annotations

import dataclasses
import threading

from autorke.checks.context import KnownNode, LiveNode
from autorke.checks.facts import CaFile, Container, InterfaceAddress, Leftover
from autorke.checks.results import Level, Report, Result
from autorke.checks.run import run_checks
from autorke.core.errors import Text
from autorke.drivers.base import Remote, SshTarget, Unreachable
from tests.checks.breaking import dead
from tests.checks.healthy import FIXTURES, OTHER_CA, Scene, context, node_facts, worker


def only(report: Report) -> Result:
    assert [it.check for it in report.messages] == [report.messages[0].check]
    assert report.blocked
    assert report.messages[0].level is Level.ERROR
    return report.messages[0]


def serving(scene: Scene) -> Scene:
    """The machine runs a whole worker plane and pods."""
    names = ("kubelet", "kube-proxy", "nginx-proxy", "k8s_shop_shop-1_prod_0")
    running = tuple(Container(name, "rancher/hyperkube:v1.20.15-rancher2", "running") for name in names)
    return scene.with_docker(containers=running).with_machine(processes={"kubelet": 1, "kube-proxy": 1})


def test_outage_serving_node_initialised_because_a_stale_list_named_it() -> None:
    """It is a node of this cluster, and it serves: refused before anything is set up on it, also if only it knows."""
    scene = serving(Scene()).with_context(initialise_follows=True)
    known = KnownNode("prod-a", "w3", "10.0.0.23", hostname="w3")
    assert only(scene.with_context(members=(*scene.context.members, known)).judge()).check == "already-node"
    live = LiveNode("w3", "w3", "10.0.0.23", "10.0.0.23")
    assert only(scene.with_context(live=(*scene.live, live)).judge()).check == "already-node"
    message = only(scene.judge())
    assert message.check == "serves-kubernetes"
    assert "k8s_shop_shop-1_prod_0" in message.seen.en


def test_outage_worker_added_with_a_controlplane_or_etcd_role() -> None:
    for roles in (
        ("controlplane",),
        ("etcd",),
        ("worker", "etcd"),
        ("controlplane", "etcd", "worker"),
        ("Worker",),
        (),
    ):
        assert only(Scene().with_worker(roles=roles).judge()).check == "role-worker-only"
    for role in ("controlplane", "etcd", "master", "control-plane"):
        labels = {f"node-role.kubernetes.io/{role}": "true"}
        assert only(Scene().with_worker(labels=labels).judge()).check == "reserved-keys"


def test_outage_machine_of_another_cluster_is_refused() -> None:
    """By our database, by address, internal address, hardware; by what runs on it; by the CA it carries."""
    elsewhere = Scene().with_context(others=(KnownNode("prod-b", "w3", "10.0.0.23", hostname="w3"),))
    assert only(elsewhere.judge()).check == "other-cluster"
    assert only(serving(elsewhere).judge()).check == "other-cluster"
    inside = Scene().with_context(others=(KnownNode("prod-b", "x", "10.9.9.9", internal_address="10.0.0.23"),))
    assert "prod-b" in only(inside.judge()).seen.en
    assert only(Scene().with_machine(machine_id="dd" * 16).judge()).check == "same-hardware"
    assert only(serving(Scene()).judge()).check == "serves-kubernetes"
    carried = (CaFile("/etc/kubernetes/ssl/kube-ca.pem", OTHER_CA),)
    assert only(Scene().with_machine(ca_files=carried).judge()).check == "foreign-ca"
    assert only(serving(Scene().with_machine(ca_files=carried)).judge()).check == "serves-kubernetes"


def test_outage_host_subnet_within_a_pod_or_service_range() -> None:
    for address, prefix in (("10.42.200.4", 24), ("10.43.0.9", 28), ("10.40.0.1", 8)):
        machine = Scene().facts["w3"].machine
        assert machine is not None
        addresses = (*machine.addresses, InterfaceAddress("bond0", address, prefix))
        assert only(Scene().with_machine(addresses=addresses).judge()).check == "host-subnet"


def test_outage_state_of_another_cluster_or_none_at_all() -> None:
    foreign = (FIXTURES / "other-ca.rkestate").read_text()
    assert only(Scene().with_context(rkestate=foreign).judge()).check == "state-ca"
    for text in ("", "{}", "null", "[]", '{"desiredState": 1}', (FIXTURES / "truncated.rkestate").read_text()):
        assert only(Scene().with_context(rkestate=text).judge()).check == "rkestate"


def test_outage_phantom_node_is_shown_before_rke_wipes_it() -> None:
    message = only(Scene().with_context(rkestate=(FIXTURES / "phantom-node.rkestate").read_text()).judge())
    assert message.check == "phantom-node"
    assert "127.0.0.29" in message.seen.en


def test_outage_controlplane_dead_is_one_message_however_many_machines_wait() -> None:
    scene = dead(Scene())
    others = [worker(f"w{at}", f"10.0.1.{at}") for at in range(10, 30)]
    for one in others:
        facts = dataclasses.replace(node_facts(one.node, one.node, one.address), reach=scene.facts["w3"].reach)
        scene = scene.with_second(one, facts)
    report = scene.judge()
    assert only(report).node == ""
    assert report.blocked_nodes() == frozenset(scene.facts)


def test_outage_one_hanging_node_does_not_block_the_others() -> None:
    """One machine never answers; the verdict on the others is there long before its deadline."""
    answered: list[str] = []
    over = threading.Event()

    def connect(target: SshTarget) -> Remote:
        if target.name == "w3":
            over.wait(200)
        raise Unreachable(name=target.name, address=target.address, reason="connection refused")

    def note(result: Result) -> None:
        if result.node and result.node not in answered:
            answered.append(result.node)

    workers = [worker("w3"), *(worker(f"w{at}", f"10.0.2.{at}") for at in range(4, 24))]
    quiet = dataclasses.replace(context(), control_hosts=())
    report = run_checks(workers, quiet, connect=connect, limit=30, deadline=3.0, on_result=note)
    over.set()  # it hung all the while
    assert len(answered) == len(workers)
    assert answered[-1] == "w3"
    assert "no answer within 3 s" in next(it.seen.en for it in report.messages if it.node == "w3")


def test_outage_hung_control_host_is_reported_within_its_deadline() -> None:
    over = threading.Event()

    def connect(target: SshTarget) -> Remote:
        if target.name == "cp1":
            over.wait(200)
        raise Unreachable(name=target.name, address=target.address, reason="connection refused")

    report = run_checks([worker()], context(), connect=connect, deadline=2.0)
    over.set()  # it hung all the while
    assert [it.check for it in report.messages] == ["control-hosts", "ssh-reachable"]


def test_a_retry_of_the_same_ticket_may_find_what_it_made_itself() -> None:
    """Our CA, our containers, our entry in state and cluster are no fault then; a foreign CA still is."""
    mine = context().expected_ca
    half = serving(Scene()).with_worker(resumed=True)
    half = half.with_machine(
        ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", mine),),
        leftovers=(Leftover("/etc/kubernetes", True, "ssl/kube-ca.pem"), Leftover("/var/lib/kubelet", True, "pki")),
    ).with_context(live=(*half.live, LiveNode("w3", "w3", "10.0.0.23", "10.0.0.23", ready=False)))
    assert half.judge().messages == ()
    foreign = half.with_machine(ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", OTHER_CA),))
    assert only(foreign.judge()).check == "foreign-ca"


def test_unread_api_is_no_consent() -> None:
    """No live nodes and no error: still an error, never silence."""
    report = Scene().with_context(live=None, live_error=None, server_ca=None).judge()
    assert only(report).check == "controlplane"
    named = Scene().with_context(live=None, live_error=Text(zh="证书过期", en="x509: expired"), server_ca=None).judge()
    assert "x509: expired" in only(named).seen.en
