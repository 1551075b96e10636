"""Ansible as a subprocess, through ansible-runner: playbooks of ours, hosts as values, one result per host."""

from autorke.drivers.ansible.errors import AnsibleAbsent, NoLogin, NoTerminal, NotInMemory, PlaybookFailed, SshTooOld
from autorke.drivers.ansible.playbooks import tasks_of
from autorke.drivers.ansible.run import AnsibleHost, HostResult, require_ready, run_playbook

__all__ = [
    "AnsibleAbsent",
    "AnsibleHost",
    "HostResult",
    "NoLogin",
    "NoTerminal",
    "NotInMemory",
    "PlaybookFailed",
    "SshTooOld",
    "require_ready",
    "run_playbook",
    "tasks_of",
]
