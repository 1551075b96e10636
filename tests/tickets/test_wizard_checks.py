"""Checks before a submit, on simulated machines: told one by one, stopped with the client, bounded, on the record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from autorke.cli.events import lines, parse
from autorke.core.db import transaction
from autorke.machines import service as machines
from autorke.machines.models import MachineState
from autorke.sim import process
from autorke.sim.process import SimHandle
from autorke.tickets import wizard
from autorke.users.access import Actor
from autorke.users.models import AuditEntry
from autorke.web import jobs
from autorke.workflow.proposal import Asking
from tests.api import V1, Api
from tests.tickets.test_wizard_preview import everything

FLEET = """
seed: 5
timing: {join_seconds: 0.1, ready_seconds: 0.1, lost_seconds: 1.0, pull_seconds: 0.01}
clusters:
  - {name: alpha, version: v1.20.15-rancher2-1, masters: 1, workers: 1, kind: small}
machines:
  - {prefix: free, count: 6, kind: small}
cmdb: {page_size: 50}
"""
URL = f"{V1}/flows/add_workers/checks"


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    directory = tmp_path_factory.mktemp("wizard-sim")
    (directory / "fleet.yml").write_text(FLEET)
    with process.start(Path(directory / "fleet.yml"), directory / "state") as handle:
        yield handle


@dataclass
class Field:
    """A managed cluster of the simulation and its free machines, known to the platform with their login."""

    api: Api
    sim: SimHandle
    cluster_id: str
    machines: dict[str, str]
    requester: TestClient

    def request(self, *names: str) -> dict[str, Any]:
        return {"cluster_id": self.cluster_id, "machines": [{"machine_id": self.machines[name]} for name in names]}

    def run(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """All events of one run of checks."""
        answer = self.requester.post(URL, json={"request": self.request(*names)})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [(event.kind, event.data) for event in parse(lines([answer.content]))]


@pytest.fixture
def field(api: Api, sim: SimHandle) -> Iterator[Field]:
    admin = api.caller("admin")
    secret = {"kind": "ssh_key", "user": "ops", "private_key": sim.private_key}
    key = admin.post(f"{V1}/credentials", json={"name": "fleet", "note": "", "secret": secret}).json()["id"]
    names = {"cluster_yml": "config", "rkestate": "state", "kubeconfig": "kubeconfig"}
    texts = {name: Path(sim.cluster("alpha")[entry]).read_text() for name, entry in names.items()}
    known = {}
    for entry in sim.index["machines"]:
        body = {"hostname": entry["name"], "address": entry["address"], "sn": entry["sn"], "ssh_user": entry["user"]}
        body |= {"ssh_port": entry["port"], "credential_id": key}
        made = admin.post(f"{V1}/machines", json=body)
        assert made.status_code == 201, made.text
        known[entry["name"]] = made.json()["id"]
        pinned = admin.post(f"{V1}/machines/{made.json()['id']}/host-key", json={"host_key": entry["host_key"]})
        assert pinned.status_code == 200, pinned.text
    cluster = admin.post(f"{V1}/clusters", json={"name": "alpha", **texts})
    assert cluster.status_code == 201, cluster.text
    yield Field(api, sim, cluster.json()["id"], known, api.caller("requester", name="wei"))
    sim.lift()
    sim.reset_counters()


def laid_over(events: list[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """{host name: {check: result}} as the page lays later results over earlier ones."""
    found: dict[str, dict[str, Any]] = {}
    for kind, data in events:
        if kind == "check":
            found.setdefault(data["hostname"], {}).update({it["check"]: it for it in data["results"]})
    return found


def test_each_machine_is_told_as_it_answers(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one says nothing until the second one is told."""
    field.sim.fault("exec", "hang", host="free-001")

    def asking(actor: Actor, tell: jobs.Tell, stop: threading.Event) -> Asking:
        def noting(event: str, data: dict[str, Any]) -> None:
            tell(event, data)
            if data.get("hostname") == "free-002":
                field.sim.lift()

        return Asking(actor, noting, stop)

    monkeypatch.setattr(wizard, "Asking", asking)
    events = field.run("free-001", "free-002")
    assert [kind for kind, _ in events][:2] == ["start", "check"]
    assert [data["hostname"] for kind, data in events if kind == "check"][:3] == ["", "free-002", "free-001"]
    start, end = events[0][1], events[-1][1]
    assert [(it["machine_id"], it["eligible"]) for it in start["machines"]] == [
        (field.machines[name], True) for name in ("free-001", "free-002")
    ]
    ids = {it["id"] for it in start["checks"]}
    rows = laid_over(events)
    assert {check for row in rows.values() for check in row} <= ids
    assert rows["free-001"]["ssh-reachable"]["state"] == "ok"
    assert all(it["message"]["zh"] and it["message"]["en"] for row in rows.values() for it in row.values())
    assert events[-1][0] == "end"
    assert (end["machines"]["failed"], sum(end["machines"].values())) == (0, 2)
    assert sum(end["results"].values()) == sum(len(row) for row in rows.values())


def test_a_fault_is_found_with_its_remedy_and_the_others_pass(field: Field) -> None:
    field.sim.patch_host(
        "free-003", facts={"swap": [{"path": "/dev/sdb1", "size_kb": 4194300}], "processes": ["kubelet"]}
    )
    events = field.run("free-003", "free-004")
    row = laid_over(events)["free-003"]
    assert row["serves-kubernetes"]["state"] == "failed"
    assert row["serves-kubernetes"]["remedy"]["zh"]
    assert row["ports"]["state"] == "skipped"
    assert events[-1][1]["machines"]["failed"] == 1


def test_a_machine_that_cannot_be_taken_is_told_and_not_spoken_to(field: Field) -> None:
    with transaction() as session:
        machines.set_state(session, UUID(field.machines["free-005"]), to=MachineState.FAULT, reason="memory")
        machines.get(session, UUID(field.machines["free-006"])).credential_id = None
    field.sim.reset_counters()
    rows = laid_over(field.run("free-004", "free-005", "free-006", "alpha-w001"))
    assert rows["free-005"]["eligible"]["message"]["en"] == "fault: memory"
    assert rows["alpha-w001"]["eligible"]["state"] == "failed"
    assert "credential" in rows["free-006"]["ssh-reachable"]["message"]["en"]
    assert rows["free-004"]["ssh-reachable"]["state"] == "ok"
    assert field.sim.counters("free-005") == field.sim.counters("alpha-w001") == {}


def test_it_reads_only_and_is_on_the_record(field: Field) -> None:
    field.run("free-004")
    before = everything()
    field.sim.reset_counters()
    field.run("free-004")
    after = everything()
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"audit_entry", "credential"}, "a credential notes when it was used last"
    assert field.sim.counters("free-004").get("docker_changes", 0) == 0
    with transaction() as session:
        entries = list(session.scalars(select(AuditEntry).where(AuditEntry.actor_name == "wei")))
    assert [it.detail["machines"] for it in entries if it.action == "flow.check"] == [["free-004"]] * 2
    opened = [it.detail["purpose"] for it in entries if it.action == "secret.open"]
    assert len(opened) >= 4
    assert set(opened) == {"checks before a ticket, alpha: +1 worker"}


def test_no_secret_is_in_what_is_told(field: Field) -> None:
    answer = field.requester.post(URL, json={"request": field.request("free-004")})
    assert "PRIVATE KEY" not in answer.text
    assert field.sim.private_key.splitlines()[1] not in answer.text


def test_a_cluster_that_does_not_answer_is_told_once_and_holds_no_machine_up(field: Field) -> None:
    field.sim.fault("kube", "fail")
    events = field.run("free-004", "free-001")
    rows = laid_over(events)
    assert rows[""]["controlplane"]["state"] == "failed"
    assert rows["free-004"]["controlplane-reachable"]["state"] == "skipped"
    assert rows["free-004"]["ssh-reachable"]["state"] == "ok"
    assert events[-1][1]["cluster"] == "failed"


def test_who_may_not_submit_may_not_check(field: Field) -> None:
    stranger = field.api.caller("requester", cluster_id=field.api.cluster("south"))
    body = {"request": field.request("free-004")}
    assert stranger.post(URL, json=body).status_code == 403
    assert field.api.caller("viewer").post(URL, json=body).status_code == 403
    assert field.requester.post(URL, json={"request": {"cluster_id": "x"}}).status_code == 422
    assert not wizard.turns._running


def test_one_person_gets_a_few_turns_a_minute(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wizard, "PER_MINUTE", 1)
    field.run("free-004")
    refused = field.requester.post(URL, json={"request": field.request("free-004")})
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-checks")
    assert int(refused.headers["retry-after"]) > 0
    other = field.api.caller("requester")
    assert other.post(URL, json={"request": field.request("free-004")}).status_code == 200
    assert not wizard.turns._running


def test_turns_are_bounded_for_a_person_and_for_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, wei, li = wizard.Turns(), UUID(int=1), UUID(int=2)
    back = [turns.take(wei) for _ in range(wizard.AT_ONCE)]
    with pytest.raises(wizard.TooManyChecks):
        turns.take(wei)
    back[0]()
    turns.take(wei)
    monkeypatch.setattr(wizard, "IN_PROCESS", wizard.AT_ONCE)
    with pytest.raises(wizard.TooManyChecks):
        turns.take(li)
