"""What checks read on a machine becomes what "the machine says" in the inventory, beside what its CMDB says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from autorke.checks.facts import NodeFacts
from autorke.machines import conflicts


def fields_of(facts: NodeFacts) -> dict[str, Any]:
    """The facts in the inventory's field names; empty when the machine could not be asked."""
    machine, docker = facts.machine, facts.docker
    if machine is None:
        return {}
    return {
        "hostname": machine.hostname.lower(),
        "os_family": machine.os_id,
        "os_version": machine.os_version,
        "kernel": machine.kernel,
        "cpu_cores": machine.cpus,
        "memory_mb": machine.memory_kib // 1024,
        "gpu_count": machine.gpus,
        "docker_version": "" if docker is None else docker.version,
        "product_uuid": machine.product_uuid,
    }


def record(session: Session, facts: Mapping[str, NodeFacts], machine_ids: Mapping[str, UUID]) -> None:
    """Keep what each machine said, by its name in the ticket; contradictions show up as conflicts. Raises NotFound."""
    for name, machine_id in sorted(machine_ids.items(), key=lambda item: item[1]):
        said = fields_of(facts[name]) if name in facts else {}
        if said:
            conflicts.record_facts(session, machine_id, said)
