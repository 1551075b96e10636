"""What can go wrong around a playbook run."""

from __future__ import annotations

from autorke.core.errors import Text
from autorke.drivers.base import DriverError


class AnsibleAbsent(DriverError):
    code = "ansible-absent"
    text = Text(zh="找不到 ansible-playbook：{where}", en="ansible-playbook was not found: {where}")
    remedy = Text(
        zh="安装 autorke[ansible]，或用 AUTORKE_ANSIBLE_BIN 指定目录",
        en="Install autorke[ansible], or name its directory in AUTORKE_ANSIBLE_BIN",
    )


class NotInMemory(DriverError):
    code = "run-dir-on-disk"
    text = Text(
        zh="{path} 不在内存文件系统上，密钥不能写到磁盘", en="{path} is not in memory; keys must not reach a disk"
    )
    remedy = Text(
        zh="将 AUTORKE_RUN_DIR 指向 tmpfs，例如 /dev/shm", en="Point AUTORKE_RUN_DIR at a tmpfs such as /dev/shm"
    )


class NoTerminal(DriverError):
    """Ansible's runner speaks to it through a pseudo-terminal; containers and bare chroots may have none."""

    code = "ansible-needs-a-terminal"
    text = Text(
        zh="执行主机不能打开伪终端（{reason}），Ansible 没有启动，机器未被触碰",
        en="The worker host cannot open a pseudo-terminal ({reason}); Ansible was not started, no machine was touched",
    )
    remedy = Text(
        zh="在执行主机上挂载 devpts（mount -t devpts devpts /dev/pts，并有 /dev/ptmx），然后重试",
        en="Mount devpts on the worker host (mount -t devpts devpts /dev/pts, with /dev/ptmx), then retry",
    )


class NoLogin(DriverError):
    code = "ansible-without-credential"
    text = Text(
        zh="{name} 的凭据里既没有 SSH 密钥也没有密码",
        en="The credential of {name} has neither an SSH key nor a password",
    )
    remedy = Text(
        zh="为该机器指定 SSH 密钥或 SSH 密码凭据",
        en="Give the machine an SSH key credential or an SSH password credential",
    )


class SshTooOld(DriverError):
    """Passwords reach ssh through a program that it asks; older ones only ask a terminal."""

    code = "ansible-ssh-too-old"
    text = Text(
        zh="执行主机的 ssh 不能由程序提供密码（{version}），机器未被触碰",
        en="The ssh of this worker host cannot take a password from a program ({version}); no machine was touched",
    )
    remedy = Text(
        zh="在执行主机上安装 OpenSSH 8.4 或更新的客户端，或为机器改用 SSH 密钥凭据",
        en="Install the OpenSSH client 8.4 or newer on the worker host, or give the machines SSH key credentials",
    )


class PlaybookFailed(DriverError):
    code = "playbook-failed"
    text = Text(zh="{name}：任务“{task}”失败：{reason}", en="{name}: task “{task}” failed: {reason}")
    remedy = Text(zh="查看该节点的日志，修复后重试", en="Read the node's log, mend the cause, then retry")
