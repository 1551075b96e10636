"""What tests and people read about the running lab: lab.json, a CMDB export and an Ansible inventory."""

import base64
import hashlib
import json
from typing import Any

from lablib.cluster import created_by
from lablib.machines import host_key
from lablib.settings import BRIDGE, MACHINES, SSH_USER, Lab, Machine, rke_binary


def write(lab: Lab) -> None:
    """Write the three files into the state directory."""
    document = {
        "machines": [_machine(lab, machine) for machine in MACHINES],
        "ssh_key_path": str(lab.ssh_key),
        "known_hosts": str(lab.known_hosts),
        "cluster_yml": str(lab.cluster / "cluster.yml"),
        "rkestate": str(lab.cluster / "cluster.rkestate"),
        "kubeconfig": str(lab.kubeconfig),
        "kubectl": str(lab.binaries / "kubectl"),
        "cmdb": str(lab.state / "cmdb.json"),
        "inventory": str(lab.state / "inventory.ini"),
        "rke_binary": rke_binary(),
        "created_by": created_by(lab),
        "bridge": BRIDGE,
    }
    (lab.state / "cmdb.json").write_text(
        json.dumps({"hosts": [_asset(lab, machine) for machine in MACHINES]}, indent=2)
    )
    (lab.state / "inventory.ini").write_text(_inventory(lab))
    (lab.state / "lab.json").write_text(json.dumps(document, indent=2))


def _machine(lab: Lab, machine: Machine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "address": machine.address,
        "ssh_port": 22,
        "user": SSH_USER,
        "host_key": host_key(lab, machine),
        "sn": machine.sn,
        "roles": list(machine.roles),
    }


def _asset(lab: Lab, machine: Machine) -> dict[str, Any]:
    """A machine as an asset database of a company describes it: field names that a mapping must translate."""
    return {
        "serial": machine.sn,
        "host_name": machine.name,
        "manage_ip": machine.address,
        "room": "lab",
        "rack": f"R{machine.sn[-2:]}",
        "os": "Debian GNU/Linux 12",
        "status": "online",
        "ssh": {
            "port": 22,
            "user": SSH_USER,
            "host_key": host_key(lab, machine),
            "fingerprint": _fingerprint(host_key(lab, machine)),
        },
    }


def _fingerprint(key: str) -> str:
    """Of a public key `type base64`, as ssh shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _inventory(lab: Lab) -> str:
    lines = [f"{machine.name} ansible_host={machine.address}" for machine in MACHINES]
    arguments = f"-o UserKnownHostsFile={lab.known_hosts} -o StrictHostKeyChecking=yes"
    variables = [
        f"ansible_user={SSH_USER}",
        f"ansible_ssh_private_key_file={lab.ssh_key}",
        f"ansible_ssh_common_args='{arguments}'",
        "ansible_python_interpreter=/usr/bin/python3",
        "ansible_become=true",
    ]
    return "\n".join(["[lab]", *lines, "", "[lab:vars]", *variables, ""])
