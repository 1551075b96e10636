"""Why a cluster is not imported, or a node not joined."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text, Unprocessable


class KubeconfigOfOtherCluster(Unprocessable):
    code = "kubeconfig-other-ca"
    text = Text(
        zh="kubeconfig 的 CA（{actual}）不是 rkestate 的 CA（{expected}）",
        en="The CA of this kubeconfig ({actual}) is not the CA of the rkestate ({expected})",
    )
    remedy = Text(zh="取得本集群的 kube_config 文件", en="Get the kube_config file of this cluster")


class VersionUnknown(Unprocessable):
    code = "kubernetes-version-unknown"
    text = Text(
        zh="cluster.yml 的 kubernetes_version（{configured}）与 rkestate（{deployed}）不同",
        en="kubernetes_version of cluster.yml ({configured}) is not the deployed one ({deployed})",
    )
    remedy = Text(
        zh="先用 rke up 完成该次升级，或把 cluster.yml 改回已部署的版本",
        en="Finish that upgrade with rke up, or put the deployed version back into cluster.yml",
    )


class ClusterKnown(Conflict):
    code = "cluster-already-imported"
    text = Text(zh="{what} 已用于集群 {name}", en="{what} already belongs to cluster {name}")
    remedy = Text(zh="直接使用该集群，或检查文件是否取错", en="Use that cluster, or check whose files these are")


class NodesTaken(Conflict):
    """A machine, address or host name serves one cluster only: the outage of joining a node of another cluster."""

    code = "nodes-in-other-cluster"
    text = Text(zh="以下节点已属于其他集群：{names}", en="These nodes already belong to a cluster: {names}")
    remedy = Text(
        zh="先在原集群中移除，或检查 cluster.yml 是否取错",
        en="Remove them from that cluster first, or check whose cluster.yml this is",
    )


class MachineAmbiguous(Conflict):
    code = "node-machine-ambiguous"
    text = Text(zh="节点 {node} 对应不止一台机器：{machines}", en="Node {node} fits more than one machine: {machines}")
    remedy = Text(zh="先在机器列表中清理重复的地址或主机名", en="Clean up the duplicate address or host name first")


class StaleCluster(Conflict):
    code = "stale-cluster"
    text = Text(
        zh="集群 {name} 已被他人修改（当前版本 {version}）", en="Cluster {name} has changed (now version {version})"
    )
    remedy = Text(zh="刷新后重新修改", en="Reload it and make your change again")


class ClusterBusy(Conflict):
    code = "cluster-busy"
    text = Text(zh="集群 {name} 正被工单 {ticket} 占用", en="Cluster {name} is held by ticket {ticket}")
    remedy = Text(zh="等该工单结束", en="Wait until that ticket has ended")
