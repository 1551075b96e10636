"""What answers on a machine's TCP ports when someone connects through its SSH server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from autorke.sim import http
from autorke.sim.http import Request, Response, text_response

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

HEALTH = {10248: "kubelet", 10256: "kube-proxy", 10257: "kube-controller-manager", 10259: "kube-scheduler"}
API_PORT = 6443
ETCD_PORT = 2379


def stream(host: Host, address: str, port: int) -> Any:
    """What asyncssh is to do with a direct-tcpip request that is allowed: a stream handler, or True to really
    connect.
    """
    local = address in {"127.0.0.1", "localhost"}
    target = host if local else host.world.by_address.get(address)
    if target is None:
        return _silent
    if port == host.world.ssh_port:
        return _splice(target.address, port) if local else True
    if port == API_PORT:
        master = target.address if target.running("kube-apiserver") else host.world.api_behind(target)
        return _splice(master, port) if master else False
    if port == ETCD_PORT and target.running("etcd"):
        return _splice(target.address, port)
    if port in HEALTH:
        return _health(target, HEALTH[port])
    return _silent


def _health(host: Host, service: str) -> Any:
    async def answer(request: Request) -> Response:
        if request.path != "/healthz":
            return text_response("404 page not found", 404)
        return text_response("ok") if host.healthy(service) else text_response("unhealthy", 500)

    async def serve(reader: Any, writer: Any) -> None:
        await http.serve(reader, writer, answer)

    return serve


async def _silent(reader: Any, writer: Any) -> None:
    """A port that accepts and says nothing."""
    while await reader.read(65536):
        pass
    writer.close()


def _splice(address: str, port: int) -> Any:
    async def serve(reader: Any, writer: Any) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    return serve


async def _pump(reader: Any, writer: Any) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError, OSError):
        writer.close()
