"""Addresses, ports, names and paths between the machine and the cluster (rke.md §9 #10, #13, #19, #20, #30, #38)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from autorke.checks.context import ClusterContext, NewWorker, Port
from autorke.checks.facts import InterfaceAddress, Listener, MachineFacts, NodeFacts
from autorke.checks.results import Finding, Level, fault, fine, unknown
from autorke.checks.rules.request import is_ip
from autorke.core.errors import Text

KUBELET_PORT = 10250
VIRTUAL = ("lo", "cali", "veth", "tunl", "vxlan.calico", "flannel", "cni", "kube-ipvs", "nodelocaldns")
"""Interfaces that a cluster makes itself; their subnets are no host subnets."""
FIREWALL_COMMANDS = {
    "firewalld": "systemctl disable --now firewalld",
    "ufw": "ufw disable",
}


def check_hostname_matches(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """People look for a node under the machine's name; an override that differs hides it (rke.md §9 #13)."""
    machine, name = facts.machine, worker.node_name.lower()
    if machine is None:
        return None
    own = {machine.hostname.lower(), machine.hostname.lower().split(".")[0], machine.fqdn.lower()}
    if is_ip(name) or name in own:
        return fine(f"主机名 {machine.hostname}", f"host name {machine.hostname}")
    return fault(
        Text(
            zh=f"节点名是 {name}，机器自己的主机名是 {machine.hostname}",
            en=f"node name is {name}, the machine calls itself {machine.hostname}",
        ),
        Text(
            zh=f"核对是否选错机器；要统一时执行 `hostnamectl set-hostname {name}` 或改用节点名"
            f" {machine.hostname.lower()}",
            en=f"Make sure it is the right machine; to make them agree run `hostnamectl set-hostname {name}` or"
            " name the node"
            f" {machine.hostname.lower()}",
        ),
    )


def check_internal_address(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """kubelet's --node-ip must be on an interface of the machine, else the node never turns Ready."""
    machine, wanted = facts.machine, worker.internal
    if machine is None or not is_ip(wanted):
        return None
    if not machine.addresses:
        return unknown(
            Text(zh="无法读取网卡地址", en="interface addresses are not known"),
            Text(zh=f"在 {worker.node} 上安装 iproute", en=f"Install iproute2 on {worker.node}"),
        )
    found = next(
        (it for it in machine.addresses if ipaddress.ip_address(it.address) == ipaddress.ip_address(wanted)), None
    )
    if found is not None:
        return fine(f"{wanted} 在 {found.interface} 上", f"{wanted} is on {found.interface}")
    own = ", ".join(f"{it.interface} {it.address}" for it in _host_addresses(machine))
    return fault(
        Text(
            zh=f"机器上没有内网地址 {wanted}，它有：{own}",
            en=f"internal address {wanted} is not on the machine, which has {own}",
        ),
        Text(zh="把 internal_address 改为上面列出的地址之一", en="Set internal_address to one of these"),
    )


def check_host_subnet(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """A host subnet inside the pod or service range takes packets away from pods (design §1, rke.md §9 #30)."""
    machine = facts.machine
    if machine is None or not machine.addresses:  # that they are not known is told by internal-address
        return None
    ranges = [(cidr, "pod") for cidr in context.settings.pod_cidrs] + [
        (cidr, "service") for cidr in context.settings.service_cidrs
    ]
    clashes = []
    for kept in _host_addresses(machine):
        subnet = ipaddress.ip_interface(f"{kept.address}/{kept.prefix}").network
        clashes += [
            f"{kept.interface} {subnet} ∩ {kind} {cidr}" for cidr, kind in ranges if _overlap(str(subnet), cidr)
        ]
    if not clashes:
        return fine("网卡网段与 pod、service 网段不重叠", "no interface subnet overlaps pods or services")
    listed = ", ".join(clashes)
    return fault(
        Text(
            zh=f"机器网段与集群网段重叠：{listed}",
            en=f"a subnet of the machine overlaps a range of the cluster: {listed}",
        ),
        Text(
            zh=f"不要加入 {context.name}；若是 docker0，可在 {worker.node} 的 /etc/docker/daemon.json 里改 `bip`；"
            "否则换网段不同的机器",
            en=f"Do not add it to {context.name}. For docker0 change `bip` in /etc/docker/daemon.json on"
            f" {worker.node}; otherwise"
            " take a machine in another subnet",
        ),
    )


def check_mtu(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """An interface with a smaller MTU than the network assumes drops large packets in silence."""
    machine, expected = facts.machine, context.settings.mtu
    if machine is None or not expected:
        return None
    interface = next((it.interface for it in machine.addresses if it.address == worker.internal), None)
    link = next((it for it in machine.links if it.name == interface), None)
    if link is None or link.mtu >= expected:
        return fine(f"MTU {link.mtu if link else '-'}", f"MTU {link.mtu if link else '-'}")
    return fault(
        Text(
            zh=f"{link.name} 的 MTU 是 {link.mtu}，集群网络需要 {expected}",
            en=f"{link.name} has MTU {link.mtu}, the cluster's network needs {expected}",
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `ip link set {link.name} mtu {expected}` 并写入网卡配置，交换机端口也要支持",
            en=f"On {worker.node} run `ip link set {link.name} mtu {expected}` and keep it in the interface's"
            " configuration; the"
            " switch port must allow it, too",
        ),
    )


def check_ports(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """rke's own port check takes a port in use for one that answers (rke.md §9 #10)."""
    machine = facts.machine
    if machine is None:
        return None
    if worker.resumed:
        return fine("本工单此前已开始加入它", "an earlier attempt of this ticket began to join it")
    taken = [(port, listener) for port in context.settings.ports for listener in _on_port(machine.listeners, port)]
    if not taken:
        return fine(f"{len(context.settings.ports)} 个端口空闲", f"{len(context.settings.ports)} ports are free")
    wanted = {port.number: f"{port.number}/{port.protocol} ({port.component}, {it.address})" for port, it in taken}
    listed = ", ".join(wanted[number] for number in sorted(wanted))
    first = min(wanted)
    return fault(
        Text(zh=f"端口已被占用：{listed}", en=f"ports are taken: {listed}"),
        Text(
            zh=f"在 {worker.node} 上以 root 执行 `ss -lntup 'sport = :{first}'` 找到进程并停止，或换机器",
            en=f"On {worker.node} run `ss -lntup 'sport = :{first}'` as root, stop the process, or take another"
            " machine",
        ),
        level=None if any(port.blocking for port, _ in taken) else Level.WARNING,
    )


def check_node_ports(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Services of type NodePort, and outgoing connections that may take their ports first."""
    machine = facts.machine
    if machine is None or worker.resumed:
        return None
    low, high = context.settings.node_port_range
    found = sorted(
        {f"{it.port}/{it.protocol}" for it in machine.listeners if low <= it.port <= high and not _loopback(it)}
    )
    local = re.fullmatch(r"([0-9]{1,5})\s+([0-9]{1,5})", machine.sysctls.get("net.ipv4.ip_local_port_range", ""))
    if local is not None and int(local[1]) <= high and int(local[2]) >= low:
        found.append(f"ip_local_port_range {local[1]}-{local[2]}")
    if not found:
        return fine(f"NodePort 范围 {low}-{high} 空闲", f"NodePort range {low}-{high} is free")
    listed = ", ".join(found[:10])
    return fault(
        Text(
            zh=f"NodePort 范围 {low}-{high} 内已有：{listed}",
            en=f"in the NodePort range {low}-{high} there already is {listed}",
        ),
        Text(
            zh=f"移走这些服务；本地端口范围用 `sysctl -w net.ipv4.ip_local_port_range='{high + 1} 60999'` 避开",
            en=f"Move these services; keep local ports out with `sysctl -w net.ipv4.ip_local_port_range='{high + 1}"
            " 60999'`",
        ),
    )


def check_firewall(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """firewalld and ufw flush or reorder the rules of kube-proxy and the network plugin."""
    machine = facts.machine
    if machine is None:
        return None
    if not machine.firewalls:
        return fine("没有启用 firewalld 或 ufw", "neither firewalld nor ufw is active")
    names = ", ".join(machine.firewalls)
    ports = ", ".join(sorted({f"{it.number}/{it.protocol}" for it in context.settings.ports if it.blocking}))
    commands = "; ".join(FIREWALL_COMMANDS[name] for name in machine.firewalls if name in FIREWALL_COMMANDS)
    return fault(
        Text(
            zh=f"防火墙 {names} 已启用，会与 kube-proxy 和网络插件的规则冲突",
            en=f"firewall {names} is active and gets in the way of kube-proxy and the network plugin",
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `{commands}`，或放行 {ports} 与 pod 网段",
            en=f"On {worker.node} run `{commands}`, or open {ports} and the pod range",
        ),
    )


def check_resolver(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Pods get the machine's resolv.conf: a loopback resolver makes CoreDNS ask itself (rke.md §9 #20)."""
    machine = facts.machine
    if machine is None:
        return None
    servers = [
        line.split()[1] for line in machine.resolv if line.split()[:1] == ["nameserver"] and len(line.split()) > 1
    ]
    search = next((line.split()[1:] for line in reversed(machine.resolv) if line.split()[:1] == ["search"]), [])
    faults = []
    if not servers:
        faults.append(("没有 nameserver", "no nameserver"))
    elif all(_is_loopback(server) for server in servers) and not machine.resolved:
        faults.append(
            (f"只有本机解析器 {', '.join(servers)}", f"only a resolver on the machine itself, {', '.join(servers)}")
        )
    if len(servers) > 3:
        faults.append((f"{len(servers)} 个 nameserver（最多 3 个生效）", f"{len(servers)} nameservers (3 are used)"))
    if len(search) > 6:
        faults.append(
            (f"{len(search)} 个 search 域（旧版本最多 6 个）", f"{len(search)} search domains (older releases take 6)")
        )
    if not faults:
        return fine(f"DNS {', '.join(servers)}", f"DNS {', '.join(servers)}")
    return fault(
        Text(
            zh=f"/etc/resolv.conf：{'；'.join(it[0] for it in faults)}",
            en=f"/etc/resolv.conf: {'; '.join(it[1] for it in faults)}",
        ),
        Text(
            zh=f"在 {worker.node} 的 /etc/resolv.conf 中写入 1-3 个可达的上游 nameserver",
            en=f"Write 1 to 3 reachable upstream nameservers into /etc/resolv.conf of {worker.node}",
        ),
    )


def check_reaches_controlplane(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """kubelet reaches the API through nginx-proxy, which connects to every controlplane node's port 6443."""
    wanted = {(it.host, it.port) for it in context.controlplane}
    tried = [it for it in facts.reach if (it.host, it.port) in wanted]
    if not tried or any(it.prohibited for it in tried):
        return None
    lost = [it for it in tried if not it.open]
    if not lost:
        listed = ", ".join(f"{it.host}:{it.port}" for it in tried)
        return fine(f"可达 {listed}", f"reaches {listed}")
    listed = ", ".join(f"{it.host}:{it.port} ({it.reason})" for it in lost)
    return fault(
        Text(
            zh=f"从机器连不上 {len(lost)}/{len(tried)} 个控制面地址：{listed}",
            en=f"cannot reach {len(lost)} of {len(tried)} controlplane addresses from the machine: {listed}",
        ),
        Text(
            zh=f"检查路由与防火墙：在 {worker.node} 上执行 `curl -k https://{lost[0].host}:{lost[0].port}/healthz`",
            en=f"Check routes and firewalls: on {worker.node} run `curl -k"
            f" https://{lost[0].host}:{lost[0].port}/healthz`",
        ),
        level=None if len(lost) == len(tried) else Level.WARNING,
    )


def check_reached_by_controlplane(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """logs and exec go from the API server to kubelet. A refusal is fine (nobody listens yet), silence is a filter."""
    if not facts.reached_from:
        return None
    silent = [it for it in facts.reached_from if not (it.open or it.refused or it.prohibited)]
    if not silent:
        return fine(
            f"控制面可达 {worker.internal}:{KUBELET_PORT}", f"the controlplane reaches {worker.internal}:{KUBELET_PORT}"
        )
    listed = ", ".join(f"{it.host} ({it.reason})" for it in silent)
    return fault(
        Text(
            zh=f"控制面到 {worker.internal}:{KUBELET_PORT} 没有应答：{listed}",
            en=f"no answer from {worker.internal}:{KUBELET_PORT} to the controlplane: {listed}",
        ),
        Text(
            zh=f"放行控制面到 {worker.internal} 的 TCP {KUBELET_PORT}",
            en=f"Let TCP {KUBELET_PORT} pass from the controlplane to {worker.internal}",
        ),
    )


def _on_port(listeners: Sequence[Listener], port: Port) -> list[Listener]:
    return [it for it in listeners if it.port == port.number and it.protocol == port.protocol]


def _loopback(listener: Listener) -> bool:
    return _is_loopback(listener.address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.split("%")[0]).is_loopback
    except ValueError:
        return False


def _host_addresses(machine: MachineFacts) -> list[InterfaceAddress]:
    return [
        it
        for it in machine.addresses
        if not it.interface.startswith(VIRTUAL) and not ipaddress.ip_address(it.address).is_link_local
    ]


def _overlap(one: str, other: str) -> bool:
    first, second = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    return first.version == second.version and first.overlaps(second)
