"""Joining one worker: order as recorded from stock rke, refusals before any change, resuming after each failure."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autorke.core.errors import AutoRkeError
from autorke.drivers.base import DockerError
from autorke.drivers.rkefiles.nodes import RkeNode, node_from_state
from autorke.drivers.workerplane.certificates import serving_certificate
from autorke.drivers.workerplane.clone import compare_with_worker
from autorke.drivers.workerplane.config import ClusterConfig, live_host_info, read_config
from autorke.drivers.workerplane.errors import (
    CertificateMissing,
    ContainerDiffers,
    ForeignCluster,
    NotAFreeMachine,
    NotHealthy,
    OneShotFailed,
    StaleContainer,
)
from autorke.drivers.workerplane.join import Patience, join_worker, planned_order
from autorke.drivers.workerplane.plan import JoinPlan, plan_join
from autorke.drivers.workerplane.probe import probe_worker
from autorke.drivers.workerplane.spec import serving_certificate_name
from tests.drivers.workerplane.certificates import bundle
from tests.drivers.workerplane.fakes import FakeContainer, FakeMachine
from tests.drivers.workerplane.recordings import scenario, state

QUICK = Patience(health=0.0, interval=0.01)
SSL = "/etc/kubernetes/ssl"


class Join:
    """A plan for the node that the recording adds, an empty machine, and what was said."""

    def __init__(self, name: str = "01-defaults", changes: dict[str, Any] | None = None) -> None:
        self.scenario = name
        config = deepcopy(state(name)["desiredState"]["rkeConfig"])
        config.update(changes or {})
        self.config: ClusterConfig = read_config(config)
        self.node: RkeNode = node_from_state(config["nodes"][-1])
        self.machine = FakeMachine(info_answer=scenario(name)["docker_info"])
        self.lines: list[str] = []
        self.bundle = dict(bundle())
        if self.config.serving_certificates:
            for node in self.config.nodes:
                self.bundle[serving_certificate_name(node)] = serving_certificate(node, self.bundle["kube-ca"])
        self.plan = self.new_plan()

    def new_plan(self) -> JoinPlan:
        host = live_host_info(self.config, self.machine.info())
        return plan_join(self.config, self.node, host, self.bundle, cluster_nodes=self.config.nodes)

    def run(self) -> Any:
        return join_worker(self.machine, self.machine, self.plan, self._hear, patience=QUICK)

    def _hear(self, name: str, line: str) -> None:
        assert name == "m1"
        self.lines.append(line)


def without_pulls(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.startswith("pull ")]


OURS = ("cert-deployer", "nginx-proxy", "service-sidekick", "kubelet", "kube-proxy", "rke-log-linker")


@pytest.mark.parametrize("name", ["01-defaults", "04-extra-args", "06-serving-cert", "19-k118-rke11"])
def test_docker_calls_come_in_the_order_of_stock_rke(name: str) -> None:
    join = Join(name)

    report = join.run()

    recorded = scenario(name)["add_worker"]["workers"][0]["docker_calls"]
    same_work = [call for call in recorded if call.split()[1] in OURS]
    assert without_pulls(join.machine.calls) == same_work
    assert {call for call in recorded if call.startswith("pull")} < set(join.machine.calls)
    assert list(report.changes) == join.machine.calls == list(planned_order(join.plan))


def test_created_bodies_are_the_planned_ones() -> None:
    join = Join()
    join.run()
    assert {name: join.machine.bodies[name] for name in ("kubelet", "nginx-proxy")} == {
        spec.name: spec.create_body() for spec in join.plan.containers if spec.name in ("kubelet", "nginx-proxy")
    }


def test_a_second_join_changes_nothing() -> None:
    join = Join()
    join.run()
    join.machine.calls.clear()

    report = join.run()

    assert join.machine.calls == []
    assert report.changes == ()
    assert set(report.kept) == {"nginx-proxy", "service-sidekick", "kubelet", "kube-proxy"}


EVERY_CALL = list(dict.fromkeys(planned_order(Join().plan)))


@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_join_that_failed_anywhere_is_completed_by_running_it_again(call: str) -> None:
    join = Join()
    join.machine.fail_on = call
    with pytest.raises(DockerError):
        join.run()

    join.run()

    assert {name for name, item in join.machine.box.items() if item.running} == {"nginx-proxy", "kubelet", "kube-proxy"}
    assert set(join.machine.box) == {"nginx-proxy", "service-sidekick", "kubelet", "kube-proxy"}
    links = [path for path in join.machine.files if path.startswith("/var/lib/rancher/rke/log/")]
    assert len(links) == 3
    assert join.machine.calls.count("create kubelet") == 1


def test_kubelet_there_but_kube_proxy_missing_is_completed() -> None:
    join = Join()
    join.machine.unhealthy.add("kubelet")
    with pytest.raises(NotHealthy) as caught:
        join.run()
    assert caught.value.field == "kubelet"
    assert "kube-proxy" not in join.machine.box

    join.machine.unhealthy.clear()
    join.run()
    assert join.machine.box["kube-proxy"].running


def test_a_stopped_component_is_started_not_replaced() -> None:
    join = Join()
    join.run()
    join.machine.box["kube-proxy"].running = False
    join.machine.calls.clear()
    join.run()
    assert join.machine.calls[0] == "start kube-proxy"
    assert "create kube-proxy" not in join.machine.calls


def refused_without_a_change(join: Join, error: type[AutoRkeError]) -> AutoRkeError:
    with pytest.raises(error) as caught:
        join.run()
    assert join.machine.calls == []
    return caught.value


def test_different_kubelet_is_refused_and_named() -> None:
    join = Join()
    body = deepcopy(join.plan.containers[2].create_body())
    body["Entrypoint"].append("--max-pods=9")
    join.machine.images.add(body["Image"])
    join.machine.box["kubelet"] = FakeContainer(body, running=True)
    error = refused_without_a_change(join, ContainerDiffers)
    assert "--max-pods=9" in error.message.en
    assert error.field == "kubelet"


def test_machine_of_cluster_A_is_not_added_to_cluster_B() -> None:
    join = Join()
    join.machine.files[f"{SSL}/kube-ca.pem"] = bundle("another cluster")["kube-ca"]["certificatePEM"]
    error = refused_without_a_change(join, ForeignCluster)
    assert "kube-ca.pem" in error.message.en


def test_foreign_certificates_are_found_by_a_user_who_may_not_read_them() -> None:
    join = Join()
    join.machine.root = False
    join.machine.files[f"{SSL}/kube-ca.pem"] = bundle("another cluster")["kube-ca"]["certificatePEM"]
    with pytest.raises(ForeignCluster):
        join.run()
    assert "create cert-deployer" not in join.machine.calls
    assert "create kubelet" not in join.machine.calls


def test_a_user_without_root_can_join_a_worker() -> None:
    join = Join()
    join.machine.root = False
    join.run()
    assert join.machine.box["kube-proxy"].running
    assert "autorke-certificate-reader" not in join.machine.box


def test_files_that_only_sudo_may_read_are_read_with_sudo() -> None:
    join = Join()
    join.machine.sudo_only = True
    join.run()
    assert not any("certificate-reader" in call for call in join.machine.calls)


def test_file_that_is_no_certificate_is_refused() -> None:
    join = Join()
    join.machine.files[f"{SSL}/kube-ca.pem"] = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"
    refused_without_a_change(join, ForeignCluster)


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "old-kubelet", "k8s_POD_web-1"])
def test_serving_node_is_not_initialised(name: str) -> None:
    join = Join()
    join.machine.box[name] = FakeContainer({"Image": "x", "Env": [], "HostConfig": {}}, running=True)
    refused_without_a_change(join, NotAFreeMachine)


def test_running_one_shot_container_is_left_alone() -> None:
    join = Join()
    join.machine.box["rke-worker-port-listener"] = FakeContainer(
        {"Image": "x", "Env": [], "HostConfig": {}}, running=True
    )
    refused_without_a_change(join, StaleContainer)


@pytest.mark.parametrize("name", ["kube-cleaner", "rke-log-cleaner", "rke-port-checker", "rke-selinux-checker"])
def test_stopped_container_that_a_later_rke_would_start_is_removed(name: str) -> None:
    join = Join()
    join.machine.box[name] = FakeContainer({"Image": "x", "Env": [], "HostConfig": {}})
    join.run()
    assert name not in join.machine.box
    assert f"start {name}" not in join.machine.calls


def test_stopped_one_shot_container_is_removed_unstarted() -> None:
    join = Join()
    join.machine.box["cert-deployer"] = FakeContainer({"Image": "x", "Env": ["OLD=1"], "HostConfig": {}})
    join.run()
    calls = without_pulls(join.machine.calls)
    assert calls[:3] == ["remove cert-deployer force=1 v=1", "create cert-deployer", "start cert-deployer"]


def test_cert_deployer_that_writes_nothing_is_noticed() -> None:
    join = Join()
    join.machine.exit_codes["cert-deployer"] = 1
    with pytest.raises(CertificateMissing):
        join.run()
    assert "create kubelet" not in join.machine.calls


def test_failing_file_deployer_stops_the_join() -> None:
    join = Join(changes={"cloudProvider": {"name": "custom", "customCloudProvider": "PLACEHOLDER-cloud"}})
    join.machine.exit_codes["file-deployer"] = 1
    with pytest.raises(OneShotFailed):
        join.run()
    assert "create kubelet" not in join.machine.calls


def test_files_are_written_before_the_kubelet_is_created() -> None:
    webhook = {"strategy": "x509|webhook", "webhook": {"configFile": "kind: Config", "cacheTimeout": "5s"}}
    join = Join(changes={"authentication": webhook, "cloudProvider": {"name": "external"}})
    join.run()
    calls = join.machine.calls
    assert calls.count("create file-deployer") == 2
    assert calls.index("start file-deployer") < calls.index("create kubelet")


def test_pulls_with_the_credentials_of_the_registry_and_shows_none() -> None:
    registries = [{"url": "docker.io", "user": "puller", "password": "S3cret-registry"}]
    join = Join(changes={"privateRegistries": registries})
    join.machine.unhealthy.add("kubelet")
    with pytest.raises(NotHealthy) as caught:
        join.run()
    assert set(map(str, join.machine.auths.values())) == {"{'username': 'puller', 'password': 'S3cret-registry'}"}
    shown = "\n".join([*join.lines, str(caught.value.as_json()), repr(join.plan), str(join.plan.shown())])
    assert any("[kubelet]" in line for line in join.lines)
    for secret in ("S3cret-registry", "PRIVATE KEY-----\nabc", *join.plan.secrets):
        assert secret not in shown
    assert "RKE_KUBELET_DOCKER_CONFIG=••••••" in shown


def test_no_key_appears_in_lines_plan_or_report() -> None:
    join = Join("06-serving-cert")
    report = join.run()
    shown = "\n".join([*join.lines, str(report), repr(join.plan), str(join.plan.shown())])
    assert "PRIVATE KEY" not in shown
    assert "BEGIN CERTIFICATE" not in shown


def test_second_attempt_with_a_new_serving_certificate_replaces_our_own_old_one() -> None:
    join = Join("06-serving-cert")
    join.machine.fail_on = "create kubelet"
    with pytest.raises(DockerError):
        join.run()
    name = serving_certificate_name(join.node)
    join.bundle[name] = serving_certificate(join.node, join.bundle["kube-ca"])
    join.plan = join.new_plan()

    join.run()

    assert join.machine.files[f"{SSL}/{name}.pem"] == join.bundle[name]["certificatePEM"]
    assert join.machine.files[f"{SSL}/{name}-key.pem"] == join.bundle[name]["keyPEM"]


def test_serving_certificate_of_another_authority_is_refused() -> None:
    join = Join("06-serving-cert")
    name = serving_certificate_name(join.node)
    other = serving_certificate(join.node, bundle("another cluster")["kube-ca"])
    join.machine.files[f"{SSL}/{name}.pem"] = other["certificatePEM"]
    refused_without_a_change(join, ForeignCluster)


def test_probe_tells_how_far_a_join_came() -> None:
    join = Join()
    assert probe_worker(join.machine).is_empty
    join.machine.fail_on = "create kube-proxy"
    with pytest.raises(DockerError):
        join.run()
    probe = probe_worker(join.machine, join.plan)
    assert [(state.name, state.running, state.as_planned) for state in probe.components] == [
        ("nginx-proxy", True, True),
        ("service-sidekick", False, True),
        ("kubelet", True, True),
    ]
    assert probe.as_json()["pods"] == 0


def test_healthy_worker_shows_no_difference_and_a_drifted_one_is_named() -> None:
    join = Join()
    join.run()
    assert compare_with_worker(join.config, join.node, join.machine) == ()

    drifted = replace(join.config, kubelet=replace(join.config.kubelet, extra_args={"max-pods": "99"}))
    (found,) = compare_with_worker(drifted, join.node, join.machine)
    assert (found.container, found.field, found.computed, found.live) == ("kubelet", "entrypoint", "--max-pods=99", "")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(EVERY_CALL), min_size=1, max_size=4))
def test_any_chain_of_failures_ends_in_the_same_machine(failures: list[str]) -> None:
    join = Join()
    for call in failures:
        join.machine.fail_on = call
        try:
            join.run()
        except DockerError:
            continue
    join.machine.fail_on = None
    join.run()
    assert set(join.machine.box) == {"nginx-proxy", "service-sidekick", "kubelet", "kube-proxy"}
    assert all(join.machine.calls.count(f"create {name}") == 1 for name in join.machine.box)
