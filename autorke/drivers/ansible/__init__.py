"""Ansible as a subprocess, through ansible-runner: playbooks of ours, hosts as values, one result per host."""

from autorke.drivers.ansible.errors import AnsibleAbsent, NotInMemory, PasswordNotSupported, PlaybookFailed
from autorke.drivers.ansible.playbooks import tasks_of
from autorke.drivers.ansible.run import AnsibleHost, HostResult, run_playbook

__all__ = [
    "AnsibleAbsent",
    "AnsibleHost",
    "HostResult",
    "NotInMemory",
    "PasswordNotSupported",
    "PlaybookFailed",
    "run_playbook",
    "tasks_of",
]
