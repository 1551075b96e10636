"""All checks before workers are added, in the order in which people read them. `docs/checks.md` is printed from here.

`covers`: when a check has something to say, the checks it covers would only say the same with less, and are not run.
`initialise_mends`: what the initialise step sets up by itself; before that step it is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from autorke.checks.cluster_facts import ClusterFacts
from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.facts import NodeFacts
from autorke.checks.results import Finding, Level
from autorke.checks.rules import cluster, connection, docker, files, leftovers, network, pair, request, system
from autorke.core.errors import Text

Rule = TypeVar("Rule")
ClusterRule = Callable[[ClusterFacts, Sequence[NewWorker], ClusterContext], Finding | None]
RequestRule = Callable[[NewWorker, ClusterContext], Finding | None]
MachineRule = Callable[[NodeFacts, NewWorker, ClusterContext], Finding | None]
PairRule = Callable[[pair.Candidate, Sequence[pair.Candidate]], Finding | None]


@dataclass(frozen=True)
class Check(Generic[Rule]):
    """One row of the table. `level` is what a fault means: an error blocks, a warning is shown."""

    id: str
    title: Text
    level: Level
    source: str
    rule: Rule
    covers: tuple[str, ...] = ()
    initialise_mends: bool = False


def _check(
    id: str, zh: str, en: str, level: Level, source: str, rule: Rule, *, covers: str = "", mends: bool = False
) -> Check[Rule]:
    others = tuple(name for name in dict.fromkeys(covers.split()) if name != id)
    return Check(id, Text(zh=zh, en=en), level, source, rule, others, mends)


ERROR, WARNING = Level.ERROR, Level.WARNING
OCCUPIED = (
    "serves-kubernetes other-distribution foreign-ca leftover-data leftover-files stale-containers ports same-hardware"
)
NO_CONFIG = "roles-present version-pinned phantom-node state-lacks-node same-nodes undeployed-node unmanaged-node"
NO_STATE = (
    "state-ca server-ca state-copy state-settled certificates state-size phantom-node state-lacks-node same-nodes"
    " undeployed-node unmanaged-node"
)
NO_CONTROLPLANE = "control-hosts control-nodes controlplane-reachable reached-by-controlplane"

# fmt: off
CLUSTER: tuple[Check[ClusterRule], ...] = (
    _check("cluster-yml", "cluster.yml 有效", "cluster.yml is valid", ERROR, "rke.md §9 #32, §1.4",
           files.check_config_file, covers=NO_CONFIG),
    _check("rkestate", "cluster.rkestate 完整", "cluster.rkestate is whole", ERROR, "rke.md §9 #22, §0.12",
           files.check_state_file, covers="version-pinned ranges docker-version " + NO_STATE),
    _check("state-ca", "状态属于本集群", "the state is this cluster's", ERROR, "rke.md §9 #23; design §1",
           files.check_state_ca, covers="server-ca state-copy " + NO_STATE),
    _check("server-ca", "API 服务器属于本集群", "the API server is this cluster's", ERROR, "rke.md §9 #23",
           files.check_server_ca),
    _check("state-copy", "集群内的状态副本未变", "the copy of the state is unchanged", ERROR, "rke.md §9 #23, #34",
           files.check_state_copy),
    _check("roles-present", "有 controlplane 与 etcd", "controlplane and etcd are there", ERROR, "rke.md §9 #5",
           files.check_roles_present),
    _check("version-pinned", "Kubernetes 版本已写明", "the Kubernetes version is pinned", ERROR, "rke.md §9 #26",
           files.check_version_pinned),
    _check("phantom-node", "状态中没有多余节点", "no phantom node in the state", ERROR, "rke.md §9 #22; design §1",
           files.check_phantom_nodes, covers="state-settled undeployed-node"),
    _check("state-lacks-node", "节点都在状态中", "every node is in the state", ERROR, "rke.md §9 #22",
           files.check_state_lacks, covers="state-settled undeployed-node"),
    _check("same-nodes", "已部署节点未被改动", "deployed nodes are unedited", ERROR, "rke.md §9 #33, §1.5",
           files.check_same_nodes, covers="state-settled undeployed-node unmanaged-node"),
    _check("state-settled", "上一次 rke 运行已完成", "the last rke run was finished", ERROR, "rke.md §9 #24, §0.5",
           files.check_state_settled),
    _check("undeployed-node", "状态中的节点都已部署", "every node of the state is deployed", ERROR, "rke.md §9 #24",
           cluster.check_undeployed),
    _check("unmanaged-node", "集群节点都有来历", "every live node is on record", ERROR, "rke.md §9 #25",
           cluster.check_unmanaged),
    _check("certificates", "证书有效期足够", "certificates last", WARNING, "rke.md §9 #36",
           files.check_certificates),
    _check("state-size", "状态副本放得下", "the copy of the state fits", WARNING, "rke.md §2.4",
           files.check_state_size),
    _check("ranges", "集群网段自洽", "the cluster's ranges fit together", ERROR, "rke.md §9 #30",
           files.check_ranges, covers="host-subnet"),
    _check("controlplane", "Kubernetes API 可用", "the Kubernetes API answers", ERROR, "rke.md §9 #28; design §1",
           cluster.check_controlplane, covers=NO_CONTROLPLANE),
    _check("control-hosts", "控制面与 etcd 主机可达", "controlplane and etcd hosts answer", ERROR, "rke.md §9 #28",
           cluster.check_control_hosts, covers="control-nodes controlplane-reachable reached-by-controlplane"),
    _check("control-nodes", "控制面节点 Ready", "controlplane and etcd nodes are Ready", ERROR, "rke.md §9 #27, #28",
           cluster.check_control_nodes),
    _check("nodes-ready", "worker 节点 Ready", "worker nodes are Ready", WARNING, "rke.md §9 #27",
           cluster.check_nodes_ready),
    _check("other-runs", "没有其他变更", "no other change is under way", ERROR, "rke.md §9 #34",
           cluster.check_other_runs),
)

REQUEST: tuple[Check[RequestRule], ...] = (
    _check("role-worker-only", "角色只能是 worker", "role worker only", ERROR, "rke.md §9 #5; design §1",
           request.check_role),
    _check("address-syntax", "地址可用", "addresses are usable", ERROR, "rke.md §1.4",
           request.check_address_syntax, covers="internal-address"),
    _check("hostname-syntax", "节点名合法", "the node name is DNS-1123", ERROR, "rke.md §9 #12",
           request.check_hostname_syntax, covers="hostname-matches duplicate-hostname"),
    _check("labels", "标签合法", "labels are valid", ERROR, "rke.md §1.4",
           request.check_labels),
    _check("taints", "污点合法", "taints are valid", ERROR, "rke.md §1.4",
           request.check_taints),
    _check("reserved-keys", "没有保留的标签或污点", "no reserved label or taint", ERROR, "rke.md §4.8; design §1",
           request.check_role_labels),
    _check("other-cluster", "不属于其他集群", "in no other cluster", ERROR, "rke.md §9 #7; design §1",
           request.check_other_cluster, covers="duplicate-hostname " + OCCUPIED),
    _check("already-node", "尚不是本集群节点", "not yet a node here", ERROR, "rke.md §9 #7; design §1",
           request.check_this_cluster, covers="duplicate-hostname duplicate-address " + OCCUPIED),
    _check("duplicate-address", "地址未被占用", "addresses are free", ERROR, "rke.md §9 #7",
           request.check_duplicate_address),
    _check("duplicate-hostname", "节点名未被占用", "the node name is free", ERROR, "rke.md §9 #7",
           request.check_duplicate_hostname),
)

MACHINE: tuple[Check[MachineRule], ...] = (
    _check("ssh-reachable", "SSH 可达", "SSH works", ERROR, "rke.md §9 #1, §8",
           connection.check_ssh),
    _check("facts", "机器信息可读", "facts can be read", ERROR, "rke.md §9 #1",
           connection.check_facts),
    _check("serves-kubernetes", "没有运行 Kubernetes", "runs no Kubernetes", ERROR, "rke.md §9 #8; design §1",
           leftovers.check_serves_kubernetes, covers=OCCUPIED),
    _check("other-distribution", "没有其他发行版", "no other distribution", ERROR, "rke.md §9 #8",
           leftovers.check_other_distribution, covers="leftover-data leftover-files"),
    _check("foreign-ca", "没有其他集群的 CA", "no CA of another cluster", ERROR, "rke.md §9 #8; design §1",
           leftovers.check_foreign_ca, covers="leftover-data leftover-files"),
    _check("leftover-data", "没有旧集群的数据", "no data of an old cluster", ERROR, "rke.md §9 #8, §4.9",
           leftovers.check_leftovers, covers="leftover-files"),
    _check("leftover-files", "CNI 与备份目录为空", "CNI and backup directories are empty", WARNING, "rke.md §9 #8",
           leftovers.check_leftover_files),
    _check("stale-containers", "没有残留容器", "no stale container", ERROR, "rke.md §9 #9",
           leftovers.check_stale_containers),
    _check("same-hardware", "不是已知的另一节点", "is no node under another address", ERROR, "rke.md §9 #7, #40",
           leftovers.check_same_hardware),
    _check("root", "可以 root 读取", "can be read as root", WARNING, "rke.md §9 #8",
           leftovers.check_unreadable),
    _check("docker", "Docker 在运行", "Docker runs", ERROR, "rke.md §9 #2",
           docker.check_docker_runs, mends=True),
    _check("docker-access", "可用 Docker 套接字", "the Docker socket may be used", ERROR, "rke.md §9 #2",
           docker.check_docker_access),
    _check("forwarding", "sshd 允许转发", "sshd allows forwarding", ERROR, "rke.md §9 #3",
           docker.check_forwarding),
    _check("docker-version", "Docker 版本受支持", "the Docker version is supported", ERROR, "rke.md §9 #4",
           docker.check_docker_version, covers="docker-cgroup", mends=True),
    _check("docker-os", "Docker 是 Linux 版", "Docker is for Linux", ERROR, "rke.md §9 #16",
           docker.check_docker_os),
    _check("docker-settings", "存储与日志驱动", "storage and log driver", WARNING, "rke.md §9 #16",
           docker.check_docker_settings),
    _check("docker-root", "DockerRootDir 一致", "DockerRootDir as on other nodes", WARNING, "rke.md §9 #16",
           docker.check_docker_root),
    _check("docker-cgroup", "Docker 支持 cgroup", "Docker knows the cgroup version", ERROR, "rke.md §9 #15",
           docker.check_docker_cgroup),
    _check("images", "镜像可得", "images can be had", WARNING, "rke.md §9 #21",
           docker.check_images),
    _check("clock", "时钟一致", "the clock agrees", ERROR, "rke.md §9 #11",
           system.check_clock, covers="ntp"),
    _check("ntp", "时间同步", "time is synchronised", WARNING, "rke.md §9 #11",
           system.check_ntp, mends=True),
    _check("architecture", "架构一致", "architecture as the cluster's", ERROR, "rke.md §9 #17",
           system.check_architecture),
    _check("kernel", "内核版本", "kernel version", ERROR, "rke.md §9 #17",
           system.check_kernel),
    _check("kernel-modules", "内核模块", "kernel modules", ERROR, "rke.md §9 #17",
           system.check_modules, mends=True),
    _check("sysctl", "转发与网桥过滤", "forwarding and bridge filtering", ERROR, "rke.md §9 #17",
           system.check_sysctls, mends=True),
    _check("rp-filter", "反向路径过滤", "reverse path filtering", WARNING, "rke.md §9 #17",
           system.check_rp_filter, mends=True),
    _check("kernel-limits", "内核与进程限制", "kernel and process limits", WARNING, "rke.md §9 #39",
           system.check_kernel_limits, mends=True),
    _check("cgroup", "cgroup 版本", "cgroup version", WARNING, "rke.md §9 #15",
           system.check_cgroup),
    _check("swap", "没有交换分区", "no swap", WARNING, "rke.md §9 #14",
           system.check_swap, mends=True),
    _check("resources", "CPU 与内存", "CPU and memory", WARNING, "rke.md §9 #18",
           system.check_resources),
    _check("disk-space", "磁盘空间", "disk space", ERROR, "rke.md §9 #18",
           system.check_disk_space),
    _check("inodes", "inode", "inodes", ERROR, "rke.md §9 #18",
           system.check_inodes),
    _check("selinux", "SELinux 策略", "SELinux policy", ERROR, "rke.md §9 #19",
           system.check_selinux),
    _check("firewall", "没有防火墙", "no firewall", WARNING, "rke.md §9 #19",
           network.check_firewall, mends=True),
    _check("resolver", "DNS 解析器", "resolver", WARNING, "rke.md §9 #20",
           network.check_resolver),
    _check("hostname-matches", "主机名与节点名一致", "host name and node name agree", WARNING, "rke.md §9 #13",
           network.check_hostname_matches),
    _check("internal-address", "内网地址在机器上", "the internal address is its own", ERROR, "rke.md §9 #38",
           network.check_internal_address, covers="mtu"),
    _check("host-subnet", "网段不重叠", "no subnet overlaps the cluster's", ERROR, "rke.md §9 #30; design §1",
           network.check_host_subnet),
    _check("mtu", "MTU", "MTU", WARNING, "rke.md §9 #38",
           network.check_mtu),
    _check("ports", "端口空闲", "ports are free", ERROR, "rke.md §9 #10",
           network.check_ports),
    _check("node-ports", "NodePort 范围空闲", "the NodePort range is free", WARNING, "rke.md §9 #10",
           network.check_node_ports),
    _check("controlplane-reachable", "可达控制面", "reaches the controlplane", ERROR, "rke.md §9 #10, #28",
           network.check_reaches_controlplane),
    _check("reached-by-controlplane", "控制面可达 kubelet", "the controlplane reaches kubelet", ERROR, "rke.md §9 #10",
           network.check_reached_by_controlplane),
)

PAIR: tuple[Check[PairRule], ...] = (
    _check("twice-in-ticket", "工单内没有重复", "not twice in the ticket", ERROR, "rke.md §9 #7",
           pair.check_twice_in_ticket, covers="cloned-machine"),
    _check("cloned-machine", "不是克隆的系统", "not a cloned system", ERROR, "rke.md §9 #40",
           pair.check_cloned),
)
# fmt: on

CHECKS = (*CLUSTER, *REQUEST, *MACHINE, *PAIR)
"""Every check, in order."""

SCOPES: dict[str, Sequence[Check[ClusterRule] | Check[RequestRule] | Check[MachineRule] | Check[PairRule]]] = {
    "cluster": CLUSTER,
    "request": REQUEST,
    "machine": MACHINE,
    "pair": PAIR,
}
"""What a check looks at: the cluster, what the ticket says of a machine, the machine, or two machines of one ticket."""
