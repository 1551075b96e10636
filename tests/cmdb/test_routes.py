from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from autorke.cmdb import sync
from autorke.core import db
from autorke.core.ids import new_id
from autorke.credentials import service as credentials
from autorke.credentials.kinds import Material
from autorke.users.models import AuditEntry
from tests.api import V1, Api
from tests.cmdb.make import MAPPING, Cmdb, row

URL = f"{V1}/cmdb"
SOURCE = {
    "kind": "http",
    "url": "http://cmdb.test/api",
    "items": "data.items",
    "total": "data.total",
    "paging": {"kind": "page", "rows": 100},
}
PASSWD = {"kind": "csv", "path": "/etc/passwd"}
CONFIG = {"source": SOURCE, "mapping": MAPPING}


def _credential(kind: str) -> str:
    with db.transaction() as session:
        secrets = {"token": {"token": "s3cret-token"}, "ssh_password": {"password": "s3cret-login"}}
        made = credentials.create(
            session, actor=None, name=f"{kind}-{new_id()}", note="", kind=kind, material=Material({}, secrets[kind])
        )  # type: ignore[arg-type]
        return str(made.id)


def test_a_source_is_kept_and_synced_on_demand(api: Api) -> None:
    admin = api.caller("admin", name="wei")
    body = {"name": "main", "config": CONFIG, "interval_seconds": 0, "credential_id": _credential("token")}
    made = admin.post(f"{URL}/sources", json=body)
    assert made.status_code == 201, made.text
    source = made.json()["id"]
    assert admin.get(f"{URL}/sources/{source}").json()["config"]["mapping"]["extra"] == MAPPING["extra"]
    asked = admin.post(f"{URL}/sources/{source}/sync", json={})
    assert (asked.status_code, asked.json()["outcome"], asked.json()["requested_by"]) == (202, "queued", "wei")
    assert admin.post(f"{URL}/sources/{source}/sync", json={}).json()["id"] == asked.json()["id"]
    with db.transaction() as session:
        assert sync.due_sources(session) == [UUID(source)]
    cmdb = Cmdb([row(1), row(2, name="$(id)")])
    sync.run_sync(UUID(source), transport=cmdb.transport())
    run = admin.get(f"{URL}/runs/{asked.json()['id']}").json()
    assert (run["outcome"], run["created"], run["refused"], run["refusals"][0]["field"]) == ("ok", 1, 1, "hostname")
    assert [one["id"] for one in admin.get(f"{URL}/sources/{source}/runs").json()["items"]] == [run["id"]]
    shown = api.caller("viewer").get(f"{URL}/sources").json()["items"][0]
    assert (shown["name"], shown["last_ok_at"] is not None, "config" in shown) == ("main", True, False)
    assert "s3cret" not in json.dumps(run) + made.text
    with db.transaction() as session:
        opened = session.scalars(select(AuditEntry).where(AuditEntry.action == "secret.open")).one()
    assert (opened.actor_name, opened.detail["purpose"]) == ("system", "cmdb sync main")


def test_sources_are_checked_when_they_are_saved(api: Api) -> None:
    admin, wrong = api.caller("admin"), []

    def config(**source: Any) -> dict[str, Any]:
        return {"source": {**SOURCE, **source}, "mapping": MAPPING}

    ssh = _credential("ssh_password")
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"name": "../x"}, 422, "name"),
        ({"interval_seconds": 5}, 422, "interval_seconds"),
        ({"max_vanished_percent": 101}, 422, "max_vanished_percent"),
        ({"machine_ssh_user": "root; id"}, 422, "machine_ssh_user"),
        ({"config": {}}, 422, "config.source"),
        ({"config": config(url="file:///etc/passwd")}, 422, "config.source.http.url"),
        ({"config": config(url="http://user:pw@cmdb/")}, 422, "config.source.http.url"),
        ({"config": config(paging={"kind": "magic"})}, 422, "config.source.http.paging"),
        ({"config": config(headers={"X-A\r\nHost": "x"})}, 422, "config.source.http.headers.X-A\r\nHost.[key]"),
        ({"config": config(headers={"X-A": "a\r\nHost: b"})}, 422, "config.source.http.headers.X-A"),
        ({"config": config(url="http://[::1")}, 422, "config.source.http.url"),
        ({"config": config(url="http://cmdb:99999999/")}, 422, "config.source.http.url"),
        ({"config": config(ca_pem="not a certificate")}, 422, "config.source.http.ca_pem"),
        ({"config": config(surprise=1)}, 422, "config.source.http.surprise"),
        ({"config": {"source": SOURCE, "mapping": {"fields": {}}}}, 422, "config.mapping"),
        ({"config": {"source": PASSWD, "mapping": MAPPING}}, 422, "config.source.csv.path"),
        ({"credential_id": ssh}, 422, "credential_id"),
        ({"credential_id": str(new_id())}, 409, "credential_id"),
        ({"surprise": 1}, 422, "surprise"),
    ]  # fmt: skip
    for change, status, field in cases:
        answer = admin.post(f"{URL}/sources", json={"name": "main", "config": CONFIG, **change})
        if (answer.status_code, answer.json().get("field")) != (status, field):
            wrong.append((change, answer.text))
    assert not wrong
    assert admin.get(f"{URL}/sources").json()["items"] == []


def test_change_a_source(api: Api) -> None:
    admin = api.caller("admin")
    made = admin.post(f"{URL}/sources", json={"name": "main", "config": CONFIG}).json()
    assert admin.post(f"{URL}/sources", json={"name": "main", "config": CONFIG}).status_code == 409
    changed = admin.patch(f"{URL}/sources/{made['id']}", json={"version": 1, "enabled": False}).json()
    assert (changed["enabled"], changed["version"], changed["interval_seconds"]) == (False, 2, 900)
    stale = admin.patch(f"{URL}/sources/{made['id']}", json={"version": 1, "enabled": True})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale-cmdb-source")
    off = admin.post(f"{URL}/sources/{made['id']}/sync", json={})
    assert (off.status_code, off.json()["code"]) == (409, "cmdb-source-disabled")


class _Handler(http.server.BaseHTTPRequestHandler):
    engine: Engine
    seen: list[tuple[str | None, int]]

    def do_GET(self) -> None:
        type(self).seen.append((self.headers["Authorization"], self.engine.pool.checkedout()))  # type: ignore[attr-defined]
        data = {"data": {"items": [row(1), row(2, name="a b"), "odd", {"name": "\ud800"}], "total": 4}}
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def cmdb_server(engine: Engine) -> Iterator[tuple[str, list[tuple[str | None, int]]]]:
    _Handler.engine, _Handler.seen = engine, []
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{found.server_address[1]}/api", _Handler.seen
    found.shutdown()
    found.server_close()
    thread.join(60)


def test_preview_shows_rows_and_what_becomes_of_them(api: Api, cmdb_server: tuple[str, list[Any]]) -> None:
    url, seen = cmdb_server
    source = {**SOURCE, "url": url, "allow_loopback": True, "auth": {"kind": "bearer"}}
    body = {"config": {"source": source, "mapping": MAPPING}, "credential_id": _credential("token")}
    shown = api.caller("admin").post(f"{URL}/preview", json=body)
    assert shown.status_code == 200, shown.text
    found = shown.json()
    assert (len(found["rows"]), [one["line"] for one in found["machines"]]) == (4, [1])
    assert [(one["line"], one["field"]) for one in found["refused"]] == [
        (2, "hostname"),
        (3, "address"),
        (4, "address"),
    ]
    assert seen == [("Bearer s3cret-token", 0)], "the secret was sent, and no database connection was held meanwhile"


def test_preview_denies_what_it_must_not_reach(api: Api, cmdb_server: tuple[str, list[Any]]) -> None:
    admin = api.caller("admin")
    for url in (cmdb_server[0], "http://169.254.169.254/latest/meta-data/"):
        answer = admin.post(f"{URL}/preview", json={"config": {"source": {**SOURCE, "url": url}, "mapping": MAPPING}})
        assert (answer.status_code, answer.json()["code"]) == (422, "cmdb-address-denied"), answer.text
    assert cmdb_server[1] == []
    body = {"config": CONFIG, "credential_id": _credential("ssh_password")}
    assert admin.post(f"{URL}/preview", json=body).status_code == 422
