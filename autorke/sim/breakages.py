"""Ways to break one machine that a visitor may choose from, and what each looks like from outside.

Each is a handful of faults (`faults`), changed facts or files, put in force together. What the product should say is
written beside it, so that a visitor knows what to look for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autorke.sim.machine.facts import Facts

Change = Mapping[str, Any]


@dataclass(frozen=True)
class Breakage:
    """`faults` are `faults.Fault` without the host, `facts` a change of facts, `files` contents by path.

    `power` and `identity` are what no fact says: the machine is dark, its host key is another.
    """

    kind: str
    zh: str
    en: str
    seen_zh: str
    seen_en: str
    faults: tuple[Change, ...] = ()
    facts: Callable[[Facts], Change] = field(default=lambda _facts: {})
    files: Mapping[str, str] = field(default_factory=dict)
    dead: bool = False
    rekey: bool = False
    of_cmdb: bool = False

    def described(self) -> dict[str, str]:
        """For the page and the list of kinds."""
        seen = {"seen_zh": self.seen_zh, "seen_en": self.seen_en}
        return {"kind": self.kind, "zh": self.zh, "en": self.en, "of": "cmdb" if self.of_cmdb else "machine"} | seen


def _full(facts: Facts) -> Change:
    """Every file system at its last megabyte."""
    disks = [disk.model_dump() for disk in facts.disks]
    return {"disks": [disk | {"used_kb": disk["size_kb"] - 1024} for disk in disks]}


_VALIDATE = ("校验步骤报告该机器不可达", "the checks call the machine unreachable")
_JOIN_FAILS = ("加入步骤在该机器上失败，只重试它", "the join fails on this machine; only it is retried")
_UNCLEAR = (
    "结果未知：工单要求人工裁决，不会自动重跑",
    "nobody can tell: UNKNOWN, a person decides, nothing is run again by itself",
)

ALL = (
    Breakage("ssh-refused", "SSH 端口关闭", "the SSH port is closed", *_VALIDATE,
             faults=({"where": "connect", "kind": "refuse"},)),
    Breakage("ssh-silent", "网络丢包，SSH 无应答", "packets are dropped, SSH never answers", *_VALIDATE,
             faults=({"where": "connect", "kind": "hang"},)),
    Breakage("ssh-denied", "SSH 登录被拒绝", "the SSH login is refused", *_VALIDATE,
             faults=({"where": "auth", "kind": "refuse"},)),
    Breakage("ssh-slow", "每条命令慢 3 秒", "every command takes 3 s longer",
             "变慢但能成功", "slow, but it succeeds",
             faults=({"where": "exec", "kind": "slow", "ms": 3000},)),
    Breakage("reinstalled", "重装系统后 SSH 主机密钥已变", "another SSH host key, as after a reinstallation",
             "校验步骤拒绝陌生的主机密钥", "the checks refuse the strange host key", rekey=True),
    Breakage("power-off", "断电", "powered off", *_VALIDATE, dead=True),
    Breakage("disk-full", "磁盘写满", "the disks are full",
             "校验步骤报告磁盘空间不足", "the checks find no room on the disks",
             facts=_full),
    Breakage("clock-off", "时钟快 5 分钟", "the clock is 5 minutes fast",
             "校验步骤报告时间偏差", "the checks find the time skew",
             facts=lambda _facts: {"time_skew": 300.0, "ntp_synced": False}),
    Breakage("leftovers", "残留旧集群的数据", "data of an old cluster",
             "校验步骤拒绝该机器", "the checks refuse the machine",
             files={"/var/lib/etcd/member/wal/0.wal": "old cluster\n", "/var/lib/kubelet/config.json": "{}\n"}),
    Breakage("playbook-fails", "根文件系统只读，Ansible 无法写文件", "read-only root: Ansible cannot write files",
             "初始化步骤在该机器上失败", "the initialise step fails on this machine",
             faults=({"where": "ansible:copy", "kind": "fail", "text": "[Errno 30] Read-only file system"},)),
    Breakage("registry-down", "镜像仓库连不上", "the image registry cannot be reached", *_JOIN_FAILS,
             faults=({"where": "docker:pull", "kind": "fail", "text": "dial tcp 10.8.0.5:443: i/o timeout"},)),
    Breakage("pull-slow", "每个镜像拉取 45 秒", "every image takes 45 s to pull",
             "加入步骤长时间运行", "the join runs for a long time",
             facts=lambda _facts: {"docker": {"pull_seconds": 45.0}}),
    Breakage("create-fails", "Docker 无法创建 kubelet 容器", "Docker cannot create the kubelet's container",
             *_JOIN_FAILS,
             faults=({"where": "docker:create:kubelet", "kind": "fail", "text": "no space left on device"},)),
    Breakage("create-unclear", "创建 kubelet 容器后连接中断",
             "the connection ends just after the kubelet's container was created",
             *_UNCLEAR,
             faults=({"where": "docker:create:kubelet", "kind": "cut_after"},)),
    Breakage("kubelet-unhealthy", "kubelet 健康检查不通过", "the kubelet's health check never passes",
             *_JOIN_FAILS,
             faults=({"where": "health:kubelet", "kind": "fail"},)),
    Breakage("never-ready", "节点注册了但一直 NotReady", "the node registers and never turns Ready",
             "加入步骤等待 5 分钟后失败", "the join waits for 5 minutes, then fails",
             faults=({"where": "node:ready", "kind": "hang"},)),
    Breakage("dies-half-way", "启动 kubelet 时断电", "power is lost as the kubelet starts", *_UNCLEAR,
             faults=({"where": "docker:start:kubelet", "kind": "die"},)),
    Breakage("cmdb-down", "CMDB 返回 503", "the CMDB answers 503",
             "同步失败，数据不变", "the sync fails and changes nothing",
             faults=({"where": "cmdb", "kind": "fail", "status": 503},), of_cmdb=True),
    Breakage("cmdb-half", "CMDB 只返回半个应答", "the CMDB sends half an answer",
             "同步失败，数据不变", "the sync fails and changes nothing",
             faults=({"where": "cmdb", "kind": "garbage"},), of_cmdb=True),
)  # fmt: skip
KINDS = {breakage.kind: breakage for breakage in ALL}
