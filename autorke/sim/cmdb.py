"""A CMDB: the list of machines as the company's inventory tells it, paged, behind a token, and not always right.

`GET /api/v1/machines` answers `{"code": 0, "data": {"total": N, "items": [...], "next": …}}`. Faults strike at
`cmdb`. Rows can be changed, dropped and added through the control API, so that "the CMDB says X, the machine says Y"
can be made to happen.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Iterable
from typing import Any

from autorke.sim.build import Machine
from autorke.sim.faults import Fault
from autorke.sim.fleet import CmdbSpec
from autorke.sim.http import Cut, Handler, Request, Response, json_response
from autorke.sim.world import World

NAME = "cmdb"
PATH = "/api/v1/machines"
SAME = (
    "sn", "hostname", "region", "room", "rack", "unit", "vendor", "model", "cpu_cores", "disk_gb", "gpu_model",
    "gpu_count", "os_version", "kernel", "docker_version", "owner", "department", "purpose",
)  # fmt: skip
"""Fields that have the same name here and in the product."""
Row = dict[str, Any]


def row(number: int, machine: Machine, port: int, user: str) -> Row:
    """One machine as the CMDB writes it. Sizes in GB, as such systems keep them."""
    facts = machine.host.facts
    model = machine.model
    place = machine.place
    true = {
        "id": f"CI-{100_000 + number}",
        "sn": facts.serial,
        "hostname": facts.hostname,
        "ip": machine.host.address,
        "ssh": {"port": port, "user": user, "host_key": machine.host.host_key},
        "bmc_ip": "10.250." + ".".join(machine.host.address.split(".")[2:]),
        "region": place.region,
        "idc": place.idc,
        "room": place.room,
        "rack": f"{place.room.upper()}-{machine.rack:02d}",
        "unit": f"U{machine.unit * 2:02d}",
        "vendor": model.vendor,
        "model": model.name,
        "cpu_cores": model.cpus,
        "memory_gb": model.memory_gb,
        "disk_gb": sum(model.disks),
        "gpu_model": facts.gpus[0].model if facts.gpus else "",
        "gpu_count": len(facts.gpus),
        "os": facts.os.id,
        "os_version": facts.os.version_id,
        "kernel": facts.kernel,
        "docker_version": facts.docker.version if facts.docker.installed else "",
        "owner": machine.owner,
        "department": machine.business,
        "purpose": f"k8s:{machine.cluster}" if machine.cluster else "idle",
        "status": "in_use" if machine.cluster else "fault" if machine.faulty else "idle",
        "mac": facts.interfaces[0].mac,
    }
    return true | _wrong(machine.contradicts, true)


def _wrong(what: str, true: Row) -> Row:
    """What nobody kept up: half the memory since an upgrade, an old system, an old host name."""
    if what in {"memory_gb", "cpu_cores"}:
        return {what: true[what] // 2}
    if what == "hostname":
        return {what: f"old-{true[what]}"}
    older = {"os_version": "8", "docker_version": "18.09.9"}
    return {what: older[what]} if what else {}


def mapping() -> dict[str, Any]:
    """How the product's generic adapter is configured for this CMDB."""
    fields: dict[str, Any] = {name: {"path": name} for name in SAME}
    renamed = {
        "cmdb_id": "id",
        "address": "ip",
        "ssh_port": "ssh.port",
        "ssh_user": "ssh.user",
        "host_key": "ssh.host_key",
        "datacenter": "idc",
        "os_family": "os",
        "cmdb_status": "status",
    }
    fields |= {ours: {"path": theirs} for ours, theirs in renamed.items()}
    fields["memory_mb"] = {"path": "memory_gb", "scale": 1024}
    return {"fields": fields, "extra": {"bmc_ip": "bmc_ip", "mac": "mac"}}


class Cmdb:
    """The rows, and how they are handed out."""

    def __init__(self, world: World, spec: CmdbSpec, machines: Iterable[Machine], user: str) -> None:
        self.world = world
        self.spec = spec
        all_rows = [row(n, machine, world.ssh_port, user) for n, machine in enumerate(machines)]
        kept = all_rows[: len(all_rows) - spec.forgets] if spec.forgets else all_rows
        ghosts = [self._ghost(n, kept[-1]) for n in range(spec.ghosts)] if kept else []
        self.rows: dict[str, Row] = {entry["id"]: entry for entry in (*kept, *ghosts)}

    @staticmethod
    def _ghost(n: int, like: Row) -> Row:
        """A machine that was scrapped long ago, and that nobody took off the list."""
        return like | {
            "id": f"CI-9{n:05d}",
            "sn": f"SNGHOST{n:04d}",
            "hostname": f"ghost-{n:03d}",
            "ip": f"198.51.100.{n % 250 + 1}",
            "status": "in_use",
            "purpose": "unknown",
        }

    def source(self, base: str) -> dict[str, Any]:
        """The product's HTTP source for this CMDB (without the token)."""
        paging: dict[str, Any] = {"kind": self.spec.page_style}
        if self.spec.page_style == "page":
            paging |= {"page": "page", "size": "size", "rows": self.spec.page_size}
        elif self.spec.page_style == "offset":
            paging |= {"offset": "offset", "limit": "limit", "rows": self.spec.page_size}
        elif self.spec.page_style == "cursor":
            paging |= {"param": "cursor", "next": "data.next"}
        else:
            paging |= {"next": "data.next"}
        return {
            "kind": "http",
            "url": base + PATH,
            "auth": {"kind": "bearer"},
            "items": "data.items",
            "total": "data.total",
            "paging": paging,
            "allow_loopback": True,
        }

    def handler(self) -> Handler:
        async def answer(request: Request) -> Response:
            self.world.record.count(NAME, "requests")
            fault = self.world.faults.strike((NAME,), NAME)
            refused = await self._before(fault)
            if refused is not None:
                return refused
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.spec.token.encode()):
                return json_response({"code": 401, "message": "invalid token"}, 401)
            if request.path != PATH or request.method != "GET":
                return json_response({"code": 404, "message": "not found"}, 404)
            response = self._page(request)
            if fault is not None and fault.kind == "garbage" and isinstance(response.body, bytes):
                return Response(200, response.body[: len(response.body) // 2])
            return response

        return answer

    async def _before(self, fault: Fault | None) -> Response | None:
        if fault is None:
            return None
        if fault.kind == "hang":
            await fault.hold()
        elif fault.kind == "slow":
            await asyncio.sleep(fault.ms / 1000)
        elif fault.kind in {"fail", "refuse"}:
            return Response(fault.status, json.dumps({"code": fault.status, "message": fault.text}).encode())
        elif fault.kind in {"cut", "cut_after", "die"}:
            raise Cut
        return None

    def _page(self, request: Request) -> Response:
        entries = list(self.rows.values())
        style, query = self.spec.page_style, request.query
        try:
            size = min(int(query.get("size") or query.get("limit") or self.spec.page_size), 5000)
            if style == "page":
                start = (int(query.get("page") or 1) - 1) * size
            elif style == "offset":
                start = int(query.get("offset") or 0)
            else:
                cursor = query.get("cursor", "")
                start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
        except ValueError:
            return json_response({"code": 400, "message": "bad paging parameter"}, 400)
        data: dict[str, Any] = {"total": len(entries), "items": entries[start : start + size]}
        if style in {"cursor", "link"} and start + size < len(entries):
            cursor = base64.urlsafe_b64encode(str(start + size).encode()).decode()
            host = request.headers.get("host", "")
            data["next"] = cursor if style == "cursor" else f"http://{host}{PATH}?cursor={cursor}&size={size}"
        return json_response({"code": 0, "message": "ok", "data": data})
