from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.core.errors import InvalidTransition, NotFound
from autorke.core.ids import new_id
from autorke.machines import service
from autorke.machines.errors import (
    BadBastion,
    BadHostKey,
    BoundField,
    HostKeyDiffers,
    MachinesUnavailable,
    StaleMachine,
)
from autorke.machines.models import Machine, MachineState
from autorke.machines.service import Membership
from tests.machines.make import HOST_KEY, OTHER_KEY, machine


@pytest.fixture
def cluster_id(session: Session) -> UUID:
    from autorke.clusters.models import Cluster

    cluster = Cluster(name="prod-a", kubernetes_version="v1.20.15-rancher2-1", ca_fingerprint="aa", api_url="")
    session.add(cluster)
    session.flush()
    return cluster.id


def _serve(session: Session, found: Machine, cluster_id: UUID) -> Machine:
    member = Membership(found.id, found.hostname, found.address, ("worker",))
    (served,) = service.attach(session, members=[member], cluster_id=cluster_id, cluster_name="prod-a", ticket_id=None)
    return served


def test_internal_address_is_the_address_when_none_is_given(session: Session) -> None:
    assert machine(session, address="10.9.0.1").internal_address == "10.9.0.1"


@pytest.mark.parametrize("field", ["sn", "address"])
def test_a_serial_or_address_belongs_to_one_machine(session: Session, field: str) -> None:
    first = machine(session)
    with pytest.raises(IntegrityError):
        machine(session, **{field: getattr(first, field)})


def test_a_retired_machine_gives_up_its_address(session: Session) -> None:
    first = machine(session)
    service.set_state(session, first.id, to=MachineState.RETIRED, reason="scrapped")
    assert machine(session, address=first.address).address == first.address
    with pytest.raises(IntegrityError):
        service.set_state(session, first.id, to=MachineState.FREE, reason="back")


def test_two_machines_may_swap_addresses_in_one_statement(session: Session) -> None:
    one, _ = machine(session, address="10.8.0.1"), machine(session, address="10.8.0.2")
    session.execute(text("update machine set address = case host(address) when '10.8.0.1' then inet '10.8.0.2' "
                         "else inet '10.8.0.1' end"))  # fmt: skip
    session.refresh(one)
    assert one.address == "10.8.0.2"


def test_update_counts_the_version_and_keeps_the_sync_off(session: Session) -> None:
    made = machine(session)
    changed = service.update_fields(session, made.id, version=1, fields={"rack": "B12"})
    assert (changed.rack, changed.version, changed.kept_fields) == ("B12", 2, ["rack"])
    with pytest.raises(StaleMachine) as refused:
        service.update_fields(session, made.id, version=1, fields={"rack": "C1"})
    assert refused.value.values["version"] == 2


def test_update_moves_the_internal_address_along(session: Session) -> None:
    made = machine(session)
    moved = service.update_fields(session, made.id, version=1, fields={"address": "10.7.7.7"})
    assert moved.internal_address == "10.7.7.7"


def test_identity_of_a_serving_machine_cannot_be_edited(session: Session, cluster_id: UUID) -> None:
    served = _serve(session, machine(session), cluster_id)
    for field, value in (("hostname", "other"), ("address", "10.6.6.6"), ("sn", "OTHER1")):
        with pytest.raises(BoundField) as refused:
            service.update_fields(session, served.id, version=served.version, fields={field: value})
        assert refused.value.field == field
    assert service.update_fields(session, served.id, version=served.version, fields={"owner": "db"}).owner == "db"


def test_bastions_do_not_close_a_circle(session: Session) -> None:
    one = machine(session)
    two = machine(session, bastion_machine_id=one.id)
    with pytest.raises(BadBastion):
        service.update_fields(session, one.id, version=1, fields={"bastion_machine_id": two.id})


def test_reserve_takes_all_and_release_gives_back(session: Session) -> None:
    ticket = new_id()
    made = [machine(session) for _ in range(3)]
    taken = service.reserve(session, ids=[one.id for one in made], ticket_id=ticket)
    assert [one.id for one in taken] == [one.id for one in made]
    assert {one.state for one in taken} == {"reserved"}
    assert len(service.release(session, ticket_id=ticket, ids=[made[0].id])) == 1
    assert len(service.release(session, ticket_id=ticket)) == 2
    assert {one.state for one in session.scalars(select(Machine))} == {"free"}


def test_reserve_names_each_machine_that_is_not_free_and_takes_none(session: Session, cluster_id: UUID) -> None:
    free, reserved, faulty, gone = (machine(session, hostname=name) for name in ("free-1", "held-1", "bad-1", "gone-1"))
    served = _serve(session, machine(session, hostname="serving-1"), cluster_id)
    service.reserve(session, ids=[reserved.id], ticket_id=new_id())
    service.set_state(session, faulty.id, to=MachineState.FAULT, reason="memory")
    gone.cmdb_vanished_at = db.db_now(session)
    session.flush()
    unknown = new_id()
    wanted = [free.id, reserved.id, faulty.id, gone.id, served.id, unknown]
    with pytest.raises(MachinesUnavailable) as refused:
        service.reserve(session, ids=wanted, ticket_id=new_id())
    names = refused.value.message.en
    assert "free-1" not in names
    for word in (
        "held-1 (reserved by ticket",
        "bad-1 (fault: memory)",
        "gone-1 (vanished",
        "serving-1 (in cluster prod-a)",
    ):
        assert word in names
    assert str(unknown) in names
    session.refresh(free)
    assert free.state == "free"


def test_no_machine_is_in_two_tickets_when_two_people_reserve_at_once(configured_db: Engine) -> None:
    with db.transaction() as session:
        ids = [machine(session).id for _ in range(40)]
    start = threading.Barrier(2)
    won: dict[UUID, list[UUID]] = {}

    def take(ticket: UUID, wanted: list[UUID]) -> None:
        start.wait()
        for at in range(0, len(wanted), 4):
            try:
                with db.transaction() as session:
                    got = service.reserve(session, ids=wanted[at : at + 4], ticket_id=ticket)
                won.setdefault(ticket, []).extend(one.id for one in got)
            except MachinesUnavailable:
                continue

    tickets = (new_id(), new_id())
    threads = [
        threading.Thread(target=take, args=(tickets[0], ids)),
        threading.Thread(target=take, args=(tickets[1], list(reversed(ids)))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    taken = [one for got in won.values() for one in got]
    assert len(taken) == len(set(taken)) == 40
    with db.transaction() as session:
        held = {one.id: one.ticket_id for one in session.scalars(select(Machine).where(Machine.state == "reserved"))}
    assert held == {one: ticket for ticket, got in won.items() for one in got}


def test_attach_takes_only_what_this_ticket_reserved(session: Session, cluster_id: UUID) -> None:
    ticket = new_id()
    mine, theirs = machine(session), machine(session)
    service.reserve(session, ids=[mine.id], ticket_id=ticket)
    service.reserve(session, ids=[theirs.id], ticket_id=new_id())

    def attach(*found: Machine) -> list[Machine]:
        members = [Membership(one.id, one.hostname, one.address, ("worker",)) for one in found]
        return service.attach(session, members=members, cluster_id=cluster_id, cluster_name="prod-a", ticket_id=ticket)

    with pytest.raises(MachinesUnavailable):
        attach(mine, theirs)
    (served,) = attach(mine)
    assert (served.state, served.cluster_name, served.node_roles, served.ticket_id) == (
        "in_cluster", "prod-a", "worker", None,
    )  # fmt: skip
    assert attach(mine)[0].id == mine.id, "attaching again, after a retry, is no error"


def test_detach_frees_and_refuses_another_cluster(session: Session, cluster_id: UUID) -> None:
    served = _serve(session, machine(session), cluster_id)
    with pytest.raises(MachinesUnavailable):
        service.detach(session, ids=[served.id], cluster_id=new_id())
    (freed,) = service.detach(session, ids=[served.id], cluster_id=cluster_id)
    assert (freed.state, freed.cluster_id, freed.node_name, freed.node_roles) == ("free", None, "", "")


@pytest.mark.parametrize(
    ("path", "refused"),
    [(["fault", "free", "retired", "free"], None), (["retired", "fault"], "fault"), (["reserved"], "reserved")],
)
def test_states_change_along_the_arrows_only(session: Session, path: list[str], refused: str | None) -> None:
    made = machine(session)
    for state in path:
        if state == refused:
            with pytest.raises(InvalidTransition):
                service.set_state(session, made.id, to=MachineState(state), reason="")
            return
        made = service.set_state(session, made.id, to=MachineState(state), reason="because")
    assert made.state == path[-1]


def test_a_serving_machine_cannot_be_retired(session: Session, cluster_id: UUID) -> None:
    served = _serve(session, machine(session), cluster_id)
    with pytest.raises(InvalidTransition):
        service.set_state(session, served.id, to=MachineState.RETIRED, reason="")


def test_a_pinned_host_key_is_replaced_on_purpose_only(session: Session) -> None:
    made = machine(session)
    pinned = service.pin_host_key(session, made.id, host_key=f"{HOST_KEY} root@bm", pinned_by="wei")
    assert (pinned.host_key, pinned.host_key_pinned_by) == (HOST_KEY, "wei")
    assert service.pin_host_key(session, made.id, host_key=HOST_KEY, pinned_by="wei").host_key == HOST_KEY
    with pytest.raises(HostKeyDiffers):
        service.pin_host_key(session, made.id, host_key=OTHER_KEY, pinned_by="li")
    replaced = service.pin_host_key(session, made.id, host_key=OTHER_KEY, pinned_by="li", replace=True)
    assert replaced.host_key == OTHER_KEY


@pytest.mark.parametrize(
    "key",
    ["", "ssh-ed25519", "ssh-ed25519 %%%", "ssh-dss AAAA", "ssh-rsa " + HOST_KEY.split()[1], "ssh-ed25519 AAAA"],
)
def test_what_is_no_host_key_is_refused(session: Session, key: str) -> None:
    made = machine(session)
    with pytest.raises(BadHostKey):
        service.pin_host_key(session, made.id, host_key=key, pinned_by="wei")


def test_fingerprint_is_the_one_that_ssh_prints() -> None:
    assert service.fingerprint(HOST_KEY).startswith("SHA256:")
    assert len(service.fingerprint(HOST_KEY)) == 50


def test_unknown_machines_are_named(session: Session) -> None:
    missing = new_id()
    calls: list[Any] = [
        lambda: service.get(session, missing),
        lambda: service.get_many(session, [machine(session).id, missing]),
        lambda: service.pin_host_key(session, missing, host_key=HOST_KEY, pinned_by="wei"),
    ]
    for call in calls:
        with pytest.raises(NotFound) as refused:
            call()
        assert str(missing) in refused.value.message.en
