from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, select, text

from autorke.cmdb import service, sync
from autorke.cmdb.models import CmdbRun, CmdbSource
from autorke.core import db
from autorke.core.ids import new_id
from autorke.machines import conflicts
from autorke.machines import service as machines
from autorke.machines.models import Machine, MachineConflict
from tests.cmdb.make import Cmdb, config, row
from tests.machines.make import machine

pytestmark = pytest.mark.usefixtures("configured_db")


@pytest.fixture
def source_id(configured_db: Engine) -> UUID:
    with db.transaction() as session:
        fields = {"name": "main", "interval_seconds": 900, "machine_ssh_user": "ops"}
        return service.create_source(session, config=config(), fields=fields).id


def _sync(source_id: UUID, cmdb: Cmdb, *, accept_drop: bool = False) -> CmdbRun:
    if accept_drop:
        with db.transaction() as session:
            service.request_sync(session, source_id, by="wei", accept_drop=True)
    run_id = sync.run_sync(source_id, transport=cmdb.transport())
    with db.transaction() as session:
        return service.get_run(session, run_id)


def _machines() -> dict[str, Machine]:
    with db.transaction() as session:
        return {one.sn: one for one in session.scalars(select(Machine))}


def _rows() -> dict[str, set[str]]:
    """Where every row version of the machines' tables lies and who wrote it: any write, even of equal values, shows."""
    found = {}
    with db.get_engine().connect() as connection:
        for table in ("machine", "machine_report", "machine_conflict"):
            query = text(f"select ctid::text || ' ' || xmin::text from {table}")  # noqa: S608
            found[table] = set(connection.execute(query).scalars())
    return found


def _counts(run: CmdbRun) -> dict[str, int]:
    names = ("received", "created", "changed", "unchanged", "returned", "vanished", "refused")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


def test_new_machines_are_free_and_carry_what_the_mapping_says(source_id: UUID) -> None:
    run = _sync(source_id, Cmdb([row(number) for number in range(1, 251)]))
    assert (run.outcome, _counts(run)) == ("ok", {"received": 250, "created": 250})
    one = _machines()["SN00007"]
    assert (one.hostname, one.address, one.internal_address) == ("bm-7.example", "10.0.0.7", "10.0.0.7")
    assert (one.vendor, one.memory_mb, one.rack, one.cmdb_id) == ("acme", 262144, "R0", "7")
    assert (one.state, one.ssh_user, one.ssh_port, one.host_key) == ("free", "ops", 22, "")


def test_an_unchanged_answer_writes_no_row(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 251)])
    _sync(source_id, cmdb)
    before = _rows()
    run = _sync(source_id, cmdb)
    assert (run.outcome, _counts(run)) == ("ok", {"received": 250, "unchanged": 250})
    assert _rows() == before


def test_only_what_changed_is_written(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 101)])
    _sync(source_id, cmdb)
    before = _rows()
    cmdb.rows[9] = row(10, rack="Z9")
    run = _sync(source_id, cmdb)
    assert _counts(run) == {"received": 100, "changed": 1, "unchanged": 99}
    written = {name: len(rows - before[name]) for name, rows in _rows().items()}
    assert written == {"machine": 1, "machine_report": 1, "machine_conflict": 0}
    assert _machines()["SN00010"].rack == "Z9"


def test_a_vanished_machine_is_flagged_and_no_longer_free_to_take_and_comes_back(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    gone = cmdb.rows.pop(3)
    run = _sync(source_id, cmdb)
    assert _counts(run) == {"received": 9, "unchanged": 9, "vanished": 1}
    found = _machines()["SN00004"]
    assert found.cmdb_vanished_at is not None
    with db.transaction() as session, pytest.raises(machines.MachinesUnavailable):
        machines.reserve(session, ids=[found.id], ticket_id=new_id())
    assert _counts(_sync(source_id, cmdb)) == {"received": 9, "unchanged": 9}, "flagged once"
    cmdb.rows.append(gone)
    assert _counts(_sync(source_id, cmdb)) == {"received": 10, "unchanged": 9, "returned": 1}
    assert _machines()["SN00004"].cmdb_vanished_at is None


def _serve(sn: str) -> Machine:
    from autorke.clusters.models import Cluster

    with db.transaction() as session:
        cluster = Cluster(name="prod-a", kubernetes_version="v1.20.15-rancher2-1", ca_fingerprint="aa", api_url="")
        session.add(cluster)
        session.flush()
        found = session.scalars(select(Machine).where(Machine.sn == sn)).one()
        member = machines.Membership(found.id, "bm-4", found.address, ("worker",))
        (served,) = machines.attach(
            session, members=[member], cluster_id=cluster.id, cluster_name="prod-a", ticket_id=None
        )
        return served


def test_a_machine_in_a_cluster_that_vanishes_is_kept_and_flagged(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    _serve("SN00004")
    cmdb.rows.pop(3)
    assert _sync(source_id, cmdb).vanished == 1
    kept = _machines()["SN00004"]
    assert (kept.state, kept.cluster_name, kept.address) == ("in_cluster", "prod-a", "10.0.0.4")
    assert kept.cmdb_vanished_at is not None


def test_the_cmdb_cannot_move_a_serving_machine(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    _serve("SN00004")
    cmdb.rows[3] = row(4, ips=["10.99.0.4"], name="renamed", rack="NEW")
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.changed, run.conflicts) == ("ok", 1, 2)
    kept = _machines()["SN00004"]
    assert (kept.hostname, kept.address, kept.rack) == ("bm-4.example", "10.0.0.4", "NEW")
    assert kept.conflict_count == 2
    with db.transaction() as session:
        found = {one.field: one for one in conflicts.open_conflicts(session, kept.id)}
    assert (found["address"].cmdb_value, found["address"].cluster_value) == ("10.99.0.4", "10.0.0.4")
    assert (found["hostname"].cmdb_value, found["hostname"].cluster_value) == ("renamed", "bm-4")
    cmdb.rows[3] = row(4)
    assert _sync(source_id, cmdb).conflicts == 0
    assert _machines()["SN00004"].conflict_count == 0


def test_nobody_gets_the_address_of_a_serving_machine(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    _serve("SN00004")
    cmdb.rows[3] = row(77, ips=["10.0.0.4"])  # the serving machine vanished, a new one claims its address
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.refused, run.vanished) == ("ok", 1, 1)
    assert run.refusals == [{"line": 4, "sn": "SN00077", "field": "address", "reason": "is in use by machine SN00004"}]
    assert "SN00077" not in _machines()


def test_addresses_may_swap_and_move_along_a_chain(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    addresses = ["10.0.0.2", "10.0.0.1", "10.0.0.4", "10.0.0.5", "10.0.0.99"]
    for index, address in enumerate(addresses):
        cmdb.rows[index] = row(index + 1, ips=[address])
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.changed, run.refused) == ("ok", 5, 0)
    found = _machines()
    assert [found[f"SN{number:05}"].address for number in range(1, 6)] == addresses


def test_a_chain_that_ends_at_a_held_address_is_refused_all_along(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    with db.transaction() as session:
        machine(session, address="10.50.0.1", sn="BYHAND")
    for number, address in ((1, "10.0.0.2"), (2, "10.0.0.3"), (3, "10.50.0.1")):
        cmdb.rows[number - 1] = row(number, ips=[address])
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.changed, run.refused, run.vanished) == ("ok", 0, 3, 0)
    assert [_machines()[f"SN0000{number}"].address for number in (1, 2, 3)] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_rows_that_repeat_a_serial_or_address_are_refused_and_prove_their_machine(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    cmdb.rows[0] = row(1, asset={"sn": "SN00002"})
    cmdb.rows[4] = row(5, ips=["10.0.0.6"])
    cmdb.rows.append(row(11))
    run = _sync(source_id, cmdb)
    refused = {(one["sn"], one["field"]) for one in run.refusals}
    assert refused == {("SN00002", "sn"), ("SN00005", "address"), ("SN00006", "address")}
    assert (run.refused, run.created, run.vanished) == (4, 1, 1)
    found = _machines()
    assert found["SN00002"].cmdb_vanished_at is None
    assert found["SN00001"].cmdb_vanished_at is not None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "$(reboot)"}, "hostname"),
        ({"name": 'a"b'}, "hostname"),
        ({"name": "a\nb"}, "hostname"),
        ({"name": "主机"}, "hostname"),
        ({"name": "-bm"}, "hostname"),
        ({"ips": []}, "address"),
        ({"ips": ["10.0.0.300"]}, "address"),
        ({"ips": ["0.0.0.0"]}, "address"),
        ({"ips": [{"a": 1}]}, "address"),
        ({"asset": {}}, "sn"),
        ({"asset": {"sn": "To be filled by O.E.M."}}, "sn"),
        ({"asset": {"sn": "'; drop table machine; --"}}, "sn"),
        ({"mem_gb": "a lot"}, "memory_mb"),
        ({"mem_gb": -1}, "memory_mb"),
        ({"mem_gb": 1e300}, "memory_mb"),
        ({"rack": "x" * 300}, "rack"),
        ({"rack": "a\u0000b"}, "rack"),
        ({"id": None}, "cmdb_id"),
    ],
)
def test_a_row_that_cannot_be_a_machine_is_refused_by_field(
    source_id: UUID, change: dict[str, Any], field: str
) -> None:
    run = _sync(source_id, Cmdb([row(1), row(2, **change), row(3)]))
    assert (run.outcome, run.created, run.refused) == ("ok", 2, 1)
    assert (run.refusals[0]["line"], run.refusals[0]["field"]) == (2, field)


def _error(code: int) -> httpx.Response:
    return httpx.Response(code, text="no")


@pytest.mark.parametrize(
    ("spoil", "code", "outcome"),
    [
        (lambda page: _error(500) if page == 2 else None, "cmdb-refused", "failed"),
        (lambda page: _error(302) if page == 2 else None, "cmdb-refused", "failed"),
        (lambda page: httpx.Response(200, text='{"data": {"it') if page == 3 else None, "cmdb-malformed", "failed"),
        (lambda page: httpx.Response(200, text="<html>") if page == 1 else None, "cmdb-malformed", "failed"),
        (
            lambda page: httpx.Response(200, text='{"data":{"items":[],"total":250}}') if page == 2 else None,
            "cmdb-incomplete",
            "failed",
        ),
        (lambda page: httpx.Response(200, text='{"data":{"items":[],"total":0}}'), "cmdb-empty", "refused"),
    ],
)
def test_a_failing_or_half_answered_cmdb_changes_nothing(source_id: UUID, spoil: Any, code: str, outcome: str) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 251)])
    _sync(source_id, cmdb)
    before = _rows()
    cmdb.rows = [row(number, rack="CHANGED") for number in range(1, 251)]
    cmdb.spoil = spoil
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.created, run.changed, run.vanished) == (outcome, 0, 0, 0)
    assert run.error is not None
    assert run.error["code"] == code
    assert _rows() == before


def test_a_connection_that_breaks_is_tried_again_and_then_changes_nothing(
    source_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autorke.integrations.cmdb import http

    monkeypatch.setattr(http, "PAUSES", (0.0, 0.0))
    cmdb, tries = Cmdb([row(1)]), []

    def refuse(page: int) -> httpx.Response:
        tries.append(page)
        raise httpx.ConnectError("refused")

    cmdb.spoil = refuse
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.error and run.error["code"], len(tries)) == ("failed", "cmdb-unreachable", 3)


def test_too_many_vanishing_at_once_changes_nothing_until_a_person_accepts(source_id: UUID) -> None:
    cmdb = Cmdb([row(number) for number in range(1, 11)])
    _sync(source_id, cmdb)
    cmdb.rows = [*cmdb.rows[:7], row(50)]
    run = _sync(source_id, cmdb)
    assert (run.outcome, run.error and run.error["code"]) == ("refused", "cmdb-too-many-vanished")
    assert len(_machines()) == 10
    assert all(one.cmdb_vanished_at is None for one in _machines().values())
    run = _sync(source_id, cmdb, accept_drop=True)
    assert (run.outcome, run.vanished, run.created, run.requested_by) == ("ok", 3, 1, "wei")


def test_what_a_person_set_is_kept(source_id: UUID) -> None:
    cmdb = Cmdb([row(1), row(2)])
    _sync(source_id, cmdb)
    one = _machines()["SN00001"]
    with db.transaction() as session:
        machines.update_fields(session, one.id, version=one.version, fields={"rack": "MINE"})
    cmdb.rows[0] = row(1, rack="THEIRS", vendor="2")
    _sync(source_id, cmdb)
    kept = _machines()["SN00001"]
    assert (kept.rack, kept.vendor) == ("MINE", "2")


def test_facts_of_the_machine_win_for_software_and_conflict_for_hardware(source_id: UUID) -> None:
    cmdb = Cmdb([row(1, kernel="3.10.0"), row(2)])
    _sync(source_id, cmdb)
    one = _machines()["SN00001"]
    facts = {"kernel": "5.14.0", "memory_mb": 261_000, "vendor": "acme", "sn": "SN99999", "swap_mb": 0}
    with db.transaction() as session:
        conflicts.record_facts(session, one.id, facts)
    cmdb.rows[0] = row(1, kernel="3.10.1", rack="NEW")
    _sync(source_id, cmdb)
    now = _machines()["SN00001"]
    assert (now.kernel, now.rack, now.conflict_count) == ("5.14.0", "NEW", 2)
    with db.transaction() as session:
        found = {one.field: one.machine_value for one in session.scalars(select(MachineConflict))}
    assert found == {"kernel": "5.14.0", "sn": "SN99999"}


def test_a_machine_entered_by_hand_is_adopted_by_its_serial(source_id: UUID) -> None:
    with db.transaction() as session:
        machine(session, sn="SN00001", hostname="by-hand", address="10.200.0.1")
    run = _sync(source_id, Cmdb([row(1)]))
    assert _counts(run) == {"received": 1, "changed": 1}
    found = _machines()["SN00001"]
    assert (found.hostname, found.address, found.cmdb_source_id) == ("bm-1.example", "10.0.0.1", source_id)


def test_a_machine_of_another_source_is_left_alone(source_id: UUID) -> None:
    _sync(source_id, Cmdb([row(1)]))
    with db.transaction() as session:
        other = service.create_source(session, config=config(), fields={"name": "other"}).id
    run = _sync(other, Cmdb([row(1, rack="OTHER"), row(2)]))
    assert (run.created, run.refused, run.refusals[0]["reason"]) == (1, 1, "belongs to another CMDB source")


def test_host_keys_come_from_the_cmdb_only_when_mapped_and_never_replace_one(source_id: UUID) -> None:
    from tests.machines.make import HOST_KEY, OTHER_KEY

    cmdb = Cmdb([row(1, key=HOST_KEY)])
    _sync(source_id, cmdb)
    assert _machines()["SN00001"].host_key == ""
    with db.transaction() as session:
        source = session.get_one(CmdbSource, source_id)
        fields = source.config["mapping"]["fields"] | {"host_key": {"path": "key"}}
        source.config = {**source.config, "mapping": {**source.config["mapping"], "fields": fields}}
    _sync(source_id, cmdb)
    pinned = _machines()["SN00001"]
    assert (pinned.host_key, pinned.host_key_pinned_by) == (HOST_KEY, f"cmdb:{source_id}")
    cmdb.rows[0] = row(1, key=OTHER_KEY)
    _sync(source_id, cmdb)
    assert _machines()["SN00001"].host_key == HOST_KEY
