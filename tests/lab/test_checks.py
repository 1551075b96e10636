"""All checks on the real machines: a free one passes, one that serves is refused for what runs on it."""

from __future__ import annotations

from datetime import UTC, datetime

from autorke.checks.context import ClusterContext, ControlHost, Endpoint, KnownNode, NewWorker, live_node
from autorke.checks.results import Level, Report
from autorke.checks.run import run_checks
from autorke.checks.settings import settings_in, supported_docker_versions
from autorke.drivers.kube import Kube
from tests.lab.conftest import RunningLab


def context(lab: RunningLab, *, members: tuple[str, ...], initialise_follows: bool) -> ClusterContext:
    """The cluster as the platform would know it if these machines, and no others, were its nodes."""
    rkestate = lab.rkestate.read_text()
    settings = settings_in(rkestate)
    with Kube(lab.kubeconfig.read_text()) as kube:
        authority, nodes = kube.server_ca_fingerprint(), tuple(live_node(body) for body in kube.node_bodies())
    return ClusterContext(
        id="lab",
        name="lab",
        cluster_yml=lab.cluster_yml.read_text(),
        rkestate=rkestate,
        settings=settings,
        now=datetime.now(UTC),
        expected_ca=authority,
        server_ca=authority,
        members=tuple(KnownNode("lab", name, lab.machines[name].address, hostname=name) for name in members),
        live=tuple(node for node in nodes if node.name in members),
        supported_docker=supported_docker_versions(settings),
        controlplane=(Endpoint(lab.machines["m1"].address, 6443),),
        control_hosts=(ControlHost(lab.target("m1"), ("controlplane", "etcd")),),
        initialise_follows=initialise_follows,
    )


def check(lab: RunningLab, *names: str, members: tuple[str, ...] = ("m1", "m2"), initialise: bool = False) -> Report:
    workers = [NewWorker(name, lab.target(name), lab.machines[name].address, hostname=name) for name in names]
    return run_checks(workers, context(lab, members=members, initialise_follows=initialise))


def found(report: Report, level: Level) -> dict[str, set[str]]:
    """Node -> checks that ended so; the cluster's own under an empty name."""
    nodes = {result.node for result in report.results}
    return {node: {it.check for it in report.results if it.node == node and it.level is level} for node in nodes}


def test_free_machines_pass_every_check(untouched_lab: RunningLab) -> None:
    for initialise in (True, False):
        report = check(untouched_lab, "m3", "m4", initialise=initialise)
        assert len(report.results) > 100
        assert report.not_run == ()
        for level in (Level.ERROR, Level.UNKNOWN):
            assert found(report, level) == {"": set(), "m3": set(), "m4": set()}, level
        # True of the lab: its machines run on this computer's clock.
        assert found(report, Level.WARNING) == {"": set(), "m3": {"ntp"}, "m4": {"ntp"}}


def test_a_serving_worker_is_refused_even_when_no_record_knows_it(untouched_lab: RunningLab) -> None:
    report = check(untouched_lab, "m2", "m3", members=())
    errors = found(report, Level.ERROR)
    assert errors["m2"] == {"serves-kubernetes"}
    assert errors["m3"] == set()
