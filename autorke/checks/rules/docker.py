"""The Docker Engine of the machine (rke.md §9 #2-#4, #15, #16, #21)."""

from __future__ import annotations

import re

from autorke.checks.context import ClusterContext, NewWorker
from autorke.checks.facts import NodeFacts
from autorke.checks.results import Finding, Level, fault, fine, unknown
from autorke.core.errors import Text

ABSENT = "docker-absent"
DENIED = "docker-socket-denied"
FORWARDING = "ssh-forwarding-refused"
OLDEST_WITH_CGROUP_2 = (20, 10)
RKE_NEWEST_API = (1, 41)
"""The newest Docker API that any rke speaks (rke.md §8)."""


def check_docker_runs(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Without a Docker Engine there is nothing to join with."""
    if facts.docker is not None:
        return fine(f"Docker {facts.docker.version}", f"Docker {facts.docker.version}")
    code = _error_code(facts)
    if code in (DENIED, FORWARDING, ""):
        return None
    socket = worker.target.docker_socket
    installed = facts.machine is not None and bool(facts.machine.docker_binary)
    if code != ABSENT:
        return fault(
            _error_text(facts),
            Text(
                zh=f"在 {worker.node} 上查看 `journalctl -u docker -n 50`",
                en=f"Look at `journalctl -u docker -n 50` on {worker.node}",
            ),
        )
    if installed:
        return fault(
            Text(zh=f"Docker 已安装，但 {socket} 上没有服务", en=f"Docker is installed, but nothing serves {socket}"),
            Text(
                zh=f"在 {worker.node} 上执行 `systemctl enable --now docker`；失败时看 `journalctl -u docker -n 50`",
                en=f"On {worker.node} run `systemctl enable --now docker`; if it fails, `journalctl -u docker -n 50`",
            ),
        )
    return fault(
        Text(zh="没有安装 Docker", en="Docker is not installed"),
        Text(
            zh="先执行“初始化”步骤，或安装集群所支持的 Docker 版本",
            en="Run the initialise step, or install a Docker version that the cluster supports",
        ),
    )


def check_docker_access(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Commonest first-run failure of rke: the SSH user is not in group docker."""
    if facts.docker is not None:
        return fine(
            f"{worker.target.user} 可用 {worker.target.docker_socket}",
            f"{worker.target.user} may use {worker.target.docker_socket}",
        )
    if _error_code(facts) != DENIED:
        return None
    user, machine = worker.target.user, facts.machine
    groups = ", ".join(machine.groups) if machine is not None else "?"
    return fault(
        Text(
            zh=f"用户 {user}（组：{groups}）无权访问 {worker.target.docker_socket}",
            en=f"user {user} (groups: {groups}) may not open {worker.target.docker_socket}",
        ),
        Text(
            zh=f"在 {worker.node} 上以 root 执行 `usermod -aG docker {user}`，断开该用户的 SSH 连接后再校验",
            en=f"On {worker.node} run `usermod -aG docker {user}` as root, end that user's SSH connections,"
            " check again",
        ),
    )


def check_forwarding(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """rke and we reach Docker, health ports and the API through SSH channels; sshd may forbid them. Where only the
    socket's stream is forbidden and Docker's client is there, we go through that, and rke could not: a warning."""
    tcp = [f"{it.host}:{it.port}" for it in facts.reach if it.prohibited]
    stream = facts.socket_forwarded is False and _error_code(facts) in (FORWARDING, "")
    if not tcp and not stream:
        return fine("SSH 转发可用", "SSH forwarding works") if facts.socket_forwarded else None
    option = "AllowStreamLocalForwarding" if stream else "AllowTcpForwarding"
    place = worker.target.docker_socket if stream else tcp[0]
    return fault(
        Text(
            zh=f"sshd 拒绝转发到 {place}（{option}）；原版 rke 无法管理这台机器",
            en=f"sshd forbids forwarding to {place} ({option}); stock rke could not manage it",
        ),
        Text(
            zh=f"在 {worker.node} 的 /etc/ssh/sshd_config 中设置 `AllowTcpForwarding yes` 与"
            " `AllowStreamLocalForwarding yes`，"
            "再执行 `systemctl reload sshd`",
            en="Set `AllowTcpForwarding yes` and `AllowStreamLocalForwarding yes` in /etc/ssh/sshd_config of"
            f" {worker.node}, then"
            " `systemctl reload sshd`",
        ),
        level=Level.WARNING if stream and facts.docker is not None else None,
    )


def check_docker_version(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """rke refuses versions that are not listed for the Kubernetes version, and cannot speak to Engine 29 at all."""
    docker, supported = facts.docker, context.supported_docker
    if docker is None:
        return None
    lowest = _version(docker.min_api_version)
    if lowest is not None and lowest > RKE_NEWEST_API:
        return fault(
            Text(
                zh=f"Docker {docker.version} 要求 API {docker.min_api_version} 以上，rke 最高只支持 1.41",
                en=f"Docker {docker.version} serves API {docker.min_api_version} and later, rke speaks 1.41 at most",
            ),
            _version_remedy(worker, context),
        )
    if not supported:
        return unknown(
            Text(
                zh=f"Docker {docker.version}；不知道 Kubernetes {context.settings.kubernetes_version} 支持哪些版本",
                en=f"Docker {docker.version}; which versions Kubernetes {context.settings.kubernetes_version}"
                " supports is not known",
            ),
        )
    if _version(docker.version) in [_version(version) for version in supported]:
        return fine(f"Docker {docker.version}", f"Docker {docker.version}")
    return fault(
        Text(
            zh=f"Docker {docker.version} 不在 Kubernetes {context.settings.kubernetes_version} 支持的版本中"
            f"（{', '.join(supported)}）",
            en=f"Docker {docker.version} is not among those for Kubernetes {context.settings.kubernetes_version}"
            f" ({', '.join(supported)})",
        ),
        _version_remedy(worker, context),
    )


def check_docker_os(facts: NodeFacts, _worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """The worker plane we compute is the one for Linux."""
    if facts.docker is None:
        return None
    if facts.docker.os_type == "linux":
        return fine(facts.docker.operating_system, facts.docker.operating_system)
    return fault(
        Text(zh=f"Docker 运行在 {facts.docker.os_type} 上", en=f"Docker runs on {facts.docker.os_type}"),
        Text(
            zh="换用 Linux 机器；本流程不添加 Windows 节点", en="Take a Linux machine; this flow adds no Windows nodes"
        ),
    )


def check_docker_settings(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Other storage drivers are slow or lose data; other log drivers leave rke's log links dangling."""
    docker = facts.docker
    if docker is None:
        return None
    wrong = []
    if docker.storage_driver != "overlay2":
        wrong.append(f"storage-driver={docker.storage_driver}")
    if docker.logging_driver != "json-file":
        wrong.append(f"log-driver={docker.logging_driver}")
    if not wrong:
        seen = f"overlay2, json-file, live-restore {str(docker.live_restore).lower()}"
        return fine(seen, seen)
    listed = ", ".join(wrong)
    return fault(
        Text(zh=f"Docker 设置与集群不一致：{listed}", en=f"Docker is set up unlike the cluster: {listed}"),
        Text(
            zh=f'在 {worker.node} 的 /etc/docker/daemon.json 中设 `"storage-driver": "overlay2", "log-driver":'
            ' "json-file"`，重启 docker',
            en='Set `"storage-driver": "overlay2", "log-driver": "json-file"` in /etc/docker/daemon.json of'
            f" {worker.node} and"
            " restart docker",
        ),
    )


def check_docker_root(facts: NodeFacts, worker: NewWorker, context: ClusterContext) -> Finding | None:
    """kubelet binds DockerRootDir: log collectors and backups expect it in one place on all nodes."""
    docker = facts.docker
    if docker is None or not context.docker_root:
        return None
    if docker.root_dir == context.docker_root:
        return fine(docker.root_dir, docker.root_dir)
    return fault(
        Text(
            zh=f"DockerRootDir 是 {docker.root_dir}，集群其他节点是 {context.docker_root}",
            en=f"DockerRootDir is {docker.root_dir}, on the cluster's other nodes {context.docker_root}",
        ),
        Text(
            zh=f'在 {worker.node} 的 /etc/docker/daemon.json 中设 `"data-root": "{context.docker_root}"` 并重启'
            " docker（此时还没有数据）",
            en=f'Set `"data-root": "{context.docker_root}"` in /etc/docker/daemon.json of {worker.node} and restart'
            " docker (it"
            " holds no data yet)",
        ),
    )


def check_docker_cgroup(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Docker learned cgroup v2 in 20.10."""
    machine, docker = facts.machine, facts.docker
    if machine is None or docker is None:
        return None
    version = _version(docker.version)
    old = version is not None and version < OLDEST_WITH_CGROUP_2
    if machine.cgroup == 1 or not old:
        return fine(f"cgroup 驱动 {docker.cgroup_driver}", f"cgroup driver {docker.cgroup_driver}")
    return fault(
        Text(
            zh=f"机器使用 cgroup v2，Docker {docker.version} 不支持",
            en=f"it uses cgroup v2, which Docker {docker.version} does not know",
        ),
        Text(
            zh=f"在 {worker.node} 上升级 Docker 到 20.10 以上，或加内核参数"
            " `systemd.unified_cgroup_hierarchy=0` 并重启",
            en=f"On {worker.node} upgrade Docker to 20.10 or later, or boot with `systemd.unified_cgroup_hierarchy=0`",
        ),
    )


def check_images(facts: NodeFacts, worker: NewWorker, _context: ClusterContext) -> Finding | None:
    """Absent images are pulled by the join step, if their registry answers (rke.md §9 #21)."""
    docker = facts.docker
    if docker is None or not docker.images:
        return None
    absent = sorted(name for name, here in docker.images.items() if not here)
    if not absent:
        return fine(f"{len(docker.images)} 个镜像已在本机", f"all {len(docker.images)} images are there")
    hosts = {registry_of(name) for name in absent}
    silent = [it for it in facts.reach if (it.host, it.port) in hosts and not it.open and not it.prohibited]
    if not silent or docker.proxied or docker.mirrors:
        return fine(f"{len(absent)} 个镜像将在加入时拉取", f"{len(absent)} images will be pulled while joining")
    listed = ", ".join(f"{it.host}:{it.port} ({it.reason})" for it in silent)
    return fault(
        Text(
            zh=f"缺少 {len(absent)} 个镜像（{absent[0]} …），而镜像仓库连不上：{listed}",
            en=f"{len(absent)} images are absent ({absent[0]} …) and their registry does not answer: {listed}",
        ),
        Text(
            zh=f"在 {worker.node} 上执行 `docker pull {absent[0]}` 查看原因，或先用 `docker load` 导入镜像",
            en=f"See why with `docker pull {absent[0]}` on {worker.node}, or bring the images with `docker load`",
        ),
    )


def registry_of(image: str) -> tuple[str, int]:
    """Host and port that an image is pulled from: `reg.example:5000/a/b` → (reg.example, 5000); Docker Hub"
    " otherwise."""
    first, slash, _ = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return ("registry-1.docker.io", 443)
    host, _, port = first.partition(":")
    return (host, int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 443)


def _version_remedy(worker: NewWorker, context: ClusterContext) -> Text:
    version = context.supported_docker[-1] if context.supported_docker else "20.10"
    return Text(
        zh=f"在 {worker.node} 上安装 Docker {version}（“初始化”步骤可以完成），再用 `docker version` 确认",
        en=f"Install Docker {version} on {worker.node} (the initialise step can), then look with `docker version`",
    )


def _version(text: str) -> tuple[int, int] | None:
    """(20, 10) of 20.10.24; None of what is no version. 17.03 and 17.3 are the same."""
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", text)
    return (int(found[1]), int(found[2])) if found else None


def _error_code(facts: NodeFacts) -> str:
    """What keeps Docker from us. The machine's own look at the socket's permissions comes first: sshd refuses a denied
    socket, a missing one and a forbidden forwarding in the same words."""
    if facts.docker_error is None:
        return ""
    if facts.machine is not None and facts.machine.docker_socket_denied:
        return DENIED
    return str(facts.docker_error["code"])


def _error_text(facts: NodeFacts) -> Text:
    cause = (facts.docker_error or {}).get("cause", {})
    return Text(zh=str(cause.get("zh", "")), en=str(cause.get("en", "")))
