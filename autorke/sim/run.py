"""Running one simulation from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from autorke.sim import places, snapshot
from autorke.sim.build import Built, build
from autorke.sim.fleet import Fleet
from autorke.sim.record import Record
from autorke.sim.services import Services, cluster_dir
from autorke.sim.world import World

SAVE_SECONDS = 10.0
OPEN_FILES = 65_536


async def run(fleet: Fleet, state_dir: Path, listen: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT. Prints one line when everything answers; index.json is complete by then.

    Raises NoRoom.
    """
    began = time.monotonic()
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    _raise_file_limit()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    index_path = state_dir / "index.json"
    earlier = snapshot.load(state_dir, fleet)
    wanted = places.earlier(index_path)
    place, lock = places.take(wanted, exactly=earlier is not None, listen=listen, first_port=port, state_dir=state_dir)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(lock.close)
        record = Record(state_dir / "journal.jsonl")
        stack.callback(record.close)
        world = World(fleet.seed, places.login_key(state_dir, fleet), place.ssh_port, fleet.timing, record)
        built = build(world, fleet, place.net, str(state_dir / "id_ed25519"), snapshot.bundles(earlier))
        record.touched.clear()
        services = Services(world, fleet, built)
        urls = await services.open(stack, place, listen)
        if earlier is None:
            _write_clusters(built, state_dir)
        else:
            snapshot.restore(services, earlier)
        services.index = services.describe(state_dir, place, urls)
        _save(services, state_dir)
        _write(index_path, json.dumps(services.index, indent=1))
        _say(world, urls[0], time.monotonic() - began)
        await _serve_until_told(lambda: _save(services, state_dir), record)
    return 0


def _say(world: World, control_url: str, seconds: float) -> None:
    counted = f"{len(world.hosts)} machines, {len(world.clusters)} clusters"
    print(f"sim ready: {counted}, control {control_url}, {seconds:.1f} s", flush=True)  # noqa: T201 - callers wait for it


def _raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES) if hard > 0 else OPEN_FILES, hard))


def _save(services: Services, state_dir: Path) -> None:
    _write(state_dir / snapshot.FILE, json.dumps(snapshot.take(services)))


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


def _write_clusters(built: Built, state_dir: Path) -> None:
    for made in built.clusters:
        folder = cluster_dir(state_dir, made.spec.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(folder / "cluster.yml", made.cluster_yml)
        _write(folder / "cluster.rkestate", made.state)
        _write(folder / "kube_config_cluster.yml", made.kubeconfig)


def _write(path: Path, text: str) -> None:
    """Private, and whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
