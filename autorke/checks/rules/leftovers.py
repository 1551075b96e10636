"""Is the machine free? What runs on it, what an earlier cluster left, and whether it is a machine we know (rke.md §9
#7-#9, #40). rke looks at none of this: it keeps old certificates and starts stale containers."""

from __future__ import annotations

import re

from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.facts import Container, DockerFacts, MachineFacts, NodeFacts
from autorke.checks.results import Finding, Level, fault, fine, some, unknown
from autorke.core.errors import Text

LONG_LIVED = frozenset(
    {
        "kubelet", "kube-proxy", "nginx-proxy", "service-sidekick", "etcd", "etcd-rolling-snapshots",
        "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    }
)  # fmt: skip
"""Containers of rke that stay (rke.md §4.2)."""

ONE_SHOT = frozenset(
    {
        "rke-etcd-port-listener", "rke-cp-port-listener", "rke-worker-port-listener", "rke-port-checker",
        "cert-deployer", "file-deployer", "rke-log-linker", "rke-log-cleaner", "kube-cleaner", "rke-selinux-checker",
        "etcd-fix-perm", "etcd-snapshot-once", "etcd-Serve-backup", "etcd-download-backup", "etcd-restore",
        "etcd-checksum-checker", "etcd-extract-statefile", "etcd-remove-snapshot", "cluster-state-deployer",
        "cert-fetcher", "rke-bundle-cert", "extract-statefile-configmap",
    }
)  # fmt: skip
"""Containers of rke that work once (rke.md §4.5). A stopped one is started again with its old command."""

DATA_DIRECTORIES = (
    "/etc/kubernetes", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/cni", "/var/lib/calico", "/run/calico",
    "/run/flannel", "/var/lib/cri-dockerd",
)  # fmt: skip
CNI_DIRECTORIES = ("/etc/cni", "/opt/cni", "/opt/rke", "/var/lib/rancher")
INTERFACES = re.compile(r"cali[0-9a-f]{6,}|vxlan\.calico|flannel\.1|cni0|kube-ipvs0")
BOGUS_UUIDS = re.compile(r"0{8}-.*|f{8}-.*|03000200-0400-0500-0006-000700080009")
"""Product UUIDs that vendors leave unset: they say nothing about which machine it is."""


def check_same_hardware(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """The same machine under another address, or an image cloned with its machine-id (rke.md §9 #40)."""
    machine = facts.machine
    if machine is None:
        return None
    members = [*context.members, *context.others]
    known = [(f"{it.cluster}/{it.node_name}", it.address, it.machine_id, it.product_uuid) for it in members]
    known += [(f"{context.name}/{it.name}", it.address, it.machine_id, it.product_uuid) for it in context.live or ()]
    others = [it for it in known if it[1] not in (worker.address, worker.internal)]
    same_id = sorted(
        {f"{name} ({address})" for name, address, seen, _ in others if seen and seen == machine.machine_id}
    )
    uuid = machine.product_uuid
    same_uuid = sorted(
        {f"{name} ({address})" for name, address, _, seen in others if _real(uuid) and seen.lower() == uuid}
    )
    if not same_id and not same_uuid:
        return fine(f"machine-id {machine.machine_id or '-'} 唯一", f"machine-id {machine.machine_id or '-'} is unique")
    which = f"machine-id {machine.machine_id}" if same_id else f"product_uuid {uuid}"
    listed = ", ".join(same_id or same_uuid)
    return fault(
        Text(zh=f"{which} 与 {listed} 相同", en=f"{which} is also that of {listed}"),
        Text(
            zh="确认是否为同一台机器的另一个地址；若是克隆的系统，执行 `rm /etc/machine-id &&"
            " systemd-machine-id-setup` 后重启",
            en="Find out whether it is the same machine under another address; on a cloned system run"
            " `rm /etc/machine-id && systemd-machine-id-setup` and reboot",
        ),
        level=None if same_id else Level.WARNING,
    )


def check_serves_kubernetes(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """A machine that runs any Kubernetes component serves some cluster, whatever a list says (design §1)."""
    if facts.machine is None:
        return None
    if worker.resumed:
        return fine("本工单此前已开始加入它", "an earlier attempt of this ticket began to join it")
    names = [it.name for it in _containers(facts) if it.state == "running" and _of_kubernetes(it)]
    running = sorted(names, key=lambda name: (name not in LONG_LIVED, name))
    processes = sorted(facts.machine.processes)
    if not running and not processes:
        return fine("没有运行 Kubernetes 组件", "no Kubernetes component runs")
    parts = [f"containers {some(running)}" if running else "", f"processes {some(processes)}" if processes else ""]
    listed = "; ".join(part for part in parts if part)
    return fault(
        Text(
            zh=f"机器上正在运行 Kubernetes 组件（{listed}），它属于某个集群",
            en=f"Kubernetes components run on it ({listed}): it serves a cluster",
        ),
        Text(
            zh=f"先查明它属于哪个集群：`ssh {worker.address} docker inspect nginx-proxy --format '{{{{.Config.Env}}}}'`"
            "；从该集群移除后再加入",
            en=f"Find its cluster: `ssh {worker.address} docker inspect nginx-proxy --format"
            f" '{{{{.Config.Env}}}}'`; remove it"
            " there before adding it here",
        ),
    )


def check_other_distribution(facts: NodeFacts, _worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Two kubelets on one machine fight over ports, cgroups and iptables."""
    machine = facts.machine
    if machine is None:
        return None
    if not machine.distributions:
        return fine("没有其他 Kubernetes 发行版的文件", "no files of another Kubernetes distribution")
    listed = ", ".join(f"{name} ({path})" for name, path in sorted(machine.distributions.items()))
    return fault(
        Text(zh=f"装有其他 Kubernetes 发行版：{listed}", en=f"another Kubernetes distribution is installed: {listed}"),
        Text(
            zh="用该发行版自己的卸载命令清除（k3s-uninstall.sh、rke2-uninstall.sh、kubeadm reset、snap remove"
            " microk8s），再重新校验",
            en="Remove it with its own command (k3s-uninstall.sh, rke2-uninstall.sh, kubeadm reset, snap remove"
            " microk8s) and"
            " check again",
        ),
    )


def check_foreign_ca(facts: NodeFacts, _worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Files in /etc/kubernetes/ssl are not overwritten: a CA of another cluster is the commonest failed join."""
    machine = facts.machine
    if machine is None:
        return None
    if not machine.ca_files:
        return fine("没有 kube-ca.pem", "no kube-ca.pem")
    if any(not it.sha256 for it in machine.ca_files):
        paths = ", ".join(it.path for it in machine.ca_files)
        return unknown(
            Text(zh=f"存在 {paths}，但没有权限读取", en=f"{paths} exists but may not be read"),
            Text(
                zh="给该用户配置 sudo（免密），或由管理员核对指纹",
                en="Give the user sudo without a password, or compare the fingerprint as root",
            ),
        )
    foreign = [it for it in machine.ca_files if it.sha256 != context.expected_ca.lower()]
    if not foreign:
        return fine("kube-ca.pem 属于本集群", "kube-ca.pem is this cluster's")
    seen, mine = foreign[0].sha256[:16], (context.expected_ca or "?")[:16]
    return fault(
        Text(
            zh=f"{foreign[0].path} 的 CA 指纹是 {seen}…，集群 {context.name} 的是 {mine}…：旧集群的残留",
            en=f"the CA in {foreign[0].path} has fingerprint {seen}…, that of {context.name} is {mine}…: left by"
            " another cluster",
        ),
        Text(
            zh="确认机器不再服务旧集群后清理：开“清理机器”工单，或以 root 执行 `find /etc/kubernetes -mindepth 1"
            " -delete`",
            en="Make sure that it no longer serves the old cluster, then clean it: a clean-machines ticket, or as root"
            " `find /etc/kubernetes -mindepth 1 -delete`",
        ),
    )


def check_leftovers(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Old data that a new node would take up: certificates, kubelet state, etcd members, CNI address leases."""
    machine = facts.machine
    if machine is None:
        return None
    if worker.resumed:
        return fine("本工单此前已开始加入它", "an earlier attempt of this ticket began to join it")
    found = [
        f"{it.path} ({it.entry})" for it in machine.leftovers if it.readable and _within(it.path, DATA_DIRECTORIES)
    ]
    if machine.kubelet_mounts:
        found.append(f"{machine.kubelet_mounts} mounts below /var/lib/kubelet")
    found += [f"interface {link.name}" for link in machine.links if INTERFACES.fullmatch(link.name)]
    found += [f"route {route}" for route in machine.routes if route.startswith("blackhole ")]
    if not found:
        return fine("没有旧集群的数据", "no data of an earlier cluster")
    listed = some(found)
    return fault(
        Text(zh=f"有旧集群的残留：{listed}", en=f"left by an earlier cluster: {listed}"),
        Text(
            zh="开“清理机器”工单（清空目录、卸载挂载、删除网卡与路由），完成后重新校验",
            en="Run a clean-machines ticket (empties directories, unmounts, removes interfaces and routes), then"
            " check again",
        ),
    )


def check_leftover_files(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """CNI plugins and backups may be there on purpose (network plugin none): shown, not blocked."""
    machine = facts.machine
    if machine is None or worker.resumed:
        return None
    found = [f"{it.path} ({it.entry})" for it in machine.leftovers if it.readable and _within(it.path, CNI_DIRECTORIES)]
    if not found:
        return fine("没有 CNI 或备份文件", "no CNI files or backups")
    listed = some(found)
    return fault(
        Text(zh=f"目录非空：{listed}", en=f"not empty: {listed}"),
        Text(
            zh="若不是有意放置的，请清空；旧的 /etc/cni/net.d 配置会先于集群的网络插件生效",
            en="Empty them unless they are there on purpose; an old config in /etc/cni/net.d wins over the"
            " cluster's plugin",
        ),
    )


def check_unreadable(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Without root some directories cannot be looked into; that is said, not taken for empty."""
    machine = facts.machine
    if machine is None:
        return None
    hidden = [it.path for it in machine.leftovers if not it.readable]
    if machine.root != "no" and not hidden:
        return fine(f"以 root 读取（{machine.root}）", f"read as root ({machine.root})")
    listed = some(hidden) if hidden else "product_uuid"
    return unknown(
        Text(
            zh=f"用户 {machine.user} 没有免密 sudo，无法查看：{listed}",
            en=f"user {machine.user} has no sudo without a password; not seen: {listed}",
        ),
        Text(
            zh=f"在 {worker.node} 上允许 `{machine.user} ALL=(root) NOPASSWD: ALL`，或用 root 凭据再校验一次",
            en=f"Allow `{machine.user} ALL=(root) NOPASSWD: ALL` on {worker.node}, or check again with a root"
            " credential",
        ),
    )


def check_stale_containers(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """A stopped container of the same name is started instead of made anew (rke.md §9 #9)."""
    if facts.docker is None:
        return None
    if worker.resumed:
        return fine("本工单此前已开始加入它", "an earlier attempt of this ticket began to join it")
    stale = sorted(it.name for it in facts.docker.containers if _stale(it))
    if not stale:
        return fine("没有残留的容器", "no stale container")
    names = " ".join(stale[:5])
    return fault(
        Text(zh=f"残留的容器：{some(stale)}", en=f"stale containers: {some(stale)}"),
        Text(
            zh=f"确认不再需要后在机器上执行 `docker rm -f -v {names}`",
            en=f"If nobody needs them, run `docker rm -f -v {names}` on the machine",
        ),
    )


def _stale(container: Container) -> bool:
    if container.name in ONE_SHOT or container.name.startswith("old-"):
        return True
    return container.state != "running" and _of_kubernetes(container)


def _of_kubernetes(container: Container) -> bool:
    return container.name in LONG_LIVED or container.name.startswith("k8s_")


def _containers(facts: NodeFacts) -> tuple[Container, ...]:
    docker: DockerFacts | None = facts.docker
    return docker.containers if docker is not None else ()


def _within(path: str, directories: tuple[str, ...]) -> bool:
    """Also under a prefix_path: /opt/rke/etc/kubernetes is /etc/kubernetes of such a cluster."""
    return any(path == directory or path.endswith(directory) for directory in directories)


def _real(uuid: str) -> bool:
    return bool(uuid) and not BOGUS_UUIDS.fullmatch(uuid)


def machine_ids(machine: MachineFacts) -> tuple[str, str]:
    """What identifies the hardware: machine-id, and product_uuid unless the vendor left it unset."""
    return machine.machine_id, machine.product_uuid if _real(machine.product_uuid) else ""
