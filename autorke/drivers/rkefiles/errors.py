"""What can be wrong with the files of an rke cluster: one class per fault, each naming the field and the way out."""

from __future__ import annotations

from autorke.core.errors import AutoRkeError, Text


class RkeFileError(AutoRkeError):
    """A cluster.yml or cluster.rkestate that must not be used."""

    status = 422
    code = "rke-file-invalid"
    text = Text(zh="文件不可用：{reason_zh}", en="The file cannot be used: {reason_en}")


class FileTooLarge(RkeFileError):
    status = 413
    code = "rke-file-too-large"
    text = Text(zh="{file} 有 {size} 字节，上限 {limit}", en="{file} has {size} bytes; the limit is {limit}")
    remedy = Text(zh="确认选择的是正确的文件", en="Make sure that this is the right file")


class NotYaml(RkeFileError):
    code = "cluster-yml-not-yaml"
    text = Text(
        zh="cluster.yml 第 {line} 行不是合法的 YAML：{reason}", en="cluster.yml is not YAML at line {line}: {reason}"
    )
    remedy = Text(zh="修正该行的缩进或引号", en="Correct indentation or quotes on that line")


class AliasRefused(RkeFileError):
    code = "cluster-yml-alias"
    text = Text(
        zh="cluster.yml 第 {line} 行使用了 YAML 锚点或别名（{name}），不予接受",
        en="cluster.yml uses a YAML anchor or alias ({name}) at line {line}, which is refused",
    )
    remedy = Text(zh="把内容写全，不用 & 和 *", en="Write the value out, without & and *")


class DuplicateKey(RkeFileError):
    code = "cluster-yml-duplicate-key"
    text = Text(zh="cluster.yml 第 {line} 行重复了键 {key}", en="cluster.yml repeats the key {key} at line {line}")
    remedy = Text(zh="每个键只保留一次", en="Keep each key once")


class UnknownKey(RkeFileError):
    """rke ignores such a key in silence (rke.md §1), which is how typing errors became outages."""

    code = "cluster-yml-unknown-key"
    text = Text(zh="cluster.yml 中没有这个键：{path}{hint_zh}", en="cluster.yml knows no key {path}{hint_en}")
    remedy = Text(
        zh="改正拼写或删除；rke 会悄悄忽略未知的键",
        en="Correct or remove it; rke ignores unknown keys without a word",
    )


class WrongType(RkeFileError):
    code = "cluster-yml-wrong-type"
    text = Text(
        zh="cluster.yml 的 {path} 应为{expected_zh}，实际是{actual_zh}",
        en="{path} in cluster.yml must be {expected_en}; it is {actual_en}",
    )
    remedy = Text(zh="按说明改写该值", en="Rewrite the value")


class InvalidNode(RkeFileError):
    code = "node-invalid"
    text = Text(zh="节点 {node} 的 {what} 不可用：{reason_zh}", en="{what} of node {node} is not usable: {reason_en}")
    remedy = Text(zh="修改该节点的登记信息", en="Change the entry of this node")


class DuplicateNode(RkeFileError):
    status = 409
    code = "node-duplicate"
    text = Text(
        zh="节点 {node} 的 {what} {value} 已被节点 {other} 使用",
        en="{what} {value} of node {node} is already used by node {other}",
    )
    remedy = Text(zh="换用未被占用的地址或主机名", en="Take an address or hostname that is free")


class NotAWorker(RkeFileError):
    code = "role-not-worker"
    text = Text(
        zh="节点 {node} 的角色是 {roles}，这里只能是 worker",
        en="Node {node} has role {roles}; only worker is allowed here",
    )
    remedy = Text(zh="把角色改为 worker", en="Set the role to worker")


class StateNotJson(RkeFileError):
    """rke itself would drop the read error and make a new CA (rke.md §2.5)."""

    code = "rkestate-not-json"
    text = Text(
        zh="cluster.rkestate 不是完整的 JSON（第 {line} 行第 {column} 列），可能被截断",
        en="cluster.rkestate is not whole JSON (line {line}, column {column}); it may have been cut off",
    )
    remedy = Text(
        zh="用备份或集群内的 full-cluster-state 恢复；在此之前不要运行 rke，否则会生成新的 CA",
        en="Restore it from a copy or from full-cluster-state; do not run rke before, it would create a new CA",
    )


class StateIncomplete(RkeFileError):
    code = "rkestate-incomplete"
    text = Text(zh="cluster.rkestate 缺少 {what}", en="cluster.rkestate lacks {what}")
    remedy = Text(zh="用备份或集群内的 full-cluster-state 恢复", en="Restore it from a copy or from full-cluster-state")


class StateOfOtherCluster(RkeFileError):
    status = 409
    code = "rkestate-other-cluster"
    text = Text(
        zh="cluster.rkestate 不属于这个集群：{what}（应为 {expected}，实际 {actual}）",
        en="cluster.rkestate is of another cluster: {what} (expected {expected}, found {actual})",
    )
    remedy = Text(zh="取得本集群的状态文件", en="Get the state file of this cluster")


class PhantomNode(RkeFileError):
    """In the state but not in cluster.yml: stock rke would wipe the machine at that address (rke.md §0.1)."""

    status = 409
    code = "rkestate-phantom-node"
    text = Text(
        zh="cluster.rkestate 中的节点 {nodes} 不在 cluster.yml 里；rke 会清空这些机器",
        en="cluster.rkestate holds {nodes}, which cluster.yml does not; rke would wipe these machines",
    )
    remedy = Text(
        zh="确认这些机器的归属后，把节点补回 cluster.yml 或从状态中移除",
        en="Find out whose machines these are; put them back into cluster.yml or take them out of the state",
    )


class StateLacksNode(RkeFileError):
    status = 409
    code = "rkestate-lacks-node"
    text = Text(
        zh="cluster.yml 中的节点 {nodes} 不在 cluster.rkestate 里",
        en="cluster.yml holds {nodes}, which cluster.rkestate does not",
    )
    remedy = Text(
        zh="这些节点还没有部署完成；先完成或撤销那次变更",
        en="These nodes were never deployed; finish or undo that change first",
    )


class ChangePending(RkeFileError):
    status = 409
    code = "rkestate-change-pending"
    text = Text(
        zh="上一次 rke 运行没有完成：desiredState 与 currentState 在 {fields} 上不同",
        en="An earlier rke run did not finish: desiredState and currentState differ in {fields}",
    )
    remedy = Text(zh="先完成那次 rke up，再加节点", en="Finish that rke up before adding nodes")


class MergeBroken(RkeFileError):
    """Our own safety net: a merge that changed anything except the expected entries is thrown away."""

    status = 500
    code = "rkestate-merge-broken"
    text = Text(zh="合并后的状态与预期不符：{what}", en="The merged state is not as expected: {what}")
    remedy = Text(zh="没有写入任何内容；请联系平台管理员", en="Nothing was written; contact the platform admin")


class StateTooLarge(RkeFileError):
    code = "full-cluster-state-too-large"
    text = Text(
        zh="full-cluster-state 将有 {size} 字节，超过 Kubernetes 的上限 {limit}",
        en="full-cluster-state would have {size} bytes, over the Kubernetes limit of {limit}",
    )
    remedy = Text(
        zh="关闭 generate_serving_certificate 或拆分集群",
        en="Turn off generate_serving_certificate or split the cluster",
    )


class StateMoved(RkeFileError):
    status = 409
    code = "full-cluster-state-moved"
    text = Text(
        zh="集群内的 full-cluster-state 在此期间被别人改过",
        en="Somebody else changed full-cluster-state in the meantime",
    )
    remedy = Text(zh="查明是谁在操作，重新读取后再试", en="Find out who is at work, read it again, then retry")


class FileLocked(RkeFileError):
    status = 409
    code = "rke-file-locked"
    text = Text(zh="{file} 正被另一个进程使用", en="{file} is in use by another process")
    remedy = Text(zh="等另一个操作结束", en="Wait until the other operation has ended")


class FileMoved(RkeFileError):
    status = 409
    code = "rke-file-moved"
    text = Text(zh="{file} 在此期间被改过", en="{file} was changed in the meantime")
    remedy = Text(zh="重新读取并检查后再试", en="Read it again, check, then retry")


class FileUnreadable(RkeFileError):
    code = "rke-file-unreadable"
    text = Text(zh="无法读写 {file}：{reason}", en="Cannot read or write {file}: {reason}")
    remedy = Text(zh="检查路径与权限", en="Check path and permissions")
