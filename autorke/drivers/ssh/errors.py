"""What else can go wrong over SSH, beside the errors that every driver knows (`drivers.base`)."""

from __future__ import annotations

from autorke.core.errors import Text
from autorke.drivers.base import DriverError, RemoteTimeout


class CommandEnded(RemoteTimeout):
    """A command that took too long and is proven to have been ended on the machine; what it did until then stays."""

    code = "remote-timeout-ended"
    text = Text(
        zh="{name} 上的操作超过 {seconds} 秒，已在机器上终止：{what}",
        en="{what} on {name} took longer than {seconds} s and was ended there",
    )


class ConnectionLost(DriverError):
    """The connection broke while a command ran: it may have been carried out."""

    code = "ssh-connection-lost"
    text = Text(zh="与 {name} 的连接在执行 {what} 时中断", en="The connection to {name} broke during {what}")
    remedy = Text(
        zh="检查机器与网络，核实操作是否已生效", en="Check machine and network, and whether the action took effect"
    )
    unreachable = True
    maybe_done = True


class BadArgument(DriverError):
    """A word that no Unix command can receive: nothing was run."""

    status = 422
    code = "ssh-bad-argument"
    text = Text(zh="不能在 {name} 上执行：{reason}", en="Cannot be run on {name}: {reason}")


class RemoteCommandFailed(DriverError):
    code = "remote-command-failed"
    text = Text(
        zh="{name} 上的 {what} 失败（退出码 {code}）：{reason}", en="{what} on {name} failed ({code}): {reason}"
    )


class HostKeyUnreadable(DriverError):
    """The pinned key is not a public key in OpenSSH form."""

    status = 422
    code = "host-key-unreadable"
    text = Text(
        zh="{name} 登记的 SSH 主机密钥无法识别：{reason}", en="The SSH host key pinned for {name} is unusable: {reason}"
    )
    remedy = Text(zh="重新登记主机密钥，如 ssh-ed25519 AAAA…", en="Pin the key again, in the form ssh-ed25519 AAAA…")
    unreachable = True


class BadPrivateKey(DriverError):
    status = 422
    code = "ssh-bad-private-key"
    text = Text(zh="{name} 的凭据私钥不可用：{reason}", en="The private key for {name} cannot be used: {reason}")
    remedy = Text(zh="检查私钥格式与口令", en="Check the key's format and passphrase")
    unreachable = True
