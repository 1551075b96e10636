"""Starting and stopping one simulation: addresses, keys, listeners, and the files that tell others where everything
is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from autorke.sim import control, http, snapshot
from autorke.sim.build import Built, build
from autorke.sim.cmdb import Cmdb, mapping
from autorke.sim.fleet import Fleet
from autorke.sim.kube.server import ClusterServer
from autorke.sim.machine.ssh import Door
from autorke.sim.record import Record
from autorke.sim.world import Login, World

NETS = range(64, 127)
"""Second octets of 127.x.y.z that a simulation may take."""
SSH_PORTS = (2222, 22022, 22122)
LOCK_PORT = 7099
SAVE_SECONDS = 10.0


class NoRoom(Exception):
    """No loopback addresses are left for this simulation, or not those it had before."""


def reserve(wanted: int | None) -> tuple[int, socket.socket]:
    """A net of loopback addresses for this process alone; the socket holds it. Raises NoRoom."""
    for net in ([wanted] if wanted else []) + list(NETS):
        sock = socket.socket()
        try:
            sock.bind((f"127.{net}.255.254", LOCK_PORT))
        except OSError:
            sock.close()
            continue
        return net, sock
    raise NoRoom("every net of loopback addresses is taken by another simulation")


def free_ssh_port(net: int) -> int:
    """A port that nothing holds on all addresses (a server on 0.0.0.0 would). Raises NoRoom."""
    for port in SSH_PORTS:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind((f"127.{net}.255.254", port))
                return port
    raise NoRoom(f"ports {SSH_PORTS} are all held on every address")


def login_key(state_dir: Path, fleet: Fleet) -> Login:
    """The key that opens every machine: kept in the state directory, made on first use."""
    path = state_dir / "id_ed25519"
    if path.exists():
        private = path.read_text()
    else:
        text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        private = text.decode()
        path.touch(mode=0o600)
        path.write_text(private)
    public = load_ssh_private_key(private.encode(), None).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return Login(frozenset({fleet.user, "root"}), line, private, fleet.password)


async def run(fleet: Fleet, state_dir: Path, listen: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT. Prints one line when everything answers; index.json is complete by then."""
    began = time.monotonic()
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    _raise_file_limit()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    index_path = state_dir / "index.json"
    earlier, before = snapshot.load(state_dir, fleet), _earlier_place(index_path)
    net, lock = reserve(before[0] if before else None)
    with lock, contextlib.closing(Record(state_dir / "journal.jsonl")) as record:
        port_of_all = free_ssh_port(net)
        if earlier is not None and before != (net, port_of_all):
            raise NoRoom(f"the addresses of the earlier run in {state_dir} are taken; is it still running?")
        world = World(fleet.seed, login_key(state_dir, fleet), port_of_all, fleet.timing, record)
        built = build(world, fleet, net, str(state_dir / "id_ed25519"), snapshot.bundles(earlier))
        record.touched.clear()
        services = _Services(world, fleet, built, listen, port)
        async with contextlib.AsyncExitStack() as stack:
            await services.open(stack)
            if earlier is None:
                _write_clusters(built, state_dir)
            else:
                snapshot.restore(world, services.cmdb, earlier)
            services.index = index = _index(world, fleet, built, state_dir, services)
            _save(world, fleet, services.cmdb, state_dir)
            _write(index_path, json.dumps(index, indent=1))
            seconds = time.monotonic() - began
            print(  # noqa: T201 - the line that a caller waits for
                f"sim ready: {len(world.hosts)} machines, {len(world.clusters)} clusters, "
                f"control {index['control']}, {seconds:.1f} s",
                flush=True,
            )
            await _serve_until_told(lambda: _save(world, fleet, services.cmdb, state_dir), record)
    return 0


def _raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))


def _earlier_place(path: Path) -> tuple[int, int] | None:
    """Net and SSH port of the run that left an index behind."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        index = json.loads(path.read_text())
        return int(index["net"]), int(index["ssh"]["port"])
    return None


def _save(world: World, fleet: Fleet, cmdb: Cmdb, state_dir: Path) -> None:
    _write(state_dir / snapshot.FILE, json.dumps(snapshot.take(world, fleet, cmdb)))


async def _serve_until_told(save: Callable[[], None], record: Record) -> None:
    """Wait for SIGTERM or SIGINT, saving now and then when something has changed, and at the end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    saved = record.last
    while not told.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), SAVE_SECONDS)
        if record.last != saved:
            saved = record.last
            save()


class _Services:
    """Everything that listens."""

    def __init__(self, world: World, fleet: Fleet, built: Built, listen: str, port: int) -> None:
        self.world = world
        self.index: dict[str, Any] = {}
        self.cmdb = Cmdb(world, fleet.cmdb, built.machines, fleet.user)
        self._listen = listen
        self._ports = iter(range(port, port + 4)) if port else iter([0] * 4)
        self.control_url = ""
        self.cmdb_url = ""

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        world = self.world
        for host in world.hosts.values():
            door = Door(host)
            door.open()
            stack.callback(door.close)
            world.doors[host.name] = door
        for cluster in world.clusters.values():
            server = ClusterServer(cluster)
            world.servers[cluster.name] = server
            stack.callback(server.close)
            await server.settle()
        self.control_url = await self._serve(stack, control.handler(world, lambda: self.index, self.cmdb))
        self.cmdb_url = await self._serve(stack, self.cmdb.handler())

    async def _serve(self, stack: contextlib.AsyncExitStack, handler: http.Handler) -> str:
        server = await http.listen(self._listen, next(self._ports), handler)
        stack.callback(server.close)
        return f"http://{self._listen}:{http.port_of(server)}"


def _index(world: World, fleet: Fleet, built: Built, state_dir: Path, services: _Services) -> dict[str, Any]:
    net = int(next(iter(world.by_address), "127.0.0.1").split(".")[1])
    return {
        "pid": os.getpid(),
        "net": net,
        "control": services.control_url,
        "ssh": {
            "user": fleet.user,
            "port": world.ssh_port,
            "private_key_path": str(state_dir / "id_ed25519"),
            "public_key": world.login.public_key,
            "password": fleet.password,
        },
        "cmdb": {
            "url": services.cmdb_url,
            "token": fleet.cmdb.token,
            "source": services.cmdb.source(services.cmdb_url),
            "mapping": mapping(),
        },
        "clusters": list(_cluster_entries(built, state_dir)),
        "machines": [
            {
                "name": machine.host.name,
                "address": machine.host.address,
                "port": world.ssh_port,
                "user": fleet.user,
                "host_key": machine.host.host_key,
                "sn": machine.host.facts.serial,
                "kind": machine.kind,
                "os": machine.os,
                "cluster": machine.cluster,
                "roles": list(machine.roles),
                "prepared": machine.prepared,
            }
            for machine in built.machines
        ],
    }


def _cluster_entries(built: Built, state_dir: Path) -> Iterator[dict[str, Any]]:
    for made in built.clusters:
        folder = state_dir / "clusters" / made.spec.name
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


def _write_clusters(built: Built, state_dir: Path) -> None:
    for made in built.clusters:
        folder = state_dir / "clusters" / made.spec.name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(folder / "cluster.yml", made.cluster_yml)
        _write(folder / "cluster.rkestate", made.state)
        _write(folder / "kube_config_cluster.yml", made.kubeconfig)


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
