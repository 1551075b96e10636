"""Operating system, kernel, clock and resources of the machine (rke.md §9 #11, #14, #15, #17-#19, #39)."""

from __future__ import annotations

import re

from autorke.checks.context import ClusterContext, ClusterSettings, NewWorker
from autorke.checks.facts import MachineFacts, NodeFacts
from autorke.checks.results import Finding, Level, fault, fine, unknown
from autorke.core.errors import Text

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OLDEST_KERNEL = (3, 10)
GIB = 1024 * 1024
MODULES = ("br_netfilter", "overlay", "nf_conntrack", "ip_tables")
IPVS_MODULES = ("ip_vs", "ip_vs_rr", "ip_set")
PLUGIN_MODULES = {
    "calico": ("ip_set", "xt_set", "ipip"),
    "canal": ("ip_set", "xt_set", "vxlan"),
    "flannel": ("vxlan",),
}


def modules_needed(settings: ClusterSettings) -> tuple[str, ...]:
    """Kernel modules for kube-proxy and the network plugin of this cluster."""
    ipvs = IPVS_MODULES if settings.proxy_mode == "ipvs" else ()
    return tuple(dict.fromkeys((*MODULES, *ipvs, *PLUGIN_MODULES.get(settings.plugin, ()))))


def check_clock(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Only an offset that is certain counts: a slow answer widens the bounds, it does not make a clock wrong."""
    offset = facts.clock
    if offset is None:
        return None
    limit = context.limits.clock_skew_ms
    if offset.at_least_ms <= limit and offset.at_most_ms >= -limit:
        return fine("时钟与平台一致", "clock agrees with the platform's")
    ahead = offset.at_least_ms > limit
    seconds = (offset.at_least_ms if ahead else -offset.at_most_ms) / 1000
    return fault(
        Text(
            zh=f"时钟比平台{'快' if ahead else '慢'} {seconds:.1f} 秒（允许 {limit / 1000:.0f} 秒）",
            en=f"its clock is {seconds:.1f} s {'ahead of' if ahead else 'behind'} the platform's (allowed:"
            f" {limit / 1000:.0f} s)",
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `chronyc makestep`（或 `timedatectl set-ntp true`），再用 `timedatectl` 确认",
            en=f"On {worker.node} run `chronyc makestep` (or `timedatectl set-ntp true`), then look with `timedatectl`",
        ),
    )


def check_ntp(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Without a time daemon the clock agrees today and not in a month."""
    if facts.machine is None:
        return None
    if facts.machine.ntp == "synchronized":
        return fine("时间已同步", "time is synchronised")
    if facts.machine.ntp == "running":
        return fine("时间服务在运行", "a time daemon runs")
    return fault(
        Text(zh="没有时间同步服务，时钟会漂移", en="no time daemon runs: the clock will drift"),
        Text(
            zh=f"在 {worker.node} 上安装并启动 chrony：`systemctl enable --now chronyd`（Debian/Ubuntu 为 chrony）",
            en=f"On {worker.node} install and start chrony: `systemctl enable --now chronyd` (chrony on Debian/Ubuntu)",
        ),
    )


def check_architecture(facts: NodeFacts, _worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Images of another architecture start with `exec format error`, after the join."""
    if facts.machine is None:
        return None
    mine = ARCHITECTURES.get(facts.machine.architecture)
    theirs = sorted({node.architecture for node in context.live or () if node.architecture})
    if mine and (not theirs or mine in theirs):
        return fine(f"架构 {mine}", f"architecture {mine}")
    known = ", ".join(theirs or sorted(ARCHITECTURES.values()))
    return fault(
        Text(
            zh=f"架构是 {facts.machine.architecture}，集群的节点是 {known}",
            en=f"its architecture is {facts.machine.architecture}, the cluster's nodes are {known}",
        ),
        Text(
            zh="换用相同架构的机器；混合架构需要所有镜像都是多架构的，请先由管理员确认",
            en="Use a machine of the same architecture; a mixed cluster needs every image for both, ask an admin first",
        ),
        level=Level.WARNING if mine else None,
    )


def check_kernel(facts: NodeFacts, _worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """overlay2 and Calico need 3.10."""
    if facts.machine is None:
        return None
    release = facts.machine.kernel
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", release)
    if found is None:
        return unknown(Text(zh=f"无法识别内核版本 {release!r}", en=f"kernel release {release!r} is not understood"))
    if (int(found[1]), int(found[2])) >= OLDEST_KERNEL:
        return fine(f"内核 {release}", f"kernel {release}")
    return fault(
        Text(zh=f"内核 {release} 早于 3.10", en=f"kernel {release} is older than 3.10"),
        Text(zh="升级操作系统（CentOS/RHEL 7 或更新）", en="Upgrade the operating system (CentOS/RHEL 7 or later)"),
    )


def check_swap(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """rke passes --fail-swap-on=false, so swap stays unnoticed; when the cluster sets it true, kubelet does not"
    " start."""
    machine = facts.machine
    if machine is None:
        return None
    if not machine.swap:
        return fine("没有启用交换分区", "no swap is active")
    listed = ", ".join(f"{it.device} ({it.kib // 1024} MiB)" for it in machine.swap)
    stops = context.settings.fail_swap_on
    return fault(
        Text(
            zh=f"启用了交换分区：{listed}" + ("；本集群设置 fail_swap_on，kubelet 无法启动" if stops else ""),
            en=f"swap is active: {listed}"
            + ("; this cluster sets fail_swap_on, kubelet will not start" if stops else ""),
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `swapoff -a`，并注释 /etc/fstab 中的 swap 行",
            en=f"On {worker.node} run `swapoff -a` and comment out the swap lines of /etc/fstab",
        ),
        level=Level.ERROR if stops else None,
    )


def check_modules(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """kube-proxy and the network plugin fail late, and with obscure messages, without their modules."""
    machine = facts.machine
    if machine is None:
        return None
    needed = modules_needed(context.settings)
    absent = [name for name in needed if machine.modules.get(name) == "absent"]
    unsure = [name for name in needed if machine.modules.get(name, "unknown") == "unknown"]
    if not absent and not unsure:
        return fine(f"{len(needed)} 个内核模块可用", f"{len(needed)} kernel modules are there")
    listed = ", ".join(absent or unsure)
    if not absent:
        return unknown(
            Text(
                zh=f"无法判断内核模块（没有 /lib/modules）：{listed}",
                en=f"modules {listed} cannot be told (no /lib/modules)",
            ),
            Text(
                zh=f"在 {worker.node} 上执行 `modprobe -an {' '.join(unsure)}` 确认",
                en=f"Look with `modprobe -an {' '.join(unsure)}` on {worker.node}",
            ),
        )
    return fault(
        Text(
            zh=f"内核 {machine.kernel} 缺少模块：{listed}",
            en=f"kernel {machine.kernel} has no module {listed}",
        ),
        Text(
            zh=f"在 {worker.node} 上安装与内核同版本的模块包（如 kernel-modules-{machine.kernel}、"
            f"linux-modules-extra-{machine.kernel}），再执行 `modprobe -a {' '.join(absent)}`",
            en=f"On {worker.node} install the module package of the running kernel (kernel-modules-{machine.kernel} or"
            f" linux-modules-extra-{machine.kernel}), then `modprobe -a {' '.join(absent)}`",
        ),
    )


def check_sysctls(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """A key that is absent belongs to a module that is not loaded yet, and gets its default when it is."""
    machine = facts.machine
    if machine is None:
        return None
    wanted = {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}
    wrong = {key: value for key, value in wanted.items() if machine.sysctls.get(key, value) != value}
    if not wrong:
        return fine("转发与网桥过滤已启用", "forwarding and bridge filtering are on")
    listed = ", ".join(f"{key}={machine.sysctls[key]}" for key in wrong)
    commands = " ".join(f"{key}={value}" for key, value in wrong.items())
    return fault(
        Text(zh=f"内核参数不合适：{listed}", en=f"kernel settings do not fit: {listed}"),
        Text(
            zh=f"在 {worker.node} 上执行 `sysctl -w {commands}` 并写入 /etc/sysctl.d/",
            en=f"On {worker.node} run `sysctl -w {commands}` and write it to /etc/sysctl.d/",
        ),
    )


def check_rp_filter(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Calico's felix refuses to start with loose reverse path filtering unless told otherwise."""
    if facts.machine is None or context.settings.plugin not in ("calico", "canal"):
        return None
    value = facts.machine.sysctls.get("net.ipv4.conf.all.rp_filter", "")
    if value != "2":
        return fine(f"rp_filter={value or '-'}", f"rp_filter={value or '-'}")
    return fault(
        Text(
            zh="net.ipv4.conf.all.rp_filter=2（宽松），Calico 的 felix 会拒绝启动",
            en="net.ipv4.conf.all.rp_filter=2 (loose): Calico's felix refuses to start",
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `sysctl -w net.ipv4.conf.all.rp_filter=1` 并写入 /etc/sysctl.d/",
            en=f"On {worker.node} run `sysctl -w net.ipv4.conf.all.rp_filter=1` and write it to /etc/sysctl.d/",
        ),
    )


def check_kernel_limits(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Limits that bite late, under load (rke.md §9 #39)."""
    machine, limits = facts.machine, context.limits
    if machine is None:
        return None
    floors = {
        "fs.inotify.max_user_instances": limits.inotify_instances,
        "fs.inotify.max_user_watches": limits.inotify_watches,
        "fs.file-max": limits.file_max,
        "net.netfilter.nf_conntrack_max": limits.conntrack_max,
        "kernel.pid_max": limits.pid_max,
    }
    low = [
        (key, value, floor)
        for key, floor in floors.items()
        if (value := _number(machine.sysctls.get(key, ""))) is not None and value < floor
    ]
    listed = [f"{key}={value} < {floor}" for key, value, floor in low]
    if machine.nofile_hard < limits.nofile:
        listed.append(f"nofile={machine.nofile_hard} < {limits.nofile}")
    if not listed:
        return fine("内核与进程限制足够", "kernel and process limits suffice")
    settings = " ".join(f"{key}={floor}" for key, _, floor in low)
    return fault(
        Text(zh=f"限制过低：{', '.join(listed)}", en=f"limits are low: {', '.join(listed)}"),
        Text(
            zh=f"在 {worker.node} 的 /etc/sysctl.d/ 与 /etc/security/limits.d/ 中调高"
            + (f"：`sysctl -w {settings}`" if settings else ""),
            en=f"Raise them in /etc/sysctl.d/ and /etc/security/limits.d/ of {worker.node}"
            + (f": `sysctl -w {settings}`" if settings else ""),
        ),
    )


def check_resources(facts: NodeFacts, _worker: NewWorker, context: ClusterContext) -> Finding | None:
    """kubelet, Docker and the network plugin alone take about 1 GiB and half a CPU."""
    machine, limits = facts.machine, context.limits
    if machine is None:
        return None
    seen = f"{machine.cpus} CPU, {machine.memory_kib / GIB:.1f} GiB"
    if machine.cpus >= limits.cpus and machine.memory_kib >= limits.memory_kib:
        return fine(seen, seen)
    wanted = f"{limits.cpus} CPU, {limits.memory_kib / GIB:.1f} GiB"
    return fault(
        Text(zh=f"只有 {seen}（至少 {wanted}）", en=f"has only {seen} (at least {wanted})"),
        Text(zh="换用更大的机器", en="Use a larger machine"),
    )


def check_disk_space(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """Pulls fail half-way on a full disk, and kubelet evicts below 10 % (rke.md §9 #18)."""
    machine = facts.machine
    if machine is None:
        return None
    full, tight = _low_disks(machine, context)
    if not full and not tight:
        free = ", ".join(f"{it.path} {it.free_kib / GIB:.0f} GiB" for it in machine.disks)
        return fine(f"可用：{free}", f"free: {free}")
    listed = ", ".join(full or tight)
    return fault(
        Text(zh=f"磁盘空间不足：{listed}", en=f"too little disk space: {listed}"),
        Text(
            zh=f"在 {worker.node} 上清理或扩容：`df -h`，`docker system df`，`du -xsh /var/* | sort -h`",
            en=f"Free or add space on {worker.node}: `df -h`, `docker system df`, `du -xsh /var/* | sort -h`",
        ),
        level=None if full else Level.WARNING,
    )


def _low_disks(machine: MachineFacts, context: ClusterContext) -> tuple[list[str], list[str]]:
    limits = context.limits
    floors = {"/": limits.root_free_kib, "/opt/rke": limits.backup_free_kib}
    full, tight = [], []
    for disk in machine.disks:
        is_kubelet = disk.path.endswith("/var/lib/kubelet")
        floor = floors.get(disk.path, limits.kubelet_free_kib if is_kubelet else limits.docker_root_free_kib)
        percent = 100 * disk.free_kib // max(1, disk.total_kib)
        seen = f"{disk.path} ({disk.mountpoint}) {disk.free_kib / GIB:.1f} GiB, {percent} %"
        if disk.free_kib < floor or (percent < limits.disk_free_percent_error and disk.path not in floors):
            full.append(f"{seen} < {floor / GIB:.1f} GiB / {limits.disk_free_percent_error} %")
        elif percent < limits.disk_free_percent_warning and disk.path not in floors:
            tight.append(f"{seen} < {limits.disk_free_percent_warning} %")
    return full, tight


def check_inodes(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """A file system without free inodes is as full as one without space."""
    machine, least = facts.machine, context.limits.inodes_free_percent
    if machine is None:
        return None
    low = [
        f"{it.path} ({it.mountpoint}) {it.inodes_free} / {it.inodes}"
        for it in machine.disks
        if it.inodes and it.inodes_free is not None and 100 * it.inodes_free < least * it.inodes
    ]
    if not low:
        return fine("inode 充足", "enough inodes")
    listed = ", ".join(low)
    return fault(
        Text(zh=f"空闲 inode 少于 {least} %：{listed}", en=f"less than {least} % of the inodes are free: {listed}"),
        Text(
            zh=f"在 {worker.node} 上找出小文件最多的目录：`du --inodes -xd3 / | sort -n | tail`",
            en=f"Find the directories with most small files on {worker.node}: `du --inodes -xd3 / | sort -n | tail`",
        ),
    )


def check_cgroup(facts: NodeFacts, _worker: NewWorker, context: ClusterContext) -> Finding | None:
    """cgroup v2 needs Docker 20.10 and Kubernetes 1.19; before 1.25 it is not called stable (rke.md §9 #15)."""
    machine = facts.machine
    if machine is None:
        return None
    minor = context.settings.minor
    if machine.cgroup == 1 or minor >= (1, 25) or minor == (0, 0):
        return fine(f"cgroup v{machine.cgroup}", f"cgroup v{machine.cgroup}")
    version = context.settings.kubernetes_version
    return fault(
        Text(
            zh=f"机器使用 cgroup v2，Kubernetes {version} " + ("不支持" if minor < (1, 19) else "尚非稳定支持"),
            en=f"it uses cgroup v2, which Kubernetes {version} "
            + ("does not support" if minor < (1, 19) else "supports as alpha or beta"),
        ),
        Text(
            zh="在内核参数中加入 `systemd.unified_cgroup_hierarchy=0` 并重启",
            en="Add `systemd.unified_cgroup_hierarchy=0` to the kernel command line and reboot",
        ),
        level=Level.ERROR if minor < (1, 19) else None,
    )


def check_selinux(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """From 1.22 rke labels its containers rke_container_t, a type that only its policy package knows."""
    machine, docker = facts.machine, facts.docker
    if machine is None:
        return None
    labelled = docker is not None and any("selinux" in option for option in docker.security_options)
    if machine.selinux != "enforcing" or not labelled or context.settings.minor < (1, 22) or machine.selinux_modules:
        return fine(f"SELinux {machine.selinux}", f"SELinux {machine.selinux}")
    seen = Text(
        zh="SELinux 为 enforcing 且 Docker 启用了 SELinux，但没有 rancher 的策略模块（rke_container_t）",
        en="SELinux is enforcing and Docker uses it, but no rancher policy module (rke_container_t) is installed",
    )
    remedy = Text(
        zh=f"在 {worker.node} 上执行 `yum install rancher-selinux`，再用 `semodule -l | grep rancher` 确认",
        en=f"On {worker.node} run `yum install rancher-selinux`, then look with `semodule -l | grep rancher`",
    )
    return unknown(seen, remedy) if machine.root == "no" else fault(seen, remedy)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
