"""Importing a file whose content comes with the request: all rows or none, and each fault with its row and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from autorke.cmdb import imports, sync
from autorke.core import db
from autorke.core.settings import get_settings
from autorke.machines.models import Machine
from autorke.users.models import AuditEntry
from tests.api import V1, Api

URL = f"{V1}/cmdb/imports"
CSV = "sn,hostname,address,rack,colour\nS1,bm-1,10.0.0.1,A1,red\nS2,bm-2,10.0.0.2,A1,blue\n"
ROWS = [{"serial": f"S{n}", "hostname": f"bm-{n}", "ips": [f"10.0.0.{n}"]} for n in (1, 2)]


def body(content: str = CSV, **changes: Any) -> dict[str, Any]:
    return {"name": "list", "format": {"kind": "csv"}, "text": content, **changes}


def written() -> dict[str, Any]:
    """Everything that an import could have written, by table."""
    tables = ("machine", "machine_report", "cmdb_source", "cmdb_run", "machine_conflict")
    with db.transaction() as session:
        return {table: session.execute(text(f"select * from {table} order by 1")).all() for table in tables}  # noqa: S608


def test_a_csv_file_becomes_machines(api: Api) -> None:
    admin = api.caller("admin", name="wei")
    answer = admin.post(URL, json=body())
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["counts"]["received"], done["counts"]["created"], done["ignored"]) == (2, 2, ["colour"])
    assert done["columns"]["cmdb_id"] == "sn"
    run = admin.get(f"{V1}/cmdb/runs/{done['run_id']}").json()
    assert (run["outcome"], run["requested_by"], run["created"]) == ("ok", "wei", 2)
    again = admin.post(URL, json=body(CSV.replace("A1", "B2").replace("S2", "S3").replace("0.2", "0.3"))).json()
    assert {key: again["counts"][key] for key in ("created", "changed", "vanished")} == {
        "created": 1, "changed": 1, "vanished": 1,
    }  # fmt: skip
    with db.transaction() as session:
        racks = {row.sn: (row.rack, row.cmdb_vanished_at is not None) for row in session.scalars(select(Machine))}
        noted = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "machine.import")).all()
    assert racks == {"S1": ("B2", False), "S2": ("A1", True), "S3": ("B2", False)}
    assert [entry["name"] for entry in noted] == ["list", "list"]


def test_a_json_file_with_other_names_and_deeper_values(api: Api) -> None:
    form = {"kind": "json", "items": "data.hosts"}
    mapping = {"sn": "serial", "address": "ips.0"}
    asked = body(json.dumps({"data": {"hosts": ROWS}}), format=form, mapping=mapping)
    done = api.caller("admin").post(URL, json=asked).json()
    assert (done["counts"]["created"], done["ignored"]) == (2, ["ips"])
    assert done["machines"][1]["values"]["address"] == "10.0.0.2"


def test_a_dry_run_says_the_same_and_writes_nothing(api: Api) -> None:
    admin, before = api.caller("admin"), written()
    tried = admin.post(URL, json=body(dry_run=True)).json()
    assert written() == before
    done = admin.post(URL, json=body()).json()
    assert (tried["counts"], tried["machines"]) == (done["counts"], done["machines"])


@pytest.mark.parametrize(
    ("content", "row", "column", "word"),
    [
        (CSV.replace("10.0.0.2", "10.0.0.300"), 3, "address", "10.0.0.300"),
        (CSV.replace("bm-1", "$(reboot)"), 2, "hostname", "DNS-1123"),
        (CSV.replace("S2,", ","), 3, "sn", "no value"),
        (CSV.replace("S2", "0000"), 3, "sn", "placeholder"),
        (CSV.replace("S2", "S1"), 2, "sn", "appears 2 times in the file"),
        (CSV.replace("10.0.0.2", "10.0.0.1"), 2, "address", "appears 2 times in the file"),
        (CSV.replace("10.0.0.2", "10.9.9.9"), 3, "address", "in use by machine T9"),
        (CSV.replace("bm-1", '"bm\n-1"'), 2, "hostname", "printable"),
        (CSV.replace("bm-1", '"\n"').replace("bm-2", "b m"), 2, "hostname", "DNS-1123"),
    ],
)
def test_one_bad_row_refuses_all_and_names_row_and_column(
    api: Api, content: str, row: int, column: str, word: str
) -> None:
    admin = api.caller("admin")
    taken = admin.post(URL, json=body("sn,hostname,address\nT9,bm-9,10.9.9.9\n", name="other"))
    assert taken.status_code == 200
    before = written()
    answer = admin.post(URL, json=body(content))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "import-refused"), answer.text
    first = problem["errors"][0]
    assert (first["row"], first["column"], problem["field"]) == (row, column, f"text.{row}.{column}")
    assert word in first["cause"]["en"]
    assert first["cause"]["zh"] != first["cause"]["en"]
    assert f"row {row}, column {column}" in problem["cause"]["en"]
    assert f"第 {row} 行" in problem["cause"]["zh"]
    assert written() == before


def test_every_bad_row_is_named_by_the_column_of_the_file(api: Api) -> None:
    content = "Serial,hostname,IP\nS1,b m,10.0.0.1\nS2,bm-2,x\nS3,bm-3,10.0.0.3\n"
    problem = api.caller("admin").post(URL, json=body(content, mapping={"sn": "Serial", "address": "IP"})).json()
    assert [error["field"] for error in problem["errors"]] == ["text.2.hostname", "text.3.IP"]


@pytest.mark.parametrize(
    ("content", "form", "place"),
    [
        ("sn,sn\nA,B\n", "csv", "line 1, column sn"),
        ("\n", "csv", "line 1"),
        ("sn,hostname,address\nS1,bm-1\n", "csv", "line 2, column address"),
        ("sn,hostname,address\nS1,bm-1,10.0.0.1\nS2,bm-2,10.0.0.2,x\n", "csv", "line 3, column 4"),
        ('sn,hostname,address\nS1,"bm-1,10.0.0.1\n', "csv", "line 2"),
        ("{", "json", "line 1, column 2"),
        ('{"a":\n tru}', "json", "line 2, column 2"),
        ("[" * 100_000, "json", "not JSON"),
        ('{"hosts": []}', "json", "no list"),
        ("[NaN]", "json", "not JSON"),
    ],
)
def test_a_text_that_is_no_table_is_refused_with_its_place(api: Api, content: str, form: str, place: str) -> None:
    before = written()
    answer = api.caller("admin").post(URL, json=body(content, format={"kind": form}))
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "import-unreadable", "text")
    assert place in answer.json()["cause"]["en"]
    assert "第" in answer.json()["cause"]["zh"]
    assert written() == before


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"text": "sn,hostname\nS1,bm-1\n"}, 422, "mapping"),
        ({"mapping": {"rack": "nowhere"}}, 422, "mapping"),
        ({"mapping": {"speed": "rack"}}, 422, "mapping"),
        ({"text": "sn,hostname,address\n"}, 409, "text"),
        ({"text": "x" * 8_000_001}, 422, "text"),
        ({"text": "x" * 12_000_000}, 413, "body"),
        ({"text": f"{CSV}S3,b\x00m,10.0.0.3,A1,red\n"}, 422, "text"),
        ({"format": {"kind": "csv", "path": "/etc/passwd"}}, 422, "format.csv.path"),
        ({"format": {"kind": "xls"}}, 422, "format"),
        ({"name": "../x"}, 422, "name"),
        ({"path": "hosts.csv"}, 422, "path"),
    ],
)
def test_a_request_that_cannot_be_meant(api: Api, change: dict[str, Any], status: int, field: str | None) -> None:
    before = written()
    answer = api.caller("admin").post(URL, json=body(**change))
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text[:500]
    assert written() == before


def test_rows_that_are_no_objects(api: Api) -> None:
    asked = body(json.dumps([*({**row, "sn": row["serial"], "address": row["ips"][0]} for row in ROWS), "odd", 7]))
    problem = api.caller("admin").post(URL, json={**asked, "format": {"kind": "json"}}).json()
    assert [error["row"] for error in problem["errors"]] == [3, 4]


def test_many_machines_do_not_vanish_by_mistake(api: Api) -> None:
    admin = api.caller("admin")
    many = "sn,hostname,address\n" + "".join(f"S{n},bm-{n},10.0.1.{n}\n" for n in range(1, 20))
    assert admin.post(URL, json=body(many)).status_code == 200
    few = "\n".join(many.splitlines()[:3])
    answer = admin.post(URL, json=body(few))
    assert (answer.status_code, answer.json()["code"]) == (409, "cmdb-too-many-vanished")
    assert admin.post(URL, json=body(few, accept_drop=True)).json()["counts"]["vanished"] == 17


def test_a_list_and_a_cmdb_do_not_get_into_each_others_way(api: Api) -> None:
    admin = api.caller("admin")
    source = {"kind": "csv", "path": "hosts.csv"}
    fields = {name: {"path": name} for name in ("cmdb_id", "sn", "hostname", "address")}
    asked = {"name": "main", "config": {"source": source, "mapping": {"fields": fields}}, "interval_seconds": 0}
    assert admin.post(f"{V1}/cmdb/sources", json=asked).status_code == 201
    refused = admin.post(URL, json=body(name="main"))
    assert (refused.status_code, refused.json()["code"]) == (409, "cmdb-source-not-by-import")
    made = admin.post(URL, json=body()).json()["source_id"]
    synced = admin.post(f"{V1}/cmdb/sources/{made}/sync", json={})
    assert (synced.status_code, synced.json()["code"]) == (409, "cmdb-filled-by-imports")
    timed = admin.patch(f"{V1}/cmdb/sources/{made}", json={"version": 1, "interval_seconds": 900})
    assert timed.status_code == 409
    upload = {"config": {"source": {"kind": "upload"}, "mapping": {"fields": fields}}}
    assert admin.post(f"{V1}/cmdb/sources", json={"name": "x", **upload}).status_code == 409
    assert admin.post(f"{V1}/cmdb/preview", json=upload).status_code == 409
    assert admin.get(f"{V1}/cmdb/sources/{made}").json()["config"]["source"] == {"kind": "upload"}


def test_a_connection_goes_back_to_its_pool_without_the_stage(api: Api) -> None:
    admin = api.caller("admin")
    assert admin.post(URL, json=body()).status_code == 200
    assert admin.post(URL, json=body(dry_run=True)).status_code == 200
    with db.get_engine().connect() as connection:
        assert connection.execute(text("select to_regclass('pg_temp.cmdb_stage')")).scalar() is None


def test_new_machines_get_the_login_that_was_said(api: Api) -> None:
    admin = api.caller("admin")
    secret = {"kind": "ssh_password", "user": "ops", "password": "x"}
    made = admin.post(f"{V1}/credentials", json={"name": "ops", "secret": secret}).json()["id"]
    assert admin.post(URL, json=body(machine_credential_id=made, machine_ssh_user="ops")).status_code == 200
    with db.transaction() as session:
        assert {(row.credential_id, row.ssh_user) for row in session.scalars(select(Machine))} == {(UUID(made), "ops")}


def test_file_sources_read_from_the_one_directory_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTORKE_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    assert sync.files_root() == tmp_path / "cmdb"
    monkeypatch.setenv("AUTORKE_CMDB_DIR", str(tmp_path / "exports"))
    get_settings.cache_clear()
    assert sync.files_root() == tmp_path / "exports"
    get_settings.cache_clear()


def test_every_field_says_what_it_wants_in_chinese_too() -> None:
    assert set(imports.FIELDS.values()) <= set(imports.EXPECTED)
