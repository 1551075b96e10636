"""The report as plans and events store it, its fingerprint, and the page that is generated from the table."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from autorke.checks.docs import render
from autorke.checks.facts import CaFile, Container, Disk
from autorke.checks.results import Level, facts_fingerprint
from autorke.core.canonical import canonical
from tests.checks.breaking import Fault
from tests.checks.cluster_faults import CLUSTER_FAULTS
from tests.checks.healthy import Break, Scene
from tests.checks.machine_faults import MACHINE_FAULTS

PAGE = Path(__file__).parent.parent.parent / "docs" / "checks.md"


def test_the_page_is_in_step_with_the_table() -> None:
    assert PAGE.read_text() == render(), "run: python -m autorke.checks.docs > docs/checks.md"


@pytest.mark.parametrize("fault", [MACHINE_FAULTS[0], MACHINE_FAULTS[20], CLUSTER_FAULTS[0]], ids=lambda it: it.name)
def test_json_form_is_canonical_and_whole(fault: Fault) -> None:
    report = fault.breaks(Scene()).judge()
    body = json.loads(canonical(report.as_json()))
    assert body["blocked"] == report.blocked
    assert [it["check"] for it in body["results"]] == [it.check for it in report.results]
    assert set(body["results"][0]) == {"node", "check", "level", "seen", "remedy"}
    assert set(body["results"][0]["seen"]) == {"zh", "en"}
    json.dumps(report.facts["w3"].as_json())


def _machine(**changes: object) -> Break:
    return lambda scene: scene.with_machine(**changes)


DISK = Disk("/var/lib/docker", "/", 400 * 1024**2, 250 * 1024**2, 20_000_000, 18_000_000)
UNCHANGED: list[Break] = [
    _machine(uptime_s=99),
    _machine(memory_available_kib=7_000_000),
    _machine(started_ns=5, ended_ns=6),
    _machine(disks=(DISK,)),
    lambda scene: scene.with_facts(clock=None) if scene.facts["w3"].clock is None else scene,
]
DRIFTED: list[Break] = [
    _machine(hostname="w3-new", fqdn="w3"),
    _machine(kernel="5.15.0-200-generic"),
    _machine(machine_id="f" * 32),
    _machine(ca_files=(CaFile("/etc/kubernetes/ssl/kube-ca.pem", "0" * 64),)),
    _machine(processes={"kubelet": 1}),
    _machine(ntp="absent"),
    lambda scene: scene.with_docker(version="20.10.25"),
    lambda scene: scene.with_docker(containers=(Container("cron", "busybox", "running"),)),
    lambda scene: scene.with_facts(reach=(dataclasses.replace(scene.facts["w3"].reach[0], open=False),)),
    lambda scene: scene.with_context(other_runs=("ticket 9",)),
]


def test_fingerprint_ignores_what_changes_by_itself() -> None:
    assert {facts_fingerprint(change(Scene()).judge()) for change in UNCHANGED} == {facts_fingerprint(Scene().judge())}


def test_fingerprint_sees_drift() -> None:
    seen = [facts_fingerprint(change(Scene()).judge()) for change in DRIFTED]
    assert len({facts_fingerprint(Scene().judge()), *seen}) == len(DRIFTED) + 1


def test_errors_of_the_cluster_block_every_node_and_warnings_none() -> None:
    assert Scene().with_context(other_runs=("ticket 9",)).judge().blocked_nodes() == {"w3"}
    warned = Scene().with_machine(ntp="absent").judge()
    assert [it.level for it in warned.messages] == [Level.WARNING]
    assert warned.blocked_nodes() == frozenset()
    assert not warned.blocked
