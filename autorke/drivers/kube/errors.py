"""The ways in which a cluster's Kubernetes API says no, or says nothing."""

from __future__ import annotations

from autorke.core.errors import Text
from autorke.drivers.base import KubeError, KubeUnreachable


class KubeconfigUnusable(KubeError):
    status = 422
    code = "kubeconfig-unusable"
    text = Text(zh="kubeconfig 不能使用：{reason}", en="The kubeconfig cannot be used: {reason}")
    remedy = Text(
        zh="请使用 rke 生成的 kube_config_*.yml（证书内嵌）",
        en="Use the kube_config_*.yml that rke wrote (data inline)",
    )


class KubeCaMismatch(KubeUnreachable):
    """Somebody else answers at this address, or the cluster has another CA than we know: nothing was sent."""

    code = "kubernetes-ca-mismatch"
    text = Text(
        zh="{address} 的证书不是由 kubeconfig 中的 CA（SHA-256 {ca}…）签发",
        en="The certificate at {address} was not issued by the kubeconfig's CA (SHA-256 {ca}…)",
    )
    remedy = Text(
        zh="核实 kubeconfig 属于此集群；CA 轮换后需重新导入",
        en="Check that the kubeconfig is this cluster's; import again after a CA rotation",
    )


class KubeNotFound(KubeError):
    status = 404
    code = "kubernetes-not-found"


class KubeConflict(KubeError):
    """The object exists already, or has changed since it was read."""

    status = 409
    code = "kubernetes-conflict"


class KubeForbidden(KubeError):
    code = "kubernetes-forbidden"
    remedy = Text(zh="使用有管理员权限的 kubeconfig", en="Use a kubeconfig with the rights of an administrator")


class KubeOutcomeUnknown(KubeError):
    """A change that was sent and not answered: it may have been carried out."""

    code = "kubernetes-outcome-unknown"
    text = Text(
        zh="Kubernetes API 没有答复 {what}，结果未知：{reason}", en="The Kubernetes API never answered {what}: {reason}"
    )
    remedy = Text(zh="查看对象的实际状态后再决定", en="Look at the object's real state before deciding")
    maybe_done = True


class NodeNotReady(KubeError):
    code = "node-not-ready"
    text = Text(
        zh="节点 {node} 在 {seconds} 秒内没有就绪：{reason}", en="Node {node} is not Ready after {seconds} s: {reason}"
    )
    remedy = Text(zh="查看该节点 kubelet 日志与 CNI Pod", en="Look at the node's kubelet log and at its CNI pods")
