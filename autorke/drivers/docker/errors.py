"""The ways in which a Docker Engine says no, or says nothing."""

from __future__ import annotations

from autorke.core.errors import Text
from autorke.drivers.base import DockerError


class DockerSocketDenied(DockerError):
    code = "docker-socket-denied"
    text = Text(zh="用户 {user} 无权访问 {name} 的 {socket}", en="User {user} may not open {socket} on {name}")
    remedy = Text(zh="把该用户加入 docker 组后重试", en="Add the user to group docker, then retry")


class DockerAbsent(DockerError):
    code = "docker-absent"
    text = Text(zh="{name} 上没有运行中的 Docker：{reason}", en="No Docker Engine runs on {name}: {reason}")
    remedy = Text(zh="安装并启动 Docker，检查套接字路径", en="Install and start Docker, and check the socket's path")


class DockerNotFound(DockerError):
    status = 404
    code = "docker-not-found"


class DockerConflict(DockerError):
    """The name is taken, or the container's state does not allow it."""

    status = 409
    code = "docker-conflict"


class DockerTimeout(DockerError):
    """A read that got no answer: nothing has changed."""

    code = "docker-timeout"
    text = Text(
        zh="{name} 的 Docker 在 {seconds} 秒内没有答复 {what}",
        en="Docker on {name}: no answer to {what} in {seconds} s",
    )
    remedy = Text(zh="检查机器负载与 dockerd 日志", en="Look at the machine's load and at dockerd's log")


class DockerOutcomeUnknown(DockerError):
    """A change that was sent and not answered: it may have been carried out."""

    code = "docker-outcome-unknown"
    text = Text(
        zh="{name} 的 Docker 没有答复 {what}，结果未知：{reason}", en="Docker on {name} never answered {what}: {reason}"
    )
    remedy = Text(zh="查看容器的实际状态后再决定", en="Look at the container's real state before deciding")
    maybe_done = True
