"""The same faults on machines that answer over real SSH and a real Docker API wire: the simulator's.

Each test breaks one machine (or host of the cluster) and reads exactly its one message off the wire.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest

from autorke.checks.context import ClusterContext, KnownNode
from autorke.checks.results import Level, Report, Result
from autorke.checks.run import OF_PAIR, run_checks
from autorke.drivers.base import SshTarget
from autorke.drivers.fanout import Stopped
from autorke.drivers.ssh import Limits, connect
from autorke.drivers.ssh.remote import SshRemote
from autorke.sim.process import SimHandle
from tests.checks.simulated import cluster_context, target, worker

FreeMachine = Callable[[], str]
ERROR, WARNING, UNKNOWN = Level.ERROR, Level.WARNING, Level.UNKNOWN
CA_OF_NOBODY = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"


def impatient(*silent: str) -> Callable[[SshTarget], SshRemote]:
    """Gives up these machines soon; the others, which answer, may take as long as a busy machine takes."""
    return lambda to: connect(to, limits=Limits(connect=2.0, banner=3.0) if to.name in silent else Limits())


@pytest.fixture(scope="module")
def alpha(sim: SimHandle) -> ClusterContext:
    """Without images, so that nothing depends on a registry."""
    context = cluster_context(sim, "alpha")
    return dataclasses.replace(context, settings=dataclasses.replace(context.settings, images=()))


def first(value: object) -> str:
    """The name of a row as its id in test reports."""
    return value if isinstance(value, str) and " " in value else ""


def only_message(report: Report) -> Result:
    assert len(report.messages) == 1, [f"{it.check}: {it.seen.en}" for it in report.messages]
    return report.messages[0]


def test_healthy_machines_pass_and_no_machine_of_the_cluster_is_changed(
    sim: SimHandle, free_machine: FreeMachine
) -> None:
    sim.reset_counters()
    context = cluster_context(sim, "alpha")
    context = dataclasses.replace(context, settings=dataclasses.replace(context.settings, images=()))
    names = [free_machine() for _ in range(3)]
    streamed: list[Result] = []
    report = run_checks([worker(sim, name) for name in names], context, on_result=streamed.append)
    assert report.messages == ()
    assert {(it.node, it.check) for it in streamed} == {(it.node, it.check) for it in report.results}
    for name in names:
        seen = sim.counters(name)
        assert seen.get("docker_events", 0) == 0
        assert seen.get("docker_changes", 0) == 0
    assert sim.counters("alpha-w001") == {}
    assert sim.counters("beta-w001") == {}
    assert sim.counters("alpha-m001").get("execs", 0) == 0


MACHINE_FAULTS: list[tuple[str, dict[str, Any], str, Level, str]] = [
    ("docker socket denied", {"docker": {"socket": "denied"}, "groups": ["ops"]},
     "docker-access", ERROR, "usermod -aG docker ops"),
    ("docker not installed", {"docker": {"installed": False, "running": False, "socket": "absent"}},
     "docker", ERROR, "not installed"),
    ("dockerd stopped", {"docker": {"running": False, "socket": "absent"}},
     "docker", ERROR, "systemctl enable --now docker"),
    ("docker too old", {"docker": {"version": "1.12.6", "api": "1.24"}}, "docker-version", ERROR, "1.12.6"),
    ("docker too new", {"docker": {"version": "29.0.1", "api": "1.52", "min_api": "1.44"}},
     "docker-version", ERROR, "1.44"),
    ("storage driver", {"docker": {"driver": "devicemapper"}}, "docker-settings", WARNING, "devicemapper"),
    ("docker root", {"docker": {"root_dir": "/data/docker"}}, "docker-root", WARNING, "/data/docker"),
    ("streams to ports forbidden", {"tcp_forwarding": False}, "forwarding", ERROR, "AllowTcpForwarding"),
    ("clock behind", {"time_skew": -30.0}, "clock", ERROR, "behind"),
    ("clock ahead", {"time_skew": 40.0}, "clock", ERROR, "ahead of"),
    ("no time daemon", {"ntp_synced": False, "processes": []}, "ntp", WARNING, "chrony"),
    ("swap", {"swap": [{"path": "/dev/sdb1", "size_kb": 4194300}]}, "swap", WARNING, "/dev/sdb1 (4095 MiB)"),
    ("disk full", {"disks": [{"mount": "/", "size_kb": 480000000, "used_kb": 479000000}]},
     "disk-space", ERROR, "0 %"),
    ("no inodes", {"disks": [{"mount": "/", "inodes": 1000000, "inodes_used": 999000}]},
     "inodes", ERROR, "1000 / 1000000"),
    ("kernel module missing", {"loaded_modules": ["overlay"], "missing_modules": ["br_netfilter"]},
     "kernel-modules", ERROR, "br_netfilter"),
    ("no forwarding", {"sysctls": {"net.ipv4.ip_forward": "0"}}, "sysctl", ERROR, "net.ipv4.ip_forward=0"),
    ("low limit", {"nofile": 1024}, "kernel-limits", WARNING, "nofile=1024"),
    ("port taken", {"listeners": [{"port": 10250, "process": "agent"}]}, "ports", ERROR, "10250/tcp"),
    ("vxlan port taken", {"listeners": [{"port": 4789, "protocol": "udp"}]}, "ports", WARNING, "4789/udp"),
    ("node port taken", {"listeners": [{"port": 31000}]}, "node-ports", WARNING, "31000/tcp"),
    ("firewalld", {"firewalld": True}, "firewall", WARNING, "firewalld"),
    ("loopback resolver", {"nameservers": ["127.0.0.1"]}, "resolver", WARNING, "127.0.0.1"),
    ("hostname differs", {"hostname": "db-07", "fqdn": ""}, "hostname-matches", WARNING, "db-07"),
    ("old kernel", {"kernel": "2.6.32-754.el6.x86_64"}, "kernel", ERROR, "2.6.32"),
    ("other architecture", {"arch": "aarch64"}, "architecture", WARNING, "aarch64"),
    ("kubelet runs", {"processes": ["kubelet"]}, "serves-kubernetes", ERROR, "kubelet"),
    ("no sudo", {"sudo": "denied"}, "root", UNKNOWN, "NOPASSWD"),
    ("too small", {"cpus": 1}, "resources", WARNING, "1 CPU"),
    ("machine-id of another node", {"machine_id": "dd" * 16}, "same-hardware", ERROR, "prod-b/b7"),
    ("controlplane unreachable", {"blocked": ["*:6443"]}, "controlplane-reachable", ERROR, ":6443"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "check", "level", "word"), MACHINE_FAULTS, ids=first)
def test_fault_of_a_machine(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine,
    name: str, facts: dict[str, Any], check: str, level: Level, word: str,
) -> None:  # fmt: skip
    machine = free_machine()
    sim.patch_host(machine, facts=facts)
    known = KnownNode("prod-b", "b7", "10.0.1.7", hostname="b7", machine_id="dd" * 16)
    message = only_message(run_checks([worker(sim, machine)], dataclasses.replace(alpha, others=(known,))))
    assert (message.node, message.check, message.level) == (machine, check, level), f"{name}: {message.seen.en}"
    assert word in f"{message.seen.en} {message.remedy.en}"


FILE_FAULTS: list[tuple[str, dict[str, str], str, Level]] = [
    ("ca of another cluster", {"/etc/kubernetes/ssl/kube-ca.pem": CA_OF_NOBODY}, "foreign-ca", ERROR),
    ("old etcd member", {"/var/lib/etcd/member/wal/0.wal": "x"}, "leftover-data", ERROR),
    ("old kubelet data", {"/var/lib/kubelet/pki/kubelet.crt": "x"}, "leftover-data", ERROR),
    ("old calico", {"/var/lib/calico/nodename": "x"}, "leftover-data", ERROR),
    ("cni config", {"/etc/cni/net.d/10-calico.conflist": "{}"}, "leftover-files", WARNING),
    ("k3s", {"/var/lib/rancher/k3s/agent/x": "x"}, "other-distribution", ERROR),
]


@pytest.mark.parametrize(("name", "files", "check", "level"), FILE_FAULTS, ids=first)
def test_leftover_files(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine,
    name: str, files: dict[str, str], check: str, level: Level,
) -> None:  # fmt: skip
    machine = free_machine()
    sim.patch_host(machine, files=files)
    message = only_message(run_checks([worker(sim, machine)], alpha))
    assert (message.node, message.check, message.level) == (machine, check, level), f"{name}: {message.seen.en}"


CONNECTION_FAULTS: list[tuple[str, str, str, str]] = [
    ("refused", "connect", "refuse", "refused"),
    ("silent", "connect", "hang", "no answer"),
    ("no banner", "banner", "hang", "no SSH banner"),
    ("not ssh", "banner", "garbage", ""),
    ("login refused", "auth", "refuse", "refused the login of user ops"),
    ("dies on login", "auth", "die", ""),
]


@pytest.mark.parametrize(("name", "where", "kind", "word"), CONNECTION_FAULTS, ids=first)
def test_fault_of_the_connection(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine, name: str, where: str, kind: str, word: str
) -> None:
    machine = free_machine()
    fault = sim.fault(where, kind, host=machine)
    try:
        silent = impatient(machine) if kind == "hang" else impatient()
        message = only_message(run_checks([worker(sim, machine)], alpha, connect=silent))
    finally:
        sim.lift(fault)
    assert (message.node, message.check, message.level) == (machine, "ssh-reachable", ERROR), name
    assert word in message.seen.en


def test_wrong_host_key(sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine) -> None:
    name = free_machine()
    asked = worker(sim, name)
    sim.patch_host(name, rekey=True)
    message = only_message(run_checks([asked], alpha))
    assert message.check == "ssh-reachable"
    assert "not the pinned one" in message.seen.en


@pytest.mark.parametrize("kind", ["hang", "cut", "fail"])
def test_script_that_does_not_come_back(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autorke.checks.collect.SCRIPT_SECONDS", 2.0)
    name = free_machine()
    fault = sim.fault("exec", kind, host=name)
    try:
        message = only_message(run_checks([worker(sim, name)], alpha))
    finally:
        sim.lift(fault)
    assert message.check in {"facts", "ssh-reachable"}
    assert message.level is ERROR


def test_machine_of_another_cluster_by_what_runs_on_it(sim: SimHandle, alpha: ClusterContext) -> None:
    """beta's worker, which no database knows: its containers give it away, and nothing else is said."""
    message = only_message(run_checks([worker(sim, "beta-w001")], alpha))
    assert (message.node, message.check) == ("beta-w001", "serves-kubernetes")
    assert "kubelet" in message.seen.en


def test_controlplane_dead(sim: SimHandle, free_machine: FreeMachine) -> None:
    context = cluster_context(sim, "beta")
    settings = dataclasses.replace(context.settings, images=())
    faults = [sim.fault("connect", "hang", host="beta-m001"), sim.fault("tcp:6443", "hang")]
    dead = dataclasses.replace(context, settings=settings, live=None)
    try:
        report = run_checks([worker(sim, free_machine())], dead, connect=impatient("beta-m001"))
    finally:
        for fault in faults:
            sim.lift(fault)
    assert only_message(report).check == "controlplane"
    assert {it.check for it in report.not_run} == {
        "control-hosts", "control-nodes", "controlplane-reachable", "reached-by-controlplane",
    }  # fmt: skip


def test_control_host_dead_while_the_api_answers(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine
) -> None:
    fault = sim.fault("connect", "refuse", host="alpha-m001")
    try:
        message = only_message(run_checks([worker(sim, free_machine())], alpha))
    finally:
        sim.lift(fault)
    assert (message.node, message.check) == ("", "control-hosts")
    assert "alpha-m001" in message.seen.en


def test_kubelet_port_filtered_between_controlplane_and_machine(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autorke.checks.collect.REACH_SECONDS", 4.0)
    fault = sim.fault("tcp:10250", "hang", host="alpha-m001")
    try:
        message = only_message(run_checks([worker(sim, free_machine())], alpha))
    finally:
        sim.lift(fault)
    assert message.check == "reached-by-controlplane"


def test_one_bad_machine_does_not_touch_the_verdict_of_the_others(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine
) -> None:
    good, bad = [free_machine() for _ in range(3)], free_machine()
    fault = sim.fault("connect", "hang", host=bad)
    try:
        names = [good[0], bad, *good[1:]]
        report = run_checks([worker(sim, name) for name in names], alpha, connect=impatient(bad))
    finally:
        sim.lift(fault)
    assert report.blocked_nodes() == {bad}
    assert only_message(report).node == bad


def test_fifty_hanging_machines_end_within_the_deadline(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine
) -> None:
    """50 that never answer and 1 that does: each is given up at the deadline, though SSH itself would wait longer."""
    hanging = [free_machine() for _ in range(50)]
    fault = sim.fault("banner", "hang", host="free-*")
    good = "alpha-w001"
    workers = [worker(sim, name) for name in [*hanging, good]]

    def patient(to: SshTarget) -> SshRemote:
        return connect(to, limits=Limits(banner=30))

    try:
        report = run_checks(workers, alpha, connect=patient, limit=51, deadline=10.0)
    finally:
        sim.lift(fault)
    assert {it.node: it.check for it in report.messages} == {
        **dict.fromkeys(hanging, "ssh-reachable"),
        good: "already-node",
    }
    assert all("no answer within 10 s" in it.seen.en for it in report.messages if it.node in hanging)


def test_state_of_another_cluster(sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine) -> None:
    """The state of beta handed in for alpha: told by its CA before any machine is believed."""
    beta = cluster_context(sim, "beta")
    report = run_checks([worker(sim, free_machine())], dataclasses.replace(alpha, rkestate=beta.rkestate))
    assert only_message(report).check == "state-ca"


def test_control_hosts_are_connected_with_their_own_pinned_key(sim: SimHandle, alpha: ClusterContext) -> None:
    assert alpha.control_hosts[0].target == target(sim, "alpha-m001")


def test_each_machine_is_told_as_a_whole_when_it_has_answered(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine
) -> None:
    """Cluster first, then the machines in the order of their answers, then what one of them says of another."""
    slow, quick = free_machine(), free_machine()
    sim.patch_host(slow, facts={"machine_id": "ee" * 16})
    sim.patch_host(quick, facts={"machine_id": "ee" * 16})
    fault = sim.fault("connect", "slow", host=slow, ms=5000)
    told: list[tuple[str, int, int]] = []
    try:
        report = run_checks(
            [worker(sim, slow), worker(sim, quick)],
            alpha,
            on_node=lambda node, results, not_run: told.append((node, len(results), len(not_run))),
        )
    finally:
        sim.lift(fault)
    assert [node for node, _, _ in told] == ["", quick, slow, slow, quick]
    assert sum(results for _, results, _ in told) == len(report.results)
    assert sum(not_run for _, _, not_run in told) == len(report.not_run)
    assert only_message(report).check == "cloned-machine"
    assert only_message(report).check in OF_PAIR


def test_a_run_that_nobody_wants_any_more_lets_go_of_every_machine(
    sim: SimHandle, alpha: ClusterContext, free_machine: FreeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it to wait for the hanging one, that one would be told too, by its own limit."""
    monkeypatch.setattr("autorke.checks.collect.SCRIPT_SECONDS", 20.0)
    names = [free_machine() for _ in range(4)]
    fault = sim.fault("exec", "hang", host=names[0])
    stop = threading.Event()
    sim.reset_counters()

    heard: list[str] = []

    def told(node: str, *_: object) -> None:
        heard.append(node)
        if node == names[1]:
            stop.set()

    try:
        with pytest.raises(Stopped):
            run_checks([worker(sim, name) for name in names], alpha, limit=2, on_node=told, stop=stop)
    finally:
        sim.lift(fault)
    assert heard == ["", names[1]]
    assert sim.counters(names[3]) == {}, "a machine whose turn had not come was never spoken to"
