from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from autorke.checks.facts import MachineFacts, NodeFacts
from autorke.flows import machine_facts
from autorke.machines.models import MachineConflict, MachineReport
from tests.machines.make import machine

FACTS = MachineFacts(
    user="ops", groups=("docker",), root="", hostname="BM-1", fqdn="bm-1.example", os_id="debian", os_version="12",
    os_name="Debian 12", kernel="6.1.0-40", architecture="x86_64", machine_id="m", product_uuid="p-1", uptime_s=5,
    cpus=16, memory_kib=1024 * 1000, memory_available_kib=1, ntp="yes", cgroup=2, selinux="", nofile_hard=1024,
    started_ns=1, ended_ns=2,
)  # fmt: skip


def test_what_a_machine_says_stands_beside_what_its_cmdb_says(session: Session) -> None:
    one = machine(session, hostname="bm-1", cpu_cores=32, kernel="3.10.0", memory_mb=1024)
    values = {"hostname": "bm-1", "cpu_cores": 32, "kernel": "3.10.0", "memory_mb": 1024}
    session.add(MachineReport(machine_id=one.id, origin="cmdb", values=values, hash="x"))
    session.flush()
    machine_facts.record(session, {"bm-1": NodeFacts("bm-1", FACTS)}, {"bm-1": one.id})
    session.refresh(one)
    assert (one.kernel, one.os_family, one.cpu_cores, one.conflict_count) == ("6.1.0-40", "debian", 32, 2)
    found = {conflict.field: conflict.machine_value for conflict in session.scalars(select(MachineConflict))}
    assert found == {"cpu_cores": "16", "kernel": "6.1.0-40"}, "memory is within 10 %, the name is the same"


def test_saying_the_same_again_writes_nothing(session: Session) -> None:
    one = machine(session)
    rows = text("select array_agg(ctid::text || xmin::text) from machine")
    machine_facts.record(session, {"bm": NodeFacts("bm", FACTS)}, {"bm": one.id})
    before = session.execute(rows).scalar_one()
    machine_facts.record(session, {"bm": NodeFacts("bm", replace(FACTS, uptime_s=99))}, {"bm": one.id})
    assert session.execute(rows).scalar_one() == before


def test_a_machine_that_could_not_be_asked_says_nothing(session: Session) -> None:
    one = machine(session)
    silent = NodeFacts("bm", unreachable={"code": "ssh-unreachable"})
    machine_facts.record(session, {"bm": silent}, {"bm": one.id, "other": one.id})
    assert session.scalars(select(MachineReport)).all() == []
