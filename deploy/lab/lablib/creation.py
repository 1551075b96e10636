"""Creates the lab's cluster as stock rke would, where no stock rke is at hand (rke.md §3.3, §4, §6, §7.1).

Same containers, certificates, files and order of work for one controlplane+etcd machine and workers; ends with the same
files: cluster.yml, cluster.rkestate, kube_config_cluster.yml and the ConfigMap full-cluster-state.
"""

import concurrent.futures
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import yaml

from lablib import certificates, containers, rkefiles
from lablib.dockerapi import Docker, connect
from lablib.kubernetes import apply, ask, kubectl
from lablib.machines import ssh_argv
from lablib.process import log, succeeds, wait_until
from lablib.settings import CONTROL_PLANE, HERE, MEMBERS, Lab, Machine

Bundle = dict[str, dict[str, Any]]
AUDIT_POLICY = "/etc/kubernetes/audit-policy.yaml"
WORKER_ENTRIES = ("kube-proxy", "kube-node")


def create(lab: Lab) -> None:
    """Create the cluster on machines that are fresh. Raises LabError if a component does not become healthy."""
    log.info("no stock rke found: creating the cluster with the lab's own code")
    config = rkefiles.rke_config(lab)
    domain = config["services"]["kubelet"]["clusterDomain"]
    bundle = certificates.bundle(CONTROL_PLANE, "10.43.0.1", domain)
    _write_files(lab, config, bundle)
    with contextlib.ExitStack() as stack:
        dockers = {machine: stack.enter_context(connect(lab, machine)) for machine in MEMBERS}
        for machine, docker in dockers.items():
            _deploy_certificates(docker, config, bundle, machine)
        _start_etcd(dockers[CONTROL_PLANE], config)
        _start_control_plane(lab, dockers[CONTROL_PLANE], config)
        apply(lab, (HERE / "authorization.yml").read_text())
        save_state(lab)
        with concurrent.futures.ThreadPoolExecutor(len(dockers)) as pool:
            for done in [pool.submit(_start_worker_plane, lab, docker, config) for docker in dockers.values()]:
                done.result()
    for machine in MEMBERS:
        _label(lab, machine)


def _write_files(lab: Lab, config: dict[str, Any], bundle: Bundle) -> None:
    """cluster.yml, the state (mode 0600) and the kubeconfig, in a directory of mode 0700."""
    lab.cluster.mkdir(mode=0o700, parents=True, exist_ok=True)
    (lab.cluster / "cluster.yml").write_text(rkefiles.cluster_yml(lab))
    state = {
        "desiredState": {"rkeConfig": rkefiles.desired(config), "certificatesBundle": bundle},
        "currentState": {"rkeConfig": config, "certificatesBundle": bundle},
    }
    _write_private(lab.cluster / "cluster.rkestate", json.dumps(state, indent=2, ensure_ascii=False))
    _write_private(lab.kubeconfig, bundle["kube-admin"]["config"])


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _deploy_certificates(docker: Docker, config: dict[str, Any], bundle: Bundle, machine: Machine) -> None:
    """Each machine gets what its roles need: the control plane everything but the admin's, a worker three entries."""
    names = WORKER_ENTRIES if "controlplane" not in machine.roles else [n for n in bundle if n != "kube-admin"]
    env = {"KUBE_CA": bundle["kube-ca"]["certificatePEM"]}
    for name in names:
        entry = bundle[name]
        env |= {entry["envName"]: entry["certificatePEM"], entry["keyEnvName"]: entry["keyPEM"]}
        if entry["config"]:
            env[entry["configEnvName"]] = entry["config"]
    docker.run_once("cert-deployer", containers.cert_deployer(config, env))


def _start_etcd(docker: Docker, config: dict[str, Any]) -> None:
    """etcd with its data directory's mode set, and its recurring snapshots."""
    binds = ["/var/lib/etcd:/var/lib/rancher/etcd/:z"]
    docker.run_once("etcd-fix-perm", containers.shell(config, "chmod 700 /var/lib/rancher/etcd/", binds))
    _start(docker, config, "etcd", containers.etcd(config, docker.machine))
    snapshots = containers.etcd_rolling_snapshots(config, docker.machine)
    _start(docker, config, "etcd-rolling-snapshots", snapshots)


def _start_control_plane(lab: Lab, docker: Docker, config: dict[str, Any]) -> None:
    policy = config["services"]["kubeApi"]["auditLog"]["configuration"]["policy"]
    write = f'umask 077; printf %s "$FILE_DEPLOY" > {AUDIT_POLICY}'
    env = [f"FILE_DEPLOY={yaml.safe_dump(policy)}"]
    binds = ["/etc/kubernetes:/etc/kubernetes:z"]
    docker.run_once("file-deployer", containers.shell(config, write, binds, env))
    docker.create("service-sidekick", containers.sidekick(config))
    for name, body in containers.control_plane(config, docker.machine).items():
        _start(docker, config, name, body)
    health = ["get", "--raw", "/healthz"]
    wait_until("health of kube-apiserver", lambda: succeeds(kubectl(lab, *health)), seconds=300)
    _wait_healthy(lab, docker.machine, "kube-controller-manager", 10252)
    _wait_healthy(lab, docker.machine, "kube-scheduler", 10251)


def _start_worker_plane(lab: Lab, docker: Docker, config: dict[str, Any]) -> None:
    """The worker components, which every machine of a cluster runs."""
    machine = docker.machine
    if "controlplane" not in machine.roles:
        _start(docker, config, "nginx-proxy", containers.nginx_proxy(config))
        docker.create("service-sidekick", containers.sidekick(config))
    root = docker.call("GET", "/info")["DockerRootDir"]
    _start(docker, config, "kubelet", containers.kubelet(config, machine, root))
    _wait_healthy(lab, machine, "kubelet", 10248)
    _start(docker, config, "kube-proxy", containers.kube_proxy(config, machine))
    _wait_healthy(lab, machine, "kube-proxy", 10256)


def _start(docker: Docker, config: dict[str, Any], name: str, body: dict[str, Any]) -> None:
    """Start a long-lived container and link its log where log collectors of rke clusters look for it."""
    log.info("starting %s on %s", name, docker.machine.name)
    number = docker.start(name, body)
    directory = "/var/lib/rancher/rke/log"
    target = docker.call("GET", f"/containers/{number}/json")["LogPath"]
    command = f"mkdir -p {directory} ; ln -s {target} {directory}/{name}_{number}.log"
    docker.run_once("rke-log-linker", containers.shell(config, command, ["/var/lib:/var/lib"]))


def _wait_healthy(lab: Lab, machine: Machine, name: str, port: int) -> None:
    """As rke does: /healthz on the machine's own loopback address."""
    ask_health = [*ssh_argv(lab, machine), f"curl -sfo /dev/null http://127.0.0.1:{port}/healthz"]
    wait_until(f"health of {name} on {machine.name}", lambda: succeeds(ask_health), seconds=300)


def save_state(lab: Lab) -> None:
    """The copy in the cluster: a ConfigMap, for a cluster of this rke generation (rke.md §2.4)."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "full-cluster-state", "namespace": "kube-system"},
        "data": {"full-cluster-state": (lab.cluster / "cluster.rkestate").read_text()},
    }
    apply(lab, json.dumps(document))


def _label(lab: Lab, machine: Machine) -> None:
    """Role labels, address annotations and reserved taints (rke.md §4.8)."""
    name = machine.name
    wait_until(f"node {name}", lambda: succeeds(kubectl(lab, "get", "node", name)), seconds=300)
    roles = [f"node-role.kubernetes.io/{role}=true" for role in machine.roles]
    addresses = [f"rke.cattle.io/{kind}-ip={machine.address}" for kind in ("external", "internal")]
    ask(lab, "label", "--overwrite", "node", name, *roles)
    ask(lab, "annotate", "--overwrite", "node", name, *addresses)
    if "etcd" in machine.roles and "worker" not in machine.roles:
        ask(lab, "taint", "--overwrite", "node", name, "node-role.kubernetes.io/etcd=true:NoExecute")
