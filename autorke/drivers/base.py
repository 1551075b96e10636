"""What every driver shares: how a machine is reached, what a command returned, and the errors of the outside world.

Values only. A flow builds `SshTarget`s from its frozen node list and hands them to drivers; drivers hand values back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from autorke.core.errors import AutoRkeError, Text

Emit = Callable[[str, str], None]
"""Called with (node name, one log line) while a driver works."""


@dataclass(frozen=True)
class SshTarget:
    """One machine as SSH sees it. Keys and passwords live in memory only and are left out of repr().

    `host_key` is the pinned public key in OpenSSH form (`ssh-ed25519 AAAA…`); a target without one is refused.
    """

    name: str
    address: str
    user: str
    port: int = 22
    host_key: str | None = None
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    become_password: str | None = field(default=None, repr=False)
    """What sudo on the machine asks its user for; None where it asks nothing."""
    bastion: SshTarget | None = None
    docker_socket: str = "/var/run/docker.sock"


@dataclass(frozen=True)
class Completed:
    """A finished remote command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class ByteStream(Protocol):
    """A connected stream through SSH (a Unix socket or TCP port of the machine), close to `socket.socket`."""

    def sendall(self, data: bytes) -> None: ...
    def recv(self, size: int) -> bytes: ...
    def settimeout(self, seconds: float | None) -> None: ...
    def close(self) -> None: ...


class Remote(Protocol):
    """An open connection to one machine. Made by `drivers.ssh.connect(target)`; usable from several threads."""

    @property
    def target(self) -> SshTarget: ...

    def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = 30.0, sudo: bool = False
    ) -> Completed:
        """Run one command; each word is quoted by the driver. Output over 4 MB is cut. Raises RemoteTimeout."""
        ...

    def open_unix(self, path: str, *, timeout: float = 10.0) -> ByteStream:
        """A stream to a Unix socket of the machine (`direct-streamlocal@openssh.com`)."""
        ...

    def open_tcp(self, host: str, port: int, *, timeout: float = 10.0) -> ByteStream:
        """A stream to host:port as seen from the machine (`direct-tcpip`)."""
        ...

    def open_command(self, argv: Sequence[str], *, timeout: float = 10.0, sudo: bool = False) -> ByteStream:
        """A stream to the stdin and stdout of a command that runs until the stream is closed."""
        ...

    def write_file(self, path: str, data: bytes, *, mode: int = 0o600, sudo: bool = False) -> None:
        """Write atomically (temporary file, fsync, rename)."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class DockerApi(Protocol):
    """The Docker Engine API of one machine. Names or ids are accepted wherever Docker accepts both.

    Made by `drivers.docker.docker_over(remote)`. Reads cause no Docker events.
    """

    def ping(self) -> None: ...
    def version(self) -> dict[str, Any]: ...
    def info(self) -> dict[str, Any]: ...
    def containers(self, *, all: bool = True) -> list[dict[str, Any]]: ...
    def inspect(self, name: str) -> dict[str, Any] | None: ...
    def create(self, name: str, body: Mapping[str, Any]) -> str: ...
    def start(self, name: str) -> None: ...
    def stop(self, name: str, *, grace: int = 5) -> None: ...
    def rename(self, name: str, new_name: str) -> None: ...
    def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None: ...
    def wait(self, name: str, *, timeout: float = 300.0) -> int: ...
    def logs(self, name: str, *, tail: int = 200) -> str: ...
    def image(self, name: str) -> dict[str, Any] | None: ...
    def pull(self, name: str, *, auth: Mapping[str, str] | None = None, timeout: float = 600.0) -> None: ...
    def load(self, tar: bytes) -> None: ...
    def events(self, *, since: float, until: float) -> list[dict[str, Any]]: ...


class DriverError(AutoRkeError):
    """The outside said no, or said nothing. `unreachable` tells a node that could not be asked from one that failed;
    `maybe_done` tells that the outside may have acted although we heard no answer (the honest state is UNKNOWN)."""

    status = 502
    code = "driver-error"
    text = Text(zh="外部系统出错：{reason}", en="The outside failed: {reason}")
    unreachable: ClassVar[bool] = False
    maybe_done: ClassVar[bool] = False


class Unreachable(DriverError):
    code = "ssh-unreachable"
    text = Text(zh="无法连接 {name}（{address}）：{reason}", en="Cannot reach {name} ({address}): {reason}")
    remedy = Text(zh="检查机器是否开机、网络与防火墙、sshd 端口", en="Check power, network, firewall and the sshd port")
    unreachable = True


class RemoteTimeout(DriverError):
    code = "remote-timeout"
    text = Text(zh="{name} 上的操作超过 {seconds} 秒：{what}", en="{what} on {name} took longer than {seconds} s")
    remedy = Text(
        zh="登录机器查看负载与磁盘，以及该操作是否仍在进行，然后重试",
        en="Look at load and disks on the machine, and whether the action still goes on there, then retry",
    )
    maybe_done = True


class HostKeyMismatch(DriverError):
    code = "host-key-mismatch"
    text = Text(
        zh="{name} 的 SSH 主机密钥与登记的不一致：登记 {pinned}，实际 {seen}",
        en="The SSH host key of {name} is not the pinned one: pinned {pinned}, seen {seen}",
    )
    remedy = Text(
        zh="确认机器是否重装或被替换；核实后由管理员重新登记主机密钥",
        en="Find out whether the machine was reinstalled or replaced; an admin may then pin the new key",
    )
    unreachable = True


class HostKeyMissing(DriverError):
    code = "host-key-missing"
    text = Text(zh="{name} 没有登记 SSH 主机密钥", en="No SSH host key is pinned for {name}")
    remedy = Text(zh="先执行机器的主机密钥登记", en="Pin the machine's host key first")
    unreachable = True


class AuthenticationRefused(DriverError):
    code = "ssh-auth-refused"
    text = Text(zh="{name} 拒绝用户 {user} 的登录", en="{name} refused the login of user {user}")
    remedy = Text(zh="检查凭据与 authorized_keys", en="Check the credential and authorized_keys")
    unreachable = True


class ForwardingRefused(DriverError):
    code = "ssh-forwarding-refused"
    text = Text(zh="{name} 不能打开 {what}：{reason}", en="{name} would not open {what}: {reason}")
    remedy = Text(
        zh="检查 sshd 的 AllowStreamLocalForwarding / AllowTcpForwarding，以及用户是否在 docker 组",
        en="Check AllowStreamLocalForwarding / AllowTcpForwarding of sshd and that the user is in group docker",
    )


class DockerError(DriverError):
    code = "docker-error"
    text = Text(zh="{name} 的 Docker 拒绝 {what}：{reason}", en="Docker on {name} refused {what}: {reason}")


class KubeError(DriverError):
    code = "kubernetes-error"
    text = Text(zh="Kubernetes API 拒绝 {what}：{reason}", en="The Kubernetes API refused {what}: {reason}")


class KubeUnreachable(KubeError):
    code = "kubernetes-unreachable"
    text = Text(zh="无法访问集群的 Kubernetes API：{reason}", en="Cannot reach the cluster's Kubernetes API: {reason}")
    remedy = Text(zh="检查控制面与 kubeconfig", en="Check the control plane and the kubeconfig")
    unreachable = True
