"""The HTTPS side of a cluster: port 6443 on each controlplane machine, open while its kube-apiserver runs there."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorke.sim import http
from autorke.sim.http import Request, Response, json_response, text_response
from autorke.sim.kube import api
from autorke.sim.kube.api import Identity
from autorke.sim.kube.cluster import Cluster
from autorke.sim.kube.pki import Pair

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ClusterServer:
    """Opens and closes the listening sockets of one cluster as its containers and the faults in force say."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        ca = cluster.pki.ca.pair.certificate
        self._services = (
            ("kube-apiserver", 6443, _tls(cluster.pki.api, ca), self._api),
            ("etcd", 2379, _tls(cluster.pki.etcd_pair(), ca), self._etcd),
        )
        self._open: dict[tuple[str, int], asyncio.Server] = {}
        self._writers: dict[tuple[str, int], set[asyncio.StreamWriter]] = {}
        self._settling = asyncio.Lock()

    async def settle(self) -> None:
        """Make the listening sockets what they should be now."""
        async with self._settling:
            for master in self.cluster.masters:
                for service, port, tls, answer in self._services:
                    await self._settle(master, service, port, tls, answer)

    async def _settle(self, master: Host, service: str, port: int, tls: ssl.SSLContext, answer: Connected) -> None:
        names = (*self.cluster.names, master.name)
        fault = self.cluster.world.faults.peek(names, "kube-port", str(port))
        wanted = fault is None and not master.dead and master.running(service) is not None
        place = (master.name, port)
        if wanted and place not in self._open:
            serve = partial(self._connected, place, answer)
            self._open[place] = await asyncio.start_server(serve, master.address, port, ssl=tls, backlog=256)
        elif not wanted and place in self._open:
            self._shut(place)

    async def _connected(
        self,
        place: tuple[str, int],
        answer: Connected,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        mine = self._writers.setdefault(place, set())
        mine.add(writer)
        try:
            await answer(reader, writer)
        finally:
            mine.discard(writer)

    async def _api(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = _identity(writer.get_extra_info("peercert") or {})
        await http.serve(reader, writer, api.handler(self.cluster, who))

    async def _etcd(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """etcd's health endpoint, for whoever has a certificate of the cluster."""
        known = bool(writer.get_extra_info("peercert"))

        async def answer(request: Request) -> Response:
            if not known or request.path != "/health":
                return text_response("404 page not found", 404)
            return json_response({"health": "true", "reason": ""})

        await http.serve(reader, writer, answer)

    def _shut(self, place: tuple[str, int]) -> None:
        self._open.pop(place).close()
        for writer in list(self._writers.get(place, ())):
            writer.transport.abort()

    def close(self) -> None:
        for place in list(self._open):
            self._shut(place)


def _tls(pair: Pair, ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="autorke-sim-") as folder:
        certificate, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        certificate.write_text(pair.certificate)
        key.touch(mode=0o600)
        key.write_text(pair.key)
        context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _identity(certificate: dict[str, Any]) -> Identity | None:
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    name = next((value for key, value in subject if key == "commonName"), None)
    if name is None:
        return None
    return Identity(name, tuple(value for key, value in subject if key == "organizationName"))
