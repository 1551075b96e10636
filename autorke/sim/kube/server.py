"""The HTTPS side of a cluster: port 6443 on each controlplane machine, open while its kube-apiserver runs there."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autorke.sim import http
from autorke.sim.kube import api
from autorke.sim.kube.api import Identity
from autorke.sim.kube.cluster import Cluster
from autorke.sim.kube.pki import Pair

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

API_PORT = 6443
ETCD_PORT = 2379


class ClusterServer:
    """Opens and closes the listening sockets of one cluster as its containers and the faults in force say."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._api_tls = _tls(cluster.pki.api, cluster.pki.ca.pair.certificate)
        self._open: dict[str, asyncio.Server] = {}
        self._writers: dict[str, set[asyncio.StreamWriter]] = {}
        self._settling = asyncio.Lock()

    async def settle(self) -> None:
        """Make the listening sockets what they should be now."""
        async with self._settling:
            for master in self.cluster.masters:
                await self._settle(master)

    async def _settle(self, master: Host) -> None:
        fault = self.cluster.world.faults.peek((*self.cluster.names, master.name), "kube-port")
        wanted = fault is None and not master.dead and master.running("kube-apiserver") is not None
        server = self._open.get(master.name)
        if wanted and server is None:
            self._open[master.name] = await asyncio.start_server(
                partial(self._connected, master.name), master.address, API_PORT, ssl=self._api_tls, backlog=256
            )
        elif not wanted and server is not None:
            self._shut(master.name)

    async def _connected(self, master: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = _identity(writer.get_extra_info("peercert") or {})
        mine = self._writers.setdefault(master, set())
        mine.add(writer)
        try:
            await http.serve(reader, writer, api.handler(self.cluster, who))
        finally:
            mine.discard(writer)

    def _shut(self, master: str) -> None:
        self._open.pop(master).close()
        for writer in list(self._writers.get(master, ())):
            writer.transport.abort()

    def close(self) -> None:
        for master in list(self._open):
            self._shut(master)


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
