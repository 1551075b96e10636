"""Why a revision is not written."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text


class UnexpectedNodes(Conflict):
    """Guard against the outage in which a node vanished from a rendered file and rke then wiped it (rke.md §10.3)."""

    code = "revision-unexpected-nodes"
    text = Text(
        zh="{file} 的节点与预期不符：多出 [{extra}]，缺少 [{missing}]",
        en="The nodes of {file} are not the expected ones: too many [{extra}], missing [{missing}]",
    )
    remedy = Text(zh="重新生成计划后再试", en="Make the plan again, then retry")


class CaChanged(Conflict):
    code = "revision-ca-changed"
    text = Text(
        zh="rkestate 的 CA 变了：此集群为 {expected}，文件为 {actual}",
        en="The CA of this rkestate is {actual}, the cluster's is {expected}",
    )
    remedy = Text(
        zh="不要使用该文件；查明为何生成了新的 CA", en="Do not use this file; find out why a new CA was created"
    )


class StaleParent(Conflict):
    code = "revision-stale-parent"
    text = Text(
        zh="{file} 已有更新的版本 {current}，本次基于版本 {parent}",
        en="{file} has revision {current} by now; this one was made from {parent}",
    )
    remedy = Text(zh="基于最新版本重做", en="Make it again from the newest revision")
