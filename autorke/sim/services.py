"""Everything of a simulation that listens, and the index that tells others where."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autorke.sim import control, http
from autorke.sim.build import Built, Machine
from autorke.sim.cmdb import Cmdb, mapping
from autorke.sim.fleet import Fleet
from autorke.sim.kube.server import ClusterServer
from autorke.sim.machine.ssh import Door
from autorke.sim.oidc import OidcProvider
from autorke.sim.places import NoRoom, Place
from autorke.sim.switch import Switch
from autorke.sim.vcalico import VCalico
from autorke.sim.world import World


class Services:
    """SSH servers, Kubernetes APIs, CMDB, VCalico, OIDC and the control API of one world."""

    def __init__(self, world: World, fleet: Fleet, built: Built) -> None:
        self.world = world
        self.fleet = fleet
        self.built = built
        self.index: dict[str, Any] = {}
        self.cmdb = Cmdb(world, fleet.cmdb, built.machines, fleet.user)
        self.vcalico = VCalico(world, fleet.vcalico)
        self.oidc = OidcProvider(fleet.oidc, world.faults)
        self.switch = Switch(world)

    async def open(self, stack: contextlib.AsyncExitStack, place: Place, listen: str) -> list[str]:
        """Listen; the URLs of control, CMDB, VCalico and OIDC. Raises NoRoom when a port is held by something else."""
        try:
            for host in self.world.hosts.values():
                door = Door(host)
                door.settle()
                stack.callback(door.close)
                self.world.doors[host.name] = door
            for cluster in self.world.clusters.values():
                server = ClusterServer(cluster)
                self.world.servers[cluster.name] = server
                stack.callback(server.close)
                await server.settle()
            urls = [
                await _serve(stack, handler, listen, port)
                for handler, port in zip(self._handlers(), place.ports, strict=True)
            ]
        except OSError as error:
            raise NoRoom(str(error)) from error
        self.oidc.issuer = urls[-1]
        return urls

    def _handlers(self) -> list[http.Handler]:
        ours = control.handler(self.world, lambda: self.index, self.cmdb, self.vcalico, self.switch)
        return [ours, self.cmdb.handler(), self.vcalico.handler(), self.oidc.handler()]

    def describe(self, state_dir: Path, place: Place, urls: list[str]) -> dict[str, Any]:
        """What index.json holds."""
        world, fleet = self.world, self.fleet
        control_url, cmdb_url, vcalico_url, issuer = urls
        return {
            "pid": os.getpid(),
            "fleet": fleet.digest,
            "net": place.net,
            "control": control_url,
            "ssh": {
                "user": fleet.user,
                "port": world.ssh_port,
                "private_key_path": str(state_dir / "id_ed25519"),
                "public_key": world.login.public_key,
                "password": fleet.password,
            },
            "cmdb": {
                "url": cmdb_url,
                "token": fleet.cmdb.token,
                "source": self.cmdb.source(cmdb_url),
                "mapping": mapping(),
            },
            "vcalico": {"url": vcalico_url, "token": fleet.vcalico.token},
            "oidc": {"issuer": issuer, "client_id": fleet.oidc.client_id},
            "clusters": list(_clusters(self.built, state_dir)),
            "machines": [_machine(machine, world.ssh_port, fleet.user) for machine in self.built.machines],
        }


async def _serve(stack: contextlib.AsyncExitStack, handler: http.Handler, listen: str, port: int) -> str:
    server = await http.listen(listen, port, handler)
    stack.callback(server.close)
    return f"http://{listen}:{http.port_of(server)}"


def _machine(machine: Machine, port: int, user: str) -> dict[str, Any]:
    return {
        "name": machine.host.name,
        "address": machine.host.address,
        "port": port,
        "user": user,
        "host_key": machine.host.host_key,
        "sn": machine.host.facts.serial,
        "kind": machine.kind,
        "os": machine.os,
        "cluster": machine.cluster,
        "roles": list(machine.roles),
        "prepared": machine.prepared,
    }


def cluster_dir(state_dir: Path, name: str) -> Path:
    return state_dir / "clusters" / name


def _clusters(built: Built, state_dir: Path) -> Iterator[dict[str, Any]]:
    for made in built.clusters:
        folder = cluster_dir(state_dir, made.spec.name)
        yield {
            "name": made.spec.name,
            "version": made.spec.version,
            "flat_network": made.spec.flat_network,
            "api": f"https://{made.cluster.masters[0].address}:6443",
            "config": str(folder / "cluster.yml"),
            "state": str(folder / "cluster.rkestate"),
            "kubeconfig": str(folder / "kube_config_cluster.yml"),
            "nodes": made.spec.masters + made.spec.workers,
        }
