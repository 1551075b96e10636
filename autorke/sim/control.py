"""The control API of a simulation: what happened, what is to go wrong, what machines are like. For tests, benches and
the demo.

It has no authentication and listens on loopback only, like everything here. What keeps pages of other sites out: a
change needs the header `X-Sim`, which no browser sends for another site's page, and the address must be given as a
loopback one. `/break` is the page for a visitor of the demo.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from autorke.sim import switch_page
from autorke.sim.cmdb import NAME, Cmdb
from autorke.sim.faults import Fault
from autorke.sim.http import Handler, Request, Response, json_response
from autorke.sim.machine.host import Host
from autorke.sim.refused import Refused
from autorke.sim.switch import Switch
from autorke.sim.vcalico import UnknownOrder, VCalico
from autorke.sim.world import World

HEADER = "x-sim"
READS = {"GET", "HEAD"}
Part = Callable[[World, Request, list[str]], Any]


def handler(world: World, index: Callable[[], dict[str, Any]], cmdb: Cmdb, vcalico: VCalico, switch: Switch) -> Handler:
    """`index` gives what index.json holds."""

    async def answer(request: Request) -> Response:
        parts = [part for part in request.path.split("/") if part]
        part = _PARTS.get((request.method, parts[0] if parts else ""))
        try:
            _keep_sites_out(request)
            if request.method == "GET" and parts in ([], ["index"]):
                return json_response(index())
            if parts[:1] == ["break"]:
                return switch_page.answer(world, cmdb, switch, request, parts[1:])
            if parts[:1] == ["cmdb"]:
                return json_response(_cmdb(cmdb, request, parts[1:]))
            if parts[:1] == ["vcalico"]:
                return json_response(_vcalico(vcalico, request, parts[1:]))
            if part is None:
                raise Refused(404, f"no {request.method} {request.path}")
            return json_response(part(world, request, parts[1:]))
        except Refused as error:
            return json_response({"error": str(error)}, error.status)
        except (ValidationError, ValueError) as error:
            return json_response({"error": str(error)}, 422)

    return answer


def _keep_sites_out(request: Request) -> None:
    """Raises Refused for what a page of another site could send: no header of ours, or a name that leads here."""
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if name != "localhost" and not _is_loopback(name):
        raise Refused(421, "say 127.0.0.1 or localhost")
    if request.method not in READS and HEADER not in request.headers:
        raise Refused(403, "a change needs the header `X-Sim: 1`")


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _host(world: World, key: str) -> Host:
    try:
        return world.host(key)
    except KeyError as error:
        raise Refused(404, f"no machine {key!r}") from error


def _counters(world: World, request: Request, _rest: list[str]) -> Any:
    counters = world.record.counters()
    only = request.query.get("host")
    return {only: counters.get(only, {})} if only else counters


def _reset(world: World, _request: Request, rest: list[str]) -> Any:
    if rest != ["reset"]:
        raise Refused(404, "only POST /counters/reset")
    world.record.reset()
    return {}


def _journal(world: World, request: Request, _rest: list[str]) -> Any:
    return list(world.record.since(int(request.query.get("after") or 0), request.query.get("host")))


def _faults(world: World, _request: Request, _rest: list[str]) -> Any:
    return [fault.model_dump() for fault in world.faults.all()]


def _add_fault(world: World, request: Request, _rest: list[str]) -> Any:
    return world.add_fault(Fault.model_validate(request.json())).model_dump()


def _lift_faults(world: World, _request: Request, rest: list[str]) -> Any:
    lifted = world.lift_faults(int(rest[0]) if rest else None)
    if rest and not lifted:
        raise Refused(404, f"no fault {rest[0]}")
    return {"lifted": lifted}


def _hosts(world: World, request: Request, rest: list[str]) -> Any:
    if rest[1:] == ["file"]:
        data = _host(world, rest[0]).files.read(request.query.get("path", ""))
        if data is None:
            raise Refused(404, "no such file")
        return {"text": data.decode(errors="replace")}
    if rest:
        return _host(world, rest[0]).dump()
    return sorted(world.hosts)


def _change_host(world: World, request: Request, rest: list[str]) -> Any:
    """`{"facts": {...}, "files": {path: text | null}, "rekey": true, "dead": true | false}`, all optional."""
    host = _host(world, rest[0] if rest else "")
    change = request.json()
    unknown = set(change) - {"facts", "files", "rekey", "dead"}
    if unknown:
        raise Refused(422, f"unknown keys: {sorted(unknown)}")
    if change.get("facts"):
        world.change_facts(host, change["facts"])
    for path, text in (change.get("files") or {}).items():
        world.record.note(host.name, "file.changed", path=path)
        if text is None:
            host.files.remove(path)
        else:
            host.files.write(path, text.encode())
    if change.get("rekey"):
        host.rekey()
    if change.get("dead") is True:
        host.die()
    elif change.get("dead") is False:
        world.revive(host)
    return host.dump()


def _cmdb(cmdb: Cmdb, request: Request, rest: list[str]) -> Any:
    """GET rows; PATCH a row (by id, sn, hostname or ip) with changes, or add one; DELETE a row."""
    if not rest:
        return list(cmdb.rows.values())
    found = next(
        (key for key, row in cmdb.rows.items() if rest[0] in (key, row["sn"], row["hostname"], row["ip"])), None
    )
    if request.method == "PATCH":
        change = request.json()
        key = found or str(change.get("id") or rest[0])
        cmdb.world.record.note(NAME, "cmdb.changed", row=key)
        cmdb.rows[key] = cmdb.rows.get(key, {}) | {"id": key} | change
        return cmdb.rows[key]
    if found is None:
        raise Refused(404, f"the CMDB has no {rest[0]!r}")
    if request.method == "DELETE":
        cmdb.world.record.note(NAME, "cmdb.dropped", row=found)
        return cmdb.rows.pop(found)
    return cmdb.rows[found]


def _vcalico(vcalico: VCalico, request: Request, rest: list[str]) -> Any:
    """GET orders; POST /vcalico/<id>/complete, with `{"state": "rejected", …}` to refuse it."""
    if request.method == "GET":
        return list(vcalico.orders.values())
    try:
        return vcalico.complete(rest[0] if rest else "", request.json())
    except UnknownOrder as error:
        raise Refused(404, f"no order {error}") from error


_PARTS: dict[tuple[str, str], Part] = {
    ("GET", "counters"): _counters,
    ("POST", "counters"): _reset,
    ("GET", "journal"): _journal,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _lift_faults,
    ("GET", "hosts"): _hosts,
    ("PATCH", "hosts"): _change_host,
}
