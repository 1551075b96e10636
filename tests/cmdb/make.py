"""A CMDB in memory for tests: rows behind httpx's mock transport, paged, with scripted faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from autorke.integrations.cmdb import CmdbConfig

MAPPING = {
    "fields": {
        "cmdb_id": {"path": "id"},
        "sn": {"path": "asset.sn"},
        "hostname": {"path": "name"},
        "address": {"path": "ips.0"},
        "rack": {"path": "rack"},
        "vendor": {"path": "vendor", "values": {"1": "acme"}},
        "memory_mb": {"path": "mem_gb", "scale": 1024},
        "kernel": {"path": "kernel"},
    },
    "extra": {"contract": "contract.no"},
}


def row(number: int, **changes: Any) -> dict[str, Any]:
    made = {
        "id": number,
        "asset": {"sn": f"SN{number:05}"},
        "name": f"bm-{number}.example",
        "ips": [f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"],
        "rack": f"R{number % 7}",
        "vendor": "1",
        "mem_gb": 256,
        "contract": {"no": f"C-{number % 3}"},
    }
    return {**made, **changes}


def config(**source: Any) -> CmdbConfig:
    made = {
        "kind": "http",
        "url": "http://cmdb.test/api/hosts",
        "items": "data.items",
        "total": "data.total",
        "paging": {"kind": "page", "rows": 100},
    }
    return CmdbConfig.model_validate({"source": {**made, **source}, "mapping": MAPPING})


class Cmdb:
    """Serves `rows`; `spoil` may replace the answer to a page number (from 1)."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.requests: list[httpx.Request] = []
        self.spoil: Callable[[int], httpx.Response | None] = lambda page: None

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        page, size = int(request.url.params["page"]), int(request.url.params["size"])
        spoiled = self.spoil(page)
        if spoiled is not None:
            return spoiled
        items = self.rows[(page - 1) * size : page * size]
        body = json.dumps({"data": {"items": items, "total": len(self.rows)}})
        return httpx.Response(200, text=body)
