"""100,000 machines: the list under every filter and sort, and the CMDB sync, beside a bare COPY of the same rows.

The CMDB is a process of its own that answers over HTTP, 1,000 rows a page, so that its memory and time are not ours.
Durable writes are off (a throw-away server): compare the figures with each other, not with a production disk.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations, product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import event, text

import migrations.models  # noqa: F401  fills Base.metadata
from autorke.app import create_app
from autorke.cmdb import service, staging, sync
from autorke.core import crypto, db
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.integrations.cmdb import CmdbConfig, fetch_pages
from autorke.machines.search import COLUMNS
from autorke.users import sessions
from autorke.users.models import ApiToken, RoleBinding, User

MACHINES = int(os.environ.get("AUTORKE_BENCH_MACHINES", "100000"))
PAGE = 1_000
TOKEN = sessions.TOKEN_PREFIX + "bench"
MAPPING = {
    "fields": {
        **{name: {"path": name} for name in ("sn", "hostname", "address", "region", "datacenter", "room", "rack")},
        **{name: {"path": name} for name in ("unit", "vendor", "model", "cpu_cores", "gpu_model", "gpu_count")},
        **{name: {"path": name} for name in ("os_family", "os_version", "kernel", "owner", "department", "purpose")},
        "cmdb_id": {"path": "id"},
        "memory_mb": {"path": "mem_gb", "scale": 1024},
        "disk_gb": {"path": "disk"},
    },
    "extra": {"contract": "contract"},
}


def _row(number: int, changed: int) -> dict[str, Any]:
    """A machine of the CMDB. Every hundredth row belongs to the 1 % that `changed` changes."""
    edition = changed if number % 100 == 0 else 0
    return {
        "id": f"c{number}",
        "sn": f"SN{number:08}",
        "hostname": f"bm-{number}.idc{number % 9}.example",
        "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "region": f"region-{number % 4}",
        "datacenter": f"idc-{number % 9}",
        "room": f"room-{number % 40}",
        "rack": f"R{number % 2500}",
        "unit": f"U{number % 42}",
        "vendor": ("dell", "hpe", "inspur", "lenovo", "huawei")[number % 5],
        "model": f"model-{number % 30}",
        "cpu_cores": (32, 64, 96, 128)[number % 4],
        "mem_gb": (128, 256, 512, 1024)[number // 4 % 4],
        "disk": 480 * (1 + number % 16),
        "gpu_model": "A100" if number % 20 == 0 else "",
        "gpu_count": 8 if number % 20 == 0 else 0,
        "os_family": ("centos", "debian", "ubuntu")[number % 3],
        "os_version": ("7.9", "12", "22.04")[number % 3],
        "kernel": f"5.{number % 15}.0-{number % 120}",
        "owner": f"team-{number % 200}-{edition}",
        "department": f"dept-{number % 25}",
        "purpose": f"purpose-{number % 12}",
        "contract": f"C-{number % 1000}",
    }


class _Cmdb(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        page, changed = int(asked["page"]), int(asked["changed"])
        numbers = range((page - 1) * PAGE, min(page * PAGE, MACHINES))
        body = json.dumps({"total": MACHINES, "items": [_row(number, changed) for number in numbers]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def _serve(port: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Cmdb)
    port.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def _cmdb() -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _config(port: int, changed: int) -> CmdbConfig:
    source = {
        "kind": "http",
        "url": f"http://127.0.0.1:{port}/hosts",
        "query": {"changed": str(changed)},
        "items": "items",
        "total": "total",
        "paging": {"kind": "page", "rows": PAGE},
        "allow_loopback": True,
    }
    return CmdbConfig.model_validate({"source": source, "mapping": MAPPING})


@contextmanager
def configured(url: str) -> Iterator[None]:
    """This process as the product on a database, with a key of its own."""
    key = os.environ.get("AUTORKE_SECRET_KEY")
    os.environ["AUTORKE_SECRET_KEY"] = crypto.new_key()
    get_settings.cache_clear()
    engine = db.make_engine(url)
    db.configure(engine)
    try:
        yield
    finally:
        engine.dispose()
        os.environ.pop("AUTORKE_SECRET_KEY") if key is None else os.environ.update(AUTORKE_SECRET_KEY=key)
        get_settings.cache_clear()


@contextmanager
def _database() -> Iterator[None]:
    with throwaway.postgres() as url, configured(url.render_as_string(hide_password=False)):
        db.Base.metadata.create_all(db.get_engine())
        yield


def fill() -> None:
    """The configured database gets its machines as it does in production: by a sync."""
    with _cmdb() as port:
        sync.run_sync(_source(port))
    with db.transaction() as session:
        session.execute(text("analyze"))


def _source(port: int) -> UUID:
    with db.transaction() as session:
        config = _config(port, 0)
        return service.create_source(session, config=config, fields={"name": "bench", "interval_seconds": 0}).id


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def _bare_copy(port: int) -> float:
    """Seconds to COPY the staged rows, encoded already, into a plain table: what PostgreSQL alone needs."""
    with db.get_engine().connect() as connection:
        staging.create(connection)
        for page in fetch_pages(_config(port, 0), secret=None, root=Path()):
            staging.add(connection, page)
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            with cursor.copy("copy cmdb_stage to stdout") as out:
                data = [bytes(block) for block in out]
            cursor.execute("create table bare (like cmdb_stage)")
            started = time.perf_counter()
            with cursor.copy("copy bare from stdin") as into:
                for block in data:
                    into.write(block)
        driver.commit()
        seconds = time.perf_counter() - started
        connection.invalidate()
    return seconds


def _written() -> set[str]:
    with db.get_engine().connect() as connection:
        return set(connection.execute(text("select ctid::text || ' ' || xmin::text from machine")).scalars())


def _sync(source_id: UUID, port: int, changed: int) -> dict[str, Any]:
    with db.transaction() as session:
        service.get_source(session, source_id).config = _config(port, changed).model_dump(mode="json")
    before = _written()
    Path("/proc/self/clear_refs").write_text("5")
    seconds, run_id = _timed(lambda: sync.run_sync(source_id))
    peak = _peak_mb()
    with db.transaction() as session:
        run = service.get_run(session, run_id)
    counted = {name: getattr(run, name) for name in ("outcome", "created", "changed", "unchanged", "vanished")}
    return {"s": round(seconds, 2), "peak_mb": peak, "machine_rows_written": len(_written() - before), **counted}


def _p95(values: list[float]) -> float:
    return round(statistics.quantiles(values, n=20)[18], 1)


def _filters() -> list[str]:
    """One filter of each kind that people use on each column."""
    found = ["address:prefix:10.0.3", "address:within:10.1.0.0/16", "hostname:prefix:bm-777", "hostname:contains:idc3"]
    row = {**_row(7777, 0), "memory_mb": 262144, "state": "free", "cmdb_id": "c7777", "node_name": "x"}
    row |= {"internal_address": row["address"], "disk_gb": 480 * 2, "conflict_count": 0, "cluster_name": "none"}
    row.pop("id")  # the CMDB's, not ours
    for name in COLUMNS:
        if name in row:
            found.append(f"{name}:eq:{row[name]}")
        if isinstance(row.get(name), int):
            found.append(f"{name}:ge:{row[name]}")
    return [*found, "sn:in:SN00000001,SN00009999", "cmdb_vanished_at:null:false", "updated_at:ge:2020-01-01T00:00:00Z"]


def _lists() -> dict[str, Any]:
    with db.transaction() as session:
        user = User(name="bench", display_name="bench")
        session.add(user)
        session.flush()
        session.add(RoleBinding(user_id=user.id, role="viewer", cluster_id=None))
        digest = sessions.digest(TOKEN)
        session.add(ApiToken(user_id=user.id, name="bench", token_sha256=digest, scopes=None, expires_at="2999-01-01"))
        session.execute(text("analyze"))
    sorts = [f"{sign}{name}" for name, column in COLUMNS.items() if column.sortable for sign in ("", "-")]
    with TestClient(create_app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        filters = _filters()
        lists = {
            "alone": _ask(client, [((), sort) for sort in sorts] + [((one,), None) for one in filters]),
            "filter_and_sort": _ask(client, [((one,), sort) for one, sort in product(filters, sorts)]),
            "two_filters": _ask(client, [(pair, None) for pair in combinations(filters, 2)]),
            "second_page": _second_pages(client, sorts),
        }
        return lists | {"whole": _whole(client)}


def _get(client: TestClient, wanted: Sequence[str], sort: str | None, cursor: str | None = None) -> tuple[float, Any]:
    parameters = {"filter": list(wanted), "sort": sort, "cursor": cursor, "limit": "50"}
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    seconds, answer = _timed(lambda: client.get("/api/v1/machines", params=given))
    if answer.status_code != 200:
        raise RuntimeError(f"{given}: {answer.text}")
    return seconds * 1000, answer.json()


Case = tuple[tuple[str, ...], str | None]
"""Filters and a sort."""


def _ask(client: TestClient, cases: Sequence[Case]) -> dict[str, Any]:
    statements: list[str] = []

    def note(*call: Any) -> None:
        if threading.current_thread().name.startswith("AnyIO"):  # where requests are answered; the api watches, too
            statements.append(call[2])

    event.listen(db.get_engine(), "before_cursor_execute", note)
    for case in cases[:3]:
        _get(client, *case)
    times, most = {}, 0
    for case in cases:
        statements.clear()
        times[case], _ = _get(client, *case)
        most = max(most, len(statements))
    slowest = sorted(times, key=lambda case: times[case])[-5:]
    return {
        "requests": len(cases),
        "p50_ms": round(statistics.median(times.values()), 1),
        "p95_ms": _p95(list(times.values())),
        "max_ms": round(max(times.values()), 1),
        "sql_statements": most,
        "slowest": {f"{' '.join(case[0])} {case[1] or ''}": round(times[case], 1) for case in slowest},
    }


def _second_pages(client: TestClient, sorts: list[str]) -> dict[str, Any]:
    times = []
    for sort in sorts:
        _, first = _get(client, (), sort)
        if first["next"]:
            times.append(_get(client, (), sort, first["next"])[0])
    return {"requests": len(times), "p95_ms": _p95(times), "max_ms": round(max(times), 1)}


FACETS = "datacenter,rack,vendor,cluster_name,state,os_family,node_roles"


def _whole(client: TestClient) -> dict[str, Any]:
    """Questions about all machines that match, for every kind of filter: what the machine page asks beside its rows."""
    filters = _filters()
    asked: dict[str, Callable[[str], Any]] = {
        "summary": lambda one: client.get("/api/v1/machines/summary", params={"filter": one, "facet": FACETS}),
        "selection": lambda one: client.post("/api/v1/machines/selection", json={"filter": [one], "column": "address"}),
        "eligibility": lambda one: client.post(
            "/api/v1/machines/eligibility", json={"action": "add_workers", "filter": [one]}
        ),
    }
    found = {name: _times([partial(ask, one) for one in filters]) for name, ask in asked.items()}
    plain = {"facet": FACETS}
    found["summary_unfiltered"] = _times([lambda: client.get("/api/v1/machines/summary", params=plain)] * 20)
    found["overview"] = _times([lambda: client.get("/api/v1/overview")] * 20)
    seconds, answer = _timed(lambda: client.get("/api/v1/machines/export"))
    return found | {"export": {"s": round(seconds, 1), "mb": round(len(answer.content) / 1e6, 1)}}


def _times(calls: list[Callable[[], Any]]) -> dict[str, Any]:
    times = []
    for call in calls:
        seconds, answer = _timed(call)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        times.append(seconds * 1000)
    return {"requests": len(times), "p50_ms": round(statistics.median(times), 1), "p95_ms": _p95(times)}


def run() -> dict[str, Any]:
    """Seconds and milliseconds; `ratio_to_copy` is the sync's time against the bare COPY of its rows in this run."""
    with _database(), _cmdb() as port:
        source_id = _source(port)
        copy = _bare_copy(port)
        syncs = {"first": _sync(source_id, port, 0), "unchanged": _sync(source_id, port, 0)}
        syncs["one_percent_changed"] = _sync(source_id, port, 1)
        for figures in syncs.values():
            figures["ratio_to_copy"] = round(figures["s"] / copy, 1)
        return {"machines": MACHINES, "bare_copy_s": round(copy, 2), "sync": syncs, "list": _lists()}
