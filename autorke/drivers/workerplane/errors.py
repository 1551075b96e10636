"""Why the worker engine would not act, and what went wrong when it did."""

from __future__ import annotations

from autorke.core.errors import AutoRkeError, Text
from autorke.drivers.base import DriverError


class WorkerPlaneError(AutoRkeError):
    status = 409
    code = "worker-plane"


class UnknownKubernetesVersion(WorkerPlaneError):
    status = 422
    code = "kubernetes-version-unknown"
    text = Text(
        zh="不认识 Kubernetes 版本 {version}；引擎支持 v1.15 到 v1.30",
        en="Kubernetes version {version} is not known; the engine knows v1.15 to v1.30",
    )
    remedy = Text(zh="改用 rke 二进制执行这次变更", en="Make this change with the rke binary")


class ConfigIncomplete(WorkerPlaneError):
    status = 422
    code = "rke-config-incomplete"
    text = Text(zh="状态中的 rkeConfig 缺少 {path}", en="rkeConfig in the state lacks {path}")
    remedy = Text(zh="用备份恢复状态文件", en="Restore the state file from a copy")


class UnsupportedHost(WorkerPlaneError):
    status = 422
    code = "host-unsupported"
    text = Text(zh="主机不受支持：{reason_zh}", en="This host is not supported: {reason_en}")
    remedy = Text(zh="只能加入 Linux 主机", en="Only Linux hosts can join")


class UnknownNode(WorkerPlaneError):
    status = 404
    code = "node-unknown"
    text = Text(zh="cluster.yml 和状态中都没有节点 {node}", en="Neither cluster.yml nor the state knows node {node}")
    remedy = Text(zh="检查地址", en="Check the address")


class CertificateMissing(WorkerPlaneError):
    status = 422
    code = "certificate-missing"
    text = Text(zh="状态中没有证书 {name}", en="The state holds no certificate {name}")
    remedy = Text(zh="用备份恢复状态文件", en="Restore the state file from a copy")


class ForeignCluster(WorkerPlaneError):
    """The machine carries certificates of another CA: it serves, or served, another cluster."""

    code = "machine-of-other-cluster"
    text = Text(
        zh="{node} 上已有别的集群的证书（{what}）", en="{node} already carries certificates of another cluster ({what})"
    )
    remedy = Text(
        zh="查明机器属于哪个集群；确认闲置后先清理再加入",
        en="Find out which cluster it belongs to; clean it before it joins when it is really free",
    )


class NotAFreeMachine(WorkerPlaneError):
    code = "machine-not-free"
    text = Text(zh="{node} 上有 Kubernetes 组件：{what}", en="{node} carries Kubernetes components: {what}")
    remedy = Text(zh="确认机器闲置后先清理再加入", en="Clean the machine first, when it is really free")


class ContainerDiffers(WorkerPlaneError):
    code = "container-differs"
    text = Text(
        zh="{node} 上已有不同的容器 {container}：{fields}",
        en="{node} already has a different container {container}: {fields}",
    )
    remedy = Text(
        zh="引擎不会替换已有容器；查明来源，必要时先清理机器",
        en="The engine never replaces a container; find out where it comes from, clean the machine if need be",
    )


class StaleContainer(WorkerPlaneError):
    code = "container-stale"
    text = Text(
        zh="{node} 上有遗留的一次性容器 {container} 正在运行",
        en="A left-over one-shot container {container} runs on {node}",
    )
    remedy = Text(
        zh="可能有 rke 正在运行；等它结束或确认后手工删除",
        en="rke may be at work; wait, or remove it by hand when sure",
    )


class SpecDiffers(WorkerPlaneError):
    code = "spec-differs"
    text = Text(
        zh="计算出的容器与健康节点 {node} 上的不一致：{differences}",
        en="The computed containers differ from those of the healthy worker {node}: {differences}",
    )
    remedy = Text(
        zh="集群可能有未执行完的配置变更；先用 rke up 对齐",
        en="A configuration change may not have been rolled out; align the cluster with rke up first",
    )


class OneShotFailed(DriverError):
    code = "one-shot-failed"
    text = Text(
        zh="{node} 上的 {container} 以退出码 {exit_code} 结束",
        en="{container} on {node} ended with exit code {exit_code}",
    )
    remedy = Text(zh="查看磁盘空间与 Docker 日志后重试", en="Look at disk space and the Docker log, then retry")


class NotHealthy(DriverError):
    code = "component-not-healthy"
    text = Text(
        zh="{node} 上的 {component} 在 {seconds} 秒内没有健康：{reason}",
        en="{component} on {node} was not healthy within {seconds} s: {reason}",
    )
    remedy = Text(
        zh="查看该容器的日志（常见原因：swap、cgroup 驱动、无法访问控制面）",
        en="Read that container's log (often: swap, cgroup driver, control plane out of reach)",
    )
