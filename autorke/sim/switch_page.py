"""The switch for a visitor of the demo: a page at `/break`, and the plain requests behind it.

| request | does |
| --- | --- |
| `GET /break/kinds` | the ways to break something |
| `GET /break/machines?q=TEXT&broken=1` | machines: broken ones first, then those in no cluster |
| `POST /break/NAME/KIND` | breaks a machine, or the CMDB (`cmdb`) |
| `DELETE /break/NAME`, `DELETE /break/NAME/KIND` | mends it |
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from autorke.sim.breakages import ALL, KINDS
from autorke.sim.cmdb import NAME as CMDB
from autorke.sim.cmdb import Cmdb
from autorke.sim.http import Request, Response, json_response
from autorke.sim.refused import Refused
from autorke.sim.switch import Switch, Unbreakable
from autorke.sim.world import World

SHOWN = 60
"""Machines on one page; whoever looks for another one types a part of its name."""
_FILES = {
    "": ("break.html", "text/html; charset=utf-8"),
    "break.js": ("break.js", "text/javascript; charset=utf-8"),
    "break.css": ("break.css", "text/css; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def answer(world: World, cmdb: Cmdb, switch: Switch, request: Request, rest: list[str]) -> Response:
    """What is asked below `/break`. Raises Refused."""
    if request.method == "GET" and len(rest) <= 1:
        return _look(world, cmdb, switch, request, rest[0] if rest else "")
    try:
        if request.method == "POST" and len(rest) == 2:
            switch.break_(rest[0], _kind(rest[1]))
        elif request.method == "DELETE" and len(rest) in (1, 2):
            switch.mend(rest[0], _kind(rest[1]) if rest[1:] else None)
        else:
            raise Refused(404, f"no {request.method} {request.path}; see GET /break")
    except KeyError as error:
        raise Refused(404, f"no machine {rest[0]!r}") from error
    except Unbreakable as error:
        raise Refused(409, str(error)) from error
    return json_response(_entry(world, switch, rest[0]))


def _kind(word: str) -> str:
    if word not in KINDS:
        raise Refused(404, f"no breakage {word!r}; there are: {', '.join(KINDS)}")
    return word


def _look(world: World, cmdb: Cmdb, switch: Switch, request: Request, what: str) -> Response:
    if what == "kinds":
        return json_response([breakage.described() for breakage in ALL])
    if what == "machines":
        return json_response(_machines(world, cmdb, switch, request))
    if what not in _FILES:
        raise Refused(404, f"no {request.path}")
    name, content_type = _FILES[what]
    data = files("autorke.sim.page").joinpath(name).read_bytes()
    return Response(200, data, content_type, _HEADERS)


def _machines(world: World, cmdb: Cmdb, switch: Switch, request: Request) -> dict[str, Any]:
    wanted = request.query.get("q", "").strip().lower()
    uses = {entry.get("ip"): entry.get("purpose", "") for entry in cmdb.rows.values()}
    use = {name: str(uses.get(host.address, "")) for name, host in world.hosts.items()}
    broken = [name for name in switch.names() if name != CMDB]
    whole = sorted(world.hosts.keys() - set(broken), key=lambda name: (use[name].startswith("k8s:"), name))
    names = broken if request.flag("broken") else [*broken, *whole]
    found = [name for name in names if _fits(world, name, wanted)]
    shown = [_entry(world, switch, name) | {"use": use[name]} for name in found[:SHOWN]]
    return {"total": len(found), "cmdb": switch.broken(CMDB), "machines": shown}


def _fits(world: World, name: str, wanted: str) -> bool:
    return wanted in name or wanted in world.hosts[name].address


def _entry(world: World, switch: Switch, key: str) -> dict[str, Any]:
    if key == CMDB:
        return {"name": CMDB, "broken": switch.broken(CMDB)}
    host = world.host(key)
    return {"name": host.name, "address": host.address, "dead": host.dead, "broken": switch.broken(host.name)}
