"""VCalico, the outside network system: takes an order once, works on it, and reports by a signed callback.

`POST /api/v1/orders` with a bearer token and an `Idempotency-Key`: 201, or 200 with the same order when key and body
are known, or 409 when the key was used with another body. The body says where to report: `{"callback": {"url": …,
"secret": …}, …}`. The callback carries `X-AutoRke-Timestamp` and `X-AutoRke-Signature: hex(hmac-sha256(secret,
timestamp + "." + body))` and is repeated until it is accepted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

from autorke.sim.faults import Fault
from autorke.sim.fleet import VCalicoSpec
from autorke.sim.http import Cut, Handler, Request, Response, json_response
from autorke.sim.world import World

NAME = "vcalico"
PATH = "/api/v1/orders"
TRIES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each attempt to deliver a callback."""
Order = dict[str, Any]


class UnknownOrder(Exception):
    """There is no such order."""


class VCalico:
    """Orders by id. `spec.seconds` is how long the network people take; None: until the control API says so."""

    def __init__(self, world: World, spec: VCalicoSpec) -> None:
        self.world = world
        self.spec = spec
        self.orders: dict[str, Order] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._secrets: dict[str, dict[str, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def dump(self) -> dict[str, Any]:
        """Orders, idempotency keys and callback secrets, for a snapshot."""
        return {"orders": self.orders, "keys": self._keys, "callbacks": self._secrets}

    def restore(self, saved: dict[str, Any]) -> None:
        self.orders, self._secrets = saved["orders"], saved["callbacks"]
        self._keys = {key: (digest, ident) for key, (digest, ident) in saved["keys"].items()}

    def handler(self) -> Handler:
        async def answer(request: Request) -> Response:
            self.world.record.count(NAME, "requests")
            fault = self.world.faults.strike((NAME,), NAME, request.method)
            refused = await self._before(fault)
            if refused is not None:
                return refused
            response = self._answer(request)
            if fault is not None and fault.kind == "cut_after":
                raise Cut
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
            return json_response({"error": fault.text}, fault.status)
        elif fault.kind in {"cut", "garbage", "die"}:
            raise Cut
        return None

    def _answer(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.spec.token.encode()):
            return json_response({"error": "invalid token"}, 401)
        if request.method == "GET" and request.path.startswith(f"{PATH}/"):
            order = self.orders.get(request.path.removeprefix(f"{PATH}/"))
            return json_response(order) if order else json_response({"error": "no such order"}, 404)
        if (request.method, request.path) == ("POST", PATH):
            return self._submit(request)
        return json_response({"error": "not found"}, 404)

    def _submit(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        try:
            body = request.json()
            callback = {name: str(body["callback"][name]) for name in ("url", "secret")}
        except (ValueError, KeyError, TypeError):
            return json_response({"error": "a JSON object with callback.url and callback.secret is needed"}, 422)
        if not key:
            return json_response({"error": "Idempotency-Key is needed"}, 422)
        digest = hashlib.sha256(request.body).hexdigest()
        if key in self._keys:
            known, ident = self._keys[key]
            if known != digest:
                return json_response({"error": "this key was used with another order"}, 409)
            return json_response(self.orders[ident], 200)
        ident = f"VC-{len(self.orders) + 1:05d}"
        shown = {name: value for name, value in body.items() if name != "callback"}
        self.orders[ident] = {"id": ident, "state": "accepted", "order": shown, "delivered": False}
        self._keys[key], self._secrets[ident] = (digest, ident), callback
        self.world.record.note(NAME, "order.accepted", order=ident)
        if self.spec.seconds is not None:
            self._later(self.spec.seconds, ident, None)
        return json_response(self.orders[ident], 201)

    def complete(self, ident: str, result: dict[str, Any] | None = None) -> Order:
        """The network people are done (or refuse: a result with `"state": "rejected"`). Raises UnknownOrder."""
        if ident not in self.orders:
            raise UnknownOrder(ident)
        self._later(0.0, ident, result)
        return self.orders[ident]

    def _later(self, seconds: float, ident: str, result: dict[str, Any] | None) -> None:
        task = asyncio.get_running_loop().create_task(self._finish(seconds, ident, result))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, seconds: float, ident: str, result: dict[str, Any] | None) -> None:
        await asyncio.sleep(seconds)
        order = self.orders[ident]
        order |= {"state": "completed", "result": self._networks(ident, order["order"])} | (result or {})
        self.world.record.note(NAME, f"order.{order['state']}", order=ident)
        body = json.dumps({"order_id": ident, "state": order["state"], "result": order["result"]}).encode()
        await self._deliver(ident, body)

    def _networks(self, ident: str, order: dict[str, Any]) -> dict[str, Any]:
        """A /24 per order, and the labels that tie the ordered nodes to it."""
        number = int(ident.removeprefix("VC-"))
        cidr = f"10.{200 + number // 250 % 50}.{number % 250}.0/24"
        names = [str(node.get("name", "")) for node in order.get("nodes", []) if isinstance(node, dict)]
        labels = {"vcalico/network": ident.lower()}
        return {
            "ippools": [
                {
                    "name": f"flat-{ident.lower()}",
                    "cidr": cidr,
                    "vlan": 100 + number,
                    "gateway": cidr.replace("0/24", "1"),
                }
            ],
            "node_labels": {name: labels for name in names if name},
        }

    async def _deliver(self, ident: str, body: bytes) -> None:
        import httpx  # 0.3 s, and most simulations never deliver anything

        callback = self._secrets[ident]
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            for wait in TRIES:
                await asyncio.sleep(wait)
                moment = str(int(time.time()))
                headers = {
                    "Content-Type": "application/json",
                    "X-AutoRke-Timestamp": moment,
                    "X-AutoRke-Signature": signature(callback["secret"], moment, body),
                }
                try:
                    answer = await client.post(callback["url"], content=body, headers=headers)
                except httpx.HTTPError:
                    continue
                self.world.record.note(NAME, "callback.sent", order=ident, status=answer.status_code)
                if answer.is_success:
                    self.orders[ident]["delivered"] = True
                    return


def signature(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
