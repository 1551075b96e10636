"""What can stand in the way of a machine's change."""

from __future__ import annotations

from autorke.core.errors import Conflict, Text, Unprocessable


class MachinesUnavailable(Conflict):
    """`machines` lists (hostname, why) of each machine that could not be had; none of the others was taken either."""

    code = "machines-unavailable"
    text = Text(zh="以下机器不可用：{names}", en="These machines are not available: {names}")
    remedy = Text(
        zh="去掉这些机器，或等待占用它们的工单结束", en="Leave them out, or wait for the tickets that hold them"
    )


class StaleMachine(Conflict):
    code = "stale-machine"
    text = Text(
        zh="机器 {hostname} 已被他人修改（当前版本 {version}）",
        en="Machine {hostname} has changed (now version {version})",
    )
    remedy = Text(zh="刷新后重新修改", en="Reload it and make your change again")


class BoundField(Conflict):
    """Identity of a serving or reserved machine changes through a ticket, never by editing (design §1)."""

    code = "machine-field-bound"
    text = Text(
        zh="机器 {hostname} 处于 {state}，不能直接修改 {name}",
        en="Machine {hostname} is {state}: {name} cannot be edited",
    )
    remedy = Text(zh="先通过工单将机器移出集群", en="Take the machine out of its cluster by a ticket first")


class HostKeyDiffers(Conflict):
    code = "host-key-already-pinned"
    text = Text(
        zh="机器 {hostname} 已登记另一把主机密钥：{pinned}",
        en="Machine {hostname} has another host key pinned: {pinned}",
    )
    remedy = Text(
        zh="确认机器确已重装后，带 replace=true 重新提交",
        en="Make sure that the machine was reinstalled, then send replace=true",
    )


class BadHostKey(Unprocessable):
    code = "bad-host-key"
    text = Text(
        zh="不是 OpenSSH 公钥：应为“类型 base64”，例如 ssh-ed25519 AAAA…",
        en="Not an OpenSSH public key: `type base64` expected, e.g. ssh-ed25519 AAAA…",
    )
    remedy = Text(zh="在机器上执行 ssh-keyscan localhost 获取", en="Read it on the machine with ssh-keyscan localhost")


class BadBastion(Unprocessable):
    code = "bad-bastion"
    text = Text(zh="跳板机不能是机器自己，也不能成环", en="A bastion cannot be the machine itself, nor close a circle")
    remedy = Text(zh="选择另一台跳板机", en="Choose another bastion")


class ScanBehindBastion(Conflict):
    """From here the same address may be another machine."""

    code = "host-key-scan-behind-bastion"
    text = Text(
        zh="机器 {hostname} 在跳板机之后，不能从平台直接读取主机密钥",
        en="Machine {hostname} is behind a bastion: its host key cannot be read from here",
    )
    remedy = Text(
        zh="在跳板机上执行 ssh-keyscan，核对后填入", en="Run ssh-keyscan on the bastion, compare, and enter the key"
    )
